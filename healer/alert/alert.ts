// Which happenings people are told of, in which words. The words say what is known: “restarted” when the Engine did it,
// “recovered” when a probe saw it.
import type { Happening } from '../health/happening.ts'
import { renderDuration } from '../settings/duration.ts'

export type Severity = 'recovered' | 'degraded' | 'critical'

export type Alert = {
  /** What happened, in a word or two: `restarted`, `recovered`, `restart failed`, `gave up`, `never healthy`. */
  readonly event: string
  readonly severity: Severity
  /** The container's name. */
  readonly container: string
  /** One or two plain sentences. */
  readonly message: string
  /** Milliseconds since 1970. */
  readonly atMs: number
}

/** Sends an alert. Never rejects: what cannot be delivered is said in the log. */
export type Receiver = {
  readonly send: (alert: Alert) => Promise<void>
  /** Resolves once all that was sent is delivered or given up. */
  readonly settled: () => Promise<void>
}

/** The alert that `happening` calls for, if any. */
export function alertFor(container: string, happening: Happening, atMs: number): Alert | undefined {
  const alert = (event: string, severity: Severity, message: string): Alert => ({ event, severity, container, message, atMs })
  switch (happening.kind) {
    case 'restarted':
      return alert(
        'restarted',
        'degraded',
        `${container} failed ${checks(happening.failures)} (${happening.reason}) and was restarted. Whether it is well will be seen by the next probes.`,
      )
    case 'recovered':
      return alert('recovered', 'recovered', recovered(container, happening))
    case 'restart-failed':
      return happening.first ? alert('restart failed', 'critical', restartFailed(container, happening)) : undefined
    case 'gave-up':
      return alert(
        'gave up',
        'critical',
        `${container} is ill (${happening.reason}), and ${happening.restarts} attempts to restart it have not brought ten healthy minutes; no more are made. Restart or recreate it by hand once it is mended.`,
      )
    case 'never-healthy':
      return alert(
        'never healthy',
        'degraded',
        `${container} has never passed its health check (${happening.reason}). It is not restarted: is the check misconfigured?`,
      )
    default:
      return undefined
  }
}

function restartFailed(
  container: string,
  { message, attempt, maxRestarts }: Extract<Happening, { kind: 'restart-failed' }>,
): string {
  const next =
    attempt < maxRestarts ? `It is tried again, with growing pauses, up to ${maxRestarts} times.` : 'That was the last attempt.'
  return `${container} could not be restarted: ${message}. ${next}`
}

function recovered(container: string, { restarts, afterMs, sinceFailureMs }: Extract<Happening, { kind: 'recovered' }>): string {
  const since = `${renderDuration(sinceFailureMs)} after its first failed check`
  if (restarts === 0) return `${container} is healthy again, ${since}.`
  return `${container} is healthy again: a probe saw it well ${renderDuration(afterMs)} after ${restarts === 1 ? 'the restart' : `restart ${restarts}`}, ${since}.`
}

function checks(failures: number): string {
  return failures === 1 ? 'its health check' : `${failures} consecutive health checks`
}
