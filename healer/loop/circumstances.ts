// What each container's restart depends on beside its own health: what people have said, what it needs, and how many fail with it. Keeps
// what it takes to answer that from one look to the next.
import type { Logger } from 'pino'
import type { ContainerSummary } from '../docker/docker.ts'
import { swarmService } from '../docker/swarm.ts'
import { networkProvider, providersOf } from '../health/dependencies.ts'
import { assessHold, type Hold, isHeld, type Member } from '../health/hold.ts'
import { findObjection, type Objection } from '../health/objection.ts'
import type { HealthState } from '../health/state.ts'
import { renderDuration } from '../settings/duration.ts'
import type { Environment } from '../settings/environment.ts'
import { type ContainerSettings, readLabels } from '../settings/labels.ts'
import { endsAt } from '../settings/maintenance.ts'
import type { Clock } from './clock.ts'
import type { WatchedContainer } from './watch.ts'

export type Circumstances = {
  /** Takes note of what there is. */
  readonly listed: (containers: readonly ContainerSummary[]) => void
  /** Why a restart of `container` is forbidden at this moment. */
  readonly objection: (
    container: ContainerSummary,
    settings: ContainerSettings,
    state: HealthState,
    pausedUntilMs: number | undefined,
  ) => Objection | undefined
  readonly holdSinceMs: () => number | undefined
}

type Watched = { readonly summary: ContainerSummary; readonly watched: WatchedContainer | undefined }

export type CircumstancesOptions = {
  readonly clock: Clock
  readonly environment: Environment
  readonly log: Logger
  readonly watched: () => readonly Watched[]
}

/** Ids of containers that were listed once: one whose network another uses may be gone since. */
const MAX_SEEN = 10_000

export function createCircumstances({ clock, environment, log, watched }: CircumstancesOptions): Circumstances {
  let providers: ReadonlyMap<string, readonly ContainerSummary[]> = new Map()
  const seen = new Set<string>()
  let hold: Hold | undefined

  const stateOf = (id: string) => watched().find(({ summary }) => summary.id === id)?.watched?.state
  const isIll = (state: HealthState | undefined) => state !== undefined && (state.failures > 0 || state.incident !== undefined)
  const members = (): readonly Member[] =>
    watched().flatMap(({ summary, watched: known }) => {
      if (!known) return []
      const { state, probe } = known
      const waits = (providers.get(summary.id) ?? []).some(({ id }) => isIll(stateOf(id)))
      // One that was restarted fails until it is seen well.
      const failingSinceMs = state.firstFailureMs ?? state.incident?.sinceMs
      const isJudged = failingSinceMs !== undefined || (state.status === 'running' && state.health === 'healthy')
      const isCounted = isJudged && probe !== 'docker' && state.armed && !waits
      return [{ id: summary.id, isCounted, failingSinceMs, lastSuccessMs: state.lastSuccessMs }]
    })
  const assess = (): void => {
    const { intervalMs, holdMaxMs } = environment
    const next = assessHold(hold, members(), clock.monotonicMs(), { intervalMs, holdMaxMs })
    const [before, after] = [hold !== undefined && !hold.isLifted, next !== undefined && !next.isLifted]
    if (!before && after)
      log.error(
        { event: 'hold' },
        `more than half of all containers began to fail within ${renderDuration(intervalMs)}: nothing is restarted, since the healer's own network may be what is ill; after ${renderDuration(holdMaxMs)} one is, to see`,
      )
    if (before && !after)
      log.info(
        { event: 'hold-ended' },
        next
          ? 'the first that was restarted recovered: all that fail are restarted'
          : 'fewer than half of all containers fail: restarts go on',
      )
    hold = next
  }
  return {
    listed(containers) {
      const dependsOn = (container: ContainerSummary) => readLabels(container.labels, environment).settings.dependsOn
      providers = new Map(containers.map((container) => [container.id, providersOf(container, containers, dependsOn)]))
      for (const { id } of containers) seen.add(id)
      for (const id of [...seen].slice(0, Math.max(0, seen.size - MAX_SEEN))) seen.delete(id)
      assess()
    },
    objection(container, settings, state, pausedUntilMs) {
      assess()
      const provider = networkProvider(container)
      const providerIsListed = provider !== undefined && watched().some(({ summary }) => summary.id === provider)
      const providerIsGone =
        provider !== undefined && !providerIsListed && (seen.has(provider) || state.incident?.failedToStart === true)
      const maintenanceEndsMs = endsAt(settings.maintenance, clock.wallMs())
      return findObjection(container.name, {
        tellOnly: settings.action === 'none',
        swarmService: swarmService(container.labels),
        pausedForMs: pausedUntilMs === undefined ? undefined : pausedUntilMs - clock.monotonicMs(),
        maintenanceForMs: maintenanceEndsMs === undefined ? undefined : maintenanceEndsMs - clock.wallMs(),
        providerIsGone,
        providers: (providers.get(container.id) ?? []).flatMap(({ id, name }) => {
          const provided = stateOf(id)
          return provided ? [{ name, state: provided }] : []
        }),
        isHeld: isHeld(hold, container.id),
      })
    },
    holdSinceMs: () => (hold && !hold.isLifted ? hold.sinceMs : undefined),
  }
}
