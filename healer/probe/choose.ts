// Which probe a container gets: as labelled; else what its labels, its HEALTHCHECK or its only port suggest; else none,
// with the label to add.
import type { ContainerDetail, ContainerSummary } from '../docker/docker.ts'
import { type ContainerSettings, type LabelProblem, optedIn } from '../settings/labels.ts'
import { type Cidr, findAddress } from './address.ts'
import type { DockerProbe } from './docker.ts'
import type { HttpProbe } from './http.ts'

export type Probe = HttpProbe | DockerProbe | { readonly kind: 'none'; readonly reason: string }

export type Surroundings = {
  /** All containers that the healer sees. */
  readonly containers: readonly ContainerSummary[]
  /** The healer's own interfaces, read just now. */
  readonly own: readonly Cidr[]
}

const DECIDING_LABELS = ['healer.probe', 'healer.port', 'healer.path', 'healer.status']

export function chooseProbe(
  summary: ContainerSummary,
  detail: ContainerDetail,
  settings: ContainerSettings,
  problems: readonly LabelProblem[],
  { containers, own }: Surroundings,
): Probe {
  if (optedIn(summary.labels) === 'autoheal') return { kind: 'docker' }
  const wrong = problems.find(({ label }) => DECIDING_LABELS.includes(label))
  if (wrong) return { kind: 'none', reason: wrong.message }
  const kind = settings.probe ?? (settings.describesHttp ? 'http' : detail.engineHealth ? 'docker' : 'http')
  if (kind === 'docker') return { kind }

  const port = settings.port ?? (summary.tcpPorts.length === 1 ? summary.tcpPorts[0] : undefined)
  if (port === undefined) return { kind: 'none', reason: noPort(summary.tcpPorts) }
  const found = findAddress(summary, containers, own)
  if ('unreachable' in found) return { kind: 'none', reason: found.unreachable }
  return {
    kind: 'http',
    address: found.address,
    port,
    path: settings.path,
    status: settings.status,
    timeoutMs: settings.timeoutMs,
  }
}

function noPort(ports: readonly number[]): string {
  return ports.length === 0
    ? 'it exposes no port and has no HEALTHCHECK; set healer.port'
    : `it exposes the ports ${ports.join(', ')}; set healer.port to the one to probe`
}

/** For people: `http :8080/health`, `docker`, or why there is none. */
export function describeProbe(probe: Probe): string {
  if (probe.kind === 'none') return `no probe: ${probe.reason}`
  return probe.kind === 'http' ? `http :${probe.port}${probe.path}` : probe.kind
}
