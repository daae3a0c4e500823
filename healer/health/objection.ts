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
  /** What it needs, as that is now. */
  readonly providers: readonly {
    readonly name: string
    readonly state: Pick<HealthState, 'health' | 'incident' | 'notRestarting' | 'status'>
  }[]
  readonly isHeld: boolean
}

/** `undefined`: nothing forbids it. */
export function findObjection(name: string, surrounded: Surrounded): Objection | undefined {
  const { tellOnly, swarmService, pausedForMs, maintenanceForMs, providerIsGone, providers, isHeld } = surrounded
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
  const awaited = providers.find(isAwaited)
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

function isAwaited({ state }: Surrounded['providers'][number]): boolean {
  const isIll = state.health === 'suspect' || state.health === 'unhealthy' || state.incident !== undefined
  return isIll && !HOPELESS.includes(state.notRestarting)
}
