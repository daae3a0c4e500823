// Bounds on the connections to the healer's port, which containers on a shared network reach as well: in number, for each address and in
// all, in how long one may say nothing, and in what is asked over one at once. Knows nothing of what is served.
import { createServer, type RequestListener, type Server } from 'node:http'
import type { Socket } from 'node:net'
import { readInPieces } from './read-in-pieces.ts'

/** One more is closed as soon as it is made. People and Prometheus come from other addresses than a container that is hostile. */
const MAX_OF_ADDRESS = 100
const MAX_CONNECTIONS = 400
/** Milliseconds in which nothing is said either way; those who listen to events are told something more often. */
const QUIET_MS = 30_000

/** Milliseconds for a request's head to come, and for all of it. */
const REQUEST_BOUNDS = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5000,
}

/** A connection that asks again before it has its answer is closed: each answer that nobody takes would stay in memory. */
export function createBoundedServer(answer: RequestListener): Server {
  const waiting = new WeakSet<Socket>()
  const server = createServer(REQUEST_BOUNDS, (request, response) => {
    const { socket } = request
    if (waiting.has(socket)) {
      socket.destroy()
      return
    }
    waiting.add(socket)
    response.once('close', () => waiting.delete(socket))
    answer(request, response)
  })
  boundConnections(server)
  return server
}

function boundConnections(server: Server): void {
  const open = new Map<string, number>()
  server.maxConnections = MAX_CONNECTIONS
  server.setTimeout(QUIET_MS)
  server.on('connection', (socket: Socket) => {
    readInPieces(socket)
    const address = socket.remoteAddress ?? ''
    const count = (open.get(address) ?? 0) + 1
    open.set(address, count)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left === 0) open.delete(address)
      else open.set(address, left)
    })
    if (count > MAX_OF_ADDRESS) socket.destroy()
  })
}
