// Whether so many fail at once that it is rather the healer that is ill: its own network, or a host that stands still. Pure.
// Then nothing is restarted, and after a time one container, as a canary.

/** One container, as the judgement needs it. */
export type Member = {
  readonly id: string
  /** Counted: probed over the network, and not waiting on another that fails. */
  readonly isCounted: boolean
  /** The first failure of the streak that it is in; `undefined`: it does not fail. */
  readonly failingSinceMs: number | undefined
  /** The last time a probe succeeded. */
  readonly lastSuccessMs: number | undefined
}

export type Hold = {
  readonly sinceMs: number
  /** The one that may be restarted, from when on; those that were it before come first. */
  readonly canaries: readonly { readonly id: string; readonly fromMs: number }[]
  /** A canary recovered: the network is well, and all that fail are ill. */
  readonly isLifted: boolean
}

export type HoldSettings = {
  /** Failures that begin within this time of each other are one event. */
  readonly intervalMs: number
  /** After this long the first canary is restarted, and after as long again the next. */
  readonly holdMaxMs: number
}

/** Fewer than this many are no crowd. */
const MIN_MEMBERS = 3

/** What becomes of `hold` (`undefined`: there is none) in view of all `members`. */
export function assessHold(
  hold: Hold | undefined,
  members: readonly Member[],
  nowMs: number,
  { intervalMs, holdMaxMs }: HoldSettings,
): Hold | undefined {
  const counted = members.filter(({ isCounted }) => isCounted)
  const failing = counted.flatMap(({ id, failingSinceMs }) => (failingSinceMs === undefined ? [] : [{ id, failingSinceMs }]))
  const isMost = counted.length >= MIN_MEMBERS && failing.length > counted.length / 2
  if (!hold)
    return isMost && beganTogether(failing, counted.length, intervalMs)
      ? { sinceMs: nowMs, canaries: [], isLifted: false }
      : undefined
  if (!isMost) return undefined
  if (hold.isLifted) return hold
  const recovered = hold.canaries.some(({ id, fromMs }) =>
    counted.some((member) => member.id === id && (member.lastSuccessMs ?? Number.NEGATIVE_INFINITY) > fromMs),
  )
  if (recovered) return { ...hold, isLifted: true }
  const lastMs = hold.canaries.at(-1)?.fromMs ?? hold.sinceMs
  if (nowMs - lastMs < holdMaxMs) return hold
  const next = failing
    .filter(({ id }) => !hold.canaries.some((canary) => canary.id === id))
    .sort((a, b) => a.failingSinceMs - b.failingSinceMs || (a.id < b.id ? -1 : 1))[0]
  // Once each has been tried, they are tried again.
  if (!next) return { ...hold, canaries: [], sinceMs: nowMs }
  return { ...hold, canaries: [...hold.canaries, { id: next.id, fromMs: nowMs }] }
}

/** Whether `hold` keeps the container `id` from being restarted. */
export function isHeld(hold: Hold | undefined, id: string): boolean {
  return hold !== undefined && !hold.isLifted && hold.canaries.at(-1)?.id !== id
}

/** More than half of `count` began to fail within `intervalMs` of each other. */
function beganTogether(failing: readonly { readonly failingSinceMs: number }[], count: number, intervalMs: number): boolean {
  const times = failing.map(({ failingSinceMs }) => failingSinceMs).sort((a, b) => a - b)
  const needed = Math.floor(count / 2) + 1
  return times.some((from, i) => (times[i + needed - 1] ?? Number.POSITIVE_INFINITY) - from <= intervalMs)
}
