// Brings the parts together and runs them until a signal asks to stop.
import { join } from 'node:path'
import { performance } from 'node:perf_hooks'
import type { Logger } from 'pino'
import type { AuditEvent } from '../audit/audit-line.ts'
import { type AuditLog, openAuditLog } from '../audit/audit-log.ts'
import { connectEngine, type Engine } from '../engine/engine.ts'
import { ownContainerId } from '../engine/own-container.ts'
import { watchReach } from '../engine/reach.ts'
import { type Address, renderAddress } from '../listen-address.ts'
import { budgetsLeft } from '../policy/budget.ts'
import type { Policy } from '../policy/policy.ts'
import type { BoundedServer } from './bounded-server.ts'
import { createChanges } from './changes.ts'
import { createLedger, type Ledger, restoreLedger } from './ledger.ts'
import { listenAt, transportFor, whereInWords } from './listeners.ts'
import { createProxyMetrics, type ProxyMetrics } from './metrics.ts'
import { createMetricsServer } from './metrics-server.ts'
import { watchPolicies } from './reload.ts'
import { createServedClient } from './served-client.ts'
import { createTls, type TlsOptions } from './tls.ts'
import { watchSockets } from './watch-sockets.ts'

/** What a program of the proxy's runs with, whoever asks it. */
export type RunOptions = {
  readonly engineSocket: string
  readonly auditLog: { readonly file: string; readonly maxBytes: number; readonly maxFiles: number }
  /** Where the keys of the audit log's seals to come are kept. */
  readonly stateDirectory: string
  readonly metricsSocket?: string | undefined
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export type ServeOptions = RunOptions & {
  readonly clients: readonly { readonly policy: Policy; readonly policyFile: string; readonly address: Address }[]
  /** For every client that is served over TCP; without it, TCP is for this machine alone. */
  readonly tls?: Pick<TlsOptions, 'files' | 'material'> | undefined
  /** What a policy refuses passes and is recorded, but for what amounts to root. */
  readonly observe: boolean
}

/** In the state directory. */
const KEY_FILE = 'audit-keys.json'

/** How long requests that are under way may take to finish after a signal. */
export const STOP_TIMEOUT_MS = 8000

const monotonic = () => performance.now()

/** Serves until SIGTERM or SIGINT, then resolves once all is closed. Rejects if it cannot start, or once the Engine or a socket of its own is lost. */
export async function serve(options: ServeOptions): Promise<void> {
  const { clients, metricsSocket, observe, log, now } = options
  const metricsAt: readonly Address[] = metricsSocket === undefined ? [] : [{ kind: 'unix', path: metricsSocket }]
  const addresses = [...clients.map(({ address }) => address), ...metricsAt]
  refuseTwice(
    clients.map(({ policy }) => policy.client),
    'is the client of two policies; give each a name of its own',
  )
  refuseTwice(addresses.map(renderAddress), 'is named twice; each client has an address of its own')
  // Sockets and logs are for their owner and their group.
  process.umask(0o117)
  const stopped = stopSignal()

  const record = await openRecord(options)
  const { audit, ledger, metrics } = record
  const engines = connectEngines(options.engineSocket)
  const tls = options.tls && createTls({ ...options.tls, metrics, log, now })
  const socketPaths = addresses.flatMap((address) => (address.kind === 'unix' ? [address.path] : []))
  const shared = { ownId: ownContainerId(), socketPaths, observe, monotonic, changes: createChanges(), log, now }
  const served = clients.map(({ policy, policyFile, address }) => {
    const transport = transportFor(address, policy.client, tls)
    const client = createServedClient(policy, { ...shared, ...record, engine: engines.connect() }, undefined, transport)
    return { ...client, policyFile, address }
  })
  const policies = () => served.map(({ policy }) => policy())
  metrics.showState(() => ({
    policies: policies(),
    budgets: policies().flatMap((policy) => budgetsLeft(policy, ledger.charges, now())),
    auditHead: audit.head(),
    observes: observe,
    tls: tls?.state(),
  }))
  await audit.append(lifecycle('start', policies())).catch(record.cannotWrite)

  for (const { server, address, policy } of served) {
    await listenAt(server, address)
    const { client, file, hash, allow } = policy()
    metrics.reloaded(client, 'success')
    const where = whereInWords(address, tls)
    log.info({ client, policy: hash, operations: [...allow.keys()] }, `serving ${file} to ${client} at ${where}`)
  }
  if (observe) log.warn('--observe: what the policies refuse passes, but for what amounts to root; this protects nothing')
  const servers: BoundedServer[] = [...served]
  for (const address of metricsAt) {
    const server = createMetricsServer(engines.connect(), metrics)
    await listenAt(server.server, address)
    servers.push(server)
  }
  const onChange = () => ledger.follow(policies())
  const watch = watchPolicies(served.map((client) => ({ ...record, log, onChange, served: client, file: client.policyFile })))
  const unwatchTls = tls?.watch()
  process.on('SIGHUP', () => {
    watch.reload()
    void tls?.reload()
  })

  const sockets = watchSockets(socketPaths)
  const end = await Promise.race([stopped, engines.lost, sockets.removed.then(endsFor)])
  sockets.stop()
  log.info(`${end instanceof Error ? end.message : end}: stopping`)
  watch.stop()
  unwatchTls?.()
  tls?.cutHandshakes()
  const cutOff = setTimeout(() => served.map(({ open }) => open.cutAll()), STOP_TIMEOUT_MS)
  for (const { open } of served) open.cutReads()
  await Promise.all(servers.map((each) => closeWithin(each, STOP_TIMEOUT_MS)))
  clearTimeout(cutOff)
  // What the Engine still owes an answer to is recorded as such.
  await engines.close()
  await Promise.all([...servers.map(({ settled }) => settled()), ...served.map(({ open }) => open.settled())])
  await audit.close(lifecycle('stop', policies()))
  log.info('stopped')
  if (end instanceof Error) throw end
}

type RecordOptions = Pick<ServeOptions, 'auditLog' | 'stateDirectory' | 'log' | 'now'> & {
  readonly clients: readonly { readonly policy: Policy }[]
}

type OpenRecord = {
  readonly audit: AuditLog
  readonly ledger: Ledger
  readonly metrics: ProxyMetrics
  /** Says that the audit log could not be written, where nobody else would. */
  readonly cannotWrite: (error: unknown) => void
}

/** The audit log, and what is counted: what budgets need is read back from it. */
export async function openRecord({ clients, auditLog, stateDirectory, log, now }: RecordOptions): Promise<OpenRecord> {
  const metrics = createProxyMetrics()
  const policies = clients.map(({ policy }) => policy)
  const ledger = createLedger(policies, now)
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
  const head = audit.head()
  log.info(head, `audit log ${auditLog.file} goes on after line ${head.seq}; it is known by ${head.fingerprint}`)
  return { audit, ledger, metrics, cannotWrite }
}

/** Connections to the Engine, for each client its own, so that none can take all of them. */
function connectEngines(engineSocket: string) {
  const reach = watchReach(monotonic)
  const engines: Engine[] = []
  return {
    connect(): Engine {
      const engine = connectEngine(engineSocket, reach.tried)
      engines.push(engine)
      return engine
    },
    lost: reach.lost.then(endsFor),
    close: () => Promise.all(engines.map((engine) => engine.close())),
  }
}

const endsFor = (why: string) => new Error(`${why}; the proxy ends, so that its restart policy starts it anew`)

function refuseTwice(names: readonly string[], why: string): void {
  const twice = names.find((name, i) => names.indexOf(name) !== i)
  if (twice !== undefined) throw new Error(`${twice} ${why}`)
}

/** Resolves with the name of the first signal that asks to stop. */
export function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => resolve(signal))
  })
}

/** Stops accepting, lets what is under way finish, and cuts what has not finished in time. */
export function closeWithin({ server, cutOff }: BoundedServer, timeoutMs: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(cutOff, timeoutMs)
    server.close(() => {
      clearTimeout(timer)
      resolve()
    })
    server.closeIdleConnections()
  })
}

export function lifecycle(event: 'start' | 'stop', policies: readonly Policy[]): AuditEvent {
  return { event, reason: policies.map(({ client, file, hash }) => `${client} under ${file} ${hash}`).join(', ') }
}
