// Coalescing: of like reads and refusals the first has a line of its own, and those that follow are counted and told of in one line.
// So whoever asks the same over and over, or a new thing each time, cannot fill the disk. Pure but for what it counts.
import { boundDecision, boundedJson, type DecisionEvent, lengthOfLine } from './audit-line.ts'

export type Repeats = {
  /** The line to write for `decision` now; `undefined` where it was counted instead. */
  readonly take: (decision: DecisionEvent) => DecisionEvent | undefined
  /** The lines of what was counted and is due to be told; of all that was counted, if `all`. */
  readonly due: (all?: boolean) => readonly DecisionEvent[]
  /** `decision`, which came from here, could not be written: it is counted, and due at once. */
  readonly putBack: (decision: DecisionEvent) => void
}

/** How long requests are counted before they are told of: at first, at most, and how much longer each time. */
const WINDOW_MS = { first: 60_000, last: 3_600_000, growth: 4 }

/** So much is told of a client's requests one by one in each hour; what is beyond is told together, by operation and rule. */
export const BYTES_PER_HOUR = { passed: 3 * 1024 ** 2, refused: 1024 ** 2 }
const HOUR_MS = 3_600_000

type Kind = {
  readonly like: DecisionEvent
  count: number
  sinceMs: number
  bytes: number
  ms: number
  windowMs: number
  dueMs: number
}

/** More kinds than this are not remembered, however long the log cannot be written: memory is bounded, too. */
const MAX_KINDS = 8192

/** `now` is in milliseconds since 1970, and may jump. */
export function createRepeats(now: () => number): Repeats {
  const kinds = new Map<string, Kind>()
  const allowance = createAllowance(now)

  const begin = (like: DecisionEvent): Kind => {
    const windowMs = WINDOW_MS.first
    const kind = { like: boundDecision(like), count: 0, sinceMs: 0, bytes: 0, ms: 0, windowMs, dueMs: now() + windowMs }
    kinds.set(keyOf(like), kind)
    return kind
  }
  const add = (kind: Kind, { count = 1, since, bytes = 0, ms = 0 }: DecisionEvent): void => {
    const sinceMs = since === undefined ? now() : Date.parse(since)
    kind.sinceMs = kind.count === 0 ? sinceMs : Math.min(kind.sinceMs, sinceMs)
    kind.count += count
    kind.bytes += bytes
    kind.ms = Math.max(kind.ms, ms)
  }
  const addToVarious = (decision: DecisionEvent): void => {
    const various = variousOf(decision)
    add(kinds.get(keyOf(various)) ?? begin(various), decision)
  }
  return {
    take(decision) {
      const kind = kinds.get(keyOf(decision))
      if (!kind && kinds.size < MAX_KINDS && allowance.take(decision)) return begin(decision).like
      if (kind) add(kind, decision)
      else addToVarious(decision)
      return undefined
    },
    due(all = false) {
      const told: DecisionEvent[] = []
      // Those that are told together come last: there may be more of them by then.
      for (const isVarious of [false, true]) {
        for (const [key, kind] of kinds) {
          if ((kind.like.various === true) !== isVarious) continue
          // Or the clock was set back.
          const isDue = now() >= kind.dueMs || kind.dueMs - now() > kind.windowMs
          if (!all && !isDue) continue
          if (kind.count === 0) kinds.delete(key)
          else if (isVarious || allowance.take(kind.like)) told.push(lineOf(kind))
          else addToVarious(lineOf(kind))
          kind.windowMs = Math.min(kind.windowMs * WINDOW_MS.growth, WINDOW_MS.last)
          Object.assign(kind, { count: 0, bytes: 0, ms: 0, dueMs: now() + kind.windowMs })
        }
      }
      return told
    },
    putBack(decision) {
      allowance.giveBack(decision)
      const kind = kinds.get(keyOf(decision)) ?? begin(decision)
      add(kind, decision)
      kind.dueMs = now()
    },
  }
}

/** What of a client's requests may still be told one by one in this hour. */
function createAllowance(now: () => number) {
  let hour = 0
  const used = new Map<string, number>()
  const spend = ({ client, verdict }: DecisionEvent, bytes: number): boolean => {
    const nowHour = Math.floor(now() / HOUR_MS)
    if (nowHour !== hour) used.clear()
    hour = nowHour
    const whose = `${client} ${verdict}`
    const after = (used.get(whose) ?? 0) + bytes
    const isWithin = after <= (verdict === 'deny' ? BYTES_PER_HOUR.refused : BYTES_PER_HOUR.passed)
    if (isWithin) used.set(whose, Math.max(0, after))
    return isWithin
  }
  return {
    /** False where there is no more room for it. */
    take: (decision: DecisionEvent) => spend(decision, lengthOfLine(decision)),
    giveBack(decision: DecisionEvent) {
      if (!decision.various) spend(decision, -lengthOfLine(decision))
    },
  }
}

function lineOf({ like, count, sinceMs, bytes, ms }: Kind): DecisionEvent {
  return { ...like, bytes, ms, count, since: new Date(sinceMs).toISOString() }
}

/** What is alike: the same request of the same client, user and certificate, as far as a line would tell it, with the same result. */
function keyOf(decision: DecisionEvent) {
  const {
    client,
    policy,
    user,
    certificate,
    method,
    path = '',
    query,
    operation,
    target,
    verdict,
    rule,
    status,
    various,
  } = decision
  const who = [client, policy, user, certificate?.sha256]
  return boundedJson([...who, method, path, { query }, operation, target?.id, verdict, rule, status, various])
}

/** All that there is no more room to tell apart. */
function variousOf({ client, policy, operation, verdict, rule, status }: DecisionEvent): DecisionEvent {
  const known = { event: 'decision', client, policy, method: '', verdict, rule, various: true } as const
  return { ...known, ...(operation === undefined ? {} : { operation }), ...(status === undefined ? {} : { status }) }
}
