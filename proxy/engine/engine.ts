// The connection to the Engine's socket. Sends what `forward` and `containers` built and bounds what comes back.
// Never sees a client's bytes.
import { errors, Pool } from 'undici'

export type EngineRequest = {
  readonly method: 'GET' | 'POST'
  /** Built from typed values; see `requestPath`. */
  readonly path: string
  /** Milliseconds until the answer's head must have come. */
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
  readonly close: () => Promise<void>
}

/** How long the Engine may take over a read. */
export const READ_TIMEOUT_MS = 30_000

/** The largest answer that is taken in, bytes. A list of a thousand containers is about 2 MB. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024

/** The Engine could not be asked, did not answer in time, or answered what cannot be read. */
export class EngineError extends Error {
  readonly kind: 'unreachable' | 'timeout' | 'answer'
  constructor(kind: EngineError['kind'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EngineError'
    this.kind = kind
  }
}

/** Connects on demand to the Engine's unix socket at `socketPath`. */
export function connectEngine(socketPath: string): Engine {
  const pool = new Pool('http://engine', {
    socketPath,
    connections: 16,
    pipelining: 1,
    connect: { timeout: 5000, socketPath },
    bodyTimeout: READ_TIMEOUT_MS,
    maxResponseSize: MAX_ANSWER_BYTES,
  })
  return {
    async ask({ method, path, timeoutMs }) {
      try {
        const answer = await pool.request({ method, path, headersTimeout: timeoutMs, headers: { accept: 'application/json' } })
        return { status: answer.statusCode, headers: answer.headers, body: await answer.body.text() }
      } catch (error) {
        throw explain(error, socketPath)
      }
    },
    close: () => pool.destroy(),
  }
}

function explain(error: unknown, socketPath: string): EngineError {
  if (error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError) {
    return new EngineError('timeout', 'the Engine did not answer in time', { cause: error })
  }
  if (error instanceof errors.ResponseExceededMaxSizeError || error instanceof errors.HTTPParserError) {
    return new EngineError('answer', `the Engine's answer cannot be read: ${error.message}`, { cause: error })
  }
  const { code, message } = error as NodeJS.ErrnoException
  return new EngineError('unreachable', `the Engine does not answer at ${socketPath}: ${code ?? message}`, { cause: error })
}
