// The HTTP probe: one GET over a new connection, no redirect followed, the body read to a bound.
import { request } from 'node:http'
import { renderDuration } from '../settings/duration.ts'
import type { StatusRange } from '../settings/value.ts'
import { failure, type ProbeResult, success, unknown } from './result.ts'

export type HttpProbe = {
  readonly kind: 'http'
  /** An IP address in a network that the healer is on. */
  readonly address: string
  readonly port: number
  readonly path: string
  readonly status: readonly StatusRange[]
  readonly timeoutMs: number
}

const MAX_HEADER_BYTES = 16 * 1024
const MAX_BODY_BYTES = 64 * 1024

/** Probes once. Never rejects; takes no longer than `timeoutMs`. */
export function probeHttp({ address, port, path, status, timeoutMs }: HttpProbe): Promise<ProbeResult> {
  return new Promise((resolve) => {
    const signal = AbortSignal.timeout(timeoutMs)
    const sent = request({
      host: address,
      port,
      path,
      signal,
      agent: false,
      maxHeaderSize: MAX_HEADER_BYTES,
      headers: { 'user-agent': 'postern-healer', accept: '*/*', connection: 'close' },
    })
    const end = (result: ProbeResult) => {
      resolve(result)
      sent.destroy()
    }
    let answered: number | undefined
    const fail = (error: NodeJS.ErrnoException) => end(signal.aborted ? tooLate(answered, timeoutMs) : explain(error))
    sent.on('error', fail)
    // A switch of protocols, or a close without a word, is neither an answer nor an error to Node.
    sent.on('upgrade', () => end(failure('answered 101')))
    sent.on('close', () => end(failure('connection closed before the answer was complete')))
    sent.on('response', (response) => {
      answered = response.statusCode ?? 0
      const verdict = judge(answered, response.headers.location, status)
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length
        if (bytes > MAX_BODY_BYTES) end(verdict)
      })
      response.on('end', () => end(verdict))
      response.on('error', fail)
    })
    sent.end()
  })
}

function judge(code: number, location: string | undefined, ranges: readonly StatusRange[]): ProbeResult {
  if (ranges.some(({ min, max }) => code >= min && code <= max)) return success(`answered ${code}`)
  if (code >= 300 && code < 400 && location !== undefined) {
    return failure(`answered ${code} to ${location.slice(0, 200)}; set healer.path or healer.status`)
  }
  return failure(`answered ${code}`)
}

function tooLate(answered: number | undefined, timeoutMs: number): ProbeResult {
  const within = renderDuration(timeoutMs)
  return failure(
    answered === undefined ? `no answer within ${within}` : `answered ${answered}, but its body did not end within ${within}`,
  )
}

/** Errors of the healer's own machine: they say nothing of the container. */
const OWN_FAULTS = ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'ENETUNREACH', 'ENETDOWN', 'EACCES', 'EPERM']

function explain({ code, message }: NodeJS.ErrnoException): ProbeResult {
  if (code === 'ECONNREFUSED') return failure('connection refused')
  if (code === 'ECONNRESET' || code === 'EPIPE') return failure('connection closed before the answer was complete')
  if (code === 'EHOSTUNREACH') return failure('no host answers at its address')
  if (code?.startsWith('HPE_')) return failure(`answered what is not HTTP (${code})`)
  if (OWN_FAULTS.includes(code ?? '')) return unknown(`the healer cannot connect: ${code}`)
  return failure(`failed: ${code ?? message}`)
}
