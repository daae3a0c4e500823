// Which containers another needs: the one whose network it shares, and those that compose or a label says it depends on. Pure.
import type { ContainerSummary } from '../docker/docker.ts'

const PROJECT = 'com.docker.compose.project'
const SERVICE = 'com.docker.compose.service'
const DEPENDS_ON = 'com.docker.compose.depends_on'

/** The id of the container whose network `container` uses. */
export function networkProvider({ networkMode }: ContainerSummary): string | undefined {
  return networkMode.startsWith('container:') ? networkMode.slice('container:'.length) : undefined
}

/**
 * The containers that each of `all` needs, by its id, itself and those that need it in turn left out: of two that need each other neither
 * waits. `dependsOn` is its label's list of names. What is needed is looked up, not searched for: there may be a thousand.
 */
export function mapProviders(
  all: readonly ContainerSummary[],
  dependsOn: (container: ContainerSummary) => readonly string[],
): ReadonlyMap<string, readonly ContainerSummary[]> {
  const places = new Map(all.map(({ id }, i) => [id, i]))
  const byId = new Map(all.map((each) => [each.id, [each]]))
  const byName = groupBy(all, ({ name }) => name)
  const byService = groupBy(all, ({ labels }) => keyOfService(labels[PROJECT], labels[SERVICE]))
  const find = (container: ContainerSummary): readonly ContainerSummary[] => {
    const provider = networkProvider(container)
    const [named, project] = [dependsOn(container), container.labels[PROJECT]]
    const services = [...named, ...composeServices(container.labels[DEPENDS_ON] ?? '')].map((each) => keyOfService(project, each))
    const needed = new Set([
      ...(provider === undefined ? [] : (byId.get(provider) ?? [])),
      ...named.flatMap((name) => byName.get(name) ?? []),
      ...services.flatMap((key) => (key === undefined ? [] : (byService.get(key) ?? []))),
    ])
    needed.delete(container)
    return [...needed].sort((a, b) => (places.get(a.id) ?? 0) - (places.get(b.id) ?? 0))
  }
  const found = new Map(all.map((each) => [each.id, find(each)]))
  const direct = ({ id }: ContainerSummary) => found.get(id) ?? []
  return new Map(all.map((each) => [each.id, direct(each).filter((provider) => !reaches(provider, each, direct))]))
}

function groupBy(
  all: readonly ContainerSummary[],
  keyOf: (container: ContainerSummary) => string | undefined,
): ReadonlyMap<string, readonly ContainerSummary[]> {
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

/** Whether the way from `from` along what each needs comes to `to`. */
function reaches(
  from: ContainerSummary,
  to: ContainerSummary,
  direct: (of: ContainerSummary) => readonly ContainerSummary[],
): boolean {
  const seen = new Set<string>()
  const pending = [from]
  for (let next = pending.pop(); next; next = pending.pop()) {
    if (next.id === to.id) return true
    if (seen.has(next.id)) continue
    seen.add(next.id)
    pending.push(...direct(next))
  }
  return false
}
