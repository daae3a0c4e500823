// Which probe a container gets: as labelled; else what its labels, its HEALTHCHECK or its only port suggest; else none,
// with the label to add.
import type { ContainerDetail, ContainerSummary } from '../docker/docker.ts'
import { type ContainerSettings, type LabelProblem, optedIn } from '../settings/labels.ts'
import { findAddress, type Surroundings } from './address.ts'
import type { Target } from './attempt.ts'
import type { Probe } from './probes.ts'
import type { TlsSettings } from './tls.ts'

type NetworkProbe = Extract<Probe, Target>

/** A kind of probe, and its port, without an address to probe at. */
export type ChosenKind = Extract<Probe, { readonly kind: 'docker' | 'none' }> | Pick<NetworkProbe, 'kind' | 'port'>

export function chooseProbe(
  summary: ContainerSummary,
  detail: ContainerDetail,
  settings: ContainerSettings,
  problems: readonly LabelProblem[],
  surroundings: Surroundings,
): Probe {
  const chosen = chooseKind(summary, detail.engineHealth !== undefined, settings, problems)
  if (!('port' in chosen)) return chosen
  const found = findAddress(summary, surroundings)
  if ('unreachable' in found) return { kind: 'none', reason: found.unreachable }
  return createProbe(chosen.kind, { address: found.address, port: chosen.port }, settings)
}

export function chooseKind(
  { labels, tcpPorts }: Pick<ContainerSummary, 'labels' | 'tcpPorts'>,
  hasHealthcheck: boolean,
  settings: ContainerSettings,
  problems: readonly LabelProblem[],
): ChosenKind {
  if (optedIn(labels) === 'autoheal') return { kind: 'docker' }
  const wrong = problems.find(({ decidesProbe }) => decidesProbe)
  if (wrong) return { kind: 'none', reason: wrong.message }
  const kind = settings.probing.kind ?? (hasHealthcheck ? 'docker' : 'http')
  if (kind === 'docker') return { kind }
  const port = settings.probing.port ?? (tcpPorts.length === 1 ? tcpPorts[0] : undefined)
  return port === undefined ? { kind: 'none', reason: noPort(tcpPorts) } : { kind, port }
}

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
