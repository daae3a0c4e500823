// TCP with TLS on both sides: who has no certificate of an authority of the operator's does not come as far as HTTP. Which client a
// certificate is for, `proxy/request/check-peer.ts` decides.
import { constants } from 'node:crypto'
import type { ServerOptions } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { CertifiedPeer } from '../request/read-request.ts'
import { certifiedPeer } from './client-certificate.ts'
import { secureOptions, type TlsMaterial } from './tls-files.ts'
import type { Transport } from './transport.ts'

/** Why a connection did not come to be. */
export type HandshakeFailure = {
  readonly why: 'no-certificate' | 'untrusted' | 'timeout' | 'other'
  /** A word of Node's or OpenSSL's. */
  readonly code: string
  /** The other side's address. */
  readonly from: string
}

export type TlsTransport = Transport & {
  /** Connections from now on are made with `material`. Those made before are closed: at once, or after the answer that is under way. */
  readonly replace: (material: TlsMaterial) => void
  /** Ends connections that are not made yet; for those no HTTP server cares. */
  readonly cutHandshakes: () => void
}

/** `failed` is told of each connection that was not made. */
export function createTlsTransport(first: TlsMaterial, failed: (failure: HandshakeFailure) => void): TlsTransport {
  const peers = new WeakMap<Socket, CertifiedPeer>()
  /** Made with what is in use now. */
  let current = new WeakSet<Socket>()
  /** Those of them that nothing is asked over at the moment; Node's own list lacks the ones over which nothing was asked yet. */
  const idle = new Set<Socket>()
  /** By the other side's address and port; TLS has a socket of its own for each. */
  const handshakes = new Map<string, Socket>()
  let server: Server | undefined

  const begin = (socket: Socket) => {
    const key = otherSide(socket)
    handshakes.set(key, socket)
    socket.once('close', () => handshakes.delete(key))
  }
  const cutHandshakes = () => {
    for (const socket of handshakes.values()) socket.destroy()
  }
  return {
    createServer(options) {
      const made = createServer({ ...serverOptions(options), ...contextOptions(first) })
      // Node would hand these to whoever answers what is no request of HTTP.
      made.removeAllListeners('tlsClientError')
      made.on('tlsClientError', (error, socket) => {
        failed(failureOf(error, socket))
        socket.destroy()
      })
      made.on('connection', begin)
      made.prependListener('secureConnection', (socket) => {
        handshakes.delete(otherSide(socket))
        const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined
        if (certificate === undefined) {
          socket.destroy()
          return
        }
        peers.set(socket, certifiedPeer(certificate))
        current.add(socket)
        idle.add(socket)
        socket.once('close', () => idle.delete(socket))
      })
      made.on('request', ({ socket }, response) => {
        idle.delete(socket)
        response.once('close', () => {
          if (!current.has(socket)) socket.destroySoon()
          else if (!socket.destroyed) idle.add(socket)
        })
      })
      server = made
      return made
    },
    connected: 'secureConnection',
    peerOf: (socket) => peers.get(socket) ?? NOBODY,
    replace(material) {
      cutHandshakes()
      current = new WeakSet()
      server?.setSecureContext(contextOptions(material))
      for (const socket of idle) socket.destroy()
    },
    cutHandshakes,
  }
}

/** Whose certificate nobody has seen: there is no such connection, and if there were, it could do nothing. */
const NOBODY: CertifiedPeer = { transport: 'tls', certificate: { names: [], sha256: '0'.repeat(64) }, untilMs: 0 }

const otherSide = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`

function serverOptions(options: ServerOptions) {
  return { ...options, requestCert: true, rejectUnauthorized: true, handshakeTimeout: options.headersTimeout ?? 10_000 }
}

/** A session that is resumed would bring a certificate along that was checked long ago. */
function contextOptions(material: TlsMaterial) {
  return { ...secureOptions(material), secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION }
}

function failureOf(error: NodeJS.ErrnoException, socket: TLSSocket): HandshakeFailure {
  // Node has closed it for what is told here, and the error is of no use.
  const untrusted = socket.authorizationError as unknown
  const code = String(untrusted ?? error.code ?? error.message)
  const from = socket.remoteAddress ?? 'a connection that is gone'
  return { why: whyOf(code, untrusted), code, from }
}

function whyOf(code: string, untrusted: unknown): HandshakeFailure['why'] {
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'no-certificate'
  if (untrusted !== undefined && untrusted !== null) return 'untrusted'
  return code === 'ERR_TLS_HANDSHAKE_TIMEOUT' ? 'timeout' : 'other'
}
