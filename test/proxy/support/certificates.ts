// Certificates for tests, made on the spot: an authority, and what it signs. DER is written by hand, since Node reads certificates and makes
// none, and a test wants odd ones: ended, for another purpose, with names that no tool would write.
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'

const der = (tag: number, ...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts)
  const length = body.length
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 255]
  return Buffer.concat([Buffer.from([tag, ...size]), body])
}
const sequence = (...parts: readonly Buffer[]) => der(0x30, ...parts)
const utf8 = (text: string) => der(0x0c, Buffer.from(text))
const hex = (text: string) => Buffer.from(text, 'hex')
const oid = (encoded: string) => der(0x06, hex(encoded))
const time = (ms: number) => der(0x18, Buffer.from(`${new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')}`))
const TRUE = der(0x01, hex('ff'))

const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'))
const COMMON_NAME = oid('550403')
const BASIC_CONSTRAINTS = oid('551d13')
const ALTERNATIVE_NAMES = oid('551d11')
const EXTENDED_KEY_USAGE = oid('551d25')
export const PURPOSES = { server: '2b06010505070301', client: '2b06010505070302' } as const

export type Alternative = { readonly dns: string } | { readonly uri: string } | { readonly ip: readonly number[] }
export type CertificateOptions = {
  /** Common names; one by default. */
  readonly commonNames?: readonly string[]
  readonly alternatives?: readonly Alternative[]
  readonly purpose?: keyof typeof PURPOSES
  readonly isAuthority?: boolean
  /** Milliseconds since 1970. */
  readonly from?: number
  readonly until?: number
}

/** A certificate and its key, as PEM. */
export type Certified = { readonly cert: string; readonly key: string; readonly sha256: string }
export type Authority = Certified & { readonly sign: (options?: CertificateOptions) => Certified }

const HOUR_MS = 3_600_000

const nameOf = (commonNames: readonly string[]) =>
  sequence(...commonNames.map((name) => der(0x31, sequence(COMMON_NAME, utf8(name)))))

function alternativeOf(name: Alternative): Buffer {
  if ('dns' in name) return der(0x82, Buffer.from(name.dns, 'latin1'))
  return 'uri' in name ? der(0x86, Buffer.from(name.uri, 'latin1')) : der(0x87, Buffer.from(name.ip))
}

function extensionsOf({ alternatives, purpose, isAuthority }: CertificateOptions): Buffer {
  const extensions = [
    ...(isAuthority ? [sequence(BASIC_CONSTRAINTS, TRUE, der(0x04, sequence(TRUE)))] : []),
    ...(alternatives ? [sequence(ALTERNATIVE_NAMES, der(0x04, sequence(...alternatives.map(alternativeOf))))] : []),
    ...(purpose ? [sequence(EXTENDED_KEY_USAGE, der(0x04, sequence(oid(PURPOSES[purpose]))))] : []),
  ]
  return extensions.length === 0 ? Buffer.alloc(0) : der(0xa3, sequence(...extensions))
}

type Signer = { readonly name: Buffer; readonly key: KeyObject }

function certify(options: CertificateOptions, signer?: Signer): { readonly made: Certified; readonly signer: Signer } {
  const { commonNames = ['a name'], from = Date.now() - HOUR_MS, until = Date.now() + HOUR_MS } = options
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const own = { name: nameOf(commonNames), key: privateKey }
  const by = signer ?? own
  const toSign = sequence(
    der(0xa0, der(0x02, hex('02'))),
    der(0x02, Buffer.concat([hex('01'), randomBytes(8)])),
    ECDSA_WITH_SHA256,
    by.name,
    sequence(time(from), time(until)),
    own.name,
    publicKey.export({ type: 'spki', format: 'der' }),
    extensionsOf(options),
  )
  const whole = sequence(toSign, ECDSA_WITH_SHA256, der(0x03, hex('00'), sign('sha256', toSign, by.key)))
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? []
  const cert = ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
  const key = String(privateKey.export({ type: 'pkcs8', format: 'pem' }))
  return { made: { cert, key, sha256: createHash('sha256').update(whole).digest('hex') }, signer: own }
}

/** Signs for whoever is asked for. */
export function createAuthority(options: CertificateOptions = {}): Authority {
  const { made, signer } = certify({ commonNames: ['an authority'], isAuthority: true, ...options })
  return { ...made, sign: (asked = {}) => certify(asked, signer).made }
}

/** What the authority signs for a client of this name. */
export const clientOf = (authority: Authority, name: string): Certified =>
  authority.sign({ alternatives: [{ dns: name }], purpose: 'client' })

/** What the authority signs for a server on the loopback address. */
export const serverOf = (authority: Authority): Certified =>
  authority.sign({ alternatives: [{ dns: 'localhost' }, { ip: [127, 0, 0, 1] }], purpose: 'server' })
