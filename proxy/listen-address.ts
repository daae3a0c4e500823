// The addresses on the command line: `unix:///path`, `tcp://host:port`, and a policy with the address it is served at. Nothing is looked
// up and nothing repaired: what could be read in two ways is refused.
import { BlockList, isIPv4, isIPv6, SocketAddress } from 'node:net'

export type TcpAddress = {
  readonly kind: 'tcp'
  /** An IP address as the system writes it, or the name of a host; never `localhost`. */
  readonly host: string
  readonly port: number
}
export type Address = { readonly kind: 'unix'; readonly path: string } | TcpAddress

/** The path of a `unix:///path` address. Throws a sentence that says what is wrong. */
export function parseUnixAddress(text: string): string {
  const path = unixPath(text)
  if (path === undefined) throw new Error(`“${text}” is not an address of the form unix:///path/to/socket`)
  return path
}

/** As `parseUnixAddress`, for what is for this machine alone. */
export function parseMetricsAddress(text: string): string {
  if (text.startsWith('tcp:')) {
    throw new Error(`“${text}”: metrics and health are served at a unix socket alone, such as unix:///run/postern/metrics.sock`)
  }
  return parseUnixAddress(text)
}

function unixPath(text: string): string | undefined {
  const path = /^unix:\/\/(\/[^\0]+)$/.exec(text)?.[1]
  if (path !== undefined && Buffer.byteLength(path) > 107) {
    throw new Error(`“${text}” is longer than the 107 bytes that a unix socket's path can have`)
  }
  return path
}

/** `unix:///path` or `tcp://host:port`. Throws a sentence that says what is wrong. */
export function parseAddress(text: string): Address {
  if (text.startsWith('tcp://')) return parseTcpAddress(text)
  const path = unixPath(text)
  if (path === undefined) {
    throw new Error(`“${text}” is not an address of the form tcp://127.0.0.1:2375 or unix:///path/to/socket`)
  }
  return { kind: 'unix', path }
}

function parseTcpAddress(text: string): TcpAddress {
  const [, host, digits = ''] = /^tcp:\/\/([^:[\]]*|\[[^[\]]*\]):([^:[\]]*)$/.exec(text) ?? []
  if (host === undefined) {
    throw new Error(`“${text}” is not an address of the form tcp://host:port, such as tcp://127.0.0.1:2375 or tcp://[::1]:2375`)
  }
  const port = /^[1-9]\d{0,4}$/.test(digits) ? Number(digits) : 0
  if (port < 1 || port > 65_535) throw new Error(`“${text}”: “${digits}” is not a port; it is a number from 1 to 65535`)
  if (host === '') {
    throw new Error(`“${text}” names no host: it is 127.0.0.1 for this machine alone, or 0.0.0.0 for all its networks, with TLS`)
  }
  return { kind: 'tcp', host: host.startsWith('[') ? parseIpv6(text, host.slice(1, -1)) : parseHost(text, host), port }
}

function parseIpv6(text: string, given: string): string {
  // A zone belongs to one machine's interfaces, and link-local clients have no business here.
  if (!isIPv6(given) || given.includes('%')) throw new Error(`“${text}”: “${given}” is not an IPv6 address`)
  const { address } = new SocketAddress({ address: given, family: 'ipv6' })
  if (address.startsWith('::ffff:')) throw new Error(`“${text}”: write the IPv4 address itself, as in tcp://127.0.0.1:2375`)
  return address
}

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?'
const HOST_NAME = new RegExp(`^${LABEL}(?:\\.${LABEL})*$`)

function parseHost(text: string, given: string): string {
  if (isIPv4(given)) return given
  const name = given.toLowerCase()
  // Whatever the resolver would make of it: this name means one address and no other.
  if (name === 'localhost') return '127.0.0.1'
  // A name that ends in a number is an IPv4 address in another spelling: `127.1`, `0177.0.0.1`, `2130706433`, `0x7f000001`.
  if (!HOST_NAME.test(name) || name.length > 253 || /(?:^|\.)(?:\d+|0x[0-9a-f]*)$/.test(name)) {
    throw new Error(`“${text}”: “${given}” is neither a host name nor an IPv4 address of four plain numbers`)
  }
  return name
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

/** Nobody but this machine can connect to it. What a name means is not asked: it is taken for one that others can reach. */
export function isLoopback({ host }: TcpAddress): boolean {
  return (isIPv4(host) && LOOPBACK.check(host, 'ipv4')) || (isIPv6(host) && LOOPBACK.check(host, 'ipv6'))
}

/** As it is written on the command line; two addresses that are the same are written the same. */
export function renderAddress(address: Address): string {
  if (address.kind === 'unix') return `unix://${address.path}`
  return `tcp://${isIPv6(address.host) ? `[${address.host}]` : address.host}:${address.port}`
}

export type Serving = { readonly policyFile: string; readonly address: Address }

/** `POLICY@LISTEN`, such as `policies/healer.yaml@unix:///run/postern/healer.sock`. */
export function parseServing(text: string): Serving {
  const at = text.lastIndexOf('@')
  if (at < 1) throw new Error(`“${text}” is not POLICY@LISTEN, such as healer.yaml@unix:///run/postern/healer.sock`)
  return { policyFile: text.slice(0, at), address: parseAddress(text.slice(at + 1)) }
}
