// The writes that were let through, as budgets count them, and the restarts that could not start their container again.
// Nothing is kept beside the audit log: after a restart of the proxy both are read back from its lines.
import type { ReadLine } from '../audit/read-log.ts'
import type { Charge } from '../policy/decide.ts'
import type { Policy } from '../policy/policy.ts'
import { CATALOGUE, hasContainer, type OperationId } from '../request/catalogue.ts'

export type Ledger = {
  /** What `client` was let through of `operation`, at least as far back as its budget looks. */
  readonly charges: (client: string, operation: OperationId) => readonly Charge[]
  readonly add: (charge: Charge) => void
  /** Takes back a charge whose operation never went out. */
  readonly cancel: (charge: Charge) => void
  /** The last restart of this run that was forwarded for `client` could not start the container again. */
  readonly failedToStart: (run: RestartedRun) => boolean
  readonly noteRestart: (run: RestartedRun, started: boolean) => void
  /** From now on the budgets of these policies count; they count what is remembered. */
  readonly follow: (policies: readonly Policy[]) => void
  /** How far back the longest budget looks, in milliseconds. */
  readonly windowMs: () => number
}

/** One run of a container, as a client had it restarted. Whoever starts the container begins another. */
export type RestartedRun = { readonly client: string; readonly id: string; readonly startedAt: string }

const runKey = ({ client, id, startedAt }: RestartedRun) => `${client} ${id} ${startedAt}`

/** Runs that could not be started again; beyond this the oldest is forgotten. */
const MAX_UNSTARTED = 1000

/** Beyond what a budget counts: so much is remembered for one that a reload of the policy may bring. */
const MAX_UNCOUNTED = 1000
const MAX_UNCOUNTED_MS = 86_400_000

/** An empty ledger for these policies. */
export function createLedger(policies: readonly Policy[], now: () => number): Ledger {
  let windows: ReadonlyMap<string, number> = windowsOf(policies)
  const kept = new Map<string, readonly Charge[]>()
  const unstarted = new Set<string>()
  return {
    charges: (client, operation) => kept.get(`${client} ${operation}`) ?? [],
    add(charge) {
      const account = `${charge.client} ${charge.operation}`
      const charges = [...(kept.get(account) ?? []), charge]
      /** Those of the last `ms`, from the first of them on. */
      const since = (ms: number) => {
        const first = charges.findIndex(({ atMs }) => atMs > now() - ms)
        return first < 0 ? [] : charges.slice(first)
      }
      const counted = since(windows.get(account) ?? 0)
      const remembered = since(MAX_UNCOUNTED_MS).slice(-MAX_UNCOUNTED)
      kept.set(account, counted.length > remembered.length ? counted : remembered)
    },
    cancel(charge) {
      const account = `${charge.client} ${charge.operation}`
      const left = kept.get(account)?.filter((other) => other !== charge)
      if (left) kept.set(account, left)
    },
    follow(followed) {
      windows = windowsOf(followed)
    },
    windowMs: () => Math.max(0, ...windows.values()),
    failedToStart: (run) => unstarted.has(runKey(run)),
    noteRestart(run, started) {
      unstarted.delete(runKey(run))
      if (!started) unstarted.add(runKey(run))
      const [oldest] = unstarted
      if (unstarted.size > MAX_UNSTARTED && oldest !== undefined) unstarted.delete(oldest)
    },
  }
}

/** How far back each budget looks, by client and operation. */
function windowsOf(policies: readonly Policy[]): ReadonlyMap<string, number> {
  const rules = policies.flatMap(({ client, allow }) =>
    [...allow].map(([id, { budget }]) => ({ account: `${client} ${id}`, budget })),
  )
  return new Map(
    rules.map(({ account, budget }) => [account, Math.max(budget?.container?.windowMs ?? 0, budget?.client?.windowMs ?? 0)]),
  )
}

/** Enters what the lines of an audit log tell, one after the other, into `ledger`. */
export function restoreLedger(ledger: Ledger): (line: ReadLine) => void {
  const restarts = new Map<unknown, RestartedRun>()
  return (line) => {
    const write = readWrite(line)
    if (write) {
      ledger.add(write.charge)
      if (write.run && write.charge.operation === 'ContainerRestart') restarts.set(line.seq, write.run)
    }
    const run = line.event === 'outcome' ? restarts.get(line.of) : undefined
    if (run && (line.status === 204 || line.left === 'exited')) ledger.noteRestart(run, line.status === 204)
    if (run) restarts.delete(line.of)
  }
}

/** The write that a line says was let through, if it does. */
function readWrite(line: ReadLine): { readonly charge: Charge; readonly run?: RestartedRun } | undefined {
  if (line.event !== 'decision' || (line.verdict !== 'allow' && line.verdict !== 'observe')) return undefined
  const operation = CATALOGUE.find(({ id, kind }) => kind !== 'reads' && id === line.operation)
  const { id, name, startedAt } = (line.target ?? {}) as { id?: unknown; name?: unknown; startedAt?: unknown }
  const atMs = Date.parse(line.time)
  if (!operation || !Number.isFinite(atMs)) return undefined
  const charge = { client: String(line.client), operation: operation.id, atMs }
  if (!hasContainer(operation)) return { charge }
  if (typeof id !== 'string' || typeof name !== 'string') return undefined
  return { charge: { ...charge, container: name, id }, run: { client: charge.client, id, startedAt: String(startedAt) } }
}
