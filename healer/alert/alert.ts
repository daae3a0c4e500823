// What people are told: plain data, the same for every receiver. An alert is a step of an incident.
import type { Diagnosis } from '../health/state.ts'

/** `opened`: it has failed often enough. `held`: a restart is due and not made, for a reason that someone should know. */
export const ALERT_EVENTS = [
  'opened',
  'restarted',
  'restart-failed',
  'held',
  'gave-up',
  'never-healthy',
  'reminder',
  'recovered',
] as const
export type AlertEvent = (typeof ALERT_EVENTS)[number]

/** PagerDuty's words, from the least to the worst. */
export const SEVERITIES = ['info', 'warning', 'error', 'critical'] as const
export type Severity = (typeof SEVERITIES)[number]

export type Alert = {
  /** Of this alert alone, and the same if it is sent twice: that of the incident, and a number. */
  readonly id: string
  /** Of the incident: the same for all its alerts, of no other incident ever. At most 200 characters. */
  readonly incident: string
  readonly event: AlertEvent
  readonly severity: Severity
  /** The container's name. */
  readonly container: string
  /** One or two plain sentences. They may hold what a container answered: nothing in them is to be trusted. */
  readonly message: string
  /** When it happened, and when the incident began; milliseconds since 1970. */
  readonly atMs: number
  readonly sinceMs: number
  /** The incident is over. */
  readonly resolved: boolean
  /** As it was captured before the last restart, or at the last failure; its times are milliseconds since 1970. */
  readonly diagnosis?: Diagnosis | undefined
}
