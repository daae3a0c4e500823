// A healer with its status page at a real port, on a fake Docker and a clock that stands still.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import type { Test } from 'tap'
import { type AppOptions, createApp } from '../../../healer/serve/app.ts'
import { createHealerMetrics } from '../../../healer/serve/metrics.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { type App, type Bench, createBench, startServer } from './bench.ts'
import { startTelling, type TellingOptions } from './telling.ts'

export type StatusPage = {
  readonly bench: Bench
  readonly url: string
  readonly apps: ReadonlyMap<string, App>
  /** What the healer serves at `path`. */
  readonly get: (path: string) => Promise<Response>
  /** Ends every connection that is open. */
  readonly hangUp: () => void
}

export type StatusPageOptions = {
  /** Names of the containers that are watched, and labels beside the one that opts in. */
  readonly containers: Readonly<Record<string, Readonly<Record<string, string>>>>
  readonly env?: NodeJS.ProcessEnv
  readonly receivers?: TellingOptions['receivers']
  readonly proxyMetrics?: AppOptions['proxyMetrics']
  /** One server answers for all of them, where there are many. */
  readonly oneServer?: boolean
  /** Docker cannot be asked, from the start. */
  readonly dockerFailure?: Error
}

export async function startStatusPage(t: Test, options: StatusPageOptions): Promise<StatusPage> {
  const bench = createBench(t, options.env)
  const { notifier } = await startTelling(t, {
    clock: bench.clock,
    ...(options.receivers ? { receivers: options.receivers } : {}),
    stateDir: temporaryDirectory(t),
  })
  bench.hear = notifier.happened
  bench.docker.failure = options.dockerFailure
  const shared = options.oneServer ? await startServer(t) : undefined
  const apps = new Map<string, App>()
  for (const [name, labels] of Object.entries(options.containers)) {
    const app = shared ?? (await startServer(t))
    apps.set(name, app)
    bench.docker.add(name, app.port, { summary: { labels: { monitored: 'true', ...labels } } })
  }
  // The notifier's senders and its reminder sleep on the same clock.
  const healer = await bench.start(apps.size + (options.receivers?.length ?? 1) + 1)
  const app = createApp({
    view: healer.view,
    metrics: createHealerMetrics(),
    maxLoopAgeMs: 60_000,
    clock: bench.clock,
    alerts: notifier.view,
    proxyMetrics: options.proxyMetrics,
  })
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  await once(server, 'listening')
  const hangUp = () => {
    if ('closeAllConnections' in server) server.closeAllConnections()
  }
  t.teardown(() => {
    hangUp()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { bench, url, apps, get: (path) => fetch(`${url}${path}`), hangUp }
}
