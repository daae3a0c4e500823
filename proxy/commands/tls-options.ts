// The flags for TLS, and which addresses need it: all three or none, and what others than this machine can reach never without.
import { InvalidArgumentError, Option } from 'commander'
import { type Address, isLoopback, renderAddress } from '../listen-address.ts'
import { loadTls, TlsFileError, type TlsFiles, type TlsMaterial } from '../serve/tls-files.ts'
import { argument } from './options.ts'

export type TlsFlags = { readonly tlsCert?: string; readonly tlsKey?: string; readonly tlsClientCa?: string }

const FLAGS = '--tls-cert, --tls-key and --tls-client-ca'

/** An empty one is a variable that somebody forgot to set. */
const file = argument((text: string) => {
  if (text === '') throw new Error('this names no file')
  return text
})

export const tlsOptions = () => [
  new Option('--tls-cert <file>', 'the proxy’s certificate, for every tcp:// address; PEM')
    .env('POSTERN_TLS_CERT')
    .argParser(file),
  new Option('--tls-key <file>', 'its key; PEM').env('POSTERN_TLS_KEY').argParser(file),
  new Option('--tls-client-ca <file>', 'the authorities that sign for clients; PEM').env('POSTERN_TLS_CLIENT_CA').argParser(file),
]

/** What TLS is to be made with. Throws `InvalidArgumentError` where flags and addresses do not go together, or a file is wrong. */
export async function readTls(
  { tlsCert, tlsKey, tlsClientCa }: TlsFlags,
  addresses: readonly Address[],
  nowMs: number,
): Promise<{ readonly files: TlsFiles; readonly material: TlsMaterial } | undefined> {
  const overTcp = addresses.flatMap((address) => (address.kind === 'tcp' ? [address] : []))
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) {
    const open = overTcp.find((address) => !isLoopback(address))
    if (open === undefined) return undefined
    throw new InvalidArgumentError(
      `${renderAddress(open)} can be reached from elsewhere, and whoever reaches it could use it: give ${FLAGS}, or listen on 127.0.0.1`,
    )
  }
  if (tlsCert === undefined || tlsKey === undefined || tlsClientCa === undefined) {
    const lacking = tlsCert === undefined ? '--tls-cert' : tlsKey === undefined ? '--tls-key' : '--tls-client-ca'
    throw new InvalidArgumentError(`${lacking} is missing: ${FLAGS} go together`)
  }
  if (overTcp.length === 0) throw new InvalidArgumentError(`${FLAGS} are for tcp:// addresses, and none is given`)
  const files = { cert: tlsCert, key: tlsKey, clientCa: tlsClientCa }
  try {
    return { files, material: await loadTls(files, nowMs) }
  } catch (error) {
    throw error instanceof TlsFileError ? new InvalidArgumentError(`${error.message}`) : error
  }
}
