// Which containers another needs: the one whose network it shares, and those that compose or a label says it depends on. Pure.
import type { ContainerSummary } from '../docker/docker.ts'
import { findComponents } from './components.ts'

const PROJECT = 'com.docker.compose.project'
const SERVICE = 'com.docker.compose.service'
const DEPENDS_ON = 'com.docker.compose.depends_on'

/** The id of the container whose network `container` uses. */
export function networkProvider({ networkMode }: ContainerSummary): string | undefined {
  return networkMode.startsWith('container:') ? networkMode.slice('container:'.length) : undefined
}

/** Containers that are needed by one name: any of a service will do. */
export type Group = readonly ContainerSummary[]

/**
 * The containers that each of `all` needs, by its id, one of each group; itself and those that need it in turn left out: of two that need each other neither
 * waits. `dependsOn` is its label's list of names. What is needed is looked up, not searched for: there may be a thousand.
 */
export function mapProviders(
  all: readonly ContainerSummary[],
  dependsOn: (container: ContainerSummary) => readonly string[],
): ReadonlyMap<string, readonly Group[]> {
  const byId = groupBy(all, ({ id }) => id)
  const byName = groupBy(all, ({ name }) => name)
  const byService = groupBy(all, ({ labels }) => keyOfService(labels[PROJECT], labels[SERVICE]))
  const find = (container: ContainerSummary): readonly Group[] => {
    const [named, project] = [dependsOn(container), container.labels[PROJECT]]
    const services = [...named, ...composeServices(container.labels[DEPENDS_ON] ?? '')].map((each) => keyOfService(project, each))
    const found = [
      byId.get(networkProvider(container)),
      ...named.map((name) => byName.get(name)),
      ...services.map((key) => byService.get(key)),
    ]
    return [...new Set(found.filter((group) => group !== undefined))]
  }
  const groups = new Map(all.map((each) => [each, find(each)]))
  // By way of groups, since each of a large service may need each of another, or of its own.
  const components = findComponents<ContainerSummary | Group>(all, (from) => (isGroup(from) ? from : (groups.get(from) ?? [])))
  const outside = new Map<Group, Group>()
  /** Those of a group that do not need in turn who needs them: any that does is of the group's own component. */
  const withoutRound = (group: Group, container: ContainerSummary): Group => {
    const component = components.get(group)
    if (component !== components.get(container)) return group
    const known = outside.get(group) ?? group.filter((each) => components.get(each) !== component)
    outside.set(group, known)
    return known
  }
  const providers = (container: ContainerSummary) =>
    (groups.get(container) ?? []).map((group) => withoutRound(group, container)).filter((group) => group.length > 0)
  return new Map(all.map((each) => [each.id, providers(each)]))
}

const isGroup = (node: ContainerSummary | Group): node is Group => Array.isArray(node)

function groupBy(
  all: readonly ContainerSummary[],
  keyOf: (container: ContainerSummary) => string | undefined,
): ReadonlyMap<string | undefined, Group> {
  const groups = new Map<string, ContainerSummary[]>()
  for (const each of all) {
    const key = keyOf(each)
    if (key === undefined) continue
    const group = groups.get(key)
    if (group) group.push(each)
    else groups.set(key, [each])
  }
  return groups
}

const keyOfService = (project: string | undefined, service: string | undefined) =>
  project === undefined || service === undefined ? undefined : JSON.stringify([project, service])

/** Compose writes `db:service_healthy:false,cache:service_started:true`. */
function composeServices(label: string): readonly string[] {
  return label.split(',').map((part) => part.split(':')[0] ?? '')
}
