// Alerts that fire for a container, as a reason to call it ill although its probe succeeds: taken in, renewed, ended, forgotten, and
// what they make of a successful probe. Pure. What an alert says is somebody else's text: it is shown and never acted on.
import { failure, type ProbeResult, unknown } from '../probe/result.ts'
import { renderDuration } from '../settings/duration.ts'
import type { Run } from './state.ts'

export type RuleAlert = {
  readonly container: string
  /** Of all the labels of the alert: the same one again has the same. */
  readonly fingerprint: string
  /** The name of the rule, as in the label `alertname`. */
  readonly name: string
  readonly summary: string
  readonly isFiring: boolean
}

export type FiringRule = Omit<RuleAlert, 'isFiring'> & {
  /** Since when it is known to fire. */
  readonly sinceMs: number
  /** When it was last said to fire. */
  readonly renewedMs: number
}

/** By container and fingerprint, in the order in which they began. */
export type FiringRules = ReadonlyMap<string, FiringRule>

export type Taken = {
  readonly rules: FiringRules
  readonly began: readonly FiringRule[]
  readonly renewed: readonly FiringRule[]
  readonly ended: readonly FiringRule[]
  /** There are too many already. */
  readonly refused: readonly RuleAlert[]
}

/** What is kept at most, so that nobody who may send alerts fills the memory. */
export const MAX_RULES = 1000
export const MAX_RULES_OF_CONTAINER = 16
/** Three times as long as Alertmanager by default waits before it repeats what still fires. */
export const FORGET_AFTER_MS = 12 * 3_600_000

export const ruleKey = ({ container, fingerprint }: Pick<RuleAlert, 'container' | 'fingerprint'>): string =>
  JSON.stringify([container, fingerprint])

/** What `alerts`, in their order, make of `rules`. */
export function takeAlerts(rules: FiringRules, alerts: readonly RuleAlert[], nowMs: number): Taken {
  const next = new Map(rules)
  const began: FiringRule[] = []
  const renewed: FiringRule[] = []
  const ended: FiringRule[] = []
  const refused: RuleAlert[] = []
  const counts = new Map<string, number>()
  const count = (container: string, by: number) => counts.set(container, (counts.get(container) ?? 0) + by)
  for (const { container } of rules.values()) count(container, 1)

  for (const alert of alerts) {
    const key = ruleKey(alert)
    const known = next.get(key)
    const { isFiring, ...rule } = alert
    if (known && !isFiring) {
      next.delete(key)
      count(alert.container, -1)
      ended.push(known)
    } else if (known) {
      const again = { ...rule, sinceMs: known.sinceMs, renewedMs: nowMs }
      next.set(key, again)
      renewed.push(again)
    } else if (isFiring && (next.size >= MAX_RULES || (counts.get(alert.container) ?? 0) >= MAX_RULES_OF_CONTAINER)) {
      refused.push(alert)
    } else if (isFiring) {
      const first = { ...rule, sinceMs: nowMs, renewedMs: nowMs }
      next.set(key, first)
      count(alert.container, 1)
      began.push(first)
    }
  }
  return { rules: next, began, renewed, ended, refused }
}

/** Those that were not renewed for too long have ended without a word: whoever would have said so may be gone. */
export function forgotten(rules: FiringRules, nowMs: number): readonly FiringRule[] {
  return [...rules.values()].filter(({ renewedMs }) => nowMs - renewedMs >= FORGET_AFTER_MS)
}

/** What counts in the place of a probe that succeeded. */
export type Overruling = ProbeResult & { readonly result: 'failure' | 'unknown' }

/**
 * What `firing`, the rules that fire for a container, make of a successful probe of `run`; `undefined`: nothing. A rule looks back, over
 * the window of a rate and the time it has to hold, and in the first `graceMs` of a run that is still the run before: it may have begun to
 * fire since and yet say nothing of this one. Until then nobody can tell.
 */
export function overrule(
  firing: readonly FiringRule[],
  run: Run | undefined,
  nowMs: number,
  graceMs: number,
): Overruling | undefined {
  const [first] = firing
  if (!first) return undefined
  const alert = `alert ${first.name} is firing${firing.length === 1 ? '' : ` (and ${firing.length - 1} more)`}`
  const summary = first.summary === '' ? '' : `: ${first.summary}`
  if (nowMs - (run?.sinceMs ?? nowMs) >= graceMs) return { ...failure(`${alert}${summary}`), result: 'failure' }
  // The same words for as long as it lasts, so that they are said once.
  const grace = `perhaps for what came before this run; it counts once this run is ${renderDuration(graceMs)} old`
  return { ...unknown(`${alert}, ${grace}${summary}`), result: 'unknown' }
}
