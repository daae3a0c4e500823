// Every kind of probe, and how each is carried out.
import type { ContainerDetail } from '../docker/docker.ts'
import { type DockerProbe, probeDocker } from './docker.ts'
import { type GrpcProbe, probeGrpc } from './grpc.ts'
import { type HttpProbe, probeHttp } from './http.ts'
import { type ProbeResult, unknown } from './result.ts'
import { probeTcp, type TcpProbe } from './tcp.ts'

/** Nothing to probe by. */
type NoProbe = { readonly kind: 'none'; readonly reason: string }

type Probes = { http: HttpProbe; tcp: TcpProbe; grpc: GrpcProbe; docker: DockerProbe; none: NoProbe }
type Kind = keyof Probes
type ProbeOf<K extends Kind> = { [Each in K]: { readonly kind: Each } & Probes[Each] }[K]

export type Probe = ProbeOf<Kind>

/** How a kind of probe is carried out, and what it is called. */
type Definition<K extends Kind> = {
  /** Probes once, until `signal` aborts. Never rejects. `detail` is the container as last inspected. */
  readonly probe: (probe: ProbeOf<K>, detail: ContainerDetail, signal?: AbortSignal) => ProbeResult | Promise<ProbeResult>
  /** For people, without the address. */
  readonly describe: (probe: ProbeOf<K>) => string
}

export const PROBES: { readonly [K in Kind]: Definition<K> } = {
  http: {
    probe: (probe, _detail, signal) => probeHttp(probe, signal),
    describe: ({ scheme, method, port, path }) => `${scheme}${method === 'GET' ? '' : ` ${method}`} :${port}${path}`,
  },
  tcp: { probe: (probe, _detail, signal) => probeTcp(probe, signal), describe: ({ port }) => `tcp :${port}` },
  grpc: {
    probe: (probe, _detail, signal) => probeGrpc(probe, signal),
    describe: ({ port, service }) => `grpc :${port}${service && ` ${service}`}`,
  },
  docker: { probe: (_probe, detail) => probeDocker(detail), describe: () => 'docker' },
  none: { probe: ({ reason }) => unknown(reason), describe: ({ reason }) => `no probe: ${reason}` },
}

/** Probes once, until `signal` aborts. Never rejects. `detail` is the container as last inspected. */
export async function runProbe<K extends Kind>(
  probe: ProbeOf<K>,
  detail: ContainerDetail,
  signal?: AbortSignal,
): Promise<ProbeResult> {
  return PROBES[probe.kind].probe(probe, detail, signal)
}

/** For people: `http :8080/health`, `docker`, or why there is none. */
export function describeProbe<K extends Kind>(probe: ProbeOf<K>): string {
  return PROBES[probe.kind].describe(probe)
}
