// The writes that were let through, as budgets count them, and the restarts that could not start their container again.
// Nothing is kept beside the audit log: after a restart of the proxy both are read back from its lines.
import { type ReadLine, readAuditLines } from '../audit/audit-log.ts'
import type { Charge } from '../policy/decide.ts'
import type { Policy } from '../policy/policy.ts'
import { CATALOGUE, hasContainer } from '../request/catalogue.ts'

export type Ledger = {
  readonly charges: () => readonly Charge[]
  readonly add: (charge: Charge) => void
  /** Takes back a charge whose operation never went out. */
  readonly cancel: (charge: Charge) => void
  /** The last restart of this run that was forwarded for `client` could not start the container again. */
  readonly failedToStart: (run: RestartedRun) => boolean
  readonly noteRestart: (run: RestartedRun, started: boolean) => void
}

/** One run of a container, as a client had it restarted. Whoever starts the container begins another. */
export type RestartedRun = { readonly client: string; readonly id: string; readonly startedAt: string }

const runKey = ({ client, id, startedAt }: RestartedRun) => `${client} ${id} ${startedAt}`

/** An empty ledger. Charges older than `windowMs` are forgotten. */
export function createLedger(windowMs: number, now: () => number): Ledger {
  let kept: readonly Charge[] = []
  const unstarted = new Set<string>()
  return {
    charges: () => kept,
    add(charge) {
      kept = [...kept, charge].filter(({ atMs }) => atMs > now() - windowMs)
    },
    cancel(charge) {
      kept = kept.filter((other) => other !== charge)
    },
    failedToStart: (run) => unstarted.has(runKey(run)),
    noteRestart(run, started) {
      if (started) unstarted.delete(runKey(run))
      else unstarted.add(runKey(run))
    },
  }
}

/** The longest window of any budget in `policies`, milliseconds. */
export function longestWindowMs(policies: readonly Policy[]): number {
  const budgets = policies.flatMap(({ allow }) => [...allow.values()].map(({ budget }) => budget))
  return Math.max(0, ...budgets.flatMap((budget) => [budget?.container?.windowMs ?? 0, budget?.client?.windowMs ?? 0]))
}

/** The ledger as the audit log in `file` tells it. */
export async function restoreLedger(file: string, windowMs: number, now: () => number): Promise<Ledger> {
  const ledger = createLedger(windowMs, now)
  const restarts = new Map<unknown, RestartedRun>()
  for await (const line of readAuditLines(file)) {
    const write = readWrite(line)
    if (write) {
      ledger.add(write.charge)
      if (write.run && write.charge.operation === 'ContainerRestart') restarts.set(line.seq, write.run)
    }
    const run = line.event === 'outcome' ? restarts.get(line.of) : undefined
    if (run && (line.status === 500 || line.status === 204)) ledger.noteRestart(run, line.status === 204)
    if (run) restarts.delete(line.of)
  }
  return ledger
}

/** The write that a line says was let through, if it does. */
function readWrite(line: ReadLine): { readonly charge: Charge; readonly run?: RestartedRun } | undefined {
  if (line.event !== 'decision' || line.verdict !== 'allow') return undefined
  const operation = CATALOGUE.find(({ id, kind }) => kind !== 'reads' && id === line.operation)
  const { id, name, startedAt } = (line.target ?? {}) as { id?: unknown; name?: unknown; startedAt?: unknown }
  const atMs = Date.parse(line.time)
  if (!operation || !Number.isFinite(atMs)) return undefined
  const charge = { client: String(line.client), operation: operation.id, atMs }
  if (!hasContainer(operation)) return { charge }
  if (typeof id !== 'string' || typeof name !== 'string') return undefined
  return { charge: { ...charge, container: name }, run: { client: charge.client, id, startedAt: String(startedAt) } }
}
