// The socket of one client: its requests are handled, and what is no request at all is refused and recorded like one.
import { type BoundedServer, createBoundedServer, type Limits } from './bounded-server.ts'
import { type Client, handle, refuseUnread } from './handle.ts'
import type { Transport } from './transport.ts'

/** The server that answers one client's requests, each as `current` has it when the request comes. */
export function createClientServer(current: () => Client, limits?: Limits, transport?: Transport): BoundedServer {
  const answering = {
    answer: (head: Parameters<typeof handle>[1], incoming: Parameters<typeof handle>[2]) => handle(current(), head, incoming),
    refused: (refusal: Parameters<typeof refuseUnread>[1], head: Parameters<typeof refuseUnread>[2]) =>
      refuseUnread(current(), refusal, head),
    dropped: () => current().metrics.droppedConnection(current().policy.client),
  }
  return createBoundedServer(answering, limits, transport)
}
