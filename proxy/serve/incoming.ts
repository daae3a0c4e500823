// What a client sends after the head of its request, read within bounds: a body as a whole, or as it comes.
import type { IncomingMessage } from 'node:http'
import type { Duplex, Readable } from 'node:stream'
import { type Refusal, refuse } from '../request/refusal.ts'

export type Incoming = Gone & {
  /** The whole body as text; a refusal where it is larger than `maxBytes`, or does not come in time. */
  readonly readBody: (maxBytes: number) => Promise<string | Refusal>
  /** The body as it comes. */
  readonly body: Readable
}

/** Whether the client has gone, or has its whole answer. */
export type Gone = {
  readonly isGone: () => boolean
  /** Aborted then; made for who asks for it, since few do. */
  readonly gone: () => AbortSignal
}

export function watchGone(connection: { readonly once: (event: 'close', listener: () => void) => unknown }): Gone {
  let isGone = false
  let controller: AbortController | undefined
  connection.once('close', () => {
    isGone = true
    controller?.abort(GONE)
  })
  return {
    isGone: () => isGone,
    gone() {
      controller ??= new AbortController()
      if (isGone) controller.abort(GONE)
      return controller.signal
    },
  }
}

const GONE = new DOMException('the client has gone, or has its answer', 'AbortError')

/** What follows the head of an ordinary request. */
export function incomingOf(request: IncomingMessage, gone: Gone, timeoutMs: number): Incoming {
  return {
    ...gone,
    body: request,
    async readBody(maxBytes) {
      const collected = await collect(request, maxBytes, timeoutMs, () => request.readableEnded)
      return typeof collected === 'string' ? REFUSALS[collected](maxBytes) : collected.toString('utf8')
    },
  }
}

/**
 * What follows the head of a request that asks for its connection. Up to Node 24 a body stands in the bytes after the head; later ones
 * hand it over like any other body.
 */
export function incomingOfUpgrade(request: IncomingMessage, connection: Duplex, gone: Gone, timeoutMs: number): Incoming {
  return {
    ...gone,
    body: request,
    async readBody(maxBytes) {
      const announced = Number(request.headers['content-length'] ?? 0)
      if (announced > maxBytes) return REFUSALS.large(maxBytes)
      const parsed = await collect(request, maxBytes, timeoutMs, () => request.readableEnded)
      if (typeof parsed === 'string') return REFUSALS[parsed](maxBytes)
      const rest = await takeBytes(connection, announced - parsed.length, timeoutMs)
      return typeof rest === 'string' ? REFUSALS[rest](maxBytes) : Buffer.concat([parsed, rest]).toString('utf8')
    },
  }
}

type Failure = 'large' | 'late' | 'broken'

const REFUSALS: Readonly<Record<Failure, (maxBytes: number) => Refusal>> = {
  large: (maxBytes) => refuse(400, 'request.body', `the body is larger than ${maxBytes} bytes`),
  late: () => refuse(408, 'request.timeout', 'the body did not come in time'),
  broken: () => refuse(400, 'request.body', 'the body breaks off'),
}

/** Reads `count` bytes and leaves what comes after them. */
async function takeBytes(source: Duplex, count: number, timeoutMs: number): Promise<Buffer | Failure> {
  if (count <= 0) return Buffer.alloc(0)
  let length = 0
  const taken = await collect(source, Number.POSITIVE_INFINITY, timeoutMs, (chunk) => {
    length += chunk?.length ?? 0
    return length >= count
  })
  if (typeof taken === 'string') return taken
  if (taken.length > count) source.unshift(taken.subarray(count))
  return taken.length < count ? 'broken' : taken.subarray(0, count)
}

/** Reads until the end, or until `isWhole` says so of the chunk that came last. Does not end its source, which is left paused. */
function collect(
  source: Readable,
  maxBytes: number,
  timeoutMs: number,
  isWhole: (chunk?: Buffer) => boolean,
): Promise<Buffer | Failure> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let bytes = 0
    const over = (result: Buffer | Failure) => {
      clearTimeout(timer)
      source.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken)
      source.pause()
      resolve(result)
    }
    const onData = (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > maxBytes) over('large')
      else if (isWhole(chunk)) over(Buffer.concat(chunks))
    }
    const onEnd = () => over(Buffer.concat(chunks))
    const onBroken = () => over('broken')
    const timer = setTimeout(() => over('late'), timeoutMs)
    source.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken)
    if (source.readableEnded) onEnd()
    else source.resume()
  })
}
