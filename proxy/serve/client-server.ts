// The socket of one client: its requests are handled, and what is no request at all is refused and recorded like one.
import type { Server } from 'node:http'
import { READ_TIMEOUT_MS } from '../engine/engine.ts'
import { createBoundedServer, type Limits } from './bounded-server.ts'
import { type Client, handle, refuseUnread } from './handle.ts'
import { createTurns } from './turns.ts'

/** Requests of one client that are under way at once; beyond that a connection is closed unanswered. */
const MAX_UNDER_WAY = 256

export type ClientServer = {
  readonly server: Server
  /** Resolves once every request that was taken up has been handled and recorded. */
  readonly settled: () => Promise<void>
}

/** Answers of one client's reads that memory holds at once. */
const MAX_ANSWERS = 4

/** The server that answers one client's requests. */
export function createClientServer(options: Omit<Client, 'turns'>, limits?: Limits): ClientServer {
  const client: Client = { ...options, turns: createTurns(MAX_ANSWERS, READ_TIMEOUT_MS) }
  const underWay = new Set<Promise<unknown>>()
  const dropped = () => client.metrics.droppedConnection(client.policy.client)
  /** A connection that is closed does not end its request, so that connections alone do not bound what is under way. */
  const within = <T>(work: () => Promise<T>): Promise<T> => {
    if (underWay.size >= MAX_UNDER_WAY) {
      dropped()
      return Promise.reject(new Error('too many requests of this client are under way'))
    }
    const working = work()
    underWay.add(working)
    void working.catch(() => undefined).then(() => underWay.delete(working))
    return working
  }
  const server = createBoundedServer(
    {
      answer: (head) => within(() => handle(client, head)),
      refused: (refusal, head) => within(() => refuseUnread(client, refusal, head)),
      dropped,
    },
    limits,
  )
  return { server, settled: async () => void (await Promise.allSettled(underWay)) }
}
