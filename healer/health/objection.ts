// Why a container's surroundings forbid its restart at this moment, however ill it is: what people have said, what it depends on, and how
// many fail with it. Pure. Of several, the one that a person would have to see to first.
import { renderDuration } from '../settings/duration.ts'
import type { HealthState, NotRestarting } from './state.ts'

export type Objection = { readonly why: NotRestarting; readonly detail: string }

export type Surrounded = {
  /** `healer.action=none`. */
  readonly tellOnly: boolean
  /** The service of a swarm that it is a task of: restarted, it would run beside the task that the swarm puts in its place. */
  readonly swarmService: string | undefined
  /** For how much longer a person has paused it; infinite: until it is resumed. */
  readonly pausedForMs: number | undefined
  /** How much longer the maintenance window lasts that this moment is in. */
  readonly maintenanceForMs: number | undefined
  /** The container whose network it uses is not there any more. */
  readonly providerIsGone: boolean
  /** What it needs, as that is now: one of each group. */
  readonly providers: readonly (readonly Provider[])[]
  /** For how long it has waited for them already. */
  readonly waitedMs: number
  readonly isHeld: boolean
}

type Provider = {
  readonly name: string
  readonly state: Pick<HealthState, 'health' | 'incident' | 'notRestarting' | 'status'>
}

/**
 * The longest wait for what a container needs. That may be kept from being healed for ever, by a person or by a label, and the labels that say
 * what belongs to a service may come from a stranger's image.
 */
const MAX_WAIT_MS = 3_600_000

/** `undefined`: nothing forbids it. */
export function findObjection(name: string, surrounded: Surrounded): Objection | undefined {
  const { tellOnly, swarmService, pausedForMs, maintenanceForMs, providerIsGone, providers, waitedMs, isHeld } = surrounded
  if (tellOnly) return { why: 'tell-only', detail: 'healer.action=none' }
  if (swarmService !== undefined)
    return {
      why: 'swarm',
      detail: `it is a task of the service ${swarmService}; the swarm replaces one that fails its HEALTHCHECK, or all by docker service update --force ${swarmService}`,
    }
  if (pausedForMs !== undefined) {
    const howLong = Number.isFinite(pausedForMs) ? `for another ${renderDuration(pausedForMs)}` : 'until it is resumed'
    return { why: 'paused', detail: `paused ${howLong}` }
  }
  if (maintenanceForMs !== undefined)
    return { why: 'maintenance', detail: `its maintenance window ends in ${renderDuration(maintenanceForMs)}` }
  if (providerIsGone) {
    const cure = `no restart can join it to the new one; recreate it: docker compose up -d --force-recreate ${name}`
    return { why: 'recreate', detail: `the container whose network it uses was removed or recreated; ${cure}` }
  }
  const awaited = waitedMs < MAX_WAIT_MS ? providers.flatMap((group) => findAwaited(group) ?? [])[0] : undefined
  if (awaited) return { why: 'dependency', detail: `it depends on ${awaited.name}, which is ${awaited.state.health}` }
  if (isHeld)
    return {
      why: 'hold',
      detail: 'more than half of all containers began to fail together; the healer’s own network may be what is ill',
    }
  return undefined
}

/** Reasons for which a provider that fails will not be healed soon: then what depends on it is not kept waiting. */
const HOPELESS: readonly (NotRestarting | undefined)[] = ['gave-up', 'tell-only', 'swarm', 'not-armed', 'recreate']

export function isWell({ health, incident }: Provider['state']): boolean {
  return health === 'healthy' && incident === undefined
}

/** Of a group of which none is well, one that may be healed soon. */
function findAwaited(group: readonly Provider[]): Provider | undefined {
  return group.some(({ state }) => isWell(state)) ? undefined : group.find(isAwaited)
}

function isAwaited({ state }: Provider): boolean {
  const isIll = state.health === 'suspect' || state.health === 'unhealthy' || state.incident !== undefined
  return isIll && !HOPELESS.includes(state.notRestarting)
}
