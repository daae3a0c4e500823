// Step 1, read: a request's head becomes an `ApiRequest` or a refusal. Pure; never asks the Engine, never repairs.
import {
  type ApiRequest,
  type ApiVersion,
  apiVersion,
  type ContainerRef,
  type ObjectName,
  parseContainerRef,
  parseObjectName,
} from './api-request.ts'
import { API_MINOR_MAX, API_MINOR_MIN, CATALOGUE, type Operation } from './catalogue.ts'
import { readQuery } from './read-query.ts'
import { type Refusal, refuse } from './refusal.ts'

/** A request's head as Node's parser hands it over. */
export type RequestHead = {
  readonly method: string
  /** The request target as sent. */
  readonly target: string
  /** Names and values in turn, as sent. */
  readonly rawHeaders: readonly string[]
  /** Who sent it, where it came over TCP. */
  readonly peer?: Peer
  /** Who the Engine says has sent it, where it is asked about as an authorization plugin. */
  readonly user?: string
}

/** The other end of a connection over TCP, as far as it is known. */
export type Peer = { readonly transport: 'tcp' } | CertifiedPeer
export type CertifiedPeer = {
  readonly transport: 'tls'
  readonly certificate: ClientCertificate
  /** When the certificate ends, in milliseconds since 1970. */
  readonly untilMs: number
}

/** A certificate that an authority of the operator's has signed. */
export type ClientCertificate = {
  /** Those that count, bounded. */
  readonly names: readonly string[]
  /** Of the whole certificate, in hexadecimal digits. */
  readonly sha256: string
}

/** Reads `head` as a request of the Engine API. Total: whatever comes in, the outcome is one of the two. */
export function readRequest(head: RequestHead): ApiRequest | Refusal {
  const headers = readHeaders(head.rawHeaders)
  if ('verdict' in headers) return headers

  const { path, query: rawQuery } = split(head.target)
  if (!isPlainPath(path)) {
    return refuse(400, 'request.target', 'the path is not a plain path of the Engine API (no encoding, no empty or dot segment)')
  }
  const versioned = takeVersion(path.slice(1).split('/'))
  if ('verdict' in versioned) return versioned

  const matched = matchOperation(head.method, versioned.segments)
  if ('verdict' in matched) return matched

  const asked = readQuery(rawQuery, matched.operation)
  if ('verdict' in asked) return asked
  const beyond = readBeyondHead(headers, matched.operation)
  if ('verdict' in beyond) return beyond
  return {
    ...matched,
    ...beyond,
    ...asked,
    ...(versioned.version === undefined ? {} : { version: versioned.version }),
  }
}

const SINGLE_HEADERS = ['host', 'content-length', 'content-type', 'connection', 'transfer-encoding', 'upgrade']

/** Source: RFC 9110, section 5.1. Older parsers hand over a name with the space before its colon. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/

type Headers = ReadonlyMap<string, readonly string[]>

/** By their names in lower case. What is refused here would mean something to the Engine, or comes from a browser. */
function readHeaders(rawHeaders: readonly string[]): Headers | Refusal {
  const seen = new Map<string, string[]>()
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? ''
    if (!TOKEN.test(name)) return refuse(400, 'request.header', 'the name of a header is none')
    if (seen.has(name) && SINGLE_HEADERS.includes(name)) return refuse(400, 'request.header', `the header ${name} is given twice`)
    if (name === 'origin' || name.startsWith('sec-')) {
      return refuse(403, 'request.browser', 'the request comes from a browser; no page has business here')
    }
    seen.set(name, [...(seen.get(name) ?? []), rawHeaders[i + 1] ?? ''])
  }
  if (seen.has('expect')) return refuse(400, 'request.header', 'the header expect is not taken')
  const connection = firstOf(seen, 'connection')
  if (
    connection !== undefined &&
    !(connection === 'upgrade' ? seen.has('upgrade') : ['close', 'keep-alive'].includes(connection))
  )
    return refuse(400, 'request.header', 'the header connection takes close or keep-alive, or upgrade where there is one')
  return seen
}

function firstOf(headers: Headers, name: string): string | undefined {
  return headers.get(name)?.[0]?.trim().toLowerCase()
}

/** What of the headers says that more than a head is meant: a body, an upgrade, and what the operation itself takes. */
function readBeyondHead(headers: Headers, operation: Operation): Pick<ApiRequest, 'headers' | 'upgrade' | 'announced'> | Refusal {
  const upgrade = firstOf(headers, 'upgrade')
  if (upgrade !== undefined && (upgrade !== operation.protocol || firstOf(headers, 'connection') !== 'upgrade')) {
    const takes = operation.protocol === undefined ? 'does not upgrade its connection' : `upgrades only to ${operation.protocol}`
    return refuse(403, 'request.upgrade', `${operation.id} ${takes}`)
  }
  const announced = readAnnounced(headers, operation, upgrade !== undefined)
  if (announced && 'verdict' in announced) return announced
  const taken = operation.headers.flatMap((name) => {
    const values = headers.get(name)
    return values === undefined ? [] : [[name, values] as const]
  })
  if (taken.some(([, values]) => !values.every((value) => PRINTABLE.test(value))))
    return refuse(400, 'request.header', `${operation.id} takes only printable ASCII in its headers`)
  return { headers: new Map(taken), upgrade: upgrade !== undefined, ...(announced ? { announced } : {}) }
}

const PRINTABLE = /^[\x20-\x7e]*$/

/** The body that the headers announce; `undefined`: none. */
function readAnnounced(headers: Headers, { id, body }: Operation, isUpgrade: boolean): ApiRequest['announced'] | Refusal {
  const [length, transfer] = [firstOf(headers, 'content-length'), headers.has('transfer-encoding')]
  if (!transfer && (length === undefined || length === '0')) return undefined
  if (body === undefined) return refuse(400, 'request.body', `the request has a body, and ${id} takes none`)
  if (transfer && isUpgrade) return refuse(400, 'request.body', 'a body in chunks cannot stand before an upgrade')
  const type = firstOf(headers, 'content-type')?.split(';', 1)[0]?.trim()
  if (body !== 'tar' && type !== 'application/json')
    return refuse(400, 'request.body', `${id} takes a body of content-type application/json`)
  return transfer ? {} : { bytes: Number(length) }
}

function split(target: string): { path: string; query: string } {
  const mark = target.indexOf('?')
  return mark < 0 ? { path: target, query: '' } : { path: target.slice(0, mark), query: target.slice(mark + 1) }
}

/** `/a/b`: no `%`, no empty, `.` or `..` segment, no trailing slash, only the characters that Engine paths need. */
function isPlainPath(path: string): boolean {
  if (path.length > 1024 || !/^(?:\/[A-Za-z0-9_.:@-]+)+$/.test(path)) return false
  return !path.split('/').some((segment) => segment === '.' || segment === '..')
}

function takeVersion(segments: readonly string[]): { version?: ApiVersion; segments: readonly string[] } | Refusal {
  const first = segments[0] ?? ''
  if (!/^v\d/.test(first)) return { segments }
  const minor = Number(/^v1\.([1-9]\d)$/.exec(first)?.[1])
  if (!(minor >= API_MINOR_MIN && minor <= API_MINOR_MAX)) {
    return refuse(400, 'request.version', `the API version is not one of v1.${API_MINOR_MIN} to v1.${API_MINOR_MAX}`)
  }
  return { version: apiVersion(minor), segments: segments.slice(1) }
}

type Matched = Pick<ApiRequest, 'operation' | 'container' | 'names'>
type Names = { readonly container?: ContainerRef; readonly names: ReadonlyMap<string, ObjectName> }

function matchOperation(method: string, segments: readonly string[]): Matched | Refusal {
  const otherMethods: Operation[] = []
  for (const route of ROUTES.get(segments[0] ?? '') ?? []) {
    const at = matchPath(route, segments)
    if (at === undefined) continue
    const { operation } = route
    if (operation.method !== method) {
      otherMethods.push(operation)
      continue
    }
    const named = readNames(operation.path, segments, at)
    return named === undefined
      ? refuse(400, 'request.path', `${operation.id}: what the path names is no name or id`)
      : { operation, ...named }
  }
  const elsewhere = otherMethods.map(({ id, method }) => `${method} is ${id}`).join(', ')
  const hint = elsewhere === '' ? '' : `; on this path ${elsewhere}`
  return refuse(403, 'operation.unknown', `the request is no operation of the Engine API that a policy can name${hint}`)
}

const isName = (part: string) => part.startsWith('{')
/** Names of images and plugins have slashes. */
const isReference = (part: string) => part === '{image}' || part === '{plugin}'

/** `reference`: which segment is one, below 0 where none is. */
type Route = { readonly operation: Operation; readonly reference: number }

/** By the first segment, which is no name in any. No request fits two of the same method, whatever it names. */
const ROUTES: ReadonlyMap<string, readonly Route[]> = routesOf(CATALOGUE)

function routesOf(operations: readonly Operation[]): ReadonlyMap<string, readonly Route[]> {
  const routes = new Map<string, Route[]>()
  for (const operation of operations) {
    const [section = ''] = operation.path
    const route = { operation, reference: operation.path.findIndex(isReference) }
    routes.set(section, [...(routes.get(section) ?? []), route])
  }
  return routes
}

/** How many segments more than the route the request has, all of which belong to the reference in it; `undefined`: no match. */
function matchPath({ operation: { path }, reference }: Route, segments: readonly string[]): number | undefined {
  const extra = segments.length - path.length
  if (extra < 0 || (extra > 0 && reference < 0)) return undefined
  const fits = path.every((part, i) => isName(part) || part === segments[i > reference ? i + extra : i])
  return fits ? extra : undefined
}

/** What stands for the names in `path`; `undefined` where one of them is no name. */
function readNames(path: readonly string[], segments: readonly string[], extra: number): Names | undefined {
  let container: ContainerRef | undefined
  const names = new Map<string, ObjectName>()
  for (const [i, part] of path.entries()) {
    if (!isName(part)) continue
    if (part === '{container}') {
      container = parseContainerRef(segments[i] ?? '')
      if (container === undefined) return undefined
      continue
    }
    const name = parseObjectName(segments.slice(i, i + 1 + (isReference(part) ? extra : 0)), isReference(part))
    if (name === undefined) return undefined
    names.set(part.slice(1, -1), name)
  }
  return { names, ...(container === undefined ? {} : { container }) }
}
