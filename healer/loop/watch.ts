// Watches one container: looks at it, probes it, feeds the health machine, and carries out what the machine asks for.
// One thing at a time for this container, and nothing here waits for any other.
import type { LimitFunction } from 'p-limit'
import type { Logger } from 'pino'
import { type ContainerDetail, type ContainerSummary, type Docker, DockerError } from '../docker/docker.ts'
import type { Happening } from '../health/happening.ts'
import { followHeld, type Held } from '../health/held.ts'
import { type History, lookedAt, NO_HISTORY, restartMade, stoodAt } from '../health/history.ts'
import { type HealthEvent, nextProbeMs, type RestartOutcome, step } from '../health/machine.ts'
import type { Objection } from '../health/objection.ts'
import { type FiringRule, overrule } from '../health/rules.ts'
import { type HealthState, initialState } from '../health/state.ts'
import type { Surroundings } from '../probe/address.ts'
import { chooseProbe } from '../probe/choose.ts'
import { describeProbe, type Probe, runProbe } from '../probe/probes.ts'
import { type ProbeResult, unknown } from '../probe/result.ts'
import { renderDuration } from '../settings/duration.ts'
import type { Environment } from '../settings/environment.ts'
import { type ContainerSettings, type LabelProblem, readLabels } from '../settings/labels.ts'
import type { Memory } from '../state/memory.ts'
import type { Clock } from './clock.ts'
import { carryOutRestart, runOf } from './restart.ts'

export type WatchedContainer = {
  readonly summary: ContainerSummary
  readonly state: HealthState
  readonly settings: ContainerSettings
  readonly problems: readonly LabelProblem[]
  readonly probe: string
  /** The same, to be read by programs; `undefined`: it was not probed yet. */
  readonly chosen: Probe | undefined
  readonly history: History
  /** Why a restart that is due is not made. */
  readonly held: Held | undefined
  /** When it is looked at next, on the healer's clock. */
  readonly nextLookMs: number
  /** On the healer's clock; infinite: until it is resumed. */
  readonly pausedUntilMs: number | undefined
  /** The last probe: when, in milliseconds since 1970, how long it took, and what it found. */
  readonly last: (ProbeResult & { readonly atMs: number; readonly durationMs: number }) | undefined
  /** The alerts that fire for it. */
  readonly rules: readonly FiringRule[]
  /** Probes since it is watched, by result. */
  readonly probes: Readonly<Record<ProbeResult['result'], number>>
}

export type WatchOptions = {
  readonly docker: Docker
  readonly clock: Clock
  readonly memory: Memory
  /** The alerts that fire for the container of that name. */
  readonly rules: { readonly firing: (container: string) => readonly FiringRule[] }
  readonly environment: Environment
  readonly log: Logger
  /** The container as last listed. */
  readonly summary: () => ContainerSummary
  /** When the list was asked for that it was shown in, and when that was answered. */
  readonly listing: () => { readonly askedMs: number; readonly answeredMs: number }
  readonly surroundings: () => Surroundings
  /** Lists anew: after a restart a container may have another address. */
  readonly refresh: () => Promise<void>
  /** Resolves once whoever is to know of it will, whatever becomes of the healer. */
  readonly report: (name: string, happening: Happening, state: HealthState) => Promise<void>
  /** Called for each probe that asked the container itself and was answered, rightly or wrongly, or in vain: how long it took. */
  readonly onProbed?: (name: string, durationMs: number) => void
  /** Called after every look. */
  readonly publish: (watched: WatchedContainer) => void
  /** Why its surroundings forbid a restart at this moment. */
  readonly objection: (
    settings: ContainerSettings,
    state: HealthState,
    pausedUntilMs: number | undefined,
  ) => Objection | undefined
  /** So many looks at Docker, and so many probes, are under way at once, whichever container they are of. */
  readonly gates: Gates
  /** Between 0 and 1: where in its interval this container is looked at, so that not all are at once. */
  readonly phase: number
}

export type Gates = { readonly docker: LimitFunction; readonly probe: LimitFunction }

export type ContainerWatcher = {
  /** Watches until its signal aborts or the container is gone. Never rejects for what Docker or the container does. */
  readonly watch: () => Promise<void>
  /** No restarts before `untilMs`, on the healer's clock; `undefined`: there may be again. Resolves once that is remembered. */
  readonly pause: (untilMs: number | undefined) => Promise<void>
  /** Past restarts weigh nothing any more. */
  readonly reset: () => Promise<void>
  /** As last set, unless it is over. */
  readonly pausedUntilMs: () => number | undefined
}

/** However well it is, and whatever lists say, Docker is asked about each container itself so often. */
const MAX_UNSEEN_MS = 60_000

/** A probe that took this much longer than its bound was held up by the healer itself. */
const HELD_UP_MS = 1000

/** What came of a probe, before it counts. */
type Probed = { readonly result: ProbeResult; readonly durationMs: number; readonly chosen: Probe }

/** Who is told to stop begins nothing. */
const STOPPING: RestartOutcome = { outcome: 'waits', why: 'gone', message: 'it is not watched any more' }

export function createWatcher(options: WatchOptions, signal: AbortSignal): ContainerWatcher {
  const { docker, clock, memory, environment, log, report, gates } = options
  const container = options.summary()
  const { settings, problems } = readLabels(container.labels, environment)
  for (const { message } of problems) log.warn({ container: container.name }, `${container.name} — label: ${message}`)

  const recalled = memory.recall(container)
  let state = initialState(recalled.armed || settings.armImmediately, recalled.escalation, recalled.incident)
  let paused = recalled.pausedUntilMs
  let detail: ContainerDetail | undefined
  /** The last look at Docker's side succeeded. */
  let isFresh = false
  /** When Docker was asked for `detail`. */
  let seenMs = Number.NEGATIVE_INFINITY
  let lookedMs = Number.NEGATIVE_INFINITY
  let probe: Probe | undefined
  let last: WatchedContainer['last']
  let probes = { success: 0, failure: 0, unknown: 0 }
  /** What a look found is taken to last until the next one, which may be late. */
  const holdsMs = 2 * Math.max(settings.intervalMs, settings.retryIntervalMs) + settings.timeoutMs
  let history = NO_HISTORY
  let held: Held | undefined
  let nextLookMs = clock.monotonicMs()

  const pausedUntilMs = () => (paused !== undefined && paused > clock.monotonicMs() ? paused : undefined)
  const firing = () => options.rules.firing(options.summary().name)
  const remember = () => {
    const { armed, escalation, incident } = state
    return memory.remember(options.summary(), { armed, escalation, incident, pausedUntilMs: pausedUntilMs() })
  }
  const apply = async (event: HealthEvent): Promise<void> => {
    const objection = options.objection(settings, state, pausedUntilMs())
    const nowMs = clock.monotonicMs()
    const { state: next, effects } = step(state, event, nowMs, settings, objection)
    state = next
    held = followHeld(held, state, effects, objection, nowMs)
    // What is said does not wait for what is written; a restart waits for both, and so does whatever comes next.
    const written: Promise<void>[] = []
    for (const effect of effects) {
      if (effect.type === 'remember') written.push(remember())
      else if (effect.type === 'say') await report(options.summary().name, effect.happening, state)
      else await Promise.all(written).then(restart)
    }
    await Promise.all(written)
  }
  const restart = async (): Promise<void> => {
    // It may take as long as the container takes to stop; people see meanwhile what it is for.
    publish()
    const order = { id: container.id, startedAt: state.run?.startedAt, failedToStart: state.incident?.failedToStart ?? false }
    const outcome: RestartOutcome = signal.aborted ? STOPPING : await carryOutRestart(docker, clock, order)
    if (outcome.outcome !== 'waits') history = restartMade(history, { atMs: clock.wallMs(), outcome: outcome.outcome })
    await apply({ type: 'restart-ended', outcome })
    if (outcome.outcome === 'restarted') await options.refresh()
  }

  /** `false`: the container is gone. Where Docker cannot be asked, what was last known stays. */
  const observe = async (): Promise<boolean> => {
    let seen: ContainerDetail | undefined
    let askedMs = 0
    try {
      seen = await gates.docker(() => {
        askedMs = clock.monotonicMs()
        return docker.inspect(container.id)
      })
    } catch (error) {
      if (!(error instanceof DockerError)) throw error
      isFresh = false
      log.debug({ err: error }, `${container.name} — cannot be inspected`)
      return true
    }
    if (!seen) return false
    const startedAnew = detail !== undefined && detail.startedAt !== seen.startedAt && state.run?.startedAt !== seen.startedAt
    detail = seen
    seenMs = askedMs
    isFresh = true
    if (startedAnew) await options.refresh()
    await apply({
      type: 'observed',
      run: runOf(seen, clock),
      status: seen.status,
      exitCode: seen.exitCode,
      oomKilled: seen.oomKilled,
    })
    return true
  }

  /**
   * A list that came since the last look shows a container that was well still in the run that was seen then: it need not be asked for once
   * more before it is probed. Whatever else there is to know of it can matter only once a probe fails.
   */
  const isSeenByList = (): boolean => {
    const { askedMs, answeredMs } = options.listing()
    const { upForMs } = options.summary()
    const wasWell = isFresh && detail?.status === 'running' && state.health === 'healthy' && !state.incident
    const isNews = askedMs > lookedMs && clock.monotonicMs() - seenMs < MAX_UNSEEN_MS
    const isSameRun = upForMs !== undefined && answeredMs - upForMs <= seenMs
    return wasWell && probe !== undefined && probe.kind !== 'docker' && isNews && isSameRun
  }

  /** `undefined`: there is nothing to go by yet. */
  const probeOnce = async (seen: ContainerDetail): Promise<Probed | undefined> => {
    const chosen = chooseProbe(options.summary(), seen, settings, problems, options.surroundings())
    const words = describeProbe(chosen)
    if (probe === undefined || describeProbe(probe) !== words)
      log.info({ container: container.name }, `${container.name} — ${chosen.kind === 'none' ? words : `probing by ${words}`}`)
    probe = chosen
    // The Engine is still counting: there is nothing to go by yet.
    if (chosen.kind === 'docker' && isFresh && seen.engineHealth?.status === 'starting') return undefined
    const { found, durationMs } = await gates.probe(async () => {
      const startedMs = clock.monotonicMs()
      const stale = chosen.kind === 'docker' && !isFresh
      const result = stale ? unknown('Docker cannot be asked for its verdict') : await runProbe(chosen, seen, signal)
      return { found: result, durationMs: clock.monotonicMs() - startedMs }
    })
    const wasHeldUp = found.result === 'failure' && durationMs > settings.timeoutMs + HELD_UP_MS
    const result = wasHeldUp ? unknown(`the healer itself was held up for ${renderDuration(durationMs)}`) : found
    return { result, durationMs, chosen }
  }

  const count = async ({ result, durationMs, chosen }: Probed): Promise<void> => {
    last = { ...result, atMs: clock.wallMs(), durationMs }
    probes = { ...probes, [result.result]: probes[result.result] + 1 }
    // The Engine's verdict tells nothing of how fast the container answers.
    if (chosen.kind !== 'docker' && result.result !== 'unknown') options.onProbed?.(container.name, durationMs)
    const nowMs = clock.monotonicMs()
    const overruling = overrule(firing(), state.run, nowMs, environment.hookGraceMs)
    const counted = (result.result === 'success' ? overruling : undefined) ?? result
    history = lookedAt(history, { atMs: last.atMs, result: counted.result, reason: counted.reason, durationMs }, nowMs, holdsMs)
    await apply({ type: 'probed', probe: result, counted: chosen.kind === 'docker', overruling })
  }

  const runningNow = () => (detail?.status === 'running' && state.status === 'running' ? detail : undefined)

  /** Looks once; gives the milliseconds until the next look. */
  const look = async (): Promise<number | 'gone'> => {
    const isSeen = isSeenByList()
    lookedMs = clock.monotonicMs()
    if (!isSeen && !(await observe())) return 'gone'
    const { uptime } = history
    const running = runningNow()
    const run = state.run?.startedAt
    const probed = running && (await probeOnce(running))
    // The probe was ended with the watching, and found nothing out.
    if (signal.aborted) return 'gone'
    // Before anything but a success counts, the container itself is looked at: it may have been stopped, or started anew, since the list.
    if (isSeen && probed && probed.result.result !== 'success' && !(await observe())) return 'gone'
    if (probed && runningNow() && state.run?.startedAt === run) await count(probed)
    // A container that does not run answers nobody; one that the Engine still counts for, nobody can judge.
    if (history.uptime === uptime && detail)
      history = stoodAt(history, !isFresh || runningNow() ? 'unknown' : 'down', clock.monotonicMs(), holdsMs)
    return nextProbeMs(state, settings)
  }
  const publish = () => {
    const words = probe ? describeProbe(probe) : ''
    const kept = { last, probes, history, nextLookMs, held }
    const seen = { probe: words, chosen: probe, pausedUntilMs: pausedUntilMs(), rules: firing() }
    options.publish({ summary: options.summary(), state, settings, problems, ...kept, ...seen })
  }

  return {
    async watch() {
      let phase = options.phase
      while (!signal.aborted) {
        const next = await look()
        if (next === 'gone') return
        const waitMs = next * phase
        const askedMs = clock.monotonicMs()
        nextLookMs = askedMs + waitMs
        publish()
        await clock.sleep(waitMs, signal)
        phase = 1
        // The machine slept, or stood still, and all wake at once: this one goes back to its place among them.
        if (clock.monotonicMs() - askedMs > waitMs + next) await clock.sleep(next * options.phase, signal)
      }
    },
    async pause(untilMs) {
      paused = untilMs
      publish()
      await remember()
    },
    reset: () => apply({ type: 'reset' }).then(publish),
    pausedUntilMs,
  }
}
