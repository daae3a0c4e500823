// A connection that the Engine hands over after the head of its answer: for attach, exec and the builder's sessions. Opened with a
// request of our own making; nothing is a tunnel before the Engine has said 101.
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Protocol } from '../request/catalogue.ts'
import type { OpenEngineAnswer } from './open-ended.ts'

export type TunnelRequest = {
  /** Built from typed values; see `requestPath`. */
  readonly path: string
  readonly headers: Readonly<Record<string, string | string[]>>
  readonly protocol: Protocol
  /** JSON, written by the proxy. */
  readonly body?: string
  /** Gives up waiting for the head of the answer. */
  readonly signal: AbortSignal
}

export type Tunnel = { readonly headers: IncomingHttpHeaders; readonly connection: Duplex }

/** Resolves with the connection, or with an answer where the Engine gives none. Rejects with what went wrong on the way. */
export function openTunnel(
  socketPath: string,
  { path, headers, protocol, body = '', signal }: TunnelRequest,
): Promise<Tunnel | OpenEngineAnswer> {
  return new Promise((resolve, reject) => {
    const type = body === '' ? {} : { 'content-type': 'application/json' }
    const upgrade = { connection: 'Upgrade', upgrade: protocol, 'content-length': Buffer.byteLength(body) }
    const asking = httpRequest({
      ...{ socketPath, path, method: 'POST', agent: false },
      headers: { host: 'docker', ...headers, ...type, ...upgrade },
    })
    const onAbort = () => asking.destroy(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    asking.once('error', (error) => {
      signal.removeEventListener('abort', onAbort)
      reject(error)
    })
    asking.once('upgrade', (answer, connection, head) => {
      signal.removeEventListener('abort', onAbort)
      // Node has taken its own listeners off; one that fails before it is joined must not end the process.
      connection.on('error', () => connection.destroy())
      if (head.length > 0) connection.unshift(head)
      resolve({ headers: answer.headers, connection })
    })
    asking.once('response', (answer) => {
      signal.removeEventListener('abort', onAbort)
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: answer })
    })
    asking.end(body)
  })
}

/** How often a client that has ended its side is looked for, milliseconds. */
const LOOK_EVERY_MS = 1000

const NOTHING = Buffer.alloc(0)

/** Joins two connections: what ends on one side ends on the other, and once one is gone, so is the other. Resolves then. */
export function joinConnections(client: Duplex, engine: Duplex): Promise<void> {
  return new Promise((resolve) => {
    client.pipe(engine)
    engine.pipe(client)
    // What came before the end is still to be taken.
    engine.once('close', () => (client.writableFinished ? client.destroy() : client.end(() => client.destroy())))
    client.once('close', () => {
      engine.destroy()
      resolve()
    })
    for (const side of [client, engine]) side.on('error', () => side.destroy())
    // One that only reads from here on looks like one that has hung up, until it is written to: writing nothing tells them apart on a
    // unix socket. Else an Engine that has nothing to say would keep the connections of clients that are long gone.
    client.once('end', () => {
      const looking = setInterval(() => client.write(NOTHING), LOOK_EVERY_MS).unref()
      for (const over of ['finish', 'close']) client.once(over, () => clearInterval(looking))
    })
  })
}
