// What Kubernetes calls each of the healer's probes, and what it has no counterpart for. What it would ask less strictly is exported, and
// said; what it would find ill though it is well is not exported, since Kubernetes restarts without a first success.
import type { ChosenKind } from '../probe/choose.ts'
import type { ContainerSettings } from '../settings/labels.ts'
import type { Healthcheck, Service } from './service.ts'

/** How a probe asks: one of `httpGet`, `tcpSocket`, `grpc` and `exec`. */
export type Handler =
  | {
      readonly httpGet: {
        readonly path: string
        readonly port: number
        readonly scheme?: 'HTTPS'
        readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[]
      }
    }
  | { readonly tcpSocket: { readonly port: number } }
  | { readonly grpc: { readonly port: number; readonly service?: string } }
  | { readonly exec: { readonly command: readonly string[] } }

export type Translated =
  /** `notes`: what is asked less strictly. */
  { readonly handler: Handler; readonly notes: readonly string[] } | { readonly leftOut: string }

type Port = { readonly port: number }

/** `settings` and `chosen` are those of `service`. */
export function translateProbe(service: Service, settings: ContainerSettings, chosen: ChosenKind): Translated {
  switch (chosen.kind) {
    case 'none':
      return { leftOut: chosen.reason }
    case 'docker':
      return ofHealthcheck(service.healthcheck)
    case 'http':
      return ofHttp(settings, chosen, service.labels)
    case 'tcp': {
      const { send, expect } = settings.probing
      const notes = send || expect ? ['healer.send and healer.expect: a connection is enough'] : []
      return { handler: { tcpSocket: { port: chosen.port } }, notes }
    }
    case 'grpc':
      return ofGrpc(settings, chosen)
    default:
      return chosen satisfies never
  }
}

function ofHealthcheck(healthcheck: Service['healthcheck']): Translated {
  switch (healthcheck) {
    case 'hidden':
      return {
        leftOut: 'it goes by its HEALTHCHECK, and what that runs cannot be seen here; a compose file that has it can be exported',
      }
    case 'none':
    case 'not-given':
      return { leftOut: 'it goes by its HEALTHCHECK, and has none here' }
    default:
      return { handler: { exec: { command: healthcheck.command } }, notes: [] }
  }
}

const WELL = { min: 200, max: 399 }

function ofHttp({ probing }: ContainerSettings, { port }: Port, labels: Service['labels']): Translated {
  const { method, path, scheme, hostname, headers, status, contains, matches } = probing
  if (method === 'POST' || method === 'OPTIONS') return { leftOut: `healer.method=${method}: Kubernetes asks by GET alone` }
  if (status.some(({ min, max }) => min < WELL.min || max > WELL.max))
    return { leftOut: `healer.status=${labels['healer.status']}: only ${WELL.min} to ${WELL.max} are well to Kubernetes` }
  const notes = [
    ...(method === 'HEAD' ? ['healer.method=HEAD: it asks by GET'] : []),
    ...(labels['healer.status'] === undefined ? [] : ['healer.status: every status from 200 to 399 is well']),
    ...(contains !== undefined || matches ? ['healer.contains and healer.matches: the body is not read'] : []),
    ...(scheme === 'https' && probing.tlsVerify ? ['healer.scheme=https: the certificate is not verified'] : []),
    ...(headers.size > 0 ? ['healer.headers: whoever may read the Deployment may read their values'] : []),
  ]
  const given = [...(hostname === undefined ? [] : [['Host', hostname] as const]), ...headers]
  const httpHeaders = given.map(([name, value]) => ({ name, value }))
  return {
    handler: {
      httpGet: { path, port, ...(scheme === 'https' ? { scheme: 'HTTPS' } : {}), ...(given.length > 0 ? { httpHeaders } : {}) },
    },
    notes,
  }
}

function ofGrpc({ probing }: ContainerSettings, { port }: Port): Translated {
  const { scheme, hostname, service } = probing
  if (scheme === 'https') return { leftOut: 'healer.scheme=https: Kubernetes asks over gRPC without TLS alone' }
  const notes = hostname === undefined ? [] : ['healer.hostname: the server is called by its address']
  return { handler: { grpc: { port, ...(service === '' ? {} : { service }) } }, notes }
}

/** How often, and how long: of the Engine's for a HEALTHCHECK, else of the healer's. */
export type Timing = Omit<Healthcheck, 'command'>

export function timingOf({ healthcheck }: Service, settings: ContainerSettings, chosen: ChosenKind): Timing {
  const { intervalMs, retries, startPeriodMs, probing } = settings
  if (chosen.kind === 'docker' && typeof healthcheck === 'object')
    return { ...healthcheck, startPeriodMs: Math.max(healthcheck.startPeriodMs, startPeriodMs) }
  // A right answer that comes too late is as none.
  const timeoutMs = Math.min(settings.timeoutMs, probing.maxLatencyMs ?? Number.POSITIVE_INFINITY)
  return { intervalMs, timeoutMs, retries, startPeriodMs }
}
