// The files that make TLS: the proxy's certificate and key, and the authorities whose signature a client's certificate needs. What cannot
// work is told by file before anything is served with it.
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'

export type TlsFiles = {
  /** The proxy's certificate, and those between it and its authority. */
  readonly cert: string
  readonly key: string
  readonly clientCa: string
}

/** What was in the files, as PEM, and found to fit together. */
export type TlsMaterial = {
  readonly cert: string
  readonly key: string
  readonly ca: string
  /** The fingerprint of the proxy's certificate, in hexadecimal digits. */
  readonly sha256: string
  /** When it ends, in milliseconds since 1970. */
  readonly untilMs: number
}

/** Something is wrong with one of the files; the message says what to do. */
export class TlsFileError extends Error {
  override name = 'TlsFileError'
}

/** Reads the files. Throws `TlsFileError`. `nowMs` is in milliseconds since 1970. */
export async function loadTls(files: TlsFiles, nowMs: number): Promise<TlsMaterial> {
  const [cert, key, ca] = await Promise.all([files.cert, files.key, files.clientCa].map(read))
  if (cert === undefined || key === undefined || ca === undefined) throw new Error('three files were read')
  const [own] = certificatesIn(files.cert, cert)
  if (!own?.checkPrivateKey(privateKeyIn(files.key, key))) {
    throw new TlsFileError(`${files.key}: it is not the key of the first certificate in ${files.cert}`)
  }
  const ended = whyNotNow(own, nowMs)
  if (ended !== undefined) throw new TlsFileError(`${files.cert}: the certificate ${ended}`)
  checkAuthorities(files.clientCa, certificatesIn(files.clientCa, ca), nowMs)
  const material = { cert, key, ca, sha256: fingerprint(own), untilMs: Date.parse(own.validTo) }
  try {
    createSecureContext(secureOptions(material))
  } catch (error) {
    throw new TlsFileError(`${files.cert}, ${files.key}: they cannot be used for TLS: ${(error as Error).message}`)
  }
  return material
}

/** SHA-256 of the whole certificate, in hexadecimal digits. */
export function fingerprint({ fingerprint256 }: X509Certificate): string {
  return fingerprint256.replaceAll(':', '').toLowerCase()
}

/** For TLS contexts of the proxy's. */
export function secureOptions({ cert, key, ca }: TlsMaterial) {
  return { cert, key, ca, minVersion: 'TLSv1.2' } as const
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') throw new TlsFileError(`${file}: there is no such file`)
    const who = process.getuid === undefined ? '' : ` by user ${process.getuid()}, whom the proxy runs as`
    throw new TlsFileError(`${file}: it cannot be read${who} (${code})`)
  }
}

function certificatesIn(file: string, text: string): readonly X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? []
  if (blocks.length === 0)
    throw new TlsFileError(`${file}: there is no certificate in it (PEM, from -----BEGIN CERTIFICATE----- on)`)
  return blocks.map((block, i) => {
    try {
      return new X509Certificate(block)
    } catch {
      throw new TlsFileError(`${file}: certificate ${i + 1} in it cannot be read; is the file whole?`)
    }
  })
}

function privateKeyIn(file: string, text: string): KeyObject {
  try {
    return createPrivateKey(text)
  } catch {
    throw new TlsFileError(`${file}: there is no private key in it that can be read (PEM, without a passphrase)`)
  }
}

function checkAuthorities(file: string, authorities: readonly X509Certificate[], nowMs: number): void {
  const other = authorities.findIndex(({ ca }) => !ca)
  if (other >= 0) {
    throw new TlsFileError(
      `${file}: certificate ${other + 1} in it is not an authority’s (basicConstraints CA:TRUE); name here who signs for clients`,
    )
  }
  const reasons = authorities.map((authority) => whyNotNow(authority, nowMs))
  // An old one beside the one that follows it is no mistake.
  if (!reasons.includes(undefined)) throw new TlsFileError(`${file}: no authority in it is valid now; the first ${reasons[0]}`)
}

function whyNotNow({ validFrom, validTo }: X509Certificate, nowMs: number): string | undefined {
  if (!(Date.parse(validFrom) <= nowMs)) return `is not valid before ${validFrom}; is the clock right?`
  if (!(nowMs < Date.parse(validTo))) return `ended on ${validTo}; make a new one`
  return undefined
}
