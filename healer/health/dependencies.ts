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
 * The containers among `all` that `container` needs, itself and those that need it in turn left out: of two that need each other neither
 * waits. `dependsOn` is its label's list of names.
 */
export function providersOf(
  container: ContainerSummary,
  all: readonly ContainerSummary[],
  dependsOn: (container: ContainerSummary) => readonly string[],
): readonly ContainerSummary[] {
  const direct = (of: ContainerSummary) => all.filter((other) => other.id !== of.id && needs(of, other, dependsOn(of)))
  return direct(container).filter((provider) => !reaches(provider, container, direct))
}

function needs(container: ContainerSummary, other: ContainerSummary, named: readonly string[]): boolean {
  if (networkProvider(container) === other.id || named.includes(other.name)) return true
  const project = container.labels[PROJECT]
  const service = other.labels[SERVICE]
  if (project === undefined || service === undefined || other.labels[PROJECT] !== project) return false
  return named.includes(service) || composeServices(container.labels[DEPENDS_ON] ?? '').includes(service)
}

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
