// Before anything of a request is read: whether who sent it may use this address at all. Over a unix socket the file's mode has
// decided that. Pure.
import type { CertifiedPeer, RequestHead } from './read-request.ts'
import { type Refusal, refuse } from './refusal.ts'

/** Refuses a request to the address of `client` that came over TCP from somebody else. `nowMs` is in milliseconds since 1970. */
export function checkPeer({ peer, rawHeaders }: RequestHead, client: string, nowMs: number): Refusal | undefined {
  if (peer === undefined) return undefined
  return peer.transport === 'tls' ? checkCertificate(peer, client, nowMs) : checkHost(rawHeaders)
}

/** One authority signs for several clients; each is let in where its own policy is served, and nowhere else. */
function checkCertificate({ certificate, untilMs }: CertifiedPeer, client: string, nowMs: number): Refusal | undefined {
  const { names } = certificate
  if (!names.includes(client)) {
    const says = names.length === 0 ? 'no DNS name' : `“${names.join('”, “')}”`
    return refuse(
      403,
      'request.certificate',
      `the client's certificate has ${says}; here it has to have the DNS name “${client}”`,
    )
  }
  // A connection may outlive the certificate that it was made with.
  if (!(nowMs < untilMs)) return refuse(403, 'request.certificate', "the client's certificate has ended; it needs a new one")
  return undefined
}

/** With or without a port. */
const OWN_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d{1,5})?$/i

/**
 * A page in a browser on this machine can reach its loopback address under a name of the page's own (DNS rebinding); such a request has
 * neither `Origin` nor `Sec-Fetch-…`, and the name is what gives it away.
 */
function checkHost(rawHeaders: readonly string[]): Refusal | undefined {
  const isOther = rawHeaders.some(
    (name, i) => i % 2 === 0 && name.toLowerCase() === 'host' && !OWN_HOST.test(rawHeaders[i + 1] ?? ''),
  )
  if (!isOther) return undefined
  return refuse(
    403,
    'request.browser',
    'the header host is not localhost, 127.0.0.1 or [::1]; no page under a name of its own has business here',
  )
}
