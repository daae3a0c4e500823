// How budgets count: a sliding window over the charges that were made, the same for the decision and for the metrics.
// Times are milliseconds since 1970.
import type { OperationId } from '../request/catalogue.ts'
import type { Charge } from './decide.ts'
import type { Limit, Policy } from './policy.ts'

/** Milliseconds until one more charge fits into the window; 0 if it fits now. */
export function waitFor(limit: Limit, charges: readonly Charge[], nowMs: number): number {
  const inWindow = countedTimes(limit, charges, nowMs)
  if (inWindow.length < limit.count) return 0
  const freed = inWindow.sort((a, b) => a - b)[inWindow.length - limit.count] ?? nowMs
  return Math.min(freed + limit.windowMs - nowMs, limit.windowMs)
}

/** The charges of one container. By name or id: one that is made anew keeps its name, and one that is renamed its id. */
export function chargesOf({ container, id }: Pick<Charge, 'container' | 'id'>, charges: readonly Charge[]): readonly Charge[] {
  return charges.filter((other) => other.container === container || (id !== undefined && other.id === id))
}

/** How many more charges fit into a window now. */
export type BudgetLeft = {
  readonly client: string
  readonly operation: OperationId
  /** `container`: of the container that has the fewest left. */
  readonly of: 'client' | 'container'
  readonly left: number
}

/** What is left of each limit in `policy`. `charged` tells the charges that count towards an operation of a client's. */
export function budgetsLeft(
  { client, allow }: Policy,
  charged: (client: string, operation: OperationId) => readonly Charge[],
  nowMs: number,
): readonly BudgetLeft[] {
  return [...allow].flatMap(([operation, { budget }]) => {
    const charges = budget ? charged(client, operation) : []
    return [
      ...(budget?.client ? [{ client, operation, of: 'client' as const, left: leftOf(budget.client, charges, nowMs) }] : []),
      ...(budget?.container
        ? [{ client, operation, of: 'container' as const, left: fewestLeft(budget.container, charges, nowMs) }]
        : []),
    ]
  })
}

function leftOf(limit: Limit, charges: readonly Charge[], nowMs: number): number {
  return Math.max(0, limit.count - countedTimes(limit, charges, nowMs).length)
}

/** A container without a charge has all of it. */
function fewestLeft(limit: Limit, charges: readonly Charge[], nowMs: number): number {
  const containers = new Map(charges.map((charge) => [`${charge.container} ${charge.id}`, charge]))
  const left = [...containers.values()].map((container) => leftOf(limit, chargesOf(container, charges), nowMs))
  return left.reduce((fewest, each) => Math.min(fewest, each), limit.count)
}

/** When the charges were made that the window still holds. */
function countedTimes({ windowMs }: Limit, charges: readonly Charge[], nowMs: number): number[] {
  return charges.map(({ atMs }) => atMs).filter((atMs) => atMs > nowMs - windowMs)
}
