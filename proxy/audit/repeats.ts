// Coalescing: of like reads and refusals the first has a line of its own, and those that follow are counted and told of in one line.
// So whoever asks the same over and over, or a new thing each time, cannot fill the disk. Pure but for what it counts.
import { boundDecision, boundedJson, type DecisionEvent } from './audit-line.ts'

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

/** So many different requests of a client's have lines of their own in each hour; others are told together, by operation and rule. */
export const KINDS_PER_HOUR = { passed: 1024, refused: 256 }
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
  const isAllowed = createAllowance(now)

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
  const variousLike = (decision: DecisionEvent): Kind => {
    const various = variousOf(decision)
    return kinds.get(keyOf(various)) ?? begin(various)
  }
  return {
    take(decision) {
      const kind = kinds.get(keyOf(decision))
      if (!kind && kinds.size < MAX_KINDS && isAllowed(decision)) return begin(decision).like
      add(kind ?? variousLike(decision), decision)
      return undefined
    },
    due(all = false) {
      const told: DecisionEvent[] = []
      for (const [key, kind] of kinds) {
        // Or the clock was set back.
        const isDue = now() >= kind.dueMs || kind.dueMs - now() > kind.windowMs
        if (!all && !isDue) continue
        if (kind.count === 0) kinds.delete(key)
        else told.push(lineOf(kind))
        kind.windowMs = Math.min(kind.windowMs * WINDOW_MS.growth, WINDOW_MS.last)
        Object.assign(kind, { count: 0, bytes: 0, ms: 0, dueMs: now() + kind.windowMs })
      }
      return told
    },
    putBack(decision) {
      const kind = kinds.get(keyOf(decision)) ?? begin(decision)
      add(kind, decision)
      kind.dueMs = now()
    },
  }
}

/** Whether a client may have one more kind of request told apart in this hour. */
function createAllowance(now: () => number): (decision: DecisionEvent) => boolean {
  let hour = 0
  const used = new Map<string, number>()
  return ({ client, verdict }) => {
    const nowHour = Math.floor(now() / HOUR_MS)
    if (nowHour !== hour) used.clear()
    hour = nowHour
    const whose = `${client} ${verdict}`
    const before = used.get(whose) ?? 0
    used.set(whose, before + 1)
    return before < (verdict === 'deny' ? KINDS_PER_HOUR.refused : KINDS_PER_HOUR.passed)
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
