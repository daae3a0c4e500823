// Brings the healer's parts together and runs them until a signal asks to stop.
import type { Server } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { Logger } from 'pino'
import { deliver } from './alert/deliver.ts'
import { loadReceivers } from './alert/load-receivers.ts'
import { openNotifier } from './alert/notifier.ts'
import type { Receiver } from './alert/receiver.ts'
import { connectDocker } from './docker/dockerode.ts'
import { systemClock } from './loop/clock.ts'
import { createHealer } from './loop/healer.ts'
import { createApp } from './serve/app.ts'
import { createBoundedServer } from './serve/bound-connections.ts'
import { createHealerMetrics } from './serve/metrics.ts'
import { createProxyMetricsReader, type ReadProxyMetrics } from './serve/proxy-metrics.ts'
import { renderDuration } from './settings/duration.ts'
import type { Environment } from './settings/environment.ts'
import { openMemory } from './state/memory.ts'
import { openRules } from './state/rules.ts'

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
  const receivers = loadReceivers(environment.alerting)
  sayReceivers(receivers, log)
  const unwritable = (error: NodeJS.ErrnoException) => {
    // By Node's own permissions: the image has them for one directory.
    const isDenied = error.code === 'ERR_ACCESS_DENIED'
    const remedy = isDenied
      ? `mount that at /var/lib/postern instead, and leave STATE_DIR out, or see STATE_DIR in docs/healer.md`
      : 'create it for this user, or set STATE_DIR'
    throw new Error(`STATE_DIR is “${environment.stateDir}”, which cannot be written (${error.code ?? error.message}); ${remedy}`)
  }
  const memory = await openMemory(environment.stateDir, clock, log).catch(unwritable)
  const notifier = await openNotifier({
    ...{ receivers, clock, log, deliver },
    stateDir: environment.stateDir,
    cooldownMs: environment.alertCooldownMs,
    reminderMs: environment.alertReminderMs,
    random: Math.random,
    count: metrics.told,
  }).catch(unwritable)
  const rules = await openRules(environment.stateDir, clock, log).catch(unwritable)
  const healer = createHealer({
    docker: connectDocker(environment.dockerHost, (message) => log.warn(message)),
    clock,
    memory,
    rules,
    environment,
    log,
    onHappening(container, happening, state) {
      metrics.happened(container.name, happening)
      return notifier.happened(container, happening, state)
    },
    onProbed: metrics.probed,
    onListed: (names) => void notifier.listed(names),
  })
  const app = createApp({
    view: healer.view,
    metrics,
    proxyMetrics: createProxyMetrics(environment, log),
    alerts: notifier.view,
    clock,
    control: { control: healer.control, rules, token: environment.token, clock, log },
    maxLoopAgeMs: 3 * environment.intervalMs + 30_000,
  })
  const server = await listen(app.fetch, environment)
  log.info(
    `Health monitor started — interval=${renderDuration(environment.intervalMs)}, threshold=${environment.retries} failures, status page on port ${environment.port}${environment.dryRun ? ', DRY RUN: nothing is restarted' : ''}`,
  )
  const ending = new AbortController()
  const told = notifier.run(ending.signal)
  const ran = healer.run(stopping.signal)
  await Promise.race([aborted(stopping.signal), ran])
  // A restart that is under way is the Engine's to finish; nobody waits for it here.
  await within(STOP_TIMEOUT_MS / 2, ran)
  ending.abort()
  await within(STOP_TIMEOUT_MS / 2, told)
  server.close()
  log.info('stopped')
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function sayReceivers(receivers: readonly Receiver[], log: Logger): void {
  const names = receivers.map(({ name }) => name).join(', ')
  log.info(
    names === '' ? 'nobody is told of anything: no receiver of alerts is set (docs/alerts.md)' : `told of what happens: ${names}`,
  )
}

function createProxyMetrics({ proxyMetricsSocket: socketPath }: Environment, log: Logger): ReadProxyMetrics | undefined {
  return socketPath === undefined ? undefined : createProxyMetricsReader({ socketPath, log })
}

type Fetch = Parameters<typeof getRequestListener>[0]

function listen(fetch: Fetch, { port, host }: Environment): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createBoundedServer(getRequestListener(fetch, host === undefined ? {} : { hostname: host }))
    server.listen(port, host, () => resolve(server))
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
