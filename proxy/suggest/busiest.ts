// How often something was done in its busiest ten minutes, and the budget to suggest from that. Pure.

/** One or more changes at a time, of a container where it is about one. */
export type Change = { readonly atMs: number; readonly count: number; readonly name?: string; readonly id?: string }

export const WINDOW_MS = 600_000

/** The most changes within ten minutes: of any one container, by name or by id as budgets count them, and of all. */
export function busiest(changes: readonly Change[]): { readonly container: number; readonly client: number } {
  const sorted = [...changes].sort((a, b) => a.atMs - b.atMs)
  let [container, client, from] = [0, 0, 0]
  for (const [i, change] of sorted.entries()) {
    while ((sorted[from]?.atMs ?? change.atMs) <= change.atMs - WINDOW_MS) from++
    const within = sorted.slice(from, i + 1)
    client = Math.max(client, sum(within))
    container = Math.max(container, sum(within.filter((other) => isSame(other, change))))
  }
  return { container, client }
}

const sum = (changes: readonly Change[]) => changes.reduce((total, { count }) => total + count, 0)

function isSame(a: Change, b: Change): boolean {
  return (a.name !== undefined && a.name === b.name) || (a.id !== undefined && a.id !== '' && a.id === b.id)
}

/** The next round number: 1, 2, 3, 5, 10, 20, 30, 50 … `undefined` above what a budget can say. */
export function roundUp(count: number): number | undefined {
  for (let power = 1; power <= 100_000; power *= 10)
    for (const step of [1, 2, 3, 5]) if (step * power >= count) return step * power
  return undefined
}
