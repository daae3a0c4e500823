// Step 3, forward: a new request is built from an approval's typed values and sent. No byte of the client's is copied.
import type { Approved } from '../policy/decide.ts'
import { CATALOGUE } from '../request/catalogue.ts'
import { filtersParameter, scopeFilters } from './containers.ts'
import { type Engine, type EngineAnswer, READ_TIMEOUT_MS } from './engine.ts'

/** A restart takes as long as the container's own stop timeout and its start; beyond this it is given up, not the restart. */
const WRITE_TIMEOUT_MS = 15 * 60_000

/** Sends what was approved. Throws `EngineError`. */
export function forward(engine: Engine, approved: Approved): Promise<EngineAnswer> {
  const { method, kind } = operationOf(approved)
  return engine.ask({ method, path: requestPath(approved), timeoutMs: kind === 'writes' ? WRITE_TIMEOUT_MS : READ_TIMEOUT_MS })
}

/** The request target that goes to the Engine. */
export function requestPath(approved: Approved): string {
  const operation = operationOf(approved)
  const version = approved.version === undefined ? '' : `/v${approved.version}`
  const path = operation.path.replace('{id}', () => {
    if (approved.container === undefined) throw new Error(`${operation.id} was approved without a container`)
    return approved.container
  })
  const query = queryString(approved)
  return `${version}${path}${query === '' ? '' : `?${query}`}`
}

function operationOf(approved: Approved) {
  const operation = CATALOGUE.find(({ id }) => id === approved.operation)
  if (!operation) throw new Error(`${approved.operation} is not in the catalogue`)
  return operation
}

function queryString(approved: Approved): string {
  const filters = new Map(approved.operation === 'ContainerList' ? scopeFilters(approved.scope) : [])
  const parameters: string[] = []
  for (const [key, given] of approved.query) {
    if (given.type === 'boolean') parameters.push(`${key}=${given.value ? 1 : 0}`)
    else if (given.type === 'integer') parameters.push(`${key}=${given.value}`)
    else for (const [name, values] of given.value) filters.set(name, [...new Set([...(filters.get(name) ?? []), ...values])])
  }
  return `${parameters.join('&')}${filtersParameter(filters)}`.replace(/^&/, '')
}
