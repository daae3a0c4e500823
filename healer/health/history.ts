// What is kept of a container's past for those who look at it: its last probes, its last restarts, and for how long it was up. Pure, and
// bounded whatever happens. Decides nothing: no restart depends on it.
import { countStanding, NO_UPTIME, type Standing, type Uptime } from './uptime.ts'

export type Look = {
  /** Milliseconds since 1970. */
  readonly atMs: number
  /** As it counted: a probe that succeeds while an alert fires is none. */
  readonly result: 'success' | 'failure' | 'unknown'
  readonly reason: string
  readonly durationMs: number
}

export type RestartMade = {
  /** Milliseconds since 1970. */
  readonly atMs: number
  readonly outcome: 'restarted' | 'failed'
}

export type History = {
  /** The oldest first, as those of `restarts`. */
  readonly looks: readonly Look[]
  readonly restarts: readonly RestartMade[]
  readonly uptime: Uptime
}

export const NO_HISTORY: History = { looks: [], restarts: [], uptime: NO_UPTIME }

export const MAX_LOOKS = 60
export const MAX_RESTARTS_KEPT = 20
/** Characters of a reason that are kept; what a container answered may be in it. */
const MAX_REASON = 160

const STANDINGS: Readonly<Record<Look['result'], Standing>> = { success: 'up', failure: 'down', unknown: 'unknown' }

/** `nowMs`: on a clock that only goes forward. `holdsMs`: what was found is taken to last for so long, should nobody look again. */
export function lookedAt(history: History, look: Look, nowMs: number, holdsMs: number): History {
  const characters = [...look.reason.slice(0, 4 * MAX_REASON)]
  const reason = characters.length > MAX_REASON ? `${characters.slice(0, MAX_REASON - 1).join('')}…` : look.reason
  const kept = { ...look, reason }
  return { ...stoodAt(history, STANDINGS[look.result], nowMs, holdsMs), looks: [...history.looks, kept].slice(-MAX_LOOKS) }
}

/** It was not probed: it does not run, or nobody can tell yet. */
export function stoodAt(history: History, standing: Standing, nowMs: number, holdsMs: number): History {
  return { ...history, uptime: countStanding(history.uptime, standing, nowMs, holdsMs) }
}

export function restartMade(history: History, restart: RestartMade): History {
  return { ...history, restarts: [...history.restarts, restart].slice(-MAX_RESTARTS_KEPT) }
}
