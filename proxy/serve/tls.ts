// What TLS means for a proxy that runs: the transport of each client that is served over it, and its files, which can be replaced. What is
// wrong with new ones leaves the old ones in use.
import type { Logger } from 'pino'
import type { ProxyMetrics, TlsState } from './metrics.ts'
import { loadTls, TlsFileError, type TlsFiles, type TlsMaterial } from './tls-files.ts'
import { createTlsTransport, type HandshakeFailure, type TlsTransport } from './tls-transport.ts'
import { LOOK_EVERY_MS, watchFiles } from './watch-files.ts'

export type TlsOptions = {
  readonly files: TlsFiles
  /** What is in them at the start. */
  readonly material: TlsMaterial
  readonly metrics: Pick<ProxyMetrics, 'failedHandshake' | 'reloadedTls'>
  readonly log: Logger
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export type Tls = {
  /** For one more address, at which `client` is served. */
  readonly transport: (client: string) => TlsTransport
  readonly state: () => TlsState
  /** Resolves once what the files hold is in use, or it is said in log and metric why not. */
  readonly reload: () => Promise<void>
  /** Reads the files anew when one changes; ends with what is returned. */
  readonly watch: () => () => void
  readonly cutHandshakes: () => void
}

/** Certificate and key are two files, and are seen to change one after the other. */
const LET_SETTLE_MS = LOOK_EVERY_MS + 200

export function createTls({ files, material, metrics, log, now }: TlsOptions): Tls {
  const transports: TlsTransport[] = []
  let inUse = material
  let isLatest = true
  let turn = Promise.resolve()
  metrics.reloadedTls('success')

  const reload = async () => {
    const read = await loadTls(files, now()).catch((error: unknown) => {
      if (!(error instanceof TlsFileError)) throw error
      return error
    })
    isLatest = !(read instanceof Error)
    metrics.reloadedTls(isLatest ? 'success' : 'failure')
    if (read instanceof Error) return log.error({ certificate: inUse.sha256 }, `TLS stays as it was: ${read.message}`)
    if (read.cert === inUse.cert && read.key === inUse.key && read.ca === inUse.ca)
      return log.info('the files for TLS have not changed')
    inUse = read
    for (const transport of transports) transport.replace(read)
    log.info({ certificate: read.sha256 }, `TLS is with ${files.cert} and the authorities in ${files.clientCa} as they are now`)
  }
  const reloadInTurn = () => {
    turn = turn.then(reload).catch((error: unknown) => log.error({ err: error }, 'the files for TLS could not be read anew'))
    return turn
  }
  return {
    transport(client) {
      const transport = createTlsTransport(inUse, tellFailures(client, { metrics, log, now }))
      transports.push(transport)
      return transport
    },
    state: () => ({ sha256: inUse.sha256, untilMs: inUse.untilMs, isLatest }),
    reload: reloadInTurn,
    watch: () => watchFiles([files.cert, files.key, files.clientCa], LET_SETTLE_MS, () => void reloadInTurn()),
    cutHandshakes() {
      for (const transport of transports) transport.cutHandshakes()
    },
  }
}

/** Whoever can connect can fail; the log is told so often, the metric each time. */
const TELL_EVERY_MS = 60_000

const IN_WORDS = {
  'no-certificate': 'it brought no certificate',
  untrusted: 'no authority in --tls-client-ca vouches for its certificate, now and for a client',
  timeout: 'it did not come so far in time',
  other: 'it does not speak TLS as it is spoken here, or does not trust the proxy’s certificate',
} as const

function tellFailures(client: string, { metrics, log, now }: Pick<TlsOptions, 'metrics' | 'log' | 'now'>) {
  let toldMs = Number.NEGATIVE_INFINITY
  let untold = 0
  return ({ why, code, from }: HandshakeFailure): void => {
    metrics.failedHandshake(client, why)
    // A clock that was set back is no reason for silence.
    const isDue = now() - toldMs >= TELL_EVERY_MS || now() < toldMs
    if (!isDue) {
      untold++
      return
    }
    log.warn({ client, from, code, before: untold }, `a connection to the address of ${client} was not made: ${IN_WORDS[why]}`)
    toldMs = now()
    untold = 0
  }
}
