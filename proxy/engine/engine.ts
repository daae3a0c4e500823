// The connection to the Engine's socket. Sends what `forward` and `containers` built and bounds what comes back.
// Never sees a client's bytes.
import { type Dispatcher, errors, Pool } from 'undici'
import type { Method } from '../request/catalogue.ts'
import { askOpenEnded, type OpenEngineAnswer, type OpenRequest } from './open-ended.ts'
import { openTunnel, type Tunnel, type TunnelRequest } from './tunnel.ts'

export type EngineRequest = {
  readonly method: Method
  /** Built from typed values; see `requestPath`. */
  readonly path: string
  /** Headers of the proxy's own making. */
  readonly headers?: Readonly<Record<string, string | string[]>>
  /** JSON, written by the proxy. */
  readonly body?: string
  /** Reads wait in turn, a few at a time; what is no read goes out at once, so that reads never wait for a slow one. */
  readonly isRead: boolean
  /** Milliseconds until the whole answer must have come, waiting for a turn included. */
  readonly timeoutMs: number
}

export type EngineAnswer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: string
}

export type Engine = {
  /** Throws `EngineError`, nothing else. */
  readonly ask: (request: EngineRequest) => Promise<EngineAnswer>
  /** As soon as the head of the answer has come. Throws `EngineError`, nothing else. */
  readonly open: (request: OpenRequest) => Promise<OpenEngineAnswer>
  /** The connection itself, once the Engine has given it; an answer where it has not. Throws `EngineError`, nothing else. */
  readonly tunnel: (request: TunnelRequest) => Promise<Tunnel | OpenEngineAnswer>
  readonly close: () => Promise<void>
}

/** How long the Engine may take over a read. */
export const READ_TIMEOUT_MS = 30_000

/** The largest answer that is taken in, bytes. A list of a thousand containers is about 2 MB; a few of these fit into memory at once. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024
const CONNECT_TIMEOUT_MS = 5000

/** Requests to the Engine under way at once, of one client's. */
const MAX_READS = 4
const MAX_WRITES = 128
/** Of the answer to a change, of which many may be under way. */
const MAX_WRITE_ANSWER_BYTES = 256 * 1024

/** The Engine could not be asked, did not answer in time, or answered what cannot be read. */
export class EngineError extends Error {
  readonly kind: 'unreachable' | 'timeout' | 'answer'
  constructor(kind: EngineError['kind'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EngineError'
    this.kind = kind
  }
}

/**
 * Connects on demand to the Engine's unix socket at `socketPath`. `onAsked` hears of every try whether the socket was reached;
 * `ownHeaders` go out with each request.
 */
export function connectEngine(
  socketPath: string,
  onAsked: (reached: boolean) => void = () => undefined,
  ownHeaders: Readonly<Record<string, string>> = {},
): Engine {
  const open = (connections: number, maxResponseSize: number) =>
    new Pool('http://engine', {
      socketPath,
      connections,
      pipelining: 1,
      connect: { timeout: CONNECT_TIMEOUT_MS, socketPath },
      // The time is kept for each request, for the whole of it.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxResponseSize,
    })
  const [reads, writes] = [open(MAX_READS, MAX_ANSWER_BYTES), open(MAX_WRITES, MAX_WRITE_ANSWER_BYTES)]
  const explained = async <T>(asking: Promise<T>): Promise<T> => {
    try {
      const answer = await asking
      onAsked(true)
      return answer
    } catch (error) {
      const why = explain(error, socketPath)
      onAsked(why.kind !== 'unreachable')
      throw why
    }
  }
  const askWhole = ({ method, path, headers: own, body, isRead, timeoutMs }: EngineRequest): Promise<EngineAnswer> => {
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const headers = { ...ownHeaders, accept: 'application/json', ...type, ...own }
    const request = { method, path, headers, ...(body === undefined ? {} : { body }) }
    return collectAnswer(isRead ? reads : writes, request, timeoutMs)
  }
  return {
    ask: (request) => explained(askWhole(request)),
    open: (request) => explained(askOpenEnded(socketPath, request)),
    tunnel: (request) => explained(openTunnel(socketPath, request)),
    close: async () => void (await Promise.all([reads.destroy(), writes.destroy()])),
  }
}

/** The whole answer to one request. By undici's own events: a stream and a signal for each request would cost as much as the request. */
function collectAnswer(pool: Pool, request: Dispatcher.DispatchOptions, timeoutMs: number): Promise<EngineAnswer> {
  return new Promise((resolve, reject) => {
    let controller: Dispatcher.DispatchController | undefined
    let isLate = false
    let answer: Omit<EngineAnswer, 'body'> | undefined
    const chunks: Buffer[] = []
    const timer = setTimeout(() => {
      isLate = true
      controller?.abort(TOO_LATE)
      reject(TOO_LATE)
    }, timeoutMs)
    pool.dispatch(request, {
      onRequestStart(started) {
        controller = started
        // It was still waiting for a connection.
        if (isLate) started.abort(TOO_LATE)
      },
      onResponseStart(_, status, headers) {
        // Others only announce the answer.
        if (status >= 200) answer = { status, headers }
      },
      onResponseData: (_, chunk) => void chunks.push(chunk),
      onResponseEnd() {
        clearTimeout(timer)
        const [first, ...others] = chunks
        const body = first && others.length === 0 ? first : Buffer.concat(chunks)
        if (answer) resolve({ ...answer, body: body.toString('utf8') })
        else reject(new Error('it has no status'))
      },
      onResponseError(_, error) {
        clearTimeout(timer)
        reject(error)
      },
    })
  })
}

const TOO_LATE = new DOMException('the answer did not come in time', 'TimeoutError')

function explain(error: unknown, socketPath: string): EngineError {
  const { name, code, syscall, message } = error as NodeJS.ErrnoException
  if (name === 'TimeoutError') return new EngineError('timeout', 'the Engine did not answer in time', { cause: error })
  if (name === 'AbortError') return new EngineError('answer', 'the client went before the Engine answered', { cause: error })
  if (syscall === 'connect' || error instanceof errors.ConnectTimeoutError) {
    return new EngineError('unreachable', `the Engine does not answer at ${socketPath}: ${code}`, { cause: error })
  }
  const why =
    error instanceof errors.SocketError
      ? 'it closed the connection before its answer was whole'
      : error instanceof errors.ResponseExceededMaxSizeError
        ? 'it is larger than is taken in'
        : message
  return new EngineError('answer', `the Engine's answer cannot be read: ${why}`, { cause: error })
}
