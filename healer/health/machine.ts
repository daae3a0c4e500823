// The health machine: what an event makes of a container's health, and what is to be done about it. Pure.
// Asks for a restart only from a fresh failure, never from `unknown`, and never while any reason not to holds.
import type { ProbeResult } from '../probe/result.ts'
import { renderDuration } from '../settings/duration.ts'
import type { Happening } from './happening.ts'
import type { Objection } from './objection.ts'
import type { Overruling } from './rules.ts'
import { type HealthState, NO_ESCALATION, type NotRestarting, newIncident, type Run } from './state.ts'

export type HealthSettings = {
  readonly intervalMs: number
  /** Failures in a row that make a container unhealthy. */
  readonly retries: number
  readonly startPeriodMs: number
  readonly maxRestarts: number
  readonly dryRun: boolean
}

export type HealthEvent =
  /** The container was looked at. */
  | {
      readonly type: 'observed'
      readonly run: Run
      readonly status: string
      readonly exitCode: number
      readonly oomKilled: boolean
    }
  /** `counted`: the Engine has counted failures already, so one is enough. `overruling`: what holds in the place of a success. */
  | {
      readonly type: 'probed'
      readonly probe: ProbeResult
      readonly counted: boolean
      readonly overruling?: Overruling | undefined
    }
  /** A person wants it tried again: past restarts weigh nothing any more. */
  | { readonly type: 'reset' }
  /** A restart that was asked for came to its end. */
  | { readonly type: 'restart-ended'; readonly outcome: RestartOutcome }

export type RestartOutcome =
  | { readonly outcome: 'restarted'; readonly run: Run; readonly tookMs: number }
  /** The Engine could not do it, or did not within the time. It counts. */
  | { readonly outcome: 'failed'; readonly message: string; readonly status: string }
  /** It was not attempted, and does not count; `mayBeDone`: it may have been, and does. */
  | {
      readonly outcome: 'waits'
      readonly why: 'budget' | 'refused' | 'gone' | 'unreachable'
      readonly message: string
      readonly mayBeDone?: boolean
    }

export type Effect =
  | { readonly type: 'say'; readonly happening: Happening }
  | { readonly type: 'restart' }
  /** What outlives the healer has changed. */
  | { readonly type: 'remember' }

export type Step = { readonly state: HealthState; readonly effects: readonly Effect[] }

/** The longest wait between two restarts of a container. */
const MAX_BACKOFF_MS = 300_000
/** A container that starts is looked at more often, as Docker's `start_interval` has it. */
const START_INTERVAL_MS = 5000
/** Health for this long, without a failure, and past restarts weigh nothing any more. */
const DECAY_MS = 600_000
/** How long a spent budget of the proxy's is waited on before the next try. */
const BUDGET_WAIT_MS = 60_000

/** Reasons that lie with Docker or the proxy: the restart was asked for, and is asked for again. */
const WAITS: readonly NotRestarting[] = ['budget', 'refused', 'gone', 'unreachable']

const say = (happening: Happening): Effect => ({ type: 'say', happening })
const REMEMBER: Effect = { type: 'remember' }
const FRESH_STREAK = { failures: 0, firstFailureMs: undefined, lastFailures: [] } as const
/** So many failures are kept for the diagnosis. */
const MAX_FAILURES_KEPT = 5

/** Milliseconds until the container is to be probed again. */
export function nextProbeMs(
  state: HealthState,
  settings: { readonly intervalMs: number; readonly retryIntervalMs: number },
): number {
  if (state.health === 'starting') return Math.min(settings.intervalMs, START_INTERVAL_MS)
  return state.health === 'suspect' && state.succeeded ? settings.retryIntervalMs : settings.intervalMs
}

/**
 * What `event`, at `nowMs`, makes of `state`, and the effects to carry out in order. `objection`: why its surroundings forbid a restart
 * at this moment. Never throws.
 */
export function step(state: HealthState, event: HealthEvent, nowMs: number, given: HealthSettings, objection?: Objection): Step {
  const settings = { ...given, objection }
  switch (event.type) {
    case 'observed':
      return observe(state, event, nowMs, settings)
    case 'reset':
      return reset(state)
    case 'probed':
      switch (event.probe.result) {
        case 'success':
          return event.overruling
            ? beOverruled(state, event.overruling, nowMs, settings)
            : succeed(state, event.probe.reason, nowMs)
        case 'failure':
          return fail(state, event.probe.reason, event.counted, nowMs, settings)
        case 'unknown':
          return notKnown(state, event.probe.reason)
        default:
          return event.probe.result satisfies never
      }
    case 'restart-ended':
      return endRestart(state, event.outcome, nowMs, settings)
    default:
      return event satisfies never
  }
}

type Judging = HealthSettings & { readonly objection: Objection | undefined }

/** As after an operator's own restart: the next failure that is due leads to one. */
function reset(state: HealthState): Step {
  return {
    state: { ...state, escalation: NO_ESCALATION, beforeRestart: undefined, notBeforeMs: 0, notRestarting: undefined },
    effects: [REMEMBER],
  }
}

/** Milliseconds to wait after restart number `restarts` before the next: `interval × 2^(n−1)`, at most five minutes. */
export function backoffMs(restarts: number, intervalMs: number): number {
  return restarts === 0 ? 0 : Math.min(intervalMs * 2 ** (restarts - 1), MAX_BACKOFF_MS)
}

function observe(state: HealthState, event: Extract<HealthEvent, { type: 'observed' }>, nowMs: number, settings: Judging): Step {
  const effects: Effect[] = []
  const exit = { exitCode: event.exitCode, oomKilled: event.oomKilled }
  let next: HealthState = { ...state, status: event.status, exit }
  if (isOurs(state, event.run)) return found(next, event.run)
  if (state.run?.startedAt === undefined) next = { ...next, run: event.run }
  else if (state.run.startedAt !== event.run.startedAt) {
    // The Engine counts up for its own restart policy and sets the count to zero for a restart that was asked for.
    const by = event.run.restartCount > state.run.restartCount ? 'docker' : 'someone'
    next = beginRun(next, event.run)
    // What comes of this run is not the doing of a restart of ours.
    if (next.incident) next = { ...next, incident: { ...next.incident, restarts: 0 } }
    if (next.incident) effects.push(REMEMBER)
    effects.push(say({ kind: 'new-run', by }))
    if (by === 'someone') {
      next = { ...next, escalation: NO_ESCALATION, notBeforeMs: 0 }
      effects.push(REMEMBER)
    }
  }
  if (event.status === 'running') {
    return {
      state:
        state.status === 'running' || state.run === undefined ? next : { ...next, health: 'starting', reason: 'running again' },
      effects,
    }
  }
  if (state.status !== event.status) {
    effects.push(say({ kind: 'not-running', status: event.status, exitCode: event.exitCode, oomKilled: event.oomKilled }))
  }
  if (event.status === 'exited' && next.incident?.failedToStart) {
    const considered = considerRestart(
      { ...next, health: 'unhealthy', reason: 'a restart could not start it again' },
      nowMs,
      settings,
    )
    return { state: considered.state, effects: [...effects, ...considered.effects] }
  }
  return {
    state: { ...next, health: 'unknown', reason: event.status, healthySinceMs: undefined, notRestarting: undefined },
    effects,
  }
}

/** A restart was asked for whose answer never came, since the proxy or the healer ended: this run is what came of it. */
function isOurs({ run, incident }: HealthState, seen: Run): boolean {
  const isNew = incident?.asked !== undefined && seen.startedAt !== incident.asked
  return isNew && seen.restartCount === 0 && (run === undefined || run.startedAt === incident.asked)
}

function found(state: HealthState, run: Run): Step {
  const incident = state.incident && { ...state.incident, restarts: state.incident.restarts + 1, asked: undefined }
  return { state: { ...beginRun(state, run), incident }, effects: [say({ kind: 'restart-found' }), REMEMBER] }
}

/** A new run begins with a clean streak; what past restarts weigh stays. */
function beginRun(state: HealthState, run: Run): HealthState {
  const incident = state.incident && { ...state.incident, failedToStart: false, asked: undefined }
  return {
    ...state,
    ...FRESH_STREAK,
    run,
    health: 'starting',
    reason: 'started anew',
    succeeded: false,
    healthySinceMs: undefined,
    incident,
    notRestarting: undefined,
  }
}

function succeed(state: HealthState, reason: string, nowMs: number): Step {
  const effects: Effect[] = []
  const healthySinceMs = state.healthySinceMs ?? nowMs
  const { incident } = state
  if (incident) {
    const afterMs = nowMs - (state.run?.sinceMs ?? nowMs)
    effects.push(say({ kind: 'recovered', restarts: incident.restarts, afterMs, sinceFailureMs: nowMs - incident.sinceMs }))
  } else if (state.failures > 0) {
    effects.push(say({ kind: 'healed-itself', failures: state.failures, afterMs: nowMs - (state.firstFailureMs ?? nowMs) }))
  } else if (state.health !== 'healthy') {
    effects.push(say({ kind: 'healthy', reason }))
  }
  const decayed = state.escalation !== NO_ESCALATION && nowMs - healthySinceMs >= DECAY_MS
  if (decayed || !state.armed || incident) effects.push(REMEMBER)
  return {
    state: {
      ...state,
      ...FRESH_STREAK,
      health: 'healthy',
      reason,
      succeeded: true,
      armed: true,
      healthySinceMs,
      lastSuccessMs: nowMs,
      escalation: decayed ? NO_ESCALATION : state.escalation,
      incident: undefined,
      diagnosis: undefined,
      notRestarting: undefined,
      toldNeverHealthy: false,
    },
    effects,
  }
}

/** The probe has shown that it works, which arms it; the container is ill, or may be, all the same. */
function beOverruled(state: HealthState, { result, reason }: Overruling, nowMs: number, settings: Judging): Step {
  const proven: HealthState = { ...state, succeeded: true, armed: true, toldNeverHealthy: false }
  const judged = result === 'failure' ? fail(proven, reason, false, nowMs, settings) : notKnown(proven, reason)
  return state.armed ? judged : { state: judged.state, effects: [REMEMBER, ...judged.effects] }
}

function notKnown(state: HealthState, reason: string): Step {
  const news = state.health !== 'unknown' || state.reason !== reason
  return {
    state: { ...state, health: 'unknown', reason, healthySinceMs: undefined, notRestarting: undefined },
    effects: news ? [say({ kind: 'unknown', reason })] : [],
  }
}

function fail(state: HealthState, reason: string, counted: boolean, nowMs: number, settings: Judging): Step {
  const threshold = counted ? 1 : settings.retries
  const age = nowMs - (state.run?.sinceMs ?? nowMs)
  if (!state.succeeded && age < settings.startPeriodMs) {
    const news = state.health !== 'starting' || state.reason !== reason
    return { state: { ...state, health: 'starting', reason }, effects: news ? [say({ kind: 'starting', reason })] : [] }
  }
  const failures = state.failures + 1
  const failing: HealthState = {
    ...state,
    health: failures >= threshold ? 'unhealthy' : 'suspect',
    reason,
    failures,
    firstFailureMs: state.firstFailureMs ?? nowMs,
    lastFailures: [...state.lastFailures, { atMs: nowMs, reason }].slice(-MAX_FAILURES_KEPT),
    healthySinceMs: undefined,
    // The Engine's own verdict is the operator's word; it needs no first success.
    armed: state.armed || counted,
  }
  // Past the threshold only what changes is said.
  const effects = failures <= threshold || reason !== state.reason ? [say({ kind: 'failing', failures, threshold, reason })] : []
  if (failures < threshold) return { state: failing, effects }
  const considered = considerRestart(failing, nowMs, settings)
  return { state: considered.state, effects: [...effects, ...considered.effects] }
}

/** A restart is due: asks for it, or says why it is not made. */
function considerRestart(state: HealthState, nowMs: number, settings: Judging): Step {
  const { escalation } = state
  if (!state.armed) {
    const told = state.toldNeverHealthy ? [] : [say({ kind: 'never-healthy', reason: state.reason })]
    return { state: { ...state, notRestarting: 'not-armed', toldNeverHealthy: true }, effects: told }
  }
  if (escalation.gaveUp) return { state: { ...state, notRestarting: 'gave-up' }, effects: [] }
  if (settings.objection) return hold(state, settings.objection.why, settings.objection.detail)
  if (escalation.restarts >= settings.maxRestarts) {
    return {
      state: { ...state, escalation: { ...escalation, gaveUp: true }, notRestarting: 'gave-up' },
      effects: [say({ kind: 'gave-up', restarts: escalation.restarts, reason: state.reason }), REMEMBER],
    }
  }
  const backoffEndsMs =
    (escalation.lastRestartMs ?? Number.NEGATIVE_INFINITY) + backoffMs(escalation.restarts, settings.intervalMs)
  const waitMs = Math.max(backoffEndsMs, state.notBeforeMs) - nowMs
  if (waitMs > 0) {
    const why = state.notBeforeMs > backoffEndsMs ? 'budget' : 'backoff'
    return hold(state, why, `the next restart is possible in ${renderDuration(waitMs)}`)
  }
  if (settings.dryRun) return hold(state, 'dry-run', 'DRY_RUN is set')

  // An attempt that waits is made again at every failure; it is announced once.
  const announced = state.notRestarting !== undefined && WAITS.includes(state.notRestarting)
  const { status, exit, lastFailures: failures } = state
  const diagnosis = { failures, status, ...exit }
  const restarting = announced ? [] : [say({ kind: 'restarting', failures: state.failures, diagnosis })]
  return {
    state: {
      ...state,
      diagnosis,
      escalation: { ...escalation, restarts: escalation.restarts + 1, lastRestartMs: nowMs },
      incident: { ...(state.incident ?? newIncident(state.firstFailureMs ?? nowMs)), asked: state.run?.startedAt },
      beforeRestart: { escalation, incident: state.incident },
    },
    // Remembered first: a healer that dies here does not forget that it has tried.
    effects: [REMEMBER, ...restarting, { type: 'restart' }],
  }
}

/** Not restarted, and said once for each reason. */
function hold(state: HealthState, why: NotRestarting, detail: string): Step {
  const news = state.notRestarting !== why
  return {
    state: { ...state, notRestarting: why },
    effects: news ? [say({ kind: 'not-restarting', why, failures: state.failures, detail })] : [],
  }
}

function endRestart(state: HealthState, ended: RestartOutcome, nowMs: number, settings: HealthSettings): Step {
  const { escalation } = state
  const incident = { ...(state.incident ?? newIncident(state.firstFailureMs ?? nowMs)), asked: undefined }
  switch (ended.outcome) {
    case 'restarted': {
      const opened: HealthState = { ...state, status: 'running', incident: { ...incident, restarts: incident.restarts + 1 } }
      return {
        state: { ...beginRun(opened, ended.run), escalation: { ...escalation, lastRestartMs: nowMs } },
        // Told first: a healer that dies in between has told it, once.
        effects: [say({ kind: 'restarted', failures: state.failures, tookMs: ended.tookMs, reason: state.reason }), REMEMBER],
      }
    }
    case 'failed': {
      const { maxRestarts } = settings
      const told = { message: ended.message, attempt: escalation.restarts, maxRestarts, first: !incident.toldFailed }
      return {
        state: {
          ...state,
          status: ended.status,
          health: 'unhealthy',
          escalation: { ...escalation, lastRestartMs: nowMs },
          incident: { ...incident, failedToStart: ended.status === 'exited', toldFailed: true },
          notRestarting: undefined,
        },
        effects: [say({ kind: 'restart-failed', ...told }), REMEMBER],
      }
    }
    case 'waits': {
      const notBeforeMs = ended.why === 'budget' ? nowMs + BUDGET_WAIT_MS : state.notBeforeMs
      const before = ended.mayBeDone ? {} : state.beforeRestart
      const held = hold({ ...state, ...before, notBeforeMs }, ended.why, ended.message)
      return { state: held.state, effects: [REMEMBER, ...held.effects] }
    }
    default:
      return ended satisfies never
  }
}
