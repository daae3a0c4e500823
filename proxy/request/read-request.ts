// Step 1, read: a request's head becomes an `ApiRequest` or a refusal. Pure; never asks the Engine, never repairs.
import { type ApiRequest, type ApiVersion, apiVersion, type ContainerRef, parseContainerRef } from './api-request.ts'
import { API_MINOR_MAX, API_MINOR_MIN, CATALOGUE, type CatalogueOperation } from './catalogue.ts'
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

  const match = matchOperation(head.method, versioned.segments)
  if ('verdict' in match) return match

  const query = readQuery(rawQuery, match.operation)
  if ('verdict' in query) return query
  return {
    operation: match.operation,
    query,
    ...(match.container === undefined ? {} : { container: match.container }),
    ...(versioned.version === undefined ? {} : { version: versioned.version }),
  }
}

const SINGLE_HEADERS = ['host', 'content-length', 'content-type', 'connection', 'transfer-encoding']

/** Nothing of the headers is forwarded; what is refused here would mean something to the Engine or comes from a browser. */
function checkHeaders(rawHeaders: readonly string[]): Refusal | undefined {
  const seen = new Map<string, string>()
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? ''
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
  if (path.length > 1024 || !/^(?:\/[A-Za-z0-9_.-]+)+$/.test(path)) return false
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

function matchOperation(
  method: string,
  segments: readonly string[],
): { operation: CatalogueOperation; container?: ContainerRef } | Refusal {
  for (const operation of CATALOGUE) {
    if (operation.method !== method) continue
    const template = operation.path.slice(1).split('/')
    const container = matchTemplate(template, segments)
    if (container === false) continue
    if (container === undefined) return { operation }
    const ref = parseContainerRef(container)
    if (ref === undefined) return refuse(400, 'request.path', 'the container is not named by a name or an id')
    return { operation, container: ref }
  }
  return refuse(403, 'operation.unknown', 'no operation of the Engine API that a policy of this proxy can allow')
}

/** `false`: no match. Otherwise the segment that stands for `{id}`, if the template has one. */
function matchTemplate(template: readonly string[], segments: readonly string[]): string | undefined | false {
  if (template.length !== segments.length) return false
  let container: string | undefined
  for (const [i, part] of template.entries()) {
    if (part === '{id}') container = segments[i]
    else if (part !== segments[i]) return false
  }
  return container
}
