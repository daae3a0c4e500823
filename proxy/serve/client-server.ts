// The socket of one client: its requests are handled, and what is no request at all is refused and recorded like one.
import { READ_TIMEOUT_MS } from '../engine/engine.ts'
import { type BoundedServer, createBoundedServer, type Limits } from './bounded-server.ts'
import { type Client, handle, refuseUnread } from './handle.ts'
import { createTurns } from './turns.ts'

/** Answers of one client's reads that memory holds at once. */
const MAX_ANSWERS = 4

/** The server that answers one client's requests. */
export function createClientServer(options: Omit<Client, 'turns'>, limits?: Limits): BoundedServer {
  const client: Client = { ...options, turns: createTurns(MAX_ANSWERS, READ_TIMEOUT_MS) }
  const answering = {
    answer: (head: Parameters<typeof handle>[1], isGone: () => boolean) => handle(client, head, isGone),
    refused: (refusal: Parameters<typeof refuseUnread>[1], head: Parameters<typeof refuseUnread>[2]) =>
      refuseUnread(client, refusal, head),
    dropped: () => client.metrics.droppedConnection(client.policy.client),
  }
  return createBoundedServer(answering, limits)
}
