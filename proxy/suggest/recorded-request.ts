// A request as an audit log tells of it, put back into the typed form in which a policy judges it. Pure; what cannot be put back
// with certainty is none, and says why.
import { createHash } from 'node:crypto'
import type { RecordedDecision } from '../audit/read-records.ts'
import type { Known } from '../policy/decide.ts'
import { CONTAINER_STATES, type ContainerState } from '../policy/policy.ts'
import { parseContainerId, type Target } from '../policy/target.ts'
import { type ApiRequest, type ContainerRef, LINE_ONLY, parseContainerRef, type QueryValue } from '../request/api-request.ts'
import { CATALOGUE, hasContainer, type Operation, type QueryType } from '../request/catalogue.ts'
import { readRequest } from '../request/read-request.ts'

export type RecordedRequest = {
  readonly request: ApiRequest
  /** The container that it was about, as far as the log tells. */
  readonly target?: {
    readonly name: string
    /** Empty where the request never got so far as to be told. */
    readonly id: string
    readonly state?: ContainerState
    /** A restart made through the proxy had left it so. */
    readonly failedToStart: boolean
  }
  readonly timeMs: number
  readonly count: number
}

/** `failedToStart`: what the lines before tell of the container's run. */
export function readRecorded(line: RecordedDecision, failedToStart: boolean): RecordedRequest | { readonly unreadable: string } {
  const operation = CATALOGUE.find(({ id }) => id === line.operation)
  if (line.various) return { unreadable: 'too various to be told one by one' }
  if (!operation) return { unreadable: 'no operation that this version knows' }
  const query = new Map<string, QueryValue>()
  for (const [key, value] of Object.entries(line.query ?? {})) {
    const type = Object.hasOwn(operation.query, key) ? operation.query[key] : undefined
    const typed = type === undefined ? undefined : readValue(type, value)
    if (!typed) return { unreadable: 'a query value that was cut, or that this version does not know' }
    query.set(key, typed)
  }
  const sent = readSent(line, operation)
  const base = { timeMs: Date.parse(line.time), count: line.count }
  if (!hasContainer(operation)) return { ...base, request: { ...LINE_ONLY, operation, names: sent?.names ?? new Map(), query } }
  const target = targetOf(line, sent?.container, failedToStart)
  const container = parseContainerRef(target?.name ?? '')
  if (!target || !container) return { unreadable: 'a container whose name is not on record' }
  return { ...base, request: { ...LINE_ONLY, operation, container, names: sent?.names ?? new Map(), query }, target }
}

/** The path as it was sent, where the log has it whole. */
function readSent({ method = '', path = '' }: RecordedDecision, operation: Operation): ApiRequest | undefined {
  const request = readRequest({ method, target: path, rawHeaders: [] })
  return 'verdict' in request || request.operation.id !== operation.id ? undefined : request
}

function targetOf(
  { target }: RecordedDecision,
  sent: ContainerRef | undefined,
  failedToStart: boolean,
): RecordedRequest['target'] | undefined {
  if (target) {
    const state = CONTAINER_STATES.find((known) => known === target.state)
    return { id: target.id, name: target.name, failedToStart, ...(state === undefined ? {} : { state }) }
  }
  // Refused before the container was looked up: known as the client called it, which is no name where it may be an id.
  if (sent === undefined || /^[0-9a-f]{12,64}$/.test(sent)) return undefined
  return { id: '', name: sent, failedToStart: false }
}

/** How the log ends a text that it cut. */
const CUT = /… \(\d+ characters\)$/

function readValue(type: QueryType, value: unknown): QueryValue | undefined {
  switch (type) {
    case 'boolean':
      return typeof value === 'boolean' ? { type, value } : undefined
    case 'integer':
      return typeof value === 'number' && Number.isInteger(value) ? { type, value } : undefined
    case 'text':
    case 'path':
    case 'container':
      return typeof value === 'string' && !CUT.test(value) ? { type: 'text', value } : undefined
    default: {
      if (typeof value !== 'object' || value === null) return undefined
      const filters = new Map<string, readonly string[]>()
      for (const [name, values] of Object.entries(value)) {
        const isRead = Object.hasOwn(type, name) && Array.isArray(values)
        if (!isRead || !values.every((each): each is string => typeof each === 'string' && !CUT.test(each))) return undefined
        filters.set(name, values)
      }
      return { type: 'filters', value: filters }
    }
  }
}

/** What is known of the container of a recorded request; its labels are not on record. */
export function knownOf({ target }: RecordedRequest): Known {
  if (!target) return { target: 'not asked' }
  // One that the log does not tell the id of gets one of its own: budgets count by id as well.
  const id = parseContainerId(target.id) ?? parseContainerId(createHash('sha256').update(target.name).digest('hex'))
  if (id === undefined) throw new Error('a hash in hexadecimal digits is no container id')
  const container: Target = {
    ...{ id, names: [target.name], labels: {}, state: target.state ?? 'running', startedAt: '' },
    ...{ isProtected: false, isBusy: false, failedToStart: target.failedToStart },
  }
  return { target: 'inspected', container }
}
