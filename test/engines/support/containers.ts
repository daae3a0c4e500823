// The containers that Postern is tried on, and what is done to them. All stop at once on SIGTERM, and say so.
import { request } from 'node:http'
import type { Test } from 'tap'
import { waitFor } from '../../engine/support/composition.ts'
import { IMAGE, type RunningEngine } from './engines.ts'

/** What no client may be shown. */
export const SECRET = 'hunter2-of-the-host'

/** Well when it starts, ill while `/tmp/ill` is there. */
const SCRIPT = `
const fs = require('fs')
fs.rmSync('/tmp/ill', { force: true })
process.on('SIGTERM', () => setTimeout(() => { console.log('stopped in peace'); process.exit(0) }, 200))
require('http').createServer((request, response) => {
  response.writeHead(fs.existsSync('/tmp/ill') ? 503 : 200).end()
}).listen(Number(process.env.PORT))`

export type Plan = {
  readonly labels?: Readonly<Record<string, string>>
  readonly options?: readonly string[]
  readonly port?: number
  /** Instead of the one above. */
  readonly script?: string
}

export async function startContainer(engine: RunningEngine, name: string, plan: Plan = {}): Promise<void> {
  const { labels = {}, options = [], port = 8080, script = SCRIPT } = plan
  const labelled = Object.entries(labels).flatMap(([label, value]) => ['--label', `${label}=${value}`])
  await engine.docker(
    ...['run', '--detach', '--name', name, '--env', `PASSWORD=${SECRET}`, '--env', `PORT=${port}`],
    ...[...labelled, ...options, IMAGE, 'node', '-e', script, SECRET],
  )
}

/** The options of a container with a HEALTHCHECK. */
export const HEALTHCHECK = ['--health-cmd', 'test ! -e /tmp/ill', '--health-interval', '1s', '--health-retries', '2']

/**
 * Runs the health check of `name` every second until the test ends. Podman leaves that to timers of systemd, which need not run where
 * tests do; each of them calls no more than this.
 */
export function runHealthChecks(t: Test, { kind, socketPath }: RunningEngine, name: string): void {
  if (!kind.start.endsWith('podman')) return
  const timer = setInterval(() => {
    request({ socketPath, path: `/v4.0.0/libpod/containers/${name}/healthcheck`, agent: false }, (response) => response.resume())
      .on('error', () => undefined)
      .end()
  }, 1000)
  t.teardown(() => clearInterval(timer))
}

export const makeIll = (engine: RunningEngine, name: string) => engine.docker('exec', name, 'touch', '/tmp/ill')

/** As the engine itself tells. */
export async function inspect(engine: RunningEngine, name: string) {
  return (await engine.ask(`/containers/${name}/json`)) as {
    readonly Id: string
    readonly State: { readonly Status: string; readonly StartedAt: string }
  }
}

export const waitForState = (engine: RunningEngine, name: string, state: string) =>
  waitFor(`${name} to be ${state}`, async () => (await inspect(engine, name)).State.Status === state)
