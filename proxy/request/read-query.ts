// Reads a query string into typed values, strictly: each key once, known to the operation, decoded exactly once.
// Never repairs: an odd spelling is a refusal, so that the Engine cannot read the same bytes differently.
import { type ApiRequest, type ContainerRef, parseContainerRef, type QueryValue } from './api-request.ts'
import type { Filters, Operation, QueryType } from './catalogue.ts'
import { type Refusal, refuse } from './refusal.ts'

/** A container that the query names is not a value that a policy lists: the scope judges it. */
export type Asked = Pick<ApiRequest, 'query' | 'container'>

const MAX_FILTER_VALUES = 64
const MAX_TEXT = 1024

/** `raw` is what stands after the `?`; an empty string is an empty query. */
export function readQuery(raw: string, operation: Operation): Asked | Refusal {
  const query = new Map<string, QueryValue>()
  if (raw === '') return { query }
  let container: ContainerRef | undefined
  for (const pair of raw.split('&')) {
    const equals = pair.indexOf('=')
    if (equals < 1) return no(`“${clip(pair)}” is not key=value`)
    const key = pair.slice(0, equals)
    const type = Object.hasOwn(operation.query, key) ? operation.query[key] : undefined
    if (type === undefined) return no(`${operation.id} takes ${keysOf(operation)}, not “${clip(key)}”`)
    if (query.has(key) || (type === 'container' && container !== undefined)) return no(`“${key}” is given twice`)
    const text = decode(pair.slice(equals + 1), type)
    if (text === undefined) return no(`the value of “${key}” is not plainly percent-encoded text`)
    const value = parseValue(type, text)
    if (typeof value === 'string') return no(`“${key}” ${value}`)
    if (value.type === 'container') container = value.value
    else query.set(key, value)
  }
  return { query, ...(container === undefined ? {} : { container }) }
}

function no(reason: string): Refusal {
  return refuse(400, 'request.query', `query: ${reason}`)
}

/** A client's own words, short enough to be repeated. */
function clip(text: string): string {
  return text.length <= 64 ? text : `${text.slice(0, 64)}…`
}

function keysOf(operation: Operation): string {
  return Object.keys(operation.query).join(', ') || 'no query'
}

/** What RFC 3986 has in a query, but for what separates values; and the marks of JSON, which mean themselves to every reader. */
const PLAIN = /^(?:[A-Za-z0-9\-._~:@!$'()*,;/?]|%[0-9A-Fa-f]{2})*$/
const PLAIN_JSON = /^(?:[A-Za-z0-9\-._~:@!$'()*,/?="[\]{}]|%[0-9A-Fa-f]{2})*$/

/** Percent-decoding without mercy: no `+`, no control character, no invalid UTF-8. Filters are sent unencoded by docker-autoheal. */
function decode(raw: string, type: QueryType): string | undefined {
  if (!(typeof type === 'object' ? PLAIN_JSON : PLAIN).test(raw)) return undefined
  try {
    const text = decodeURIComponent(raw)
    return hasControlCharacter(text) ? undefined : text
  } catch {
    return undefined
  }
}

function hasControlCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || (code >= 0x7f && code < 0xa0)) return true
  }
  return false
}

type Named = { readonly type: 'container'; readonly value: ContainerRef }

/** The typed value, or what is wrong with the text, as the end of a sentence. */
function parseValue(type: QueryType, text: string): QueryValue | Named | string {
  switch (type) {
    case 'boolean':
      if (text === 'true' || text === '1') return { type, value: true }
      if (text === 'false' || text === '0') return { type, value: false }
      return 'takes true, false, 1 or 0'
    case 'integer':
      return /^(?:0|-?[1-9][0-9]{0,8})$/.test(text) ? { type, value: Number(text) } : 'takes a whole number'
    case 'path':
      if (text.split('/').includes('..')) return 'takes a path without `..`'
      return text.length <= MAX_TEXT ? { type: 'text', value: text } : `takes at most ${MAX_TEXT} characters`
    case 'container': {
      const value = parseContainerRef(text)
      return value === undefined ? 'takes the name or id of a container' : { type, value }
    }
    case 'text':
      return text.length <= MAX_TEXT ? { type, value: text } : `takes at most ${MAX_TEXT} characters`
    default:
      return parseFilters(text, type)
  }
}

/** Docker's filters: `{"label":["a=b"]}`, or in the command line client's spelling `{"label":{"a=b":true}}`. */
function parseFilters(text: string, known: Filters): QueryValue | string {
  const parsed = parseJson(text)
  if (!isRecord(parsed)) return 'takes a JSON object of filters'
  const filters = new Map<string, readonly string[]>()
  for (const [name, given] of Object.entries(parsed)) {
    if (!Object.hasOwn(known, name)) return `takes the filters ${Object.keys(known).join(', ')}, not “${clip(name)}”`
    const values = filterValues(given)
    if (values === undefined) return `takes a list of texts for “${name}”`
    if (values.length > MAX_FILTER_VALUES) return `takes at most ${MAX_FILTER_VALUES} values for “${name}”`
    if (values.some(hasControlCharacter)) return `takes no control characters in the values of “${name}”`
    filters.set(name, values)
  }
  return { type: 'filters', value: filters }
}

function filterValues(given: unknown): readonly string[] | undefined {
  if (Array.isArray(given)) return given.every((value) => typeof value === 'string') ? given : undefined
  if (!isRecord(given)) return undefined
  return Object.values(given).every((value) => value === true) ? Object.keys(given) : undefined
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
