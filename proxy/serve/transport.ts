// What a client's connections are made over: a unix socket, or TCP on this machine. TLS is in tls-transport.ts.
import { createServer, type Server, type ServerOptions } from 'node:http'
import type { Socket } from 'node:net'
import type { Peer } from '../request/read-request.ts'

export type Transport = {
  /** To be called once. */
  readonly createServer: (options: ServerOptions) => Server
  /** The server's event that tells of a connection over which requests come. */
  readonly connected: 'connection' | 'secureConnection'
  /** Who is at the other end; `undefined` where that was decided before the connection was made. */
  readonly peerOf: (socket: Socket) => Peer | undefined
}

/** Who may connect is the file system's to decide. */
export const UNIX: Transport = {
  createServer: (options) => createServer(options),
  connected: 'connection',
  peerOf: () => undefined,
}

/** TCP without TLS: anybody on this machine. */
export const PLAIN_TCP: Transport = { ...UNIX, peerOf: () => ({ transport: 'tcp' }) }
