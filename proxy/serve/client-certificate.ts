// What counts of a client's certificate. Never decides whether it may be trusted; TLS has done that before.
import type { X509Certificate } from 'node:crypto'
import type { CertifiedPeer } from '../request/read-request.ts'
import { fingerprint } from './tls-files.ts'

/** Names beyond these bounds do not count: what stands in a line of the audit log is what was judged by. */
const MAX_NAMES = 8
const MAX_NAME = 64

/** The peer whose certificate this is. */
export function certifiedPeer(certificate: X509Certificate): CertifiedPeer {
  const names = namesOf(certificate).filter((name) => name.length <= MAX_NAME)
  const told = { names: names.slice(0, MAX_NAMES), sha256: fingerprint(certificate) }
  return { transport: 'tls', certificate: told, untilMs: Date.parse(certificate.validTo) }
}

/** Its DNS names; its common name only where it has no alternative name of any kind. Source: RFC 6125, section 6.4.4. */
function namesOf(certificate: X509Certificate): readonly string[] {
  if (certificate.subjectAltName !== undefined) return dnsNames(certificate.subjectAltName)
  // Node gives a list where there are several; which of them is meant nobody can tell.
  const name: unknown = certificate.toLegacyObject().subject.CN
  return typeof name === 'string' ? [name] : []
}

/** One alternative name as Node prints it: what has a comma, a quote or a control character in it stands in quotes. */
const ALTERNATIVE = /([A-Za-z0-9 ]+):((?:[^,"]|"(?:[^"\\]|\\.)*")*)(?:, |$)/y

/** The DNS names of a list of alternative names; none where anything in the list is not understood. */
function dnsNames(text: string): readonly string[] {
  const names: string[] = []
  ALTERNATIVE.lastIndex = 0
  while (ALTERNATIVE.lastIndex < text.length) {
    const [, kind, name] = ALTERNATIVE.exec(text) ?? []
    if (kind === undefined || name === undefined) return []
    if (kind === 'DNS') names.push(name)
  }
  return names
}
