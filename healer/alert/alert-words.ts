// What a happening means to people: whether it begins or ends an incident, whether anyone is told, how bad it is, and in which words. The words
// say what is known: “restarted” when the Engine did it, “recovered” when a probe saw it.
import { describe, type Happening } from '../health/happening.ts'
import type { NotRestarting } from '../health/state.ts'
import { renderDuration } from '../settings/duration.ts'
import type { AlertEvent, Severity } from './alert.ts'

export type AlertWords = {
  /** In a word or two, for the incident's record. */
  readonly step: string
  /** One or two plain sentences. */
  readonly message: string
  /** Absent: recorded where an incident is open, and nobody is told. */
  readonly event?: AlertEvent
  readonly severity: Severity
  readonly opens: boolean
  readonly ends: boolean
  /** Told once in an incident; absent: as often as it happens. */
  readonly once?: string
}

/** Reasons for which a restart is not made that someone should know of; of the others they know, or it is soon over. */
const HELD: Partial<Record<NotRestarting, Severity>> = {
  'tell-only': 'error',
  swarm: 'error',
  recreate: 'error',
  refused: 'error',
  unreachable: 'error',
  hold: 'warning',
  budget: 'warning',
  'dry-run': 'warning',
}

export function wordsFor(name: string, happening: Happening): AlertWords {
  const log = describe(name, happening).message
  const recorded = { step: happening.kind, message: log, severity: 'info', opens: false, ends: false } as const
  const told = (event: AlertEvent, severity: Severity, message: string, once?: string): AlertWords => ({
    ...recorded,
    ...{ event, severity, message },
    opens: true,
    ...(once === undefined ? {} : { once }),
  })
  switch (happening.kind) {
    case 'failing': {
      const { failures, threshold, reason } = happening
      return failures < threshold
        ? recorded
        : told('opened', 'warning', `${name} is ill: it failed ${checks(failures)} (${reason}).`, 'opened')
    }
    case 'restarting':
      return { ...recorded, opens: true }
    case 'restarted':
      return told('restarted', 'warning', restarted(name, happening))
    case 'restart-found':
      return told(
        'restarted',
        'warning',
        `${name} failed its health checks and was restarted, as is found only now. Whether it is well will be seen by the next probes.`,
      )
    case 'restart-failed':
      return told('restart-failed', 'error', restartFailed(name, happening), 'restart-failed')
    case 'not-restarting': {
      const severity = HELD[happening.why]
      return severity === undefined ? recorded : told('held', severity, held(name, happening), `held: ${happening.why}`)
    }
    case 'gave-up':
      return told('gave-up', 'critical', gaveUp(name, happening))
    case 'never-healthy':
      return told('never-healthy', 'warning', neverHealthy(name, happening), 'never-healthy')
    case 'recovered':
      return { ...told('recovered', 'info', recovered(name, happening)), opens: false, ends: true }
    case 'healthy':
    case 'healed-itself':
      return { ...told('recovered', 'info', `${name} is healthy again, without a restart.`), opens: false, ends: true }
    case 'starting':
    case 'unknown':
    case 'not-running':
    case 'new-run':
      return recorded
    default:
      return happening satisfies never
  }
}

type Of<K extends Happening['kind']> = Extract<Happening, { kind: K }>

function restarted(name: string, { failures, reason }: Of<'restarted'>): string {
  return `${name} failed ${checks(failures)} (${reason}) and was restarted. Whether it is well will be seen by the next probes.`
}

function restartFailed(name: string, { message, attempt, maxRestarts }: Of<'restart-failed'>): string {
  const next =
    attempt < maxRestarts ? `It is tried again, with growing pauses, up to ${maxRestarts} times.` : 'That was the last attempt.'
  return `${name} could not be restarted: ${message}. ${next}`
}

function held(name: string, { why, failures, detail }: Of<'not-restarting'>): string {
  return `${name} failed ${checks(failures)} and is not restarted (${why}): ${detail}.`
}

function gaveUp(name: string, { restarts, reason }: Of<'gave-up'>): string {
  return `${name} is ill (${reason}), and ${restarts} attempts to restart it have not brought ten healthy minutes; no more are made. Restart or recreate it by hand once it is mended.`
}

function neverHealthy(name: string, { reason }: Of<'never-healthy'>): string {
  return `${name} has never passed its health check (${reason}). It is not restarted: is the check misconfigured?`
}

function recovered(name: string, { restarts, afterMs, sinceFailureMs }: Of<'recovered'>): string {
  const since = `${renderDuration(sinceFailureMs)} after its first failed check`
  if (restarts === 0) return `${name} is healthy again, ${since}.`
  const which = restarts === 1 ? 'the restart' : `restart ${restarts}`
  return `${name} is healthy again: a probe saw it well ${renderDuration(afterMs)} after ${which}, ${since}.`
}

function checks(failures: number): string {
  return failures === 1 ? 'its health check' : `${failures} consecutive health checks`
}
