// Which probe a container gets: as labelled; else what its labels, its HEALTHCHECK or its only port suggest; else none,
// with the label to add.
import type { ContainerDetail, ContainerSummary } from '../docker/docker.ts'
import { type ContainerSettings, type LabelProblem, optedIn } from '../settings/labels.ts'
import { type Cidr, findAddress } from './address.ts'
import type { Target } from './attempt.ts'
import type { Probe } from './probes.ts'
import type { TlsSettings } from './tls.ts'

export type Surroundings = {
  /** All containers that the healer sees. */
  readonly containers: readonly ContainerSummary[]
  /** The healer's own interfaces, read just now. */
  readonly own: readonly Cidr[]
}

export function chooseProbe(
  summary: ContainerSummary,
  detail: ContainerDetail,
  settings: ContainerSettings,
  problems: readonly LabelProblem[],
  { containers, own }: Surroundings,
): Probe {
  if (optedIn(summary.labels) === 'autoheal') return { kind: 'docker' }
  const wrong = problems.find(({ decidesProbe }) => decidesProbe)
  if (wrong) return { kind: 'none', reason: wrong.message }
  const kind = settings.probing.kind ?? (detail.engineHealth ? 'docker' : 'http')
  if (kind === 'docker') return { kind }

  const port = settings.probing.port ?? (summary.tcpPorts.length === 1 ? summary.tcpPorts[0] : undefined)
  if (port === undefined) return { kind: 'none', reason: noPort(summary.tcpPorts) }
  const found = findAddress(summary, containers, own)
  if ('unreachable' in found) return { kind: 'none', reason: found.unreachable }
  return createProbe(kind, { address: found.address, port }, settings)
}

type NetworkProbe = Extract<Probe, Target>

function createProbe(
  kind: NetworkProbe['kind'],
  where: Pick<Target, 'address' | 'port'>,
  { timeoutMs, probing }: ContainerSettings,
): NetworkProbe {
  const target: Target = { ...where, timeoutMs, maxLatencyMs: probing.maxLatencyMs }
  const { scheme, hostname, caFile, tlsVerify } = probing
  const tls: TlsSettings = { scheme, hostname, caFile, tlsVerify }
  switch (kind) {
    case 'http': {
      const { method, path, headers, status, contains, matches } = probing
      return { kind, ...target, ...tls, method, path, headers, status, contains, matches }
    }
    case 'tcp':
      return { kind, ...target, send: probing.send, expect: probing.expect }
    case 'grpc':
      return { kind, ...target, ...tls, service: probing.service }
    default:
      return kind satisfies never
  }
}

function noPort(ports: readonly number[]): string {
  return ports.length === 0
    ? 'it exposes no port and has no HEALTHCHECK; set healer.port'
    : `it exposes the ports ${ports.join(', ')}; set healer.port to the one to probe`
}
