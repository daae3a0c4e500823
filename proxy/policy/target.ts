// A container as the decision needs to know it, and whether it matches what a policy says of containers. Pure.
import type { ContainerRef } from '../request/api-request.ts'
import type { Condition, Selector } from './policy.ts'

declare const brand: unique symbol

/** A container's whole id, 64 hexadecimal digits, as the Engine gave it. */
export type ContainerId = string & { readonly [brand]: 'ContainerId' }

/** `value` as a whole container id, or `undefined`. */
export function parseContainerId(value: unknown): ContainerId | undefined {
  return typeof value === 'string' && /^[0-9a-f]{64}$/.test(value) ? (value as ContainerId) : undefined
}

/** What a selector looks at; what is no text is none that a policy can name. */
export type Described = {
  readonly names: readonly unknown[]
  readonly labels: Readonly<Record<string, unknown>>
}

/** What a list of containers tells of one. */
export type Listed = {
  readonly id: ContainerId
  /** Names without the leading slash; the first is the container's own, others come from links. */
  readonly names: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

/** What a fresh inspect tells of one, with what this proxy knows beside. */
export type Target = Listed & {
  readonly state: string
  /** RFC 3339; a new start is a new run. */
  readonly startedAt: string
  /** It is the proxy itself, or mounts the volume of one of the proxy's sockets. */
  readonly isProtected: boolean
  /** A write to it is under way. */
  readonly isBusy: boolean
  /** A restart forwarded here for this client could not start it again, and nobody has started it since. */
  readonly failedToStart: boolean
  /** The container's own time to stop, seconds, where the Engine has to be told it. */
  readonly stopSeconds?: number
}

export const COMPOSE_PROJECT = 'com.docker.compose.project'

export function matchesSelector(selector: Selector, container: Described): boolean {
  const { labels = {}, names, project } = selector
  for (const [name, value] of Object.entries(labels)) {
    if (!Object.hasOwn(container.labels, name) || container.labels[name] !== value) return false
  }
  if (names && !names.some((name) => name === container.names[0])) return false
  return (
    project === undefined || (Object.hasOwn(container.labels, COMPOSE_PROJECT) && container.labels[COMPOSE_PROJECT] === project)
  )
}

/** `scope: all`: a selector that asks for nothing, which no policy can write, matches every container. */
export const EVERYTHING: readonly Selector[] = [{}]

/** In scope: any of the selectors matches. */
export function inScope(scope: readonly Selector[], container: Described): boolean {
  return scope.some((selector) => matchesSelector(selector, container))
}

export function matchesCondition(condition: Condition, target: Target): boolean {
  const { state } = condition
  if (state && !state.some((wanted) => wanted === target.state)) return false
  return matchesSelector(condition, target)
}

/**
 * The one container that `ref` names: by whole id, else by name, else by the beginning of an id, as the Engine has it.
 * None and several are the same answer.
 */
export function findContainer<T extends Listed>(ref: ContainerRef, containers: readonly T[]): T | undefined {
  const byId = containers.find(({ id }) => id === String(ref))
  if (byId) return byId
  const byName = containers.filter(({ names }) => names.includes(ref))
  const found = byName.length > 0 ? byName : containers.filter(({ id }) => id.startsWith(ref))
  return found.length === 1 ? found[0] : undefined
}
