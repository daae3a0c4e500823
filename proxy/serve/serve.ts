// Brings the parts together and runs them until a signal asks to stop.
import type { Server } from 'node:http'
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { Logger } from 'pino'
import type { AuditEvent } from '../audit/audit-line.ts'
import { openAuditLog } from '../audit/audit-log.ts'
import { createApiRange } from '../engine/api-range.ts'
import { connectEngine, type Engine } from '../engine/engine.ts'
import { ownContainerId } from '../engine/own-container.ts'
import { watchReach } from '../engine/reach.ts'
import { createTargets } from '../engine/targets.ts'
import type { Policy } from '../policy/policy.ts'
import type { BoundedServer } from './bounded-server.ts'
import { createChanges } from './changes.ts'
import { createClientServer } from './client-server.ts'
import { createLedger, restoreLedger } from './ledger.ts'
import { listen } from './listen.ts'
import { createProxyMetrics } from './metrics.ts'
import { createMetricsServer } from './metrics-server.ts'

export type ServeOptions = {
  readonly clients: readonly { readonly policy: Policy; readonly socketPath: string }[]
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
    lookBackMs: ledger.windowMs,
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

  await audit.appendDurably(lifecycle('start', clients)).catch(cannotWrite)
  const servers: Server[] = []
  const settling: BoundedServer['settled'][] = []
  for (const { policy, socketPath } of clients) {
    const engine = ownEngine()
    const targets = createTargets({ engine, scope: policy.scope, ownId, socketPaths })
    const apiRange = createApiRange(engine, monotonic)
    const { server, settled } = createClientServer({
      policy,
      engine,
      apiRange,
      targets,
      ledger,
      audit,
      metrics,
      log,
      changes,
      now,
    })
    await listen(server, socketPath)
    servers.push(server)
    settling.push(settled)
    log.info(
      { client: policy.client, policy: policy.hash, operations: [...policy.allow.keys()] },
      `serving ${policy.file} to ${policy.client} at unix://${socketPath}`,
    )
  }
  if (metricsSocket !== undefined) {
    const { server, settled } = createMetricsServer(ownEngine(), metrics)
    await listen(server, metricsSocket)
    servers.push(server)
    settling.push(settled)
  }

  const lost = reach.lost.then((why) => new Error(`${why}; the proxy ends, so that its restart policy connects it anew`))
  const end = await Promise.race([stopped, lost])
  log.info(`${end instanceof Error ? end.message : end}: stopping`)
  await Promise.all(servers.map(closeWithin(STOP_TIMEOUT_MS)))
  // What the Engine still owes an answer to is recorded as such.
  await Promise.all(engines.map((engine) => engine.close()))
  await Promise.all(settling.map((settled) => settled()))
  await audit.close(lifecycle('stop', clients))
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
function closeWithin(timeoutMs: number): (server: Server) => Promise<void> {
  return (server) =>
    new Promise((resolve) => {
      const timer = setTimeout(() => server.closeAllConnections(), timeoutMs)
      server.close(() => {
        clearTimeout(timer)
        resolve()
      })
      server.closeIdleConnections()
    })
}

function lifecycle(event: 'start' | 'stop', clients: ServeOptions['clients']): AuditEvent {
  const reason = clients.map(({ policy }) => `${policy.client} under ${policy.file} ${policy.hash}`).join(', ')
  return { event, reason }
}
