// The healer's loop: finds the containers that opted in and keeps one watcher on each. Nothing that Docker or a
// container does ends it.
import { networkInterfaces } from 'node:os'
import pLimit from 'p-limit'
import type { Logger } from 'pino'
import { type ContainerSummary, type Docker, DockerError } from '../docker/docker.ts'
import { describe, type Happening } from '../health/happening.ts'
import type { HealthState } from '../health/state.ts'
import type { Cidr } from '../probe/address.ts'
import type { Control, ControlResult } from '../serve/control.ts'
import type { Environment } from '../settings/environment.ts'
import type { Memory } from '../state/memory.ts'
import type { RuleStore } from '../state/rules.ts'
import { createCircumstances } from './circumstances.ts'
import type { Clock } from './clock.ts'
import { type ContainerWatcher, createWatcher, type WatchedContainer } from './watch.ts'

export type HealerOptions = {
  readonly docker: Docker
  readonly clock: Clock
  readonly memory: Memory
  readonly rules: Pick<RuleStore, 'firing' | 'written'>
  readonly environment: Environment
  readonly log: Logger
  /** Called for everything that happens to a container, after it was logged. The container's watcher waits for it. */
  readonly onHappening: (container: ContainerSummary, happening: Happening, state: HealthState) => Promise<void>
  /** Called for each probe over the network that found something out: how long it took. */
  readonly onProbed?: (name: string, durationMs: number) => void
  /** Called with the names of all containers that opted in, each time that they were listed. */
  readonly onListed?: (names: readonly string[]) => void
  /** The healer's own interfaces; tests pass others. */
  readonly ownCidrs?: () => readonly Cidr[]
}

export type Healer = {
  /** Runs until `signal` aborts, every watcher has come to rest, and what they know is written. */
  readonly run: (signal: AbortSignal) => Promise<void>
  readonly view: () => HealerView
  readonly control: Control
}

/** Looks at Docker and probes that are under way at once: within what the proxy takes, and what a machine has sockets for. */
const MAX_DOCKER_LOOKS = 16
const MAX_PROBES = 256

/** What the healer knows at this moment. */
export type HealerView = {
  readonly containers: readonly WatchedContainer[]
  /** Without a message it was not asked yet. */
  readonly docker: { readonly reachable: boolean; readonly message: string | undefined }
  /** Every container that was listed has been looked at once. */
  readonly ready: boolean
  /** Milliseconds since the loop last came round. */
  readonly loopAgeMs: number
  /** Since when restarts are held because so many fail at once; `undefined`: they are not. */
  readonly holdSinceMs: number | undefined
}

type Watcher = {
  summary: ContainerSummary
  readonly stop: AbortController
  done: Promise<void>
  watched: WatchedContainer | undefined
  control: ContainerWatcher | undefined
}

export function createHealer(options: HealerOptions): Healer {
  const { docker, clock, environment, log } = options
  const ownCidrs = options.ownCidrs ?? readOwnCidrs
  const watchers = new Map<string, Watcher>()
  const circumstances = createCircumstances({ clock, environment, log, watched: watchers })
  const gates = { docker: pLimit(MAX_DOCKER_LOOKS), probe: pLimit(MAX_PROBES) }
  let reachable: HealerView['docker'] = { reachable: false, message: undefined }
  /** What is amiss with Docker, as it was said. */
  let trouble: string | undefined
  let listed = false
  let listing = { askedMs: Number.NEGATIVE_INFINITY, answeredMs: Number.NEGATIVE_INFINITY }
  let own: readonly Cidr[] = []
  let roundMs = clock.monotonicMs()
  let refreshing: Promise<void> | undefined

  const startWatching = (summary: ContainerSummary, phase: number) => {
    const stop = new AbortController()
    const watcher: Watcher = { summary, stop, done: Promise.resolve(), watched: undefined, control: undefined }
    watchers.set(summary.id, watcher)
    const watching = createWatcher(
      {
        ...options,
        summary: () => watcher.summary,
        listing: () => listing,
        surroundings: () => ({ find: (id) => watchers.get(id)?.summary, own }),
        refresh,
        gates,
        phase,
        objection: (settings, state, paused) => circumstances.objection(watcher.summary, settings, state, paused),
        report: (name, happening, state) => {
          const { level, message } = describe(name, happening)
          log[level]({ container: name, event: happening.kind }, message)
          return options.onHappening(watcher.summary, happening, state)
        },
        publish: (watched) => {
          circumstances.noted(watcher.watched, watched)
          watcher.watched = watched
        },
      },
      stop.signal,
    )
    watcher.control = watching
    const done = watching
      .watch()
      .catch((error: unknown) =>
        log.error({ err: error }, `${summary.name} — the watcher failed; it is taken up again at the next round`),
      )
    watcher.done = done.finally(() => {
      if (watchers.get(summary.id) === watcher) forget(watcher)
    })
  }

  const forget = ({ summary, watched }: Watcher) => {
    watchers.delete(summary.id)
    circumstances.noted(watched, undefined)
  }

  const takeIn = (found: readonly ContainerSummary[]) => {
    // Each once, should a list name one twice: of two watchers only one could be stopped.
    const containers = [...new Map(found.map((each) => [each.id, each])).values()]
    const before = names()
    const unknown = containers.filter(({ id }) => !watchers.has(id))
    for (const summary of containers) {
      const watcher = watchers.get(summary.id)
      if (watcher) watcher.summary = summary
    }
    circumstances.listed(containers)
    const listedNames = containers.map(({ name }) => name)
    options.memory.listed(listedNames)
    options.onListed?.(listedNames)
    // Those that are found together are spread over the interval from their second look on.
    for (const [i, summary] of unknown.entries()) startWatching(summary, (i + 1) / unknown.length)
    const present = new Set(containers.map(({ id }) => id))
    for (const [id, watcher] of watchers) {
      if (present.has(id)) continue
      watcher.stop.abort()
      forget(watcher)
    }
    const now = names()
    if (!listed || before !== now)
      log.info(
        containers.length === 0
          ? 'no container is labelled monitored=true or autoheal=true'
          : `watching ${containers.length}: ${now}`,
      )
    listed = true
  }
  const names = () =>
    [...watchers.values()]
      .map(({ summary }) => summary.name)
      .sort()
      .join(', ')

  /** Lists once, whoever asks meanwhile; what was known stays where Docker cannot be asked. */
  const refresh = (): Promise<void> => {
    refreshing ??= listOnce().finally(() => {
      refreshing = undefined
    })
    return refreshing
  }
  const listOnce = async () => {
    own = ownCidrs()
    const askedMs = clock.monotonicMs()
    try {
      const containers = await docker.list()
      listing = { askedMs, answeredMs: clock.monotonicMs() }
      takeIn(containers)
      if (trouble !== undefined) log.info('Docker can be asked again')
      trouble = undefined
      reachable = { reachable: true, message: 'ok' }
    } catch (error) {
      if (!(error instanceof DockerError)) throw error
      if (trouble !== error.trouble) log.error(`${error.message}. Probing goes on; restarts wait`)
      trouble = error.trouble
      reachable = { reachable: false, message: error.message }
    }
  }

  const controlling = async (name: string, act: (watcher: ContainerWatcher) => Promise<void>): Promise<ControlResult> => {
    const control = [...watchers.values()].find(({ summary }) => summary.name === name)?.control
    if (!control) return { outcome: 'unknown' }
    await act(control)
    return { outcome: 'done', pausedUntilMs: control.pausedUntilMs() }
  }

  return {
    async run(signal) {
      while (!signal.aborted) {
        roundMs = clock.monotonicMs()
        await refresh().catch((error: unknown) => log.error({ err: error }, 'a round failed; the next one comes'))
        await clock.sleep(environment.intervalMs, signal)
      }
      const ending = [...watchers.values()].map(({ stop, done }) => {
        stop.abort()
        return done
      })
      await Promise.all(ending)
      await options.rules.written()
    },
    control: {
      pause: (name, untilMs) => controlling(name, (watcher) => watcher.pause(untilMs)),
      resume: (name) => controlling(name, (watcher) => watcher.pause(undefined)),
      reset: (name) => controlling(name, (watcher) => watcher.reset()),
    },
    view: () => ({
      containers: [...watchers.values()].flatMap(({ watched }) => (watched ? [watched] : [])),
      docker: reachable,
      ready: listed && [...watchers.values()].every(({ watched }) => watched !== undefined),
      loopAgeMs: clock.monotonicMs() - roundMs,
      holdSinceMs: circumstances.holdSinceMs(),
    }),
  }
}

/** The healer's own interfaces, as they are now. */
export function readOwnCidrs(): readonly Cidr[] {
  return Object.values(networkInterfaces()).flatMap((addresses) =>
    (addresses ?? []).flatMap(({ cidr }) => (cidr === null ? [] : [cidr])),
  )
}
