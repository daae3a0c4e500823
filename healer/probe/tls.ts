// What a probe over TLS trusts. A file of authorities is read anew for each probe, so that it can be replaced.
import { X509Certificate } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Scheme } from '../settings/probe-settings.ts'

export type TlsSettings = {
  readonly scheme: Scheme
  readonly hostname: string | undefined
  readonly caFile: string | undefined
  readonly tlsVerify: boolean
}

/** As `node:tls` has them. */
export type TlsOptions = {
  readonly servername: string
  readonly rejectUnauthorized: boolean
  readonly ca?: string
}

/** So much is too much. */
const MAX_CA_BYTES = 1024 * 1024

/** The options to connect with; or, in words, what is wrong on the healer's side. */
export async function loadTls({ scheme, hostname, caFile, tlsVerify }: TlsSettings): Promise<TlsOptions | string> {
  // Without a name none is sent, and the certificate has to be for the address.
  const options = { servername: hostname ?? '', rejectUnauthorized: tlsVerify }
  if (scheme === 'http' || !tlsVerify || caFile === undefined) return options
  try {
    const ca = await readCertificates(caFile)
    return typeof ca === 'string' ? { ...options, ca } : `healer.ca_file is “${caFile}”, which holds no certificate`
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return `healer.ca_file is “${caFile}”, which the healer cannot read: ${code}; mount it into the healer's container`
  }
}

async function readCertificates(file: string): Promise<string | undefined> {
  const found = await stat(file)
  if (!found.isFile()) return undefined
  // Whatever size it says that it has: files of /proc say 0, and some have no end.
  const pieces: Buffer[] = []
  for await (const piece of createReadStream(file, { end: MAX_CA_BYTES - 1 })) pieces.push(piece)
  const bytes = Buffer.concat(pieces)
  if (bytes.length === MAX_CA_BYTES) return undefined
  const text = bytes.toString()
  // Node takes whatever is given for a list of authorities and trusts nobody.
  const isCertificate = text.includes('-----BEGIN CERTIFICATE-----') && canParse(text)
  return isCertificate ? text : undefined
}

function canParse(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined
  } catch {
    return false
  }
}
