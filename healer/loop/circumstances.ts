// What each container's restart depends on beside its own health: what people have said, what it needs, and how many fail with it. Keeps
// what it takes to answer that from one look to the next.
import type { Logger } from 'pino'
import type { ContainerSummary } from '../docker/docker.ts'
import { swarmService } from '../docker/swarm.ts'
import { type Group, mapProviders, networkProvider } from '../health/dependencies.ts'
import { assessHold, type Hold, isHeld, type Member } from '../health/hold.ts'
import { findObjection, isWell, type Objection } from '../health/objection.ts'
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
  /** Takes note of what became of a container that was looked at; `after` is `undefined` where it is not watched any more. */
  readonly noted: (before: WatchedContainer | undefined, after: WatchedContainer | undefined) => void
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
  /** By their ids. */
  readonly watched: ReadonlyMap<string, Watched>
}

/** Ids of containers that were listed once: one whose network another uses may be gone since. */
const MAX_SEEN = 10_000

export function createCircumstances({ clock, environment, log, watched }: CircumstancesOptions): Circumstances {
  let dependsOn: ReadonlyMap<string, readonly string[]> = new Map()
  let providers: ReadonlyMap<string, readonly Group[]> = new Map()
  const seen = new Set<string>()
  let hold: Hold | undefined
  /** When the last hold ended since most were well again. */
  let endedMs = Number.NEGATIVE_INFINITY
  /** Something that a hold depends on may be otherwise than it was when that was last judged. */
  let changed = true

  const stateOf = (id: string) => watched.get(id)?.watched?.state
  const isIll = (state: HealthState | undefined) => state !== undefined && (state.failures > 0 || state.incident !== undefined)
  const members = (): readonly Member[] =>
    [...watched.values()].flatMap(({ summary: { id }, watched: known }) => {
      if (!known) return []
      const waits = (providers.get(id) ?? []).some((group) => {
        const states = group.map((provider) => stateOf(provider.id))
        return states.some(isIll) && !states.some((state) => state && isWell(state))
      })
      return [
        { id, isCounted: counts(known) && !waits, failingSinceMs: failingSince(known), lastSuccessMs: known.state.lastSuccessMs },
      ]
    })
  const assess = (): void => {
    // Time alone begins no hold: while there is none, and all is as it was, there will be none.
    if (!changed && hold === undefined) return
    changed = false
    const { intervalMs, holdMaxMs } = environment
    const next = assessHold(hold, members(), clock.monotonicMs(), { intervalMs, holdMaxMs })
    const [before, after] = [hold !== undefined && !hold.isLifted, next !== undefined && !next.isLifted]
    if (!before && after)
      log.error(
        { event: 'hold' },
        `more than half of all containers began to fail within ${renderDuration(intervalMs)}: nothing is restarted, since the healer's own network may be what is ill; after ${renderDuration(holdMaxMs)} one is, to see`,
      )
    if (before && !next) endedMs = clock.monotonicMs()
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
      // The labels of a container never change.
      dependsOn = new Map(
        containers.map(({ id, labels }) => [id, dependsOn.get(id) ?? readLabels(labels, environment).settings.dependsOn]),
      )
      providers = mapProviders(containers, ({ id }) => dependsOn.get(id) ?? [])
      for (const { id } of containers) seen.add(id)
      for (const id of [...seen].slice(0, Math.max(0, seen.size - MAX_SEEN))) seen.delete(id)
      changed = true
      assess()
    },
    noted(before, after) {
      changed ||=
        !before ||
        !after ||
        isIll(before.state) !== isIll(after.state) ||
        counts(before) !== counts(after) ||
        failingSince(before) !== failingSince(after)
    },
    objection(container, settings, state, pausedUntilMs) {
      assess()
      const provider = networkProvider(container)
      const providerIsListed = provider !== undefined && watched.has(provider)
      const providerIsGone =
        provider !== undefined && !providerIsListed && (seen.has(provider) || state.incident?.failedToStart === true)
      const held = watched.get(container.id)?.watched?.held
      const maintenanceEndsMs = endsAt(settings.maintenance, clock.wallMs())
      return findObjection(container.name, {
        tellOnly: settings.action === 'none',
        swarmService: swarmService(container.labels),
        pausedForMs: pausedUntilMs === undefined ? undefined : pausedUntilMs - clock.monotonicMs(),
        maintenanceForMs: maintenanceEndsMs === undefined ? undefined : maintenanceEndsMs - clock.wallMs(),
        providerIsGone,
        providers: (providers.get(container.id) ?? []).map((group) =>
          group.flatMap(({ id, name }) => {
            const provided = stateOf(id)
            return provided ? [{ name, state: provided }] : []
          }),
        ),
        waitedMs: held?.why === 'dependency' ? clock.monotonicMs() - held.sinceMs : 0,
        // A probe that began while it lasted says nothing yet of the container itself.
        isHeld: isHeld(hold, container.id) || clock.monotonicMs() - endedMs < settings.intervalMs + settings.timeoutMs,
      })
    },
    holdSinceMs: () => (hold && !hold.isLifted ? hold.sinceMs : undefined),
  }
}

/** One that was restarted fails until it is seen well. */
const failingSince = ({ state }: WatchedContainer) => state.firstFailureMs ?? state.incident?.sinceMs

/** Whether what its probe finds says something of the network, unless it waits on another. */
function counts(watched: WatchedContainer): boolean {
  const { state, probe } = watched
  const isJudged = failingSince(watched) !== undefined || (state.status === 'running' && state.health === 'healthy')
  return isJudged && probe !== 'docker' && state.armed
}
