// Listening on an address of TCP, and what is said where that cannot be done.
import type { Server } from 'node:http'
import { renderAddress, type TcpAddress } from '../listen-address.ts'

/** Rejects with a sentence that says what to do. */
export function listenTcp(server: Server, address: TcpAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException) =>
      reject(new Error(`${renderAddress(address)}: ${inWords(error)}`, { cause: error }))
    server.once('error', failed)
    server.listen({ host: address.host, port: address.port }, () => {
      server.off('error', failed)
      resolve()
    })
  })
}

function inWords({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'EADDRINUSE':
      return 'another process listens there; choose another port, or end that one'
    case 'EACCES':
      return 'the user that the proxy runs as may not listen there; choose a port above 1023'
    case 'EADDRNOTAVAIL':
      return 'this machine, or this container, has no such address'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'no address is known by this name; write the address itself'
    default:
      return message
  }
}
