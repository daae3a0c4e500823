// The sockets: one HTTP server per client, and one for metrics and health. Bounds what a client may send and how slowly.
import { lstat, unlink } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import type { Engine } from '../engine/engine.ts'
import type { Answer } from '../show/answer.ts'
import { type Client, handle } from './handle.ts'
import type { ProxyMetrics } from './metrics.ts'

const LIMITS = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  keepAliveTimeout: 30_000,
  connectionsCheckingInterval: 5000,
}
const MAX_CONNECTIONS = 64

export type ClientServer = {
  readonly server: Server
  /** Resolves once every request that was taken up has been handled and recorded. */
  readonly settled: () => Promise<void>
}

/** The server that answers one client's requests. */
export function createClientServer(client: Client): ClientServer {
  const underWay = new Set<Promise<void>>()
  const server = createBoundedServer(async ({ method = '', url = '', rawHeaders }) => {
    const answering = handle(client, { method, target: url, rawHeaders })
    const handled = answering.then(() => undefined)
    underWay.add(handled)
    void handled.finally(() => underWay.delete(handled))
    return answering
  })
  return { server, settled: async () => void (await Promise.all(underWay)) }
}

/**
 * One request at a time on a connection: a client that writes ahead is not waited on. What it wrote is dropped unread,
 * and the connection closes after the first answer; so does one whose request was malformed or had a body.
 */
function createBoundedServer(answer: (request: IncomingMessage) => Promise<Answer>): Server {
  const inTurn = new WeakSet<Socket>()
  const closing = new WeakSet<Socket>()
  const server = createServer(LIMITS, (request, response) => {
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
    answer(request)
      .then((made) => {
        if (made.status === 400) closing.add(socket)
        send(response, made, closing.has(socket))
      })
      .catch(() => socket.destroy())
  })
  server.maxConnections = MAX_CONNECTIONS
  // Their size is bounded; a bound on their number would hide those beyond it from the checks.
  server.maxHeadersCount = 0
  return server
}

/** `GET /metrics` and `GET /healthz`: 200 if the Engine answers a ping, 503 if not. */
export function createMetricsServer(engine: Engine, metrics: ProxyMetrics): Server {
  return createBoundedServer(({ url = '' }) => answerMetrics(url, engine, metrics))
}

async function answerMetrics(url: string, engine: Engine, metrics: ProxyMetrics): Promise<Answer> {
  if (url === '/metrics') return { status: 200, headers: { 'content-type': metrics.contentType }, body: await metrics.render() }
  if (url !== '/healthz') return plain(404, 'here are /metrics and /healthz')
  try {
    const { status } = await engine.ask({ method: 'GET', path: '/_ping', isRead: true, timeoutMs: 5000 })
    metrics.engineUp(status === 200)
    return status === 200 ? plain(200, 'ok') : plain(503, `the Engine answers its ping with ${status}`)
  } catch (error) {
    metrics.engineUp(false)
    return plain(503, (error as Error).message)
  }
}

function plain(status: number, text: string): Answer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8' }, body: `${text}\n` }
}

function send(response: ServerResponse, { status, headers, body }: Answer, close: boolean): void {
  const length = status === 204 ? {} : { 'content-length': Buffer.byteLength(body) }
  response.writeHead(status, { ...headers, ...length, ...(close ? { connection: 'close' } : {}) })
  response.end(status === 204 ? undefined : body)
}

/**
 * Listens on a unix socket at `path`; its mode is the process's umask's to bound. A stale socket is removed; one that answers is an error.
 */
export async function listen(server: Server, path: string): Promise<void> {
  try {
    await listenOn(server, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    await removeStaleSocket(path)
    await listenOn(server, path)
  }
}

function listenOn(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Removes the socket at `path` if nobody listens on it any more; anything else there is an error. */
async function removeStaleSocket(path: string): Promise<void> {
  if (!(await lstat(path)).isSocket()) throw new Error(`${path} is a file that is no socket; it is left alone`)
  const refusal = await connectionError(path)
  if (refusal === undefined) throw new Error(`${path} is in use: another process answers on it`)
  if (refusal !== 'ECONNREFUSED') throw new Error(`${path} is in use, or cannot be tried: ${refusal}`)
  await unlink(path)
}

/** Why nobody can connect to the socket at `path`; `undefined` if one can. */
function connectionError(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}
