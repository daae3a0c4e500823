// Bounds on the connections to the healer's port, which containers on a shared network reach as well: in number, for each address and in
// all, and in how long one may say nothing. Knows nothing of what is served.
import type { Server, ServerOptions } from 'node:http'
import type { Socket } from 'node:net'

/** One more is closed as soon as it is made. People and Prometheus come from other addresses than a container that is hostile. */
const MAX_OF_ADDRESS = 100
const MAX_CONNECTIONS = 400
/** Milliseconds in which nothing is said either way; those who listen to events are told something more often. */
const QUIET_MS = 30_000

/** Milliseconds for a request's head to come, and for all of it. */
export const REQUEST_BOUNDS: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  connectionsCheckingInterval: 5000,
}

export function boundConnections(server: Server): void {
  const open = new Map<string, number>()
  server.maxConnections = MAX_CONNECTIONS
  server.setTimeout(QUIET_MS)
  server.on('connection', (socket: Socket) => {
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
