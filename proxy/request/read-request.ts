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
}

/** Reads `head` as a request of the Engine API. Total: whatever comes in, the outcome is one of the two. */
export function readRequest(head: RequestHead): ApiRequest | Refusal {
  const header = checkHeaders(head.rawHeaders)
  if (header) return header

  const { path, query: rawQuery } = split(head.target)
  if (!isPlainPath(path)) {
    return refuse(400, 'request.target', 'the path is not a plain path of the Engine API (no encoding, no empty or dot segment)')
  }
  const versioned = takeVersion(path.slice(1).split('/'))
  if ('verdict' in versioned) return versioned

  const matched = matchOperation(head.method, versioned.segments)
  if ('verdict' in matched) return matched

  const query = readQuery(rawQuery, matched.operation)
  if ('verdict' in query) return query
  return { ...matched, query, ...(versioned.version === undefined ? {} : { version: versioned.version }) }
}

const SINGLE_HEADERS = ['host', 'content-length', 'content-type', 'connection', 'transfer-encoding']

/** Source: RFC 9110, section 5.1. Older parsers hand over a name with the space before its colon. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9a-z-]+$/

/** Nothing of the headers is forwarded; what is refused here would mean something to the Engine or comes from a browser. */
function checkHeaders(rawHeaders: readonly string[]): Refusal | undefined {
  const seen = new Map<string, string>()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? ''
    if (!TOKEN.test(name)) return refuse(400, 'request.header', 'the name of a header is none')
    if (seen.has(name) && SINGLE_HEADERS.includes(name)) return refuse(400, 'request.header', `the header ${name} is given twice`)
    if (name === 'origin' || name.startsWith('sec-')) {
      return refuse(403, 'request.browser', 'the request comes from a browser; no page has business here')
    }
    seen.set(name, rawHeaders[i + 1] ?? '')
  }
  if (seen.has('upgrade')) return refuse(403, 'request.upgrade', 'no operation that is open here upgrades its connection')
  if (seen.has('expect')) return refuse(400, 'request.header', 'the header expect is not taken')
  const connection = seen.get('connection')?.trim().toLowerCase()
  if (connection !== undefined && connection !== 'close' && connection !== 'keep-alive') {
    return refuse(400, 'request.header', 'the header connection takes close or keep-alive')
  }
  const length = seen.get('content-length')
  if (seen.has('transfer-encoding') || (length !== undefined && length !== '0')) {
    return refuse(400, 'request.body', 'the request has a body, and no operation that is open here takes one')
  }
  return undefined
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
  for (const operation of LITERAL_FIRST) {
    const at = matchPath(operation.path, segments)
    if (at === undefined) continue
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

/** As in the Engine, `/images/search` is the search, not the image of that name. */
const LITERAL_FIRST = [...CATALOGUE].sort((a, b) => Number(a.path.some(isName)) - Number(b.path.some(isName)))

/** How many segments more than `path` has the request has, all of which belong to the reference in it; `undefined`: no match. */
function matchPath(path: readonly string[], segments: readonly string[]): number | undefined {
  const extra = segments.length - path.length
  const reference = path.findIndex(isReference)
  if (extra < 0 || (extra > 0 && reference < 0)) return undefined
  const fits = path.every((part, i) => isName(part) || part === segments[i > reference && reference >= 0 ? i + extra : i])
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
