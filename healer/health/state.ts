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
export type NotRestarting = 'not-armed' | 'gave-up' | 'backoff' | 'dry-run' | 'budget' | 'refused' | 'gone' | 'unreachable'

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
  /** This run has been seen healthy. */
  readonly succeeded: boolean
  /** The probe has succeeded before, so that its failure means something. */
  readonly armed: boolean
  readonly healthySinceMs: number | undefined
  readonly escalation: Escalation
  /** From the first failure that led to a restart until a probe succeeds. */
  readonly incident: Incident | undefined
  readonly notRestarting: NotRestarting | undefined
  /** The escalation before the restart that is under way, to be restored if it turns out not to have been attempted. */
  readonly escalationBefore: Escalation | undefined
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
}

export const NO_ESCALATION: Escalation = { restarts: 0, lastRestartMs: undefined, gaveUp: false }

/** The state of a container that was never looked at. */
export function initialState(armed: boolean, escalation: Escalation = NO_ESCALATION): HealthState {
  return {
    run: undefined,
    status: 'unknown',
    health: 'starting',
    reason: 'not probed yet',
    failures: 0,
    firstFailureMs: undefined,
    succeeded: false,
    armed,
    healthySinceMs: undefined,
    escalation,
    escalationBefore: undefined,
    incident: undefined,
    notRestarting: undefined,
    notBeforeMs: 0,
    toldNeverHealthy: false,
  }
}
