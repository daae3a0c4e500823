// Step 3, forward: a new request is built from an approval's typed values and sent. No byte of the client's request line is copied, and
// of its headers only those that the catalogue names.
import { stringify } from 'lossless-json'
import type { Approved } from '../policy/decide.ts'
import { operationOf } from '../request/catalogue.ts'
import { filtersParameter, scopeFilters } from './containers.ts'
import { type Engine, type EngineAnswer, type EngineRequest, READ_TIMEOUT_MS } from './engine.ts'

/** A restart takes as long as the container's own stop timeout and its start; beyond this it is given up, not the restart. */
export const WRITE_TIMEOUT_MS = 15 * 60_000

/** Sends what was approved. Throws `EngineError`. */
export function forward(engine: Pick<Engine, 'ask'>, approved: Approved): Promise<EngineAnswer> {
  return engine.ask(engineRequest(approved))
}

/** The request that goes to the Engine for `approved`. */
export function engineRequest(approved: Approved): EngineRequest {
  const { method, kind } = operationOf(approved.operation)
  const isRead = kind === 'reads'
  const body = requestBody(approved)
  return {
    ...{ method, path: requestPath(approved), headers: requestHeaders(approved), isRead },
    ...(body === undefined ? {} : { body }),
    timeoutMs: isRead ? READ_TIMEOUT_MS : WRITE_TIMEOUT_MS,
  }
}

/** The request target that goes to the Engine. */
export function requestPath(approved: Approved): string {
  const version = approved.version === undefined ? [] : [`v${approved.version}`]
  const path = [...version, ...operationOf(approved.operation).path.map((part) => segmentOf(part, approved))]
  const query = queryString(approved)
  return `/${path.join('/')}${query === '' ? '' : `?${query}`}`
}

/** The headers that mean something to the Engine. */
export function requestHeaders({ headers }: Approved): Readonly<Record<string, string | string[]>> {
  return Object.fromEntries([...headers].map(([name, values]) => [name, [...values]]))
}

/** The body of JSON, written anew; a container in it is the one that was judged. */
export function requestBody({ body, container }: Approved): string | undefined {
  if (body === undefined) return undefined
  return 'text' in body ? body.text : stringify({ ...body.member, Container: container })
}

/** What stands for `part` of an operation's path: the id of the container that was judged, a name whose grammar was checked, or itself. */
function segmentOf(part: string, { operation, container, names }: Approved): string {
  if (!part.startsWith('{')) return part
  const name = part === '{container}' ? container : names.get(part.slice(1, -1))
  if (name === undefined) throw new Error(`${operation} was approved without its ${part}`)
  return name
}

function queryString(approved: Approved): string {
  const { containerBy } = operationOf(approved.operation)
  const filters = new Map(approved.operation === 'ContainerList' ? scopeFilters(approved.scope) : [])
  const parameters = containerBy === 'query' ? [`container=${approved.container}`] : []
  for (const [key, given] of approved.query) {
    if (given.type === 'boolean') parameters.push(`${key}=${given.value ? 1 : 0}`)
    else if (given.type === 'integer') parameters.push(`${key}=${given.value}`)
    else if (given.type === 'text') parameters.push(`${key}=${encodeURIComponent(given.value)}`)
    else for (const [name, values] of given.value) filters.set(name, [...new Set([...(filters.get(name) ?? []), ...values])])
  }
  return `${parameters.join('&')}${filtersParameter(filters)}`.replace(/^&/, '')
}
