// Brings the healer's parts together and runs them until a signal asks to stop.
import { serve } from '@hono/node-server'
import type { Logger } from 'pino'
import { alertFor, type Receiver } from './alert/alert.ts'
import { createSlack } from './alert/slack.ts'
import { connectDocker } from './docker/dockerode.ts'
import { systemClock } from './loop/clock.ts'
import { createHealer } from './loop/healer.ts'
import { createApp } from './serve/app.ts'
import { createHealerMetrics } from './serve/metrics.ts'
import { createProxyMetricsReader, type ReadProxyMetrics } from './serve/proxy-metrics.ts'
import { renderDuration } from './settings/duration.ts'
import type { Environment } from './settings/environment.ts'
import { openMemory } from './state/memory.ts'

/** How long what is under way may take after a signal: half of it for looks and restarts, half for alerts. */
const STOP_TIMEOUT_MS = 6000

/** Runs until SIGTERM or SIGINT. Rejects if it cannot start. */
export async function run(environment: Environment, log: Logger): Promise<void> {
  const stopping = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    // `on`, not `once`: a listener that is gone when others look makes them end the process there and then.
    process.on(signal, () => {
      log.info(`${signal}: stopping`)
      stopping.abort()
    })
  }
  const clock = systemClock
  const metrics = createHealerMetrics()
  const receivers = createReceivers(environment, log)
  const memory = await openMemory(environment.stateDir, clock, log).catch((error: NodeJS.ErrnoException) => {
    throw new Error(
      `STATE_DIR is “${environment.stateDir}”, which cannot be written (${error.code ?? error.message}); create it for this user, or set STATE_DIR`,
    )
  })
  const healer = createHealer({
    docker: connectDocker(environment.dockerHost),
    clock,
    memory,
    environment,
    log,
    onHappening({ name }, happening) {
      metrics.happened(name, happening)
      const alert = alertFor(name, happening, clock.wallMs())
      if (alert) for (const receiver of receivers) void receiver.send(alert)
    },
  })
  const app = createApp({
    view: healer.view,
    metrics,
    proxyMetrics: createProxyMetrics(environment, log),
    control: { control: healer.control, token: environment.token, clock, log },
    maxLoopAgeMs: 3 * environment.intervalMs + 30_000,
  })
  const server = await listen(app.fetch, environment)
  log.info(
    `Health monitor started — interval=${renderDuration(environment.intervalMs)}, threshold=${environment.retries} failures, status page on port ${environment.port}${environment.dryRun ? ', DRY RUN: nothing is restarted' : ''}`,
  )
  const ran = healer.run(stopping.signal)
  await Promise.race([aborted(stopping.signal), ran])
  // A restart that is under way is the Engine's to finish; nobody waits for it here.
  await within(STOP_TIMEOUT_MS / 2, ran)
  await within(STOP_TIMEOUT_MS / 2, Promise.all(receivers.map((receiver) => receiver.settled())))
  server.close()
  log.info('stopped')
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function createReceivers({ slackWebhookUrl }: Environment, log: Logger): readonly Receiver[] {
  if (slackWebhookUrl !== undefined) return [createSlack({ url: slackWebhookUrl, log })]
  log.info('SLACK_WEBHOOK_URL is not set: nobody is told on Slack')
  return []
}

function createProxyMetrics({ proxyMetricsSocket: socketPath }: Environment, log: Logger): ReadProxyMetrics | undefined {
  return socketPath === undefined ? undefined : createProxyMetricsReader({ socketPath, log })
}

type Fetch = Parameters<typeof serve>[0]['fetch']

function listen(fetch: Fetch, { port, host }: Environment): Promise<ReturnType<typeof serve>> {
  return new Promise((resolve, reject) => {
    const server = serve({ fetch, port, ...(host === undefined ? {} : { hostname: host }) }, () => resolve(server))
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE' ? new Error(`port ${port} is taken; stop what listens there, or set HEALER_PORT`) : error,
      )
    })
  })
}

async function within(timeoutMs: number, done: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  await Promise.race([done, new Promise((resolve) => (timer = setTimeout(resolve, timeoutMs)))])
  clearTimeout(timer)
}
