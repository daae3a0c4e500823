// Brings the parts together and runs them until a signal asks to stop.
import type { Server } from 'node:http'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { Logger } from 'pino'
import type { AuditEvent } from '../audit/audit-line.ts'
import { openAuditLog } from '../audit/audit-log.ts'
import { connectEngine, type Engine } from '../engine/engine.ts'
import { ownContainerId } from '../engine/own-container.ts'
import { watchReach } from '../engine/reach.ts'
import { budgetsLeft } from '../policy/budget.ts'
import type { Policy } from '../policy/policy.ts'
import type { BoundedServer } from './bounded-server.ts'
import { createChanges } from './changes.ts'
import { createLedger, restoreLedger } from './ledger.ts'
import { listen } from './listen.ts'
import { createProxyMetrics } from './metrics.ts'
import { createMetricsServer } from './metrics-server.ts'
import { type Reloading, type Watch, watchPolicies } from './reload.ts'
import { createServedClient } from './served-client.ts'

export type ServeOptions = {
  readonly clients: readonly { readonly policy: Policy; readonly policyFile: string; readonly socketPath: string }[]
  /** What a policy refuses passes and is recorded, but for what amounts to root. */
  readonly observe: boolean
  readonly engineSocket: string
  readonly auditLog: { readonly file: string; readonly maxBytes: number; readonly maxFiles: number }
  /** Where the keys of the audit log's seals to come are kept. */
  readonly stateDirectory: string
  readonly metricsSocket?: string | undefined
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** In the state directory. */
const KEY_FILE = 'audit-keys.json'

/** How long requests that are under way may take to finish after a signal. */
const STOP_TIMEOUT_MS = 8000

/** Serves until SIGTERM or SIGINT, then resolves once all is closed. Rejects if it cannot start, or once the Engine is lost. */
export async function serve({
  clients,
  observe,
  engineSocket,
  auditLog,
  stateDirectory,
  metricsSocket,
  log,
  now,
}: ServeOptions): Promise<void> {
  refuseTwice(
    clients.map(({ policy }) => policy.client),
    'is the client of two policies; give each a name of its own',
  )
  refuseTwice(
    [...clients.map(({ socketPath }) => socketPath), metricsSocket ?? ''],
    'is named twice; each client has a socket of its own',
  )
  // Sockets and logs are for their owner and their group.
  process.umask(0o117)

  const stopped = stopSignal()
  let watch: Watch | undefined
  process.on('SIGHUP', () => watch?.reload())
  const metrics = createProxyMetrics()
  const ledger = createLedger(
    clients.map(({ policy }) => policy),
    now,
  )
  const cannotWrite = (error: unknown) => {
    metrics.auditFailed()
    log.error({ err: error }, 'the audit log cannot be written; nothing is changed until it can')
  }
  const audit = await openAuditLog({
    ...auditLog,
    keyFile: join(stateDirectory, KEY_FILE),
    now,
    onLine: restoreLedger(ledger),
    lookBackMs: ledger.windowMs(),
    onError: cannotWrite,
  })
  metrics.auditHead(audit.head)
  const auditHead = audit.head()
  log.info(auditHead, `audit log ${auditLog.file} goes on after line ${auditHead.seq}; it is known by ${auditHead.fingerprint}`)
  const ownId = ownContainerId()
  const socketPaths = [...clients.map(({ socketPath }) => socketPath), ...(metricsSocket ? [metricsSocket] : [])]
  const changes = createChanges()
  const monotonic = () => performance.now()
  const reach = watchReach(monotonic)
  // Each has connections of its own to the Engine, so that none can take all of them.
  const engines: Engine[] = []
  const ownEngine = () => {
    const engine = connectEngine(engineSocket, reach.tried)
    engines.push(engine)
    return engine
  }

  await audit
    .appendDurably(
      lifecycle(
        'start',
        clients.map(({ policy }) => policy),
      ),
    )
    .catch(cannotWrite)
  const servers: BoundedServer[] = []
  const reloadings: Reloading[] = []
  const policies = () => reloadings.map(({ served }) => served.policy())
  metrics.policies(policies)
  metrics.budgets(() => policies().flatMap((policy) => budgetsLeft(policy, ledger.charges, now())))
  metrics.observing(observe)
  for (const { policy, policyFile, socketPath } of clients) {
    const shared = { ownId, socketPaths, observe, monotonic, ledger, audit, metrics, log, changes, now }
    const served = createServedClient(policy, { ...shared, engine: ownEngine() })
    await listen(served.server, socketPath)
    servers.push(served)
    reloadings.push({ file: policyFile, served, audit, metrics, log, onChange: () => ledger.follow(policies()) })
    metrics.reloaded(policy.client, 'success')
    log.info(
      { client: policy.client, policy: policy.hash, operations: [...policy.allow.keys()] },
      `serving ${policy.file} to ${policy.client} at unix://${socketPath}`,
    )
  }
  if (observe) log.warn('--observe: what the policies refuse passes, but for what amounts to root; this protects nothing')
  if (metricsSocket !== undefined) {
    const served = createMetricsServer(ownEngine(), metrics)
    await listen(served.server, metricsSocket)
    servers.push(served)
  }
  watch = watchPolicies(reloadings)

  const lost = reach.lost.then((why) => new Error(`${why}; the proxy ends, so that its restart policy connects it anew`))
  const end = await Promise.race([stopped, lost])
  log.info(`${end instanceof Error ? end.message : end}: stopping`)
  watch.stop()
  await Promise.all(servers.map(({ server }) => closeWithin(server, STOP_TIMEOUT_MS)))
  // What the Engine still owes an answer to is recorded as such.
  await Promise.all(engines.map((engine) => engine.close()))
  await Promise.all(servers.map(({ settled }) => settled()))
  await audit.close(lifecycle('stop', policies()))
  log.info('stopped')
  if (end instanceof Error) throw end
}

function refuseTwice(names: readonly string[], why: string): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new Error(`${twice} ${why}`)
}

/** Resolves with the name of the first signal that asks to stop. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal))
  })
}

/** Stops accepting, lets what is under way finish, and cuts what has not finished in time. */
function closeWithin(server: Server, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => server.closeAllConnections(), timeoutMs)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })
}

function lifecycle(event: 'start' | 'stop', policies: readonly Policy[]): AuditEvent {
  return { event, reason: policies.map(({ client, file, hash }) => `${client} under ${file} ${hash}`).join(', ') }
}
