// A service's probes for the kubelet, and what of the service's settings it has no counterpart for, in words. Pure.
import { chooseKind } from '../probe/choose.ts'
import type { Environment } from '../settings/environment.ts'
import { readLabels } from '../settings/labels.ts'
import { kubernetesNames } from './names.ts'
import { type Handler, type Timing, timingOf, translateProbe } from './probes.ts'
import type { Service } from './service.ts'

type Probe = Handler & { readonly periodSeconds: number; readonly timeoutSeconds: number; readonly failureThreshold: number }

export type KubernetesProbes = {
  /** Restarts while it fails. */
  readonly livenessProbe?: Probe
  /** Gives it time to start; the others wait for it. */
  readonly startupProbe?: Probe
  /** Takes it out of its Services while it fails. */
  readonly readinessProbe?: Probe
}

export type Exported = {
  /** A label of RFC 1123, of its own. */
  readonly name: string
  /** Its compose project and its name there. */
  readonly of: string
  /** What is otherwise in Kubernetes. */
  readonly notes: readonly string[]
} & ({ readonly probes: KubernetesProbes } | { readonly leftOut: string })

/** In the order of their names. */
export function exportServices(services: readonly Service[], environment: Environment): readonly Exported[] {
  const names = kubernetesNames(services)
  return services
    .map((service, index) => exportService(service, names[index] ?? '', environment))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

function exportService(service: Service, name: string, environment: Environment): Exported {
  const { settings, problems } = readLabels(service.labels, environment)
  const chosen = chooseKind(
    service,
    typeof service.healthcheck === 'object' || service.healthcheck === 'hidden',
    settings,
    problems,
  )
  const translated = translateProbe(service, settings, chosen)
  const of = service.project === undefined ? service.name : `${service.project}/${service.name}`
  const wrong = [...new Set(problems.map(({ message }) => message))]
  if ('leftOut' in translated)
    return { name, of, leftOut: translated.leftOut, notes: wrong.filter((message) => message !== translated.leftOut) }
  const timing = timingOf(service, settings, chosen)
  const isGuess = service.healthcheck === 'not-given' && settings.probing.kind === undefined
  const notes = [
    ...wrong,
    ...(isGuess ? ['no label says how to probe it: should its image have a HEALTHCHECK, the healer goes by that instead'] : []),
    ...translated.notes,
    ...withoutCounterpart(service),
    ...(settings.action === 'none' ? ['healer.action=none: never restarted, but without traffic while it fails'] : []),
    ...(isWhole(timing) ? [] : ['Kubernetes counts whole seconds: times are rounded up']),
  ]
  return { name, of, notes, probes: toProbes(translated.handler, timing, settings.action === 'none') }
}

const WITHOUT_COUNTERPART = {
  'healer.retry_interval': 'it is always asked at the same pace',
  'healer.maintenance': 'restarts know no windows',
  'healer.depends_on': 'no restart waits for another',
} as const

function withoutCounterpart({ labels, sharesNetwork }: Service): readonly string[] {
  const labelled = Object.entries(WITHOUT_COUNTERPART).filter(([label]) => labels[label] !== undefined)
  return [
    ...labelled.map(([label, words]) => `${label}: ${words}`),
    ...(sharesNetwork ? ['it uses another’s network: it has to be a container in the Pod of that one'] : []),
  ]
}

const isWhole = ({ intervalMs, timeoutMs, startPeriodMs }: Timing) =>
  [intervalMs, timeoutMs, startPeriodMs].every((ms) => ms % 1000 === 0)

const toSeconds = (ms: number) => Math.max(1, Math.ceil(ms / 1000))

/** What starts is looked at more often, as the healer does. */
const STARTUP_SECONDS = 5

function toProbes(handler: Handler, timing: Timing, isTellOnly: boolean): KubernetesProbes {
  const { intervalMs, timeoutMs, retries, startPeriodMs } = timing
  const periodSeconds = toSeconds(intervalMs)
  const timeoutSeconds = toSeconds(timeoutMs)
  const probe: Probe = { ...handler, periodSeconds, timeoutSeconds, failureThreshold: retries }
  if (isTellOnly) return { readinessProbe: probe }
  if (startPeriodMs === 0) return { livenessProbe: probe }
  const startupSeconds = Math.min(periodSeconds, STARTUP_SECONDS)
  // As long as the healer would wait: the start period, and then as many failures as make it unhealthy.
  const failureThreshold = Math.ceil((toSeconds(startPeriodMs) + retries * periodSeconds) / startupSeconds)
  return { startupProbe: { ...probe, periodSeconds: startupSeconds, failureThreshold }, livenessProbe: probe }
}
