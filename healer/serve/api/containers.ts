// A container as the JSON API shows it. Names, labels and reasons come from strangers: they are data here, bounded, and never interpreted.

import { swarmService } from '../../docker/swarm.ts'
import { HELD_WORDS } from '../../health/held.ts'
import { MAX_LOOKS } from '../../health/history.ts'
import { findNextRestart } from '../../health/next-restart.ts'
import { shareOf } from '../../health/uptime.ts'
import type { Clock } from '../../loop/clock.ts'
import type { WatchedContainer } from '../../loop/watch.ts'
import type { Probe } from '../../probe/probes.ts'
import type { ContainerSettings } from '../../settings/labels.ts'
import { endsAt } from '../../settings/maintenance.ts'
import type { ContainerAnswer } from './schemas.ts'

export type Times = Pick<Clock, 'monotonicMs' | 'wallMs'>

export type Showing = {
  readonly clock: Times
  /** The key of the incident of that container that is open. */
  readonly incident: string | undefined
  /** So many probes of its strip at most. */
  readonly looks: number
}

/** Probes shown in one answer, of all containers together. */
export const MAX_LOOKS_SHOWN = 12_000
const MAX_PROBLEMS = 10
const MAX_TEXT = 500

/** How long the strip of each of `containers` may be, so that an answer with many stays small. */
export function looksOfEach(containers: number): number {
  return Math.min(MAX_LOOKS, Math.max(1, Math.floor(MAX_LOOKS_SHOWN / Math.max(1, containers))))
}

/** By code points, the same on every host. */
export function byName(containers: readonly WatchedContainer[]): readonly WatchedContainer[] {
  return [...containers].sort(({ summary: { name: a } }, { summary: { name: b } }) => (a < b ? -1 : Number(a > b)))
}

export function showContainer(watched: WatchedContainer, { clock, incident, looks }: Showing): ContainerAnswer {
  const { summary, state, probe, chosen, problems, last, pausedUntilMs, rules, history, nextLookMs } = watched
  return {
    id: summary.id,
    name: summary.name,
    status: state.status,
    health: state.health,
    reason: cut(state.reason),
    failures: state.failures,
    notRestarting: state.notRestarting ?? null,
    held: showHeld(watched, clock),
    paused: pausedUntilMs !== undefined,
    pausedUntil: timeOf(pausedUntilMs, clock),
    diagnosis: state.diagnosis
      ? { ...state.diagnosis, failures: state.diagnosis.failures.map(({ reason }) => cut(reason)) }
      : null,
    rules: rules.map(({ name, summary: says }) => ({ name, summary: says })),
    restarts: state.escalation.restarts,
    lastRestarts: history.restarts.map(({ atMs, outcome }) => ({ at: rfc3339(atMs), outcome })),
    nextRestart: showNextRestart(watched, clock),
    probe: cut(probe),
    probeKind: chosen?.kind ?? null,
    probeAddress: showAddress(chosen),
    settings: showSettings(watched.settings),
    lastProbe: last ? { at: rfc3339(last.atMs), durationMs: tenth(last.durationMs), result: last.result } : null,
    nextProbe: timeOf(nextLookMs, clock) ?? rfc3339(clock.wallMs()),
    strip: history.looks.slice(-looks).map((look) => ({
      at: rfc3339(look.atMs),
      result: look.result,
      durationMs: tenth(look.durationMs),
      reason: look.reason,
    })),
    uptime: { day: showUptime(watched, 24, clock), week: showUptime(watched, 7 * 24, clock) },
    incident: incident ?? null,
    problems: [...new Set([...problems.map(({ message }) => message), ...(chosen?.kind === 'none' ? [chosen.reason] : [])])]
      .slice(0, MAX_PROBLEMS)
      .map(cut),
  }
}

function showHeld({ held, state, settings, pausedUntilMs }: WatchedContainer, clock: Times): ContainerAnswer['held'] {
  if (!held) return null
  const { why, sinceMs, detail } = held
  const { means, cure } = HELD_WORDS[why]
  const untilMs = () => {
    if (why === 'paused') return pausedUntilMs
    if (why === 'maintenance') return maintenanceEndsMs(settings, clock)
    if (why !== 'backoff' && why !== 'budget') return undefined
    const next = findNextRestart(state, settings, UNBOUND, clock.monotonicMs())
    return next.possible === 'later' ? next.atMs : undefined
  }
  // What was said of these held a time to wait, which `until` has better.
  const isOfTime = why === 'backoff' || why === 'paused' || why === 'maintenance'
  const message = detail === '' || isOfTime ? means : `${means}: ${detail}`
  return {
    reason: why,
    since: timeOf(sinceMs, clock) ?? rfc3339(clock.wallMs()),
    until: timeOf(untilMs(), clock),
    message: cut(message),
    cure,
  }
}

const UNBOUND = { tellOnly: false, needsNoSuccess: true, pausedUntilMs: undefined, maintenanceUntilMs: undefined } as const

function showNextRestart({ summary, state, settings, chosen, pausedUntilMs }: WatchedContainer, clock: Times) {
  const next = findNextRestart(
    state,
    settings,
    {
      tellOnly: settings.action === 'none' || swarmService(summary.labels) !== undefined,
      needsNoSuccess: chosen?.kind === 'docker',
      pausedUntilMs,
      maintenanceUntilMs: maintenanceEndsMs(settings, clock),
    },
    clock.monotonicMs(),
  )
  return { possible: next.possible, at: next.possible === 'later' ? timeOf(next.atMs, clock) : null }
}

/** On the monotonic clock. */
function maintenanceEndsMs({ maintenance }: ContainerSettings, clock: Times): number | undefined {
  const endMs = endsAt(maintenance, clock.wallMs())
  return endMs === undefined ? undefined : clock.monotonicMs() + (endMs - clock.wallMs())
}

function showAddress(probe: Probe | undefined): string | null {
  if (!probe || !('address' in probe)) return null
  return probe.address.includes(':') ? `[${probe.address}]:${probe.port}` : `${probe.address}:${probe.port}`
}

function showSettings(settings: ContainerSettings): ContainerAnswer['settings'] {
  const { intervalMs, retryIntervalMs, timeoutMs, startPeriodMs, retries, maxRestarts, action, dryRun } = settings
  return { intervalMs, retryIntervalMs, timeoutMs, startPeriodMs, retries, maxRestarts, action, dryRun }
}

function showUptime({ history }: WatchedContainer, hours: number, clock: Times) {
  const { ratio, knownMs } = shareOf(history.uptime, hours, clock.monotonicMs())
  return { ratio: ratio ?? null, knownMs: Math.round(knownMs) }
}

/** The latest time that a date can hold; a pause without an end has none. */
const MAX_TIME_MS = 8_640_000_000_000_000

function timeOf(monotonicMs: number | undefined, clock: Times): string | null {
  if (monotonicMs === undefined) return null
  const atMs = clock.wallMs() + (monotonicMs - clock.monotonicMs())
  return Math.abs(atMs) <= MAX_TIME_MS ? rfc3339(atMs) : null
}

const rfc3339 = (ms: number) => new Date(ms).toISOString()
const tenth = (ms: number) => Math.round(Math.max(0, ms) * 10) / 10

/** A label may be as long as its author likes. */
function cut(text: string): string {
  return text.length > MAX_TEXT ? `${[...text.slice(0, MAX_TEXT)].slice(0, -1).join('')}…` : text
}
