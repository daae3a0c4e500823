// Requests to the Engine whose answer, or body, has no end in sight: passed on while it comes. The only file that knows `http-proxy`,
// which gets requests of our own making, never a client's.
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { PassThrough, type Readable, type TransformCallback } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import httpProxy from 'http-proxy'
import type { Method } from '../request/catalogue.ts'

export type OpenRequest = {
  readonly method: Method
  /** Built from typed values; see `requestPath`. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly body?: { readonly type: string; readonly bytes?: number; readonly content: Readable | string }
  /** Gives up waiting for the head of the answer. */
  readonly signal: AbortSignal
}

export type OpenEngineAnswer = {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  /** To be read to its end, or destroyed: that hangs up. */
  readonly body: Readable
}

/** Resolves with the head of the answer. Rejects with what went wrong on the way. */
export function askOpenEnded(socketPath: string, request: OpenRequest): Promise<OpenEngineAnswer> {
  return new Promise((resolve, reject) => {
    const proxy = httpProxy.createProxyServer()
    const made = new MadeRequest(request)
    const giveUp = (error: Error) => {
      request.signal.removeEventListener('abort', onAbort)
      made.emit('aborted')
      made.destroy()
      reject(error)
    }
    const onAbort = () => giveUp(request.signal.reason as Error)
    if (request.signal.aborted) return onAbort()
    request.signal.addEventListener('abort', onAbort, { once: true })
    proxy.on('proxyReq', (asking) =>
      asking.once('upgrade', (_answer, connection) => {
        connection.destroy()
        giveUp(new Error('it hands over a connection that nobody asked for'))
      }),
    )
    proxy.on('proxyRes', (answer) => {
      request.signal.removeEventListener('abort', onAbort)
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: answer })
    })
    // A body that breaks off takes its request with it.
    if (request.body && typeof request.body.content !== 'string') pipeline(request.body.content, made).catch(giveUp)
    else made.end(request.body?.content)
    // With an agent, `http-proxy` could send what follows a request over the same connection.
    const target = { socketPath } as unknown as { host: string; port: string }
    const options = { target, toProxy: true, selfHandleResponse: true, agent: false as never }
    quietly(() => proxy.web(made as unknown as IncomingMessage, UNUSED, options, giveUp))
  })
}

/** What `http-proxy` takes for a client's request. */
class MadeRequest extends PassThrough {
  readonly method: string
  readonly url: string
  readonly headers: OutgoingHttpHeaders
  readonly socket = { destroyed: false }

  constructor({ method, path, headers, body }: OpenRequest) {
    super()
    this.method = method
    this.url = path
    this.headers = { host: 'docker', ...headers, ...framing(method, body) }
  }

  /**
   * Before each piece is written, what has come from the Engine is read, which takes a whole turn of the loop: where the Engine has
   * refused and hung up, a write fails, and takes the unread refusal with it.
   */
  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    setImmediate(() => setImmediate(done, null, chunk))
  }
}

function framing(method: Method, body: OpenRequest['body']): OutgoingHttpHeaders {
  if (body === undefined) return method === 'GET' || method === 'HEAD' ? {} : { 'content-length': '0' }
  const bytes = typeof body.content === 'string' ? Buffer.byteLength(body.content) : body.bytes
  const length = bytes === undefined ? { 'transfer-encoding': 'chunked' } : { 'content-length': `${bytes}` }
  return { 'content-type': body.type, ...length }
}

/** Its answers are handed over, not written. */
const UNUSED = { headersSent: false, finished: false } as unknown as ServerResponse

/** It uses `util._extend`, of which Node 24 warns on stderr. */
function quietly(work: () => void): void {
  const before = process.noDeprecation ?? false
  process.noDeprecation = true
  try {
    work()
  } finally {
    process.noDeprecation = before
  }
}
