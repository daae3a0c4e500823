// What the proxy itself asks the Engine about containers: those in scope, and one of them in full.
// Never asks about a name that a client sent.
import type { Selector } from '../policy/policy.ts'
import { type ContainerId, EVERYTHING, inScope, type Listed, parseContainerId } from '../policy/target.ts'
import { type Engine, EngineError, READ_TIMEOUT_MS } from './engine.ts'

/** What an inspect tells of a container. */
export type Inspected = Listed & {
  readonly state: string
  /** RFC 3339, as the Engine writes it; a new start is a new run. */
  readonly startedAt: string
  readonly mounts: readonly Mount[]
  /** Where the Engine would not go by it of itself: the container's own time to stop, seconds. */
  readonly stopSeconds?: number
}

/** Where a mount comes from on the host, and where the container sees it. */
export type Mount = { readonly source: string; readonly destination: string }

/** All containers in scope, running or not, with the Engine's own words for each. Throws `EngineError`. */
export async function listInScope(engine: Pick<Engine, 'ask'>, scope: readonly Selector[]): Promise<readonly Listed[]> {
  const path = `/containers/json?all=1${filtersParameter(scopeFilters(scope))}`
  const answer = await engine.ask({ method: 'GET', path, isRead: true, timeoutMs: READ_TIMEOUT_MS })
  if (answer.status !== 200) throw new EngineError('answer', `the Engine answered ${answer.status} to a list of containers`)
  return keepInScope(parseJson(answer.body), scope).map(({ listed }) => listed)
}

/** All containers that the Engine has. Throws `EngineError`. */
export function listAll(engine: Pick<Engine, 'ask'>): Promise<readonly Listed[]> {
  return listInScope(engine, EVERYTHING)
}

/** Of an Engine's list, the elements in scope; what has not the shape of a container is left out. */
export function keepInScope(list: unknown, scope: readonly Selector[]): readonly { element: object; listed: Listed }[] {
  if (!Array.isArray(list)) throw new EngineError('answer', "the Engine's list of containers is no list")
  return list.flatMap((element: unknown) => {
    const listed = readListed(element)
    return listed && inScope(scope, listed.listed) ? [listed] : []
  })
}

/** The container with `id` as it is now; `undefined` when it is gone. Throws `EngineError`. */
export async function inspectContainer(engine: Pick<Engine, 'ask'>, id: ContainerId): Promise<Inspected | undefined> {
  const answer = await engine.ask({ method: 'GET', path: `/containers/${id}/json`, isRead: true, timeoutMs: READ_TIMEOUT_MS })
  if (answer.status === 404) return undefined
  const body = record(answer.status === 200 ? parseJson(answer.body) : undefined)
  const inspectedId = parseContainerId(body.Id)
  const { Status: state, StartedAt: startedAt } = record(body.State)
  const config = record(body.Config)
  if (inspectedId !== id || typeof body.Name !== 'string' || typeof state !== 'string' || typeof startedAt !== 'string') {
    throw new EngineError('answer', `the Engine's answer (${answer.status}) to an inspect is no container`)
  }
  return {
    id,
    names: [withoutSlash(body.Name)],
    labels: readLabels(config.Labels),
    state,
    startedAt,
    mounts: readMounts(body.Mounts),
    ...('libpod-api-version' in answer.headers ? { stopSeconds: readStopSeconds(config.StopTimeout) } : {}),
  }
}

/** As Docker's; of a container that was made over its API without any, Podman says 0. */
const DEFAULT_STOP_SECONDS = 10

/** Podman restarts with 0 seconds to stop where none are given. Source: github.com/podman-container-tools/podman, issue 29276. */
function readStopSeconds(stopTimeout: unknown): number {
  return typeof stopTimeout === 'number' && Number.isInteger(stopTimeout) && stopTimeout > 0 ? stopTimeout : DEFAULT_STOP_SECONDS
}

/** The label filters that hold for every container in scope; several selectors cannot be said in one filter. */
export function scopeFilters(scope: readonly Selector[]): ReadonlyMap<string, readonly string[]> {
  const [only, ...others] = scope
  if (!only || others.length > 0) return new Map()
  const labels = Object.entries(only.labels ?? {}).map(([name, value]) => `${name}=${value}`)
  if (only.project !== undefined) labels.push(`com.docker.compose.project=${only.project}`)
  return labels.length > 0 ? new Map([['label', labels]]) : new Map()
}

/** `&filters=…` in Docker's spelling, or nothing. */
export function filtersParameter(filters: ReadonlyMap<string, readonly string[]>): string {
  if (filters.size === 0) return ''
  return `&filters=${encodeURIComponent(JSON.stringify(Object.fromEntries(filters)))}`
}

/** Parsed JSON; throws `EngineError` where it is none. */
export function parseJson(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch (error) {
    throw new EngineError('answer', "the Engine's answer is not JSON", { cause: error })
  }
}

function readListed(element: unknown): { element: object; listed: Listed } | undefined {
  if (typeof element !== 'object' || element === null) return undefined
  const { Id, Names, Labels } = record(element)
  const id = parseContainerId(Id)
  if (id === undefined || !Array.isArray(Names)) return undefined
  const names = Names.filter((name) => typeof name === 'string').map(withoutSlash)
  return { element, listed: { id, names: ownNameFirst(names), labels: readLabels(Labels) } }
}

/** A link adds `other/alias`; the container's own name has no slash. */
function ownNameFirst(names: readonly string[]): readonly string[] {
  return [...names].sort((a, b) => Number(a.includes('/')) - Number(b.includes('/')))
}

function readMounts(mounts: unknown): readonly Mount[] {
  return (Array.isArray(mounts) ? mounts : []).flatMap((mount: unknown) => {
    const { Source, Destination } = record(mount)
    return typeof Source === 'string' && typeof Destination === 'string' ? [{ source: Source, destination: Destination }] : []
  })
}

function readLabels(labels: unknown): Readonly<Record<string, string>> {
  const entries = Object.entries(record(labels)).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
  return Object.fromEntries(entries)
}

function withoutSlash(name: string): string {
  return name.startsWith('/') ? name.slice(1) : name
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
