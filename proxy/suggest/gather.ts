// Sorts the records of an audit log by client, into the requests that a policy is to be suggested from and those left out, with why.
import type { AuditRecord, RecordedDecision } from '../audit/read-records.ts'
import { whyNotServed } from '../request/catalogue.ts'
import type { RefusalRule } from '../request/refusal.ts'
import { createLedger, restoreLedger } from '../serve/ledger.ts'
import { type RecordedRequest, readRecorded } from './recorded-request.ts'

export type GatherOptions = {
  /** Take the requests that were refused as well. */
  readonly refused?: boolean
  /** Take those that amount to root on the host as well. */
  readonly rootEquivalent?: boolean
}

export type Gathered = { readonly taken: RecordedRequest[]; readonly leftOut: LeftOut }

/** How often what was left out, by the reason and the operation. */
export type LeftOut = Map<string, Map<string, number>>

export function leaveOut(leftOut: LeftOut, why: string, operation: string, count: number): void {
  const operations = leftOut.get(why) ?? new Map<string, number>()
  leftOut.set(why, operations.set(operation, (operations.get(operation) ?? 0) + count))
}

export const NOT_TAKEN = 'refused; --refused takes it in'
export const ROOT = 'AMOUNTS TO ROOT ON THE HOST; --root-equivalent takes it in'

/** What was refused by these a policy could allow. */
const POLICYS_OWN: readonly RefusalRule[] = ['policy.operation', 'policy.query', 'policy.scope', 'policy.when', 'policy.budget']

export type Gathering = { readonly add: (record: AuditRecord) => void; readonly clients: ReadonlyMap<string, Gathered> }

/** Takes the records in the order of the log. */
export function createGathering(options: GatherOptions): Gathering {
  const clients = new Map<string, Gathered>()
  // What the log tells of restarts that could not start their container: such a one may be restarted again.
  const ledger = createLedger([], () => 0)
  const restore = restoreLedger(ledger)
  return {
    clients,
    add({ line, says }) {
      if (says.event === 'decision') {
        const { client, target } = says
        const gathered = clients.get(client) ?? { taken: [], leftOut: new Map() }
        clients.set(client, gathered)
        const run = target && { client, id: target.id, startedAt: String(target.startedAt) }
        sort(gathered, says, options, run !== undefined && ledger.failedToStart(run))
      }
      restore(line)
    },
  }
}

function sort({ taken, leftOut }: Gathered, line: RecordedDecision, options: GatherOptions, failedToStart: boolean): void {
  const recorded = sortOut(line, options, failedToStart)
  if (typeof recorded === 'string') leaveOut(leftOut, recorded, line.operation ?? 'no operation', line.count)
  else taken.push(recorded)
}

/** The request, or why it is left out. */
function sortOut(line: RecordedDecision, options: GatherOptions, failedToStart: boolean): RecordedRequest | string {
  const isMendable = POLICYS_OWN.some((rule) => rule === line.rule)
  if (line.verdict === 'deny' && !isMendable) return `refused by ${line.rule}, whatever the policy`
  if (line.verdict === 'deny' && !options.refused) return NOT_TAKEN
  const recorded = readRecorded(line, failedToStart)
  if ('unreadable' in recorded) return recorded.unreadable
  const { operation } = recorded.request
  const unserved = whyNotServed(operation)
  if (unserved !== undefined) return unserved
  if (operation.kind === 'root' && !options.rootEquivalent) return ROOT
  if (operation.id === 'ContainerRename') return 'would move containers in and out of a scope that goes by names'
  return recorded
}
