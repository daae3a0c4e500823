// The chain of the audit log: each line holds the hash of the line before, and a seal signs where the chain has come to with a key
// that is used once. Pure. What was sealed cannot be rewritten by whoever takes the proxy over later: the keys are gone.
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'

/** SHA-256 in hexadecimal digits. */
export type Hash = string

/** The hash that the first line of a log holds. */
export const NO_LINE: Hash = '0'.repeat(64)

/** The hash of a line's bytes, without its newline. */
export function hashLine(line: string): Hash {
  return createHash('sha256').update(line, 'latin1').digest('hex')
}

/** An Ed25519 key pair, to sign one seal with. Both parts are base64url of the raw 32 bytes. */
export type SealKey = { readonly public: string; readonly secret: string }

export function makeSealKey(): SealKey {
  const { privateKey } = generateKeyPairSync('ed25519')
  // Source: RFC 8037, section 2.
  const { x, d } = privateKey.export({ format: 'jwk' }) as { readonly x: string; readonly d: string }
  return { public: x, secret: d }
}

/** Whether `value`, of a line, is the public part of one. */
export function isSealKey(value: unknown): value is string {
  return typeof value === 'string' && /^[\w-]{43}$/.test(value)
}

const CONTEXT = 'postern audit seal 1\n'

/** A seal's line signed by `key`: `line` is the line with an empty `sig`, its last field. Source: RFC 8032. */
export function signSeal(line: string, key: SealKey): string {
  const words = line.slice(0, -withSignature('', '').length)
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: key.public, d: key.secret }
  const signature = sign(null, Buffer.from(CONTEXT + words), createPrivateKey({ key: jwk, format: 'jwk' }))
  return withSignature(words, signature.toString('base64url'))
}

/** Whether a seal's line is signed by the key `by`, to the last byte. */
export function isSignedSeal(line: string, by: string): boolean {
  const words = line.slice(0, -withSignature('', NO_SIGNATURE).length)
  const signature = Buffer.from(line.slice(-NO_SIGNATURE.length - 2, -2), 'base64url')
  if (line !== withSignature(words, signature.toString('base64url'))) return false
  try {
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: by }, format: 'jwk' })
    return verify(null, Buffer.from(CONTEXT + words), key, signature)
  } catch {
    return false
  }
}

function withSignature(words: string, signature: string): string {
  return `${words},"sig":"${signature}"}`
}
const NO_SIGNATURE = '-'.repeat(86)

/** A log is known by its first key: this is what to write down, and what a metric shows. */
export function fingerprint(firstKey: string): string {
  return `sha256:${createHash('sha256').update(Buffer.from(firstKey, 'base64url')).digest('hex').slice(0, 32)}`
}
