// For how long a container was up, and for how long down, hour by hour for a week. Pure; times are on a clock that only goes forward, and
// one that does not takes nothing away. What nobody can tell counts for neither: it never reads as healthy.

export type Standing = 'up' | 'down' | 'unknown'

/** An hour of the clock's, and how much of it is known. */
type Bucket = { readonly hour: number; readonly upMs: number; readonly downMs: number }

export type Uptime = {
  /** The oldest first. */
  readonly buckets: readonly Bucket[]
  /** What was found last, which holds until it is looked at again, but not beyond `untilMs`. */
  readonly last: { readonly standing: Standing; readonly fromMs: number; readonly untilMs: number } | undefined
}

export type UptimeShare = {
  /** From 0 to 1, of the time that is known; `undefined`: nothing is. */
  readonly ratio: number | undefined
  /** Milliseconds of the window that are known. */
  readonly knownMs: number
}

export const NO_UPTIME: Uptime = { buckets: [], last: undefined }

const HOUR_MS = 3_600_000
/** A week, and the hour that has begun. */
const MAX_BUCKETS = 7 * 24 + 1

/** At `nowMs` it was found to be `standing`; that is taken to last for `holdsMs` at most, should nobody look again. */
export function countStanding(uptime: Uptime, standing: Standing, nowMs: number, holdsMs: number): Uptime {
  const { buckets } = settle(uptime, nowMs)
  return { buckets, last: { standing, fromMs: nowMs, untilMs: nowMs + holdsMs } }
}

/** Of the hour that has begun and the `hours` − 1 before it. */
export function shareOf(uptime: Uptime, hours: number, nowMs: number): UptimeShare {
  const { buckets } = settle(uptime, nowMs)
  const current = Math.max(Math.floor(nowMs / HOUR_MS), buckets.at(-1)?.hour ?? Number.NEGATIVE_INFINITY)
  const within = buckets.filter(({ hour }) => hour > current - hours)
  const sum = (of: (bucket: Bucket) => number) => within.reduce((total, bucket) => total + of(bucket), 0)
  const upMs = sum((bucket) => bucket.upMs)
  const knownMs = upMs + sum((bucket) => bucket.downMs)
  return { ratio: knownMs > 0 ? upMs / knownMs : undefined, knownMs }
}

/** Puts the time since the last look into the hours that it was in. */
function settle({ buckets, last }: Uptime, nowMs: number): Uptime {
  if (!last || last.standing === 'unknown') return { buckets, last }
  const endMs = Math.min(nowMs, last.untilMs)
  // Of a look whose word holds for more than a week only the last week is kept.
  let fromMs = Math.max(last.fromMs, (Math.floor(endMs / HOUR_MS) - MAX_BUCKETS + 1) * HOUR_MS)
  let next = buckets
  while (fromMs < endMs) {
    const hour = Math.floor(fromMs / HOUR_MS)
    const untilMs = Math.min(endMs, (hour + 1) * HOUR_MS)
    next = add(next, hour, last.standing, untilMs - fromMs)
    fromMs = untilMs
  }
  return { buckets: next, last }
}

/** A clock that goes back opens no hour again, and fills none beyond its end. */
function add(buckets: readonly Bucket[], hour: number, standing: 'up' | 'down', ms: number): readonly Bucket[] {
  const newest = buckets.at(-1)
  const isNew = newest === undefined || hour > newest.hour
  const { upMs, downMs } = isNew ? { upMs: 0, downMs: 0 } : newest
  const added = Math.min(ms, HOUR_MS - upMs - downMs)
  const bucket = {
    hour: isNew ? hour : newest.hour,
    upMs: upMs + (standing === 'up' ? added : 0),
    downMs: downMs + (standing === 'down' ? added : 0),
  }
  const oldestHour = bucket.hour - MAX_BUCKETS
  return [...(isNew ? buckets : buckets.slice(0, -1)).filter((one) => one.hour > oldestHour), bucket]
}
