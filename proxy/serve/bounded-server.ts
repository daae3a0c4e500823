// An HTTP server that bounds what its clients may send, how slowly, and how much at once. Knows nothing of policies.
import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import { joinConnections } from '../engine/tunnel.ts'
import type { RequestHead } from '../request/read-request.ts'
import { type Refusal, refuse } from '../request/refusal.ts'
import type { Answer } from '../show/answer.ts'
import type { AnyAnswer, OpenAnswer } from './any-answer.ts'
import { type Incoming, incomingOf, incomingOfUpgrade, watchGone } from './incoming.ts'
import { readInPieces } from './read-in-pieces.ts'
import { type Transport, UNIX } from './transport.ts'

export type Limits = {
  /** Connections at once; one more is closed as soon as it is made. */
  readonly maxConnections: number
  /** Requests under way at once; the connection of one more is closed unanswered. Connections alone bound nothing: one that is closed does not end its request. */
  readonly maxUnderWay: number
  /** Milliseconds for a request's head to come, from the moment of connecting or of its first byte. */
  readonly headTimeoutMs: number
  /** Milliseconds that a connection may stay open between requests. */
  readonly idleTimeoutMs: number
  /** Milliseconds for a client to take the answer that is written to it. */
  readonly answerTimeoutMs: number
}

const LIMITS: Limits = {
  maxConnections: 128,
  maxUnderWay: 256,
  headTimeoutMs: 10_000,
  idleTimeoutMs: 30_000,
  answerTimeoutMs: 30_000,
}

/** Bytes of a request's line and headers. */
const MAX_HEAD_BYTES = 16 * 1024
/** Each takes a multiple of its bytes in memory. */
const MAX_HEADERS = 128
/** Milliseconds that a connection stays open after its last answer for a client that is still writing: it may not read before. */
const LINGER_MS = 1000
/** Requests that a client may write ahead before its connection is closed at once. */
const MAX_AHEAD = 8

export type Answering = {
  /** Rejects where the connection is to be closed unanswered. */
  readonly answer: (head: RequestHead, incoming: Incoming) => Promise<AnyAnswer>
  /** Answers what is not read as a request; `head` is empty where there is none. */
  readonly refused: (refusal: Refusal, head: RequestHead) => Promise<Answer>
  /** A connection was closed because there is too much. */
  readonly dropped: () => void
}

export type BoundedServer = {
  readonly server: Server
  /** Resolves once every request that was taken up has been answered or given up. */
  readonly settled: () => Promise<void>
  /** Closes every connection, whatever is under way on it. */
  readonly cutOff: () => void
}

/**
 * One request at a time on a connection: what a client writes ahead is dropped unread, and the connection closes after the first
 * answer, or at once where it goes on writing; so does one whose request was malformed or had a body.
 */
export function createBoundedServer(
  { answer, refused, dropped }: Answering,
  limits: Limits = LIMITS,
  transport: Transport = UNIX,
): BoundedServer {
  const inTurn = new WeakMap<Socket, IncomingMessage>()
  const closing = new WeakSet<Socket>()
  const ahead = new WeakMap<Socket, number>()
  /** Of these, Node's server knows nothing any more. */
  const handedOver = new Set<Socket>()
  const underWay = new Set<Promise<AnyAnswer>>()
  const headOf = (request: IncomingMessage) => withPeer(request.socket, readHead(request), transport)

  const within = <A extends AnyAnswer>(work: () => Promise<A>): Promise<A> => {
    if (underWay.size >= limits.maxUnderWay) {
      dropped()
      return Promise.reject(new Error('too many requests are under way'))
    }
    const working = work()
    underWay.add(working)
    const over = () => underWay.delete(working)
    working.then(over, over)
    return working
  }

  const take = (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    if (inTurn.has(socket) || closing.has(socket)) {
      closing.add(socket)
      const count = (ahead.get(socket) ?? 0) + 1
      ahead.set(socket, count)
      if (count > MAX_AHEAD) socket.destroy()
      return
    }
    inTurn.set(socket, request)
    response.once('finish', () => {
      inTurn.delete(socket)
      if (closing.has(socket)) socket.destroySoon()
    })
    const incoming = incomingOf(request, watchGone(response), limits.headTimeoutMs)
    within(() => answerOrRefuse(request, incoming))
      .then((made) => {
        // Its client has gone meanwhile; what it asked for is done and recorded all the same.
        if (response.closed) return giveUp(made)
        const unread = hasMore(request) && !request.readableEnded
        if (made.status === 400 || unread) closing.add(socket)
        if ('tunnel' in made) throw new Error('only what asked for the connection is given it')
        if ('stream' in made) return stream(response, made, closing.has(socket))
        const timer = setTimeout(() => socket.destroy(), limits.answerTimeoutMs)
        response.once('close', () => {
          clearTimeout(timer)
          made.taken?.()
        })
        response.writeHead(made.status, { ...headersOf(made), ...(closing.has(socket) ? { connection: 'close' } : {}) })
        if (unread) endAfter(request, response, made.body)
        else response.end(made.body)
      })
      .catch(() => socket.destroy())
  }

  const answerOrRefuse = (request: IncomingMessage, incoming: Incoming): Promise<AnyAnswer> => {
    const head = headOf(request)
    const lacksHost = request.httpVersion === '1.1' && request.headers.host === undefined
    if (request.rawHeaders.length >= 2 * MAX_HEADERS) return refused(TOO_MANY_HEADERS, head)
    return lacksHost ? refused(NO_HOST, head) : answer(head, incoming)
  }

  /** Node has taken its own listeners off a socket that it hands over. */
  const takeOver = (socket: Socket) => {
    socket.on('error', () => socket.destroy())
    handedOver.add(socket)
    socket.once('close', () => handedOver.delete(socket))
  }

  /** A request for the connection itself, which Node has handed over. */
  const takeUpgrade = (request: IncomingMessage, socket: Socket, first: Buffer) => {
    takeOver(socket)
    // Whatever stands before it has no way to be answered.
    if (inTurn.has(socket) || closing.has(socket)) {
      socket.destroy()
      return
    }
    closing.add(socket)
    if (first.length > 0) socket.unshift(first)
    const incoming = incomingOfUpgrade(request, socket, watchGone(socket), limits.headTimeoutMs)
    within(() => answerOrRefuse(request, incoming))
      .then((made) => {
        if (socket.destroyed) return giveUp(made)
        if ('stream' in made) {
          socket.write(renderHead(made.status, { ...made.headers, connection: 'close' }))
          return void pipeline(made.stream, socket).catch(() => socket.destroy())
        }
        if (!('tunnel' in made)) return endWith(socket, made)
        // It was cut off before it began.
        if (made.tunnel.destroyed) return void socket.destroy()
        socket.write(renderHead(101, { ...made.headers, connection: 'Upgrade' }))
        void joinConnections(socket, made.tunnel)
      })
      .catch(() => socket.destroy())
  }

  const refuseRaw = (socket: Socket, refusal: Refusal, head: RequestHead) => {
    // A body that somebody reads has no end any more, and an answer would wait for it.
    const current = inTurn.get(socket)
    if (current && !current.complete && current.listenerCount('data') > 0) socket.destroy()
    if (closing.has(socket) || !socket.writable) {
      socket.destroy()
      return
    }
    closing.add(socket)
    // What stands before it has its answer still to come.
    if (inTurn.has(socket)) return
    within(() => refused(refusal, head))
      .then((made) => endWith(socket, made))
      .catch(() => socket.destroy())
  }

  const server = transport.createServer({
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: limits.headTimeoutMs,
    // How long a body may take is for those to say who read it.
    requestTimeout: 0,
    keepAliveTimeout: limits.idleTimeoutMs,
    connectionsCheckingInterval: Math.min(limits.headTimeoutMs, 5000) / 2,
    requireHostHeader: false,
  })
  server.maxConnections = limits.maxConnections
  server.on(transport.connected, readInPieces)
  // Those beyond are hidden from the checks; who sends as many is refused.
  server.maxHeadersCount = MAX_HEADERS
  // An expectation is a request like any other: what is asked for is judged, and nothing is said before.
  for (const event of ['request', 'checkContinue', 'checkExpectation'] as const) server.on(event, take)
  server.on('upgrade', takeUpgrade)
  server.on('connect', (request: IncomingMessage, socket: Socket) => {
    takeOver(socket)
    // Whatever stood before it has no way to be answered.
    if (inTurn.has(socket)) socket.destroy()
    else refuseRaw(socket, NO_TUNNEL, headOf(request))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // Node's parser would tell the same of each piece that follows.
    socket.removeAllListeners('data')
    // One that never sent a byte has asked for nothing.
    if (socket.bytesRead === 0) socket.destroy()
    else refuseRaw(socket, refusalOf(error), withPeer(socket, { method: '', target: '', rawHeaders: [] }, transport))
  })
  server.on('drop', dropped)
  const cutOff = () => {
    server.closeAllConnections()
    for (const socket of handedOver) socket.destroy()
  }
  return { server, settled: async () => void (await Promise.allSettled(underWay)), cutOff }
}

const NO_HOST = refuse(400, 'request.header', 'the header host is missing')
const TOO_MANY_HEADERS = refuse(400, 'request.header', `the request has ${MAX_HEADERS} headers or more`)
const NO_TUNNEL = refuse(400, 'request.target', 'the request asks for a tunnel; nothing here is one')

/** What Node's parser found wrong, or that it waited for long enough. */
function refusalOf({ code }: NodeJS.ErrnoException): Refusal {
  if (code === 'HPE_HEADER_OVERFLOW')
    return refuse(431, 'request.header', `the head is larger than ${MAX_HEAD_BYTES} bytes, or has too many headers`)
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return refuse(408, 'request.timeout', 'the request did not come in time')
  return refuse(400, 'request.framing', 'what was sent is not a request of HTTP/1.1')
}

/** Something follows its head that is no request: a body, or what it would have upgraded to. Whatever it is refused for, that is not read. */
function hasMore({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'] ?? '0'
  return headers['transfer-encoding'] !== undefined || headers.upgrade !== undefined || length !== '0'
}

function readHead({ method = '', url = '', rawHeaders }: IncomingMessage): RequestHead {
  return { method, target: url, rawHeaders }
}

function withPeer(socket: Socket, head: RequestHead, { peerOf }: Transport): RequestHead {
  const peer = peerOf(socket)
  return peer === undefined ? head : { ...head, peer }
}

/** To a socket that Node has handed over, of which no server knows any more. */
function endWith(socket: Socket, made: Answer): void {
  made.taken?.()
  socket.end(renderAnswer(made))
  // Unread, so that its end is noticed.
  socket.resume()
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
}

/** Nobody is there for it any more. */
function giveUp(made: AnyAnswer): void {
  if ('stream' in made) made.stream.destroy()
  else if ('tunnel' in made) made.tunnel.destroy()
  else made.taken?.()
}

/** The head at once, then what comes, until either side ends it. */
function stream(response: ServerResponse, { status, headers, stream }: OpenAnswer, close: boolean): void {
  response.writeHead(status, { ...headers, ...(close ? { connection: 'close' } : {}) })
  response.flushHeaders()
  pipeline(stream, response).catch(() => response.destroy())
}

/** The answer at once, but its end once the request has come: a client that finds its connection closed while it writes tells of that alone. */
function endAfter(request: IncomingMessage, response: ServerResponse, body: string): void {
  response.flushHeaders()
  response.write(body)
  const end = () => response.end()
  const timer = setTimeout(end, LINGER_MS)
  request.once('end', end).resume()
  response.once('close', () => clearTimeout(timer))
}

/** An answer as bytes, for a connection that Node's own answers cannot be written to. */
function renderAnswer(answer: Answer): string {
  return `${renderHead(answer.status, { ...headersOf(answer), connection: 'close' })}${answer.body}`
}

function renderHead(status: number, headers: Readonly<Record<string, string>>): string {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  return [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, ...lines, '', ''].join('\r\n')
}

function headersOf({ status, headers, body }: Answer): Readonly<Record<string, string>> {
  const hasBody = status !== 204 && status !== 304
  return hasBody ? { ...headers, 'content-length': String(Buffer.byteLength(body)) } : headers
}
