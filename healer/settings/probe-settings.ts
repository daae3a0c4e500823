// What a container's labels say of how to probe it: which probe they describe, and which of them have no effect on that.
import type { Environment } from './environment.ts'
import type { LabelName, LabelProblem, LabelRow, LabelValues } from './labels.ts'
import type { Pattern } from './pattern.ts'
import { inWords, type StatusRange } from './value.ts'

export type ProbeKind = 'http' | 'tcp' | 'grpc' | 'docker'

export type Scheme = 'http' | 'https'
export type Method = 'GET' | 'HEAD' | 'OPTIONS' | 'POST'

/** What `undefined` means is for each probe to say. */
export type ProbeSettings = {
  /** As labelled, or as the other labels describe it; `undefined`: to be chosen. */
  readonly kind: ProbeKind | undefined
  readonly port: number | undefined
  /** A right answer that takes longer is a failure. */
  readonly maxLatencyMs: number | undefined
  readonly scheme: Scheme
  /** The name in the Host header, or `:authority`, and in TLS. */
  readonly hostname: string | undefined
  /** A file with the authorities to trust instead of Node's own. */
  readonly caFile: string | undefined
  readonly tlsVerify: boolean
  readonly method: Method
  readonly path: string
  /** By names in small letters. */
  readonly headers: ReadonlyMap<string, string>
  readonly status: readonly StatusRange[]
  readonly contains: string | undefined
  readonly matches: Pattern | undefined
  readonly send: Buffer | undefined
  readonly expect: Buffer | undefined
  /** Of gRPC; empty: the server as a whole. */
  readonly service: string
}

/** A label that was given and is right. */
export type GivenLabel = {
  /** With `healer.` before it. */
  readonly label: string
  readonly row: LabelRow<unknown>
}

type Given = {
  readonly given: readonly GivenLabel[]
  readonly values: LabelValues
  readonly headers: ReadonlyMap<string, string>
  readonly environment: Environment
  /** It opted in by `autoheal=true`. */
  readonly byEngine: boolean
}

const SUCCESS: readonly StatusRange[] = [{ min: 200, max: 299 }]

export function readProbeSettings({ given, values, headers, environment, byEngine }: Given): {
  readonly settings: ProbeSettings
  readonly problems: readonly LabelProblem[]
} {
  const described = describedKind(given)
  const conflict = values.probe === undefined && !byEngine && 'problem' in described ? [described.problem] : []
  const kind = byEngine ? 'docker' : (values.probe ?? ('kind' in described ? described.kind : undefined))
  const settings: ProbeSettings = {
    kind,
    port: values.port,
    maxLatencyMs: values.max_latency,
    scheme: values.scheme ?? 'http',
    hostname: values.hostname,
    caFile: values.ca_file,
    tlsVerify: values.tls_verify ?? true,
    method: values.method ?? 'GET',
    path: values.path ?? environment.path,
    headers,
    status: values.status ?? SUCCESS,
    contains: values.contains,
    matches: values.matches,
    send: values.send,
    expect: values.expect,
    service: values.service ?? '',
  }
  const timeoutMs = values.timeout ?? environment.timeoutMs
  const problems = [...conflict, ...withoutEffect(given, kind, byEngine), ...contradictions(settings, given, timeoutMs)]
  return { settings, problems }
}

/** The probe that the labels describe: the one that some are for alone; else http, where there are any. */
function describedKind(
  given: readonly GivenLabel[],
): { readonly kind: ProbeKind | undefined } | { readonly problem: LabelProblem } {
  const describing = given.filter(({ row }) => row.describes)
  const [first, ...others] = describing.filter(({ row }) => row.probes?.length === 1)
  if (!first) return { kind: describing.length > 0 ? 'http' : undefined }
  const kind = first.row.probes?.[0]
  const other = others.find(({ row }) => row.probes?.[0] !== kind)
  if (!other) return { kind }
  const message = `${first.label} is for ${kind} and ${other.label} for ${other.row.probes?.[0]}; set healer.probe`
  return { problem: { label: other.label, message, decidesProbe: true } }
}

function withoutEffect(given: readonly GivenLabel[], kind: ProbeKind | undefined, byEngine: boolean): readonly LabelProblem[] {
  if (kind === undefined) return []
  const why = byEngine ? 'autoheal=true goes by its HEALTHCHECK; label it monitored=true' : `its probe is ${kind}`
  return given
    .filter(({ row }) => row.probes !== undefined && !row.probes.includes(kind))
    .map(({ row, label }) => ({ label, message: `${label} is for ${inWords(row.probes ?? [])}; ${why}`, decidesProbe: false }))
}

/** Labels that are right one by one and cannot be meant together. */
function contradictions(settings: ProbeSettings, labels: readonly GivenLabel[], timeoutMs: number): readonly LabelProblem[] {
  const given = (name: LabelName) => labels.some(({ label }) => label === `healer.${name}`)
  const problem = (name: LabelName, words: string, decidesProbe: boolean): LabelProblem => ({
    label: `healer.${name}`,
    message: `healer.${name} ${words}`,
    decidesProbe,
  })
  const { kind, scheme, method, tlsVerify, maxLatencyMs } = settings
  const problems: LabelProblem[] = []
  if (kind === 'http' && method === 'HEAD')
    for (const name of ['contains', 'matches'] as const)
      if (given(name)) problems.push(problem(name, 'asks for a body, and HEAD has none', true))
  if ((kind === 'http' || kind === 'grpc') && scheme === 'http')
    for (const name of ['ca_file', 'tls_verify'] as const)
      if (given(name)) problems.push(problem(name, 'has no effect; set healer.scheme=https as well', false))
  if (!tlsVerify && given('ca_file')) problems.push(problem('ca_file', 'has no effect with healer.tls_verify=false', false))
  if (kind !== 'docker' && maxLatencyMs !== undefined && maxLatencyMs >= timeoutMs)
    problems.push(problem('max_latency', 'has no effect; it is not less than the timeout', false))
  return problems
}
