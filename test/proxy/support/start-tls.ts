// The proxy's client server over TLS on the loopback address, with certificates made on the spot, and who connects to it.
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { type Logger, pino } from 'pino'
import { createTls, type Tls } from '../../../proxy/serve/tls.ts'
import { loadTls, type TlsFiles } from '../../../proxy/serve/tls-files.ts'
import { temporaryFiles } from '../../support/temporary.ts'
import { type Authority, type Certified, clientOf, createAuthority, serverOf } from './certificates.ts'
import { type ProxyOptions, type RunningProxy, startProxy } from './start-proxy.ts'

export type TlsProxy = RunningProxy & {
  readonly authority: Authority
  readonly files: TlsFiles
  readonly tls: Tls
  /** A connection of who has this certificate, or none. It trusts the proxy's. */
  readonly connect: (client?: Certified, options?: ConnectionOptions) => TLSSocket
}

/** Files for TLS: the authority signs for the proxy and for its clients. */
export function tlsFiles(owner: Parameters<typeof startProxy>[0], authority: Authority): TlsFiles {
  const { cert, key } = serverOf(authority)
  return temporaryFiles(owner, { cert, key, clientCa: authority.cert })
}

type Options = ProxyOptions & {
  readonly log?: Logger
  readonly now?: () => number
  readonly authority?: Authority
  readonly files?: TlsFiles
}

/** Serves `healer` over TLS. `now` is the time by which certificates are judged at the start, and what is said of failures is bounded. */
export async function startTlsProxy(owner: Parameters<typeof startProxy>[0], options: Options = {}): Promise<TlsProxy> {
  const { log = pino({ level: 'silent' }), now = Date.now, authority = createAuthority() } = options
  const files = options.files ?? tlsFiles(owner, authority)
  const material = await loadTls(files, now())
  let tls: Tls | undefined
  const proxy = await startProxy(owner, {
    ...options,
    transport(metrics) {
      tls = createTls({ files, material, metrics, log, now })
      return tls.transport('healer')
    },
  })
  if (!tls) throw new Error('the proxy has a transport')
  return {
    ...{ ...proxy, authority, files, tls },
    connect(client, more = {}) {
      const own = client ? { cert: client.cert, key: client.key } : {}
      const socket = connect({ host: '127.0.0.1', port: proxy.port, ca: authority.cert, ...own, ...more })
      owner.teardown(() => socket.destroy())
      return socket
    },
  }
}

/** A certificate for the client `healer`. */
export const healerOf = (authority: Authority): Certified => clientOf(authority, 'healer')
