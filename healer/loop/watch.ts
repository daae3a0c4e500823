// Watches one container: looks at it, probes it, feeds the health machine, and carries out what the machine asks for.
// One thing at a time for this container, and nothing here waits for any other.
import type { Logger } from 'pino'
import { type ContainerDetail, type ContainerSummary, type Docker, DockerError } from '../docker/docker.ts'
import type { Happening } from '../health/happening.ts'
import { type Effect, type HealthEvent, nextProbeMs, type RestartOutcome, step } from '../health/machine.ts'
import { type HealthState, initialState } from '../health/state.ts'
import { chooseProbe, describeProbe, type Probe, type Surroundings } from '../probe/choose.ts'
import { probeDocker } from '../probe/docker.ts'
import { probeHttp } from '../probe/http.ts'
import { type ProbeResult, unknown } from '../probe/result.ts'
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
  /** The last probe: when, in milliseconds since 1970, how long it took, and what it found. */
  readonly last: { readonly atMs: number; readonly durationMs: number; readonly result: ProbeResult['result'] } | undefined
}

export type WatchOptions = {
  readonly docker: Docker
  readonly clock: Clock
  readonly memory: Memory
  readonly environment: Environment
  readonly log: Logger
  /** The container as last listed. */
  readonly summary: () => ContainerSummary
  readonly surroundings: () => Surroundings
  /** Lists anew: after a restart a container may have another address. */
  readonly refresh: () => Promise<void>
  readonly report: (name: string, happening: Happening) => void
  /** Called after every look. */
  readonly publish: (watched: WatchedContainer) => void
}

/** Watches until `signal` aborts or the container is gone. Never rejects for what Docker or the container does. */
export async function watch(options: WatchOptions, signal: AbortSignal): Promise<void> {
  const watcher = createWatcher(options, signal)
  while (!signal.aborted) {
    const next = await watcher.look()
    if (next === 'gone') return
    await options.clock.sleep(next, signal)
  }
}

/** Who is told to stop begins nothing. */
const STOPPING: RestartOutcome = { outcome: 'waits', why: 'gone', message: 'it is not watched any more' }

function createWatcher(options: WatchOptions, signal: AbortSignal) {
  const { docker, clock, memory, environment, log, report } = options
  const container = options.summary()
  const { settings, problems } = readLabels(container.labels, environment)
  for (const { message } of problems) log.warn({ container: container.name }, `${container.name} — label: ${message}`)

  const recalled = memory.recall(container)
  let state = initialState(recalled.armed || settings.armImmediately, recalled.escalation)
  let detail: ContainerDetail | undefined
  /** The last look at Docker's side succeeded. */
  let isFresh = false
  let probe: Probe | undefined
  let last: WatchedContainer['last']

  const apply = async (event: HealthEvent): Promise<void> => {
    const { state: next, effects } = step(state, event, clock.monotonicMs(), settings)
    state = next
    for (const effect of effects) await carryOut(effect)
  }
  const carryOut = async (effect: Effect): Promise<void> => {
    switch (effect.type) {
      case 'say':
        return report(options.summary().name, effect.happening)
      case 'remember':
        return memory.remember(options.summary(), { armed: state.armed, escalation: state.escalation })
      case 'restart': {
        const order = { id: container.id, startedAt: state.run?.startedAt, failedToStart: state.incident?.failedToStart ?? false }
        const outcome: RestartOutcome = signal.aborted ? STOPPING : await carryOutRestart(docker, clock, order)
        await apply({ type: 'restart-ended', outcome })
        if (outcome.outcome === 'restarted') await options.refresh()
        return
      }
      default:
        return effect satisfies never
    }
  }

  /** `false`: the container is gone. Where Docker cannot be asked, what was last known stays. */
  const observe = async (): Promise<boolean> => {
    let seen: ContainerDetail | undefined
    try {
      seen = await docker.inspect(container.id)
    } catch (error) {
      if (!(error instanceof DockerError)) throw error
      isFresh = false
      log.debug({ err: error }, `${container.name} — cannot be inspected`)
      return true
    }
    if (!seen) return false
    const startedAnew = detail !== undefined && detail.startedAt !== seen.startedAt && state.run?.startedAt !== seen.startedAt
    detail = seen
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

  const probeOnce = async (seen: ContainerDetail): Promise<void> => {
    const chosen = chooseProbe(options.summary(), seen, settings, problems, options.surroundings())
    const words = describeProbe(chosen)
    if (probe === undefined || describeProbe(probe) !== words)
      log.info({ container: container.name }, `${container.name} — ${chosen.kind === 'none' ? words : `probing by ${words}`}`)
    probe = chosen
    // The Engine is still counting: there is nothing to go by yet.
    if (chosen.kind === 'docker' && isFresh && seen.engineHealth?.status === 'starting') return
    const startedMs = clock.monotonicMs()
    const result =
      chosen.kind === 'docker' && !isFresh ? unknown('Docker cannot be asked for its verdict') : await runProbe(chosen, seen)
    last = { atMs: clock.wallMs(), durationMs: clock.monotonicMs() - startedMs, result: result.result }
    await apply({ type: 'probed', probe: result, counted: chosen.kind === 'docker' })
  }

  return {
    /** Looks once; gives the milliseconds until the next look. */
    async look(): Promise<number | 'gone'> {
      if (!(await observe())) return 'gone'
      if (detail?.status === 'running' && state.status === 'running') await probeOnce(detail)
      options.publish({ summary: options.summary(), state, settings, problems, probe: probe ? describeProbe(probe) : '', last })
      return nextProbeMs(state, settings)
    },
  }
}

function runProbe(probe: Probe, detail: ContainerDetail): Promise<ProbeResult> {
  switch (probe.kind) {
    case 'http':
      return probeHttp(probe)
    case 'docker':
      return Promise.resolve(probeDocker(detail))
    case 'none':
      return Promise.resolve(unknown(probe.reason))
    default:
      return probe satisfies never
  }
}
