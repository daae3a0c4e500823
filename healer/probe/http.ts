// The HTTP probe: one request over a new connection, no redirect followed, the body read to a bound.
import { type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { Pattern } from '../settings/pattern.ts'
import type { Method } from '../settings/probe-settings.ts'
import { shown } from '../settings/shown.ts'
import type { StatusRange } from '../settings/value.ts'
import { type Attempt, attempt, type Target } from './attempt.ts'
import { failure, type ProbeResult, success, unknown } from './result.ts'
import { loadTls, type TlsOptions, type TlsSettings } from './tls.ts'

export type HttpProbe = Target &
  TlsSettings & {
    readonly kind: 'http'
    readonly method: Method
    readonly path: string
    /** By names in small letters. */
    readonly headers: ReadonlyMap<string, string>
    readonly status: readonly StatusRange[]
    /** What the body has to hold, and what has to be found in it. */
    readonly contains: string | undefined
    readonly matches: Pattern | undefined
  }

const MAX_HEADER_BYTES = 16 * 1024
const MAX_BODY_BYTES = 64 * 1024

/** Probes once. Never rejects; takes no longer than `timeoutMs`, or than until `signal` aborts. */
export async function probeHttp(probe: HttpProbe, signal?: AbortSignal): Promise<ProbeResult> {
  const tls = await loadTls(probe)
  return typeof tls === 'string' ? unknown(tls) : attempt(probe, (running) => ask(probe, tls, running), signal)
}

function ask(probe: HttpProbe, tls: TlsOptions, { end, fail }: Attempt) {
  const sent = probe.scheme === 'https' ? requestHttps({ ...optionsOf(probe), ...tls }) : requestHttp(optionsOf(probe))
  let answered: number | undefined
  sent.on('error', fail)
  // A switch of protocols, or a close without a word, is neither an answer nor an error to Node.
  sent.on('upgrade', () => end(failure('answered 101')))
  sent.on('close', () => end(failure('connection closed before the answer was complete')))
  sent.on('response', (response) => {
    const code = response.statusCode ?? 0
    answered = code
    const chunks: Buffer[] = []
    let bytes = 0
    const judge = () => {
      const verdict = judgeStatus(code, response.headers.location, probe.status)
      const judged = verdict.result === 'success' ? judgeBody(verdict, Buffer.concat(chunks), probe) : verdict
      end({ ...judged, httpStatus: code })
    }
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      chunks.push(chunk)
      if (bytes > MAX_BODY_BYTES) judge()
    })
    response.on('end', judge)
    response.on('error', fail)
  })
  sent.end()
  return {
    destroy: () => void sent.destroy(),
    tooLate: () => (answered === undefined ? undefined : `answered ${answered}, but its body did not end`),
    received: () => sent.socket?.bytesRead ?? 0,
  }
}

function optionsOf({ address, port, method, path, hostname, headers }: HttpProbe): RequestOptions {
  return {
    host: address,
    port,
    method,
    path,
    agent: false,
    maxHeaderSize: MAX_HEADER_BYTES,
    headers: {
      'user-agent': 'postern-healer',
      accept: '*/*',
      ...Object.fromEntries(headers),
      ...(hostname === undefined ? {} : { host: hostname }),
      connection: 'close',
    },
  }
}

function judgeStatus(code: number, location: string | undefined, ranges: readonly StatusRange[]): ProbeResult {
  if (ranges.some(({ min, max }) => code >= min && code <= max)) return success(`answered ${code}`)
  if (code >= 300 && code < 400 && location !== undefined) {
    return failure(`answered ${code} to ${shown(location, 200)}; set healer.path or healer.status`)
  }
  return failure(`answered ${code}`)
}

function judgeBody(verdict: ProbeResult, body: Buffer, { contains, matches }: HttpProbe): ProbeResult {
  const read = body.subarray(0, MAX_BODY_BYTES)
  const where = body.length > MAX_BODY_BYTES ? `the first ${MAX_BODY_BYTES / 1024} KiB of its body do` : 'its body does'
  if (contains !== undefined && !read.includes(contains))
    return failure(`${verdict.reason}, but ${where} not contain “${shown(contains)}”`)
  if (matches !== undefined && !matches.isIn(read.toString()))
    return failure(`${verdict.reason}, but ${where} not match “${shown(matches.text)}”`)
  return verdict
}
