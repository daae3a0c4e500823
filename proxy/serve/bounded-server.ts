// An HTTP server that bounds what its clients may send, how slowly, and how much at once. Knows nothing of policies.
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { RequestHead } from '../request/read-request.ts'
import { type Refusal, refuse } from '../request/refusal.ts'
import type { Answer } from '../show/answer.ts'

export type Limits = {
  /** Connections at once; one more is closed as soon as it is made. */
  readonly maxConnections: number
  /** Milliseconds for a request's head to come, from the moment of connecting or of its first byte. */
  readonly headTimeoutMs: number
  /** Milliseconds that a connection may stay open between requests. */
  readonly idleTimeoutMs: number
  /** Milliseconds for a client to take the answer that is written to it. */
  readonly answerTimeoutMs: number
}

const LIMITS: Limits = { maxConnections: 128, headTimeoutMs: 10_000, idleTimeoutMs: 30_000, answerTimeoutMs: 30_000 }

/** Bytes of a request's line and headers. */
const MAX_HEAD_BYTES = 16 * 1024

export type Answering = {
  /** Rejects where the connection is to be closed unanswered. */
  readonly answer: (head: RequestHead) => Promise<Answer>
  /** Answers what is not read as a request; `head` is empty where there is none. */
  readonly refused: (refusal: Refusal, head: RequestHead) => Promise<Answer>
  /** A connection was closed because there are too many. */
  readonly dropped: () => void
}

/**
 * One request at a time on a connection: a client that writes ahead is not waited on. What it wrote is dropped unread,
 * and the connection closes after the first answer; so does one whose request was malformed or had a body.
 */
export function createBoundedServer({ answer, refused, dropped }: Answering, limits: Limits = LIMITS): Server {
  const inTurn = new WeakSet<Socket>()
  const closing = new WeakSet<Socket>()

  const take = (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    if (inTurn.has(socket) || closing.has(socket)) {
      closing.add(socket)
      socket.pause()
      return
    }
    inTurn.add(socket)
    response.once('finish', () => {
      inTurn.delete(socket)
      if (closing.has(socket)) socket.destroySoon()
    })
    const head = headOf(request)
    const lacksHost = request.httpVersion === '1.1' && request.headers.host === undefined
    const answering = lacksHost ? refused(NO_HOST, head) : answer(head)
    answering
      .then((made) => {
        // Its client has gone meanwhile; what it asked for is done and recorded all the same.
        if (response.closed) {
          made.taken?.()
          return
        }
        if (made.status === 400) closing.add(socket)
        const timer = setTimeout(() => socket.destroy(), limits.answerTimeoutMs)
        response.once('close', () => {
          clearTimeout(timer)
          made.taken?.()
        })
        send(response, made, closing.has(socket))
      })
      .catch(() => socket.destroy())
  }

  const refuseRaw = (socket: Socket, refusal: Refusal, head: RequestHead) => {
    if (inTurn.has(socket) || closing.has(socket) || !socket.writable) {
      socket.destroy()
      return
    }
    closing.add(socket)
    socket.setTimeout(limits.answerTimeoutMs, () => socket.destroy())
    refused(refusal, head)
      .then((made) => socket.end(renderAnswer(made)))
      .catch(() => socket.destroy())
  }

  const server = createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: limits.headTimeoutMs,
    requestTimeout: limits.headTimeoutMs,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(limits.headTimeoutMs, 5000) / 2,
    requireHostHeader: false,
  })
  server.maxConnections = limits.maxConnections
  // Their size is bounded; a bound on their number would hide those beyond it from the checks.
  server.maxHeadersCount = 0
  // An expectation is a request like any other: what is asked for is judged, and nothing is said before.
  for (const event of ['request', 'checkContinue', 'checkExpectation'] as const) server.on(event, take)
  server.on('connect', (request: IncomingMessage, socket: Socket) => refuseRaw(socket, NO_TUNNEL, headOf(request)))
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // One that never sent a byte has asked for nothing.
    if (socket.bytesRead === 0) socket.destroy()
    else refuseRaw(socket, refusalOf(error), { method: '', target: '', rawHeaders: [] })
  })
  server.on('drop', dropped)
  return server
}

const NO_HOST = refuse(400, 'request.header', 'the header host is missing')
const NO_TUNNEL = refuse(400, 'request.target', 'the request asks for a tunnel; nothing here is one')

/** What Node's parser found wrong, or that it waited for long enough. */
function refusalOf({ code }: NodeJS.ErrnoException): Refusal {
  if (code === 'HPE_HEADER_OVERFLOW') return refuse(431, 'request.header', `the head is larger than ${MAX_HEAD_BYTES} bytes`)
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return refuse(408, 'request.timeout', 'the request did not come in time')
  return refuse(400, 'request.framing', 'what was sent is not a request of HTTP/1.1')
}

function headOf({ method = '', url = '', rawHeaders }: IncomingMessage): RequestHead {
  return { method, target: url, rawHeaders }
}

function send(response: ServerResponse, answer: Answer, close: boolean): void {
  response.writeHead(answer.status, { ...headersOf(answer), ...(close ? { connection: 'close' } : {}) })
  response.end(answer.body)
}

/** An answer as bytes, for a connection that Node's own answers cannot be written to. */
function renderAnswer(answer: Answer): string {
  const headers = Object.entries({ ...headersOf(answer), connection: 'close' }).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status]}`, ...headers, '', answer.body].join('\r\n')
}

function headersOf({ status, headers, body }: Answer): Readonly<Record<string, string>> {
  const hasBody = status !== 204 && status !== 304
  return hasBody ? { ...headers, 'content-length': String(Buffer.byteLength(body)) } : headers
}
