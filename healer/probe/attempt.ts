// One attempt at a container over the network: a connection of its own, a deadline, and what an error says of whom.
// What every network probe has in common; never rejects, and leaves nothing open.
import { renderDuration } from '../settings/duration.ts'
import { failure, type ProbeResult, unknown } from './result.ts'

/** Whom to ask, and how long to wait. */
export type Target = {
  /** An IP address in a network that the healer is on. */
  readonly address: string
  readonly port: number
  readonly timeoutMs: number
  /** A success that took longer is a failure; `undefined`: the timeout alone counts. */
  readonly maxLatencyMs: number | undefined
}

export type Attempt = {
  /** Ends it with what was found. What comes later is not heard. */
  readonly end: (result: ProbeResult) => void
  /** Ends it with an error of the connection. */
  readonly fail: (error: NodeJS.ErrnoException) => void
}

type Connection = {
  /** Closes it at once. May be called twice. */
  readonly destroy: () => void
  /** What to say when time is up; `undefined`: that there was no answer. */
  readonly tooLate?: () => string | undefined
  /** Bytes that have come, of whatever kind. */
  readonly received?: () => number
}

/** The healer's own lateness beyond which a deadline that has passed says nothing of the container. */
const OWN_LATENESS_MS = 1000

/** More than this is no answer: what is neither head nor body, such as interim answers or frames of no kind, is read without end. */
const MAX_RECEIVED_BYTES = 1024 * 1024
const LOOK_EVERY_MS = 50

/** Runs `open`, which connects and ends the attempt sooner or later, or is ended after `timeoutMs`, or once `signal` aborts. */
export function attempt(target: Target, open: (attempt: Attempt) => Connection, signal?: AbortSignal): Promise<ProbeResult> {
  const { timeoutMs, maxLatencyMs } = target
  return new Promise((resolve) => {
    const startedMs = performance.now()
    let connection: Connection | undefined
    let ended = false
    const end = (result: ProbeResult) => {
      if (ended) return
      ended = true
      clearTimeout(timer)
      clearInterval(looking)
      signal?.removeEventListener('abort', stop)
      connection?.destroy()
      resolve(inTime(result, performance.now() - startedMs, maxLatencyMs))
    }
    const stop = () => end(unknown('nobody waits for its answer any more'))
    const noneWithin = (bound: string) => end(failure(`${connection?.tooLate?.() ?? 'no answer'} within ${bound}`))
    const timer = setTimeout(() => {
      const lateMs = performance.now() - startedMs - timeoutMs
      if (lateMs > OWN_LATENESS_MS) return end(unknown(`the healer itself stood still for ${renderDuration(lateMs)}`))
      noneWithin(renderDuration(timeoutMs))
    }, timeoutMs)
    const looking = setInterval(() => {
      if ((connection?.received?.() ?? 0) > MAX_RECEIVED_BYTES) noneWithin('1 MiB')
    }, LOOK_EVERY_MS)
    signal?.addEventListener('abort', stop)
    if (signal?.aborted) return stop()
    try {
      connection = open({ end, fail: (error) => end(explainError(error)) })
      if (ended) connection.destroy()
    } catch (error) {
      end(unknown(`the healer cannot ask: ${(error as Error).message}`))
    }
  })
}

function inTime(result: ProbeResult, tookMs: number, maxLatencyMs = Number.POSITIVE_INFINITY): ProbeResult {
  if (result.result !== 'success' || tookMs <= maxLatencyMs) return result
  return { ...result, ...failure(`${result.reason} in ${renderDuration(tookMs)}, more than ${renderDuration(maxLatencyMs)}`) }
}

/** Errors of the healer's own machine: they say nothing of the container. */
const OWN_FAULTS = ['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'ENETUNREACH', 'ENETDOWN', 'EACCES', 'EPERM']

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection closed before the answer was complete',
  EPIPE: 'connection closed before the answer was complete',
  EHOSTUNREACH: 'no host answers at its address',
  ETIMEDOUT: 'no host answers at its address',
  ERR_HTTP2_STREAM_ERROR: 'it broke the answer off',
  ERR_HTTP2_SESSION_ERROR: 'it broke the connection off',
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name; set healer.hostname to one that it is for',
}

/** OpenSSL's reasons not to believe a certificate: nobody that is trusted has signed it. */
const UNTRUSTED = [
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]

function explainError({ code = '', message }: NodeJS.ErrnoException): ProbeResult {
  const words = WORDS[code]
  if (words !== undefined) return failure(words)
  if (OWN_FAULTS.includes(code)) return unknown(`the healer cannot connect: ${code}`)
  if (UNTRUSTED.includes(code))
    return failure('its certificate is signed by nobody known here; set healer.ca_file, or healer.tls_verify=false')
  if (code.startsWith('HPE_')) return failure(`answered what is not HTTP (${code})`)
  if (code.startsWith('ERR_HTTP2_')) return failure(`answered what is not HTTP/2 (${code})`)
  if (code === 'EPROTO' || code.startsWith('ERR_SSL_')) return failure(`answered what is not TLS (${code})`)
  return failure(`failed: ${code || message}`)
}
