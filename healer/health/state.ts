// The health of one container as plain data: of its present run, and of the attempts to heal it.
// Times are milliseconds on the healer's own monotonic clock.

/** One run of a container: a new start time is a new run, whoever started it. */
export type Run = {
  /** As the Engine writes it; `undefined`: it began with our restart, and could not be looked up yet. */
  readonly startedAt: string | undefined
  readonly restartCount: number
  /** When it began, on the healer's clock. */
  readonly sinceMs: number
}

export type Health = 'starting' | 'healthy' | 'suspect' | 'unhealthy' | 'unknown'

/** Why a restart that is due is not made. */
export const NOT_RESTARTING = [
  'not-armed',
  'gave-up',
  'tell-only',
  'swarm',
  'paused',
  'maintenance',
  'recreate',
  'dependency',
  'hold',
  'backoff',
  'dry-run',
  'budget',
  'refused',
  'gone',
  'unreachable',
] as const
export type NotRestarting = (typeof NOT_RESTARTING)[number]

/** What was known of a container when its restart was asked for. */
export type Diagnosis = {
  /** The failures of the streak, the last of them at most. */
  readonly failures: readonly Failure[]
  readonly status: string
  /** Of the last time that it ended. */
  readonly exitCode: number
  readonly oomKilled: boolean
}
export type Failure = { readonly atMs: number; readonly reason: string }

export type HealthState = {
  readonly run: Run | undefined
  /** As the Engine has it: `running`, `exited`, …; a container that does not run is not probed. */
  readonly status: string
  readonly health: Health
  /** The last probe's words, or why there is none. */
  readonly reason: string
  /** Failures in a row, in this run. */
  readonly failures: number
  readonly firstFailureMs: number | undefined
  /** The last of them. */
  readonly lastFailures: readonly Failure[]
  readonly lastSuccessMs: number | undefined
  /** As the Engine had it when it was last looked at. */
  readonly exit: { readonly exitCode: number; readonly oomKilled: boolean }
  /** This run has been seen healthy. */
  readonly succeeded: boolean
  /** The probe has succeeded before, so that its failure means something. */
  readonly armed: boolean
  readonly healthySinceMs: number | undefined
  readonly escalation: Escalation
  /** From the first failure that led to a restart until a probe succeeds. */
  readonly incident: Incident | undefined
  /** Of the last restart that was asked for, until a probe succeeds. */
  readonly diagnosis: Diagnosis | undefined
  readonly notRestarting: NotRestarting | undefined
  /** What was before the restart that is under way, to be restored if it turns out not to have been attempted. */
  readonly beforeRestart: Pick<HealthState, 'escalation' | 'incident'> | undefined
  /** No restart is asked for before this: the proxy's budget is spent. */
  readonly notBeforeMs: number
  readonly toldNeverHealthy: boolean
}

/** What past restarts weigh; it outlives the healer, and decays only after a time of health. */
export type Escalation = {
  readonly restarts: number
  readonly lastRestartMs: number | undefined
  readonly gaveUp: boolean
}

export type Incident = {
  readonly sinceMs: number
  /** Restarts that the Engine made. */
  readonly restarts: number
  /** The last restart could not start the container again. */
  readonly failedToStart: boolean
  /** A failed restart was told of already. */
  readonly toldFailed: boolean
  /** The start of the run whose restart was asked for, for as long as it is not known what came of it. */
  readonly asked?: string | undefined
}

/** One that begins at `sinceMs`. */
export function newIncident(sinceMs: number): Incident {
  return { sinceMs, restarts: 0, failedToStart: false, toldFailed: false }
}

export const NO_ESCALATION: Escalation = { restarts: 0, lastRestartMs: undefined, gaveUp: false }

/** The state of a container that was never looked at. */
export function initialState(armed: boolean, escalation: Escalation = NO_ESCALATION, incident?: Incident): HealthState {
  return {
    run: undefined,
    status: 'unknown',
    health: 'starting',
    reason: 'not probed yet',
    failures: 0,
    firstFailureMs: undefined,
    lastFailures: [],
    lastSuccessMs: undefined,
    exit: { exitCode: 0, oomKilled: false },
    succeeded: false,
    armed,
    healthySinceMs: undefined,
    escalation,
    beforeRestart: undefined,
    incident,
    diagnosis: undefined,
    notRestarting: undefined,
    notBeforeMs: 0,
    toldNeverHealthy: false,
  }
}
