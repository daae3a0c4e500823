// Containers outside the scope do not exist, in whatever answer they would be named. Pure; runs before anything is shown.
import { keepInScope } from '../engine/containers.ts'
import type { Selector } from '../policy/policy.ts'
import type { OperationId } from '../request/catalogue.ts'

type Cut = (answer: unknown, scope: readonly Selector[]) => unknown

const CUTS: Partial<Record<OperationId, Cut>> = {
  ContainerList: containersInScope,
  SystemDataUsage: withoutHidden,
  NetworkInspect: withoutMembers,
  NetworkList: (answer) => (Array.isArray(answer) ? answer.map(withoutMembers) : answer),
}

/** The Engine's answer to `operation` without the containers that are not in scope. Throws `EngineError` where a list is none. */
export function cutToScope(operation: OperationId, answer: unknown, scope: readonly Selector[]): unknown {
  const cut = CUTS[operation]
  return cut ? cut(answer, scope) : answer
}

/** `cutToScope` may take something away from an answer to `operation`. */
export function isCutToScope(operation: OperationId): boolean {
  return operation in CUTS
}

/** The Engine's answer to `operation` tells of containers that are not in scope, until it is cut. */
export function tellsOfContainers(operation: OperationId): boolean {
  return isCutToScope(operation) || operation === 'SystemEvents'
}

/** A link gives a container another name, which begins with that of the container that links to it: `/other/alias`. */
function containersInScope(list: unknown, scope: readonly Selector[]): readonly object[] {
  return keepInScope(list, scope).map(({ element }) => {
    const { Names } = element as { readonly Names: readonly unknown[] }
    return { ...element, Names: Names.filter((name) => typeof name === 'string' && name.lastIndexOf('/') < 1) }
  })
}

/** Up to API 1.51 the containers are a list, from 1.52 the items of what they use. */
function withoutHidden(usage: unknown, scope: readonly Selector[]): unknown {
  if (!isObject(usage)) return usage
  const { Containers, ContainersUsage, ...others } = usage
  const items = isObject(ContainersUsage) && Array.isArray(ContainersUsage.Items) ? ContainersUsage.Items : undefined
  return {
    ...others,
    ...(Array.isArray(Containers) ? { Containers: containersInScope(Containers, scope) } : {}),
    ...(isObject(ContainersUsage)
      ? { ContainersUsage: { ...ContainersUsage, Items: containersInScope(items ?? [], scope) } }
      : {}),
  }
}

/** Who is on a network is told by name and address, and not by what a scope goes by: so it is not told. */
function withoutMembers(network: unknown): unknown {
  if (!isObject(network)) return network
  const { Containers: _, ...others } = network
  return others
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
