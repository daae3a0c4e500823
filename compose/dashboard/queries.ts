// What the dashboard's queries have in common: whom they select, what is good, and how a state becomes a number that a panel
// can colour.
import type { Health, NotRestarting } from '../../healer/health/state.ts'
import type { State, Step } from './panel.ts'

/** Of the healers that were chosen. The proxy's metrics come by the same targets. */
export const OF_HEALER = 'instance=~"$healer"'
/** Of the containers that were chosen, too. */
export const OF_CONTAINER = `${OF_HEALER}, container=~"$container"`

/** Nought while there is a healer to say so: without one nothing is shown, rather than that all is well. */
const NOUGHT = `0 * max(postern_healer_containers{${OF_HEALER}})`
/** `expr`, or nought where it has no series. */
export const orZero = (expr: string) => `${expr} or ${NOUGHT}`
/** `expr`, or nought for a `label` called “none”, where it has no series. */
export const orNone = (label: string, expr: string) => `(${expr}) or on () label_replace(${NOUGHT}, "${label}", "none", "", "")`

export const GOOD_AT_NONE: readonly Step[] = [['green'], ['red', 1]]
/** For what is no fault, but something to know. */
export const NOTED_AT_ONE: readonly Step[] = [['green'], ['orange', 1]]

/** The lightest first: of several healers that watch one container, the one that finds it worst is shown. */
const HEALTHS: Readonly<Record<Health, string>> = {
  healthy: 'green',
  starting: 'blue',
  unknown: '#8e8e8e',
  suspect: 'yellow',
  unhealthy: 'red',
}
export const HEALTH_STATES = numbered(HEALTHS)
/** Each container's health as its number. */
export const HEALTH_NUMBER = `max by (container) (${HEALTH_STATES.map(
  ({ value, text }) => `postern_healer_container_health{${OF_CONTAINER}, health="${text}"} * ${value}`,
).join(' or ')})`

/** What a person has chosen is blue, what time alone ends is orange, what takes a person is red. */
const REASONS: Readonly<Record<NotRestarting, string>> = {
  'not-armed': 'dark-orange',
  'gave-up': 'dark-red',
  'tell-only': 'light-blue',
  paused: 'blue',
  maintenance: 'dark-blue',
  recreate: 'red',
  dependency: 'purple',
  hold: 'dark-yellow',
  backoff: 'yellow',
  'dry-run': 'super-light-blue',
  budget: 'orange',
  refused: 'semi-dark-red',
  gone: '#8e8e8e',
  unreachable: 'light-red',
  swarm: 'dark-purple',
}
const NOT_HELD: State = { value: 0, text: 'none', color: 'transparent' }
export const REASON_STATES = [NOT_HELD, ...numbered(REASONS)]
/** Why a restart of each container is not made, as its number; 0 where none is due. */
export const REASON_NUMBER = `max by (container) (${[
  ...numbered(REASONS).map(({ value, text }) => `postern_healer_restart_held{${OF_CONTAINER}, reason="${text}"} * ${value}`),
  `postern_healer_container_health{${OF_CONTAINER}, health="healthy"} * 0`,
].join(' or ')})`

function numbered(colors: Readonly<Record<string, string>>): readonly State[] {
  return Object.entries(colors).map(([text, color], i) => ({ value: i + 1, text, color }))
}
