// Why a restart that is due is not made, for people: since when, until when where that is known, and what to do. Pure; times are on the
// healer's monotonic clock. Decides nothing.
import type { Effect } from './machine.ts'
import type { Objection } from './objection.ts'
import type { HealthState, NotRestarting } from './state.ts'

export type Held = {
  readonly why: NotRestarting
  readonly sinceMs: number
  /** As it was last said; empty where the reason itself says all. */
  readonly detail: string
}

/** What `effects`, and the `objection` that held, make of `before`. */
export function followHeld(
  before: Held | undefined,
  { notRestarting: why }: HealthState,
  effects: readonly Effect[],
  objection: Objection | undefined,
  nowMs: number,
): Held | undefined {
  if (why === undefined) return undefined
  const said = effects
    .flatMap((effect) => (effect.type === 'say' && effect.happening.kind === 'not-restarting' ? [effect.happening] : []))
    .findLast((happening) => happening.why === why)
  const known = before?.why === why ? before : { why, sinceMs: nowMs, detail: '' }
  const detail = objection?.why === why ? objection.detail : (said?.detail ?? known.detail)
  return { ...known, detail }
}

/** What each means in words, and what is to be done; docs/healer.md says the same at more length. */
export const HELD_WORDS: Readonly<Record<NotRestarting, { readonly means: string; readonly cure: string }>> = {
  'not-armed': {
    means: 'its probe has never succeeded',
    cure: 'see whether the probe is right: its port, its path. healer.arm=immediately restarts it before a first success',
  },
  'gave-up': {
    means: 'MAX_RESTARTS attempts have not brought ten healthy minutes',
    cure: 'mend it, then restart or recreate it by hand, or reset it here',
  },
  'tell-only': { means: 'healer.action is none, or wrong', cure: 'restart it by hand, or set healer.action=restart' },
  swarm: {
    means: 'a restart would have it run twice: the swarm replaces a task that ends',
    cure: 'give its service a HEALTHCHECK, and the swarm replaces what fails it; by hand, docker service update --force',
  },
  paused: { means: 'a person has paused it', cure: 'resume it, or wait' },
  maintenance: { means: 'it is in its maintenance window', cure: 'wait for its end' },
  recreate: {
    means: 'the container whose network it uses was removed or made anew',
    cure: 'recreate it: no restart can join it to another network',
  },
  dependency: { means: 'something that it needs is ill', cure: 'see to that one first' },
  hold: {
    means: 'most containers began to fail at once',
    cure: 'see to the healer’s own network and the host; after HOLD_MAX one container is restarted, to see',
  },
  backoff: { means: 'it was restarted already', cure: 'wait; if it fails again and again, see its log' },
  'dry-run': { means: 'DRY_RUN is set', cure: 'unset DRY_RUN to have it restarted' },
  budget: { means: 'the proxy’s budget is spent', cure: 'wait; if that is often so, raise the budget in the policy' },
  refused: {
    means: 'the proxy’s policy does not allow it, or it was started with --rm',
    cure: 'see the proxy’s audit log for the rule, or restart it by hand',
  },
  gone: { means: 'what was found ill is not there any more', cure: 'nothing: it is looked at anew' },
  unreachable: { means: 'the proxy, or the Engine behind it, cannot be reached', cure: 'see whether both are running' },
}
