// The gRPC probe: `grpc.health.v1.Health/Check` over an HTTP/2 connection of its own, plain or in TLS.
import { type ClientHttp2Session, connect, constants, type IncomingHttpHeaders } from 'node:http2'
import { isIPv6 } from 'node:net'
import { shown } from '../settings/shown.ts'
import { type Attempt, attempt, type Target } from './attempt.ts'
import { decodeHealthAnswer, encodeHealthRequest } from './health-message.ts'
import { failure, type ProbeResult, success, unknown } from './result.ts'
import { loadTls, type TlsOptions, type TlsSettings } from './tls.ts'

export type GrpcProbe = Target &
  TlsSettings & {
    readonly kind: 'grpc'
    /** Empty: the server as a whole. */
    readonly service: string
  }

const MAX_ANSWER_BYTES = 4 * 1024
const MAX_HEADER_BYTES = 16 * 1024

/** Probes once. Never rejects; takes no longer than `timeoutMs`, or than until `signal` aborts. */
export async function probeGrpc(probe: GrpcProbe, signal?: AbortSignal): Promise<ProbeResult> {
  const tls = await loadTls(probe)
  return typeof tls === 'string' ? unknown(tls) : attempt(probe, (running) => check(probe, tls, running), signal)
}

type Answer = { headers?: IncomingHttpHeaders; trailers?: IncomingHttpHeaders; body: Buffer }

function check(probe: GrpcProbe, tls: TlsOptions, { end, fail }: Attempt) {
  const session = openSession(probe, tls)
  const answer: Answer = { body: Buffer.alloc(0) }
  session.on('error', fail)
  session.on('close', () => end(failure('connection closed before the answer was complete')))
  const stream = session.request({
    [constants.HTTP2_HEADER_METHOD]: 'POST',
    [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
    [constants.HTTP2_HEADER_AUTHORITY]: probe.hostname ?? authorityOf(probe),
    'content-type': 'application/grpc',
    te: 'trailers',
    'user-agent': 'postern-healer',
    'grpc-timeout': `${Math.min(99_999_999, Math.ceil(probe.timeoutMs))}m`,
  })
  // What broke a stream is told by the session, sooner or later; a reset stream alone has no session to do so.
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ERR_HTTP2_STREAM_ERROR') fail(error)
  })
  stream.on('response', (headers) => {
    answer.headers = headers
  })
  stream.on('trailers', (trailers) => {
    answer.trailers = trailers
  })
  stream.on('data', (chunk: Buffer) => {
    answer.body = Buffer.concat([answer.body, chunk])
    if (answer.body.length > MAX_ANSWER_BYTES) end(failure(`answered more than ${MAX_ANSWER_BYTES / 1024} KiB`))
  })
  // Closed, rather than ended: trailers may come last.
  stream.on('close', () => {
    if (answer.headers) end(judge(answer, probe.service))
  })
  stream.end(encodeHealthRequest(probe.service))
  return {
    destroy: () => session.destroy(),
    tooLate: () => (answer.headers ? 'answered, but not to the end' : undefined),
    received: () => session.socket?.bytesRead ?? 0,
  }
}

function openSession(probe: GrpcProbe, tls: TlsOptions): ClientHttp2Session {
  return connect(`${probe.scheme}://${authorityOf(probe)}`, {
    ...(probe.scheme === 'https' ? tls : {}),
    // In megabytes: what this connection may hold at most.
    maxSessionMemory: 1,
    settings: { enablePush: false, maxHeaderListSize: MAX_HEADER_BYTES },
  })
}

const authorityOf = ({ address, port }: Target) => `${isIPv6(address) ? `[${address}]` : address}:${port}`

/** https://grpc.io/docs/guides/status-codes/ */
const UNIMPLEMENTED = '12'
const NOT_FOUND = '5'

function judge({ headers = {}, trailers, body }: Answer, service: string): ProbeResult {
  const status = headers[constants.HTTP2_HEADER_STATUS]
  if (Number(status) !== constants.HTTP_STATUS_OK) return failure(`answered ${status}`)
  const code = `${trailers?.['grpc-status'] ?? headers['grpc-status'] ?? ''}`
  if (code === UNIMPLEMENTED) return failure('it has no service grpc.health.v1.Health (gRPC status 12)')
  if (code === NOT_FOUND) return failure(`it knows no service “${shown(service)}” (gRPC status 5)`)
  if (!/^\d{1,3}$/.test(code)) return failure('answered what is not gRPC')
  if (code !== '0') return failure(`answered gRPC status ${code}`)
  const serving = decodeHealthAnswer(body)
  if (serving === undefined) return failure('answered what is not a health status')
  return serving === 'SERVING' ? success('serving status SERVING') : failure(`serving status ${serving}`)
}
