// Where clients are served: what an address is listened on with, and over which transport.
import type { Server } from 'node:http'
import { type Address, isLoopback, renderAddress } from '../listen-address.ts'
import { listen } from './listen.ts'
import { listenTcp } from './listen-tcp.ts'
import type { Tls } from './tls.ts'
import { PLAIN_TCP, type Transport, UNIX } from './transport.ts'

/** Throws where others than this machine could connect without TLS; whoever read the settings has said so before. */
export function transportFor(address: Address, client: string, tls: Tls | undefined): Transport {
  if (address.kind === 'unix') return UNIX
  if (tls) return tls.transport(client)
  if (!isLoopback(address)) throw new Error(`${renderAddress(address)} is not served without TLS`)
  return PLAIN_TCP
}

export function listenAt(server: Server, address: Address): Promise<void> {
  return address.kind === 'unix' ? listen(server, address.path) : listenTcp(server, address)
}

/** The address, and what protects it. */
export function whereInWords(address: Address, tls: Tls | undefined): string {
  if (address.kind === 'unix') return renderAddress(address)
  return `${renderAddress(address)} ${tls ? 'over TLS' : 'without TLS, to whoever is on this machine'}`
}
