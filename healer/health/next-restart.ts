// When the next restart of a container could be asked for, were one due. Pure; for people and pages, no restart depends on it.
import { backoffMs, type HealthSettings } from './machine.ts'
import type { HealthState, NotRestarting } from './state.ts'

export type NextRestart =
  /** At the next failure that is due. */
  | { readonly possible: 'now' }
  /** Not before that, on the same clock. */
  | { readonly possible: 'later'; readonly atMs: number }
  /** No time alone makes it possible: a person, or what it depends on, has to. */
  | { readonly possible: 'no' }

export type Bounds = {
  /** By its label, or for a swarm looks after it. */
  readonly tellOnly: boolean
  /** A first failure is enough: the Engine's own verdict needs no first success. */
  readonly needsNoSuccess: boolean
  /** Infinite: until it is resumed. */
  readonly pausedUntilMs: number | undefined
  readonly maintenanceUntilMs: number | undefined
}

const WITHOUT_TIME: readonly (NotRestarting | undefined)[] = ['swarm', 'recreate', 'dependency', 'hold', 'gave-up']

export function findNextRestart(state: HealthState, settings: HealthSettings, bounds: Bounds, nowMs: number): NextRestart {
  const { escalation, armed, notRestarting, notBeforeMs } = state
  const { tellOnly, needsNoSuccess, pausedUntilMs = nowMs, maintenanceUntilMs = nowMs } = bounds
  const isOver = escalation.gaveUp || escalation.restarts >= settings.maxRestarts
  if (isOver || tellOnly || settings.dryRun || !(armed || needsNoSuccess) || WITHOUT_TIME.includes(notRestarting))
    return { possible: 'no' }
  const backoffEndsMs = (escalation.lastRestartMs ?? 0) + backoffMs(escalation.restarts, settings.intervalMs)
  const atMs = Math.max(backoffEndsMs, notBeforeMs, pausedUntilMs, maintenanceUntilMs)
  if (atMs === Number.POSITIVE_INFINITY) return { possible: 'no' }
  return atMs > nowMs ? { possible: 'later', atMs } : { possible: 'now' }
}
