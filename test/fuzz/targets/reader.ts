// The request reader, held against a reading of its own, which knows the same table of operations and is written otherwise: with a regular
// expression for each path, and what Node has for queries. Each takes what the other takes, and finds the same in it.
import fc from 'fast-check'
import { requestPath } from '../../../proxy/engine/forward.ts'
import { decide } from '../../../proxy/policy/decide.ts'
import type { ApiRequest, QueryValue } from '../../../proxy/request/api-request.ts'
import { CATALOGUE, type Operation, type QueryType } from '../../../proxy/request/catalogue.ts'
import { readRequest } from '../../../proxy/request/read-request.ts'
import { inspected, NOW_MS } from '../../proxy/support/deciding.ts'
import { everythingPolicy } from '../../proxy/support/everything.ts'
import { policyOf } from '../../proxy/support/policies.ts'
import { edited } from '../edits.ts'
import { checkRefusal } from '../refusal.ts'
import { defineTarget, must } from '../target.ts'

// ── Requests as they should be ──────────────────────────────────────────────────────────────────────────────────────

const NAMES = ['web', 'db-1', 'a', '0'.repeat(64), 'json', 'prune', 'search', 'ws', 'v1.45', 'a.b_c', 'x'.repeat(255)]
const REFERENCES = ['nginx', 'library/nginx:1.27', 'localhost:5000/a/b', `a@sha256:${'0'.repeat(64)}`, 'a/json', 'a/tag']

/** Texts that a query key of this type takes, as they are meant. */
function textsFor(type: QueryType): fc.Arbitrary<string> {
  switch (type) {
    case 'boolean':
      return fc.constantFrom('true', 'false', '1', '0')
    case 'integer':
      return fc.integer({ min: -999_999_999, max: 999_999_999 }).map(String)
    case 'container':
      return fc.constantFrom(...NAMES)
    case 'path':
      return fc.constantFrom('/etc', '/', 'a b', '/x/..y', '/é')
    case 'text':
      return fc.string({ unit: 'grapheme', maxLength: 40 })
    default:
      return fc
        .dictionary(
          fc.constantFrom(...Object.keys(type)),
          fc.oneof(
            fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 3 }),
            fc.dictionary(fc.string({ unit: 'grapheme' }), fc.constant(true), { maxKeys: 3 }),
          ),
        )
        .map((filters) => JSON.stringify(filters))
  }
}

const rightFor = (operation: Operation) =>
  fc
    .record({
      version: fc.option(fc.integer({ min: 24, max: 56 }), { freq: 2 }),
      names: fc.tuple(...operation.path.map((part) => nameFor(part))),
      query: fc
        .subarray(Object.entries(operation.query))
        .chain((keys) =>
          fc.tuple(...keys.map(([key, type]) => textsFor(type).map((text) => `${key}=${encodeURIComponent(text)}`))),
        ),
    })
    .map(({ version, names, query }) => {
      const path = [...(version === null ? [] : [`v1.${version}`]), ...names].join('/')
      return { operation, target: `/${path}${query.length > 0 ? `?${query.join('&')}` : ''}` }
    })

function nameFor(part: string): fc.Arbitrary<string> {
  if (part === '{image}' || part === '{plugin}') return fc.constantFrom(...REFERENCES)
  return part.startsWith('{') ? fc.constantFrom(...NAMES) : fc.constant(part)
}

const right = fc.oneof(...CATALOGUE.map(rightFor))

// ── The reading of its own ──────────────────────────────────────────────────────────────────────────────────────────

const NAME = '[a-zA-Z0-9][\\w.-]{0,254}'
const SEGMENT = '[a-zA-Z0-9](?:[\\w.:@-]{0,253}[\\w.-])?'
const PATTERNS = CATALOGUE.map((operation) => {
  const parts = operation.path.map((part) => {
    if (part === '{image}' || part === '{plugin}') return `(${SEGMENT}(?:/${SEGMENT})*)`
    return part.startsWith('{') ? `(${NAME})` : part.replace(/\W/g, '\\$&')
  })
  return { operation, pattern: new RegExp(`^/${parts.join('/')}$`) }
}).sort((a, b) => a.pattern.source.split('(').length - b.pattern.source.split('(').length)

const VERSION = /^\/v1\.(2[4-9]|[34]\d|5[0-6])(?=\/)/

/** What a request line says: the operation, the names in the path, the texts of the query. `undefined`: nothing that is known. */
function understand(method: string, target: string) {
  const url = new URL(`http://engine${target}`)
  const path = target.split('?', 1)[0] ?? ''
  // Whatever a URL parser would tidy up is odd.
  if (url.pathname !== path || url.hash !== '') return undefined
  const version = VERSION.exec(path)?.[1]
  const rest = path.replace(VERSION, '')
  const found = PATTERNS.find(({ operation, pattern }) => operation.method === method && pattern.test(rest))
  if (!found) return undefined
  const kinds = found.operation.path.filter((part) => part.startsWith('{'))
  const names = (found.pattern.exec(rest) ?? []).slice(1).map((name, i) => [kinds[i]?.slice(1, -1) ?? '', name] as const)
  return { version, operation: found.operation, names, query: [...new URLSearchParams(target.slice(path.length))] }
}

/** What `text` means for a key of this type. */
function meaning(type: QueryType, text: string): unknown {
  if (type === 'boolean') return text === 'true' || text === '1'
  if (type === 'integer') return Number.parseInt(text, 10)
  if (typeof type === 'string') return text
  const filters: Record<string, string[] | Record<string, true>> = JSON.parse(text)
  return Object.entries(filters).map(([name, values]) => [name, Array.isArray(values) ? values : Object.keys(values)])
}

const plain = ({ type, value }: QueryValue): unknown => (type === 'filters' ? [...value] : value)
const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

/** All that `request` holds, in the words of `understand`. */
function checkSame(request: ApiRequest, method: string, target: string): void {
  const meant = understand(method, target)
  must(meant !== undefined, 'it was taken, and says nothing that is known')
  const { operation } = meant
  must(request.operation === operation, `it was taken for ${request.operation.id}, and is ${operation.id}`)
  must(request.version === (meant.version && `1.${meant.version}`), `its version is ${meant.version}, not ${request.version}`)
  const { container: inQuery, ...texts } = Object.fromEntries(meant.query)
  must(meant.query.length === new Set(meant.query.map(([key]) => key)).size, 'a key is given twice')
  const container = operation.query.container === 'container' ? inQuery : meant.names.find(([kind]) => kind === 'container')?.[1]
  must(request.container === container, `the container is ${container}, not ${request.container}`)
  must(
    same(
      [...request.names],
      meant.names.filter(([kind]) => kind !== 'container'),
    ),
    'the names are others',
  )
  const query = Object.entries(texts).map(([key, text]) => [key, meaning(operation.query[key] ?? 'text', text)])
  must(
    same(
      [...request.query].map(([key, value]) => [key, plain(value)]),
      query,
    ),
    'the query means something else',
  )
  for (const text of meant.query.flat()) must(!/\p{Cc}/u.test(text) && text.length <= 8192, 'a control character was taken')
}

const EVERYTHING = policyOf(everythingPolicy())
const NOT_FOUND = { target: 'not found' } as const

/** A query in any order. The values of a filter are a set, and a filter of no container filters nothing. */
function said({ query }: ApiRequest): unknown {
  const values = ({ type, value }: QueryValue) =>
    type === 'filters' ? [...value].map(([name, each]) => [name, [...new Set(each)]]) : value
  return [...query]
    .filter(([, { value }]) => !(value instanceof Map && value.size === 0))
    .map(([key, value]) => [key, values(value)])
    .sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
}

/** What the Engine is asked where everything is allowed, read again, is the same request about the container that was judged. */
function checkForwarded(request: ApiRequest): void {
  const known = request.container === undefined && request.operation.containerBy === 'query' ? NOT_FOUND : inspected()
  const decision = decide(EVERYTHING, request, known, [], NOW_MS)
  if (decision.verdict !== 'allow') return
  const again = readRequest({ method: request.operation.method, target: requestPath(decision), rawHeaders: [] })
  must(!('verdict' in again), `the Engine is asked ${requestPath(decision)}, which is no request`)
  must(again.operation === request.operation && again.version === request.version, 'the Engine is asked for something else')
  must(same([...again.names], [...request.names]), 'the Engine is asked about another object')
  must(again.container === (request.container && decision.container), 'the Engine is asked about another container')
  must(same(said(again), said(request)), 'the Engine is told something else')
}

// ── Headers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const HEADERS = [
  ...['Host', 'host', 'Connection', 'Content-Length', 'Content-Type', 'Transfer-Encoding', 'Upgrade', 'Expect', 'Origin'],
  ...['Sec-Fetch-Site', 'X-Registry-Auth', 'User-Agent', 'Cookie', 'a b', '', '__proto__'],
]
const VALUES = [
  'close',
  'upgrade',
  'keep-alive',
  'tcp',
  'h2c',
  'websocket',
  '0',
  '5',
  'chunked',
  'application/json',
  'x',
  'é',
  '',
  'a,b',
]
const header = fc.tuple(
  fc.oneof(fc.constantFrom(...HEADERS), fc.string({ maxLength: 5 })),
  fc.oneof(fc.constantFrom(...VALUES), fc.string({ unit: 'binary', maxLength: 5 })),
)
const rawHeaders = fc.oneof(
  { weight: 3, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.array(header, { maxLength: 4 }).map((headers) => headers.flat()) },
)

/** Nothing that would mean something to the Engine is taken twice, from a browser, or where the operation has no use for it. */
function checkHeaders({ operation, headers, upgrade, announced }: ApiRequest, raw: readonly string[]): void {
  const names = raw.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase())
  const once = names.filter((name) => /^(?:host|connection|content-(?:length|type)|transfer-encoding|upgrade)$/.test(name))
  must(once.length === new Set(once).size, 'a header that there can be once is there twice')
  must(
    !names.some((name) => name === 'origin' || name === 'expect' || name.startsWith('sec-')),
    'a header of a browser was taken',
  )
  must(
    [...headers.keys()].every((name) => operation.headers.includes(name)),
    'a header went through',
  )
  must(!upgrade || operation.protocol !== undefined, `${operation.id} was upgraded`)
  must(announced === undefined || operation.body !== undefined, `${operation.id} was given a body`)
}

// ── The target ──────────────────────────────────────────────────────────────────────────────────────────────────────

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'get', 'OPTIONS', '']
const words = [...new Set(CATALOGUE.flatMap(({ path, query }) => [...path, ...Object.keys(query)]))]

const input = fc.oneof(
  { weight: 2, arbitrary: right.map(({ operation, target }) => ({ kind: 'right' as const, method: operation.method, target })) },
  {
    weight: 4,
    arbitrary: right.chain(({ operation, target }) =>
      fc.record({
        kind: fc.constant('any' as const),
        method: fc.oneof({ weight: 5, arbitrary: fc.constant(operation.method) }, fc.constantFrom(...METHODS)),
        target: edited(fc.constant(target), words),
        rawHeaders,
      }),
    ),
  },
)

export const reader = defineTarget(
  'what the reader takes means the same to another reader, and what is written as it should be is taken',
  5000,
  input,
  (given) => {
    const { kind, method, target } = given
    const raw = kind === 'any' ? given.rawHeaders : []
    const request = readRequest({ method, target, rawHeaders: raw })
    if ('verdict' in request) {
      must(kind !== 'right', `it is refused: ${request.reason}`)
      return checkRefusal(request)
    }
    checkSame(request, method, target)
    checkHeaders(request, raw)
    checkForwarded(request)
  },
)
