// One client that is served: its socket, its connections to the Engine, and the policy that it is under, which can be replaced.
import { createApiRange } from '../engine/api-range.ts'
import { READ_TIMEOUT_MS } from '../engine/engine.ts'
import { createTargets, type TargetsOptions } from '../engine/targets.ts'
import type { Policy } from '../policy/policy.ts'
import { EVERYTHING } from '../policy/target.ts'
import type { BoundedServer, Limits } from './bounded-server.ts'
import { createClientServer } from './client-server.ts'
import { createExecs } from './execs.ts'
import type { Client } from './handle.ts'
import { createOpenAnswers, type OpenAnswers } from './open-answers.ts'
import type { Transport } from './transport.ts'
import { createTurns } from './turns.ts'

/** Answers of one client's reads that memory holds at once. */
const MAX_ANSWERS = 4
/** And bodies. */
const MAX_BODIES = 4

export type ServedClient = BoundedServer & {
  readonly policy: () => Policy
  /**
   * Requests that come from now on are judged by `policy`; those under way finish under the one they began with. What goes on, and is
   * allowed otherwise now or not at all, is cut off.
   */
  readonly govern: (policy: Policy) => void
  readonly open: OpenAnswers
}

export type ServedClientOptions = Omit<
  Client,
  'policy' | 'targets' | 'observed' | 'apiRange' | 'turns' | 'bodyTurns' | 'open' | 'execs'
> &
  Pick<TargetsOptions, 'ownId' | 'socketPaths'> & {
    /** What the policy refuses passes, but for what amounts to root. */
    readonly observe?: boolean
    /** Milliseconds that only ever grow. */
    readonly monotonic: () => number
  }

export function createServedClient(
  policy: Policy,
  options: ServedClientOptions,
  limits?: Limits,
  transport?: Transport,
): ServedClient {
  const { current, ...governed } = createGoverned(policy, options)
  return { ...createClientServer(current, limits, transport), ...governed }
}

export type Governed = Pick<ServedClient, 'policy' | 'govern' | 'open'> & {
  /** All that a request is handled with that comes now. */
  readonly current: () => Client
}

/** One client under a policy that can be replaced, without a socket. */
export function createGoverned(
  policy: Policy,
  { ownId, socketPaths, observe, monotonic, ...shared }: ServedClientOptions,
): Governed {
  const { engine } = shared
  const apiRange = createApiRange(engine, monotonic)
  const turns = createTurns(MAX_ANSWERS, READ_TIMEOUT_MS)
  const bodyTurns = createTurns(MAX_BODIES, READ_TIMEOUT_MS)
  const [open, execs] = [createOpenAnswers(), createExecs()]
  const targetsIn = (scope: Policy['scope']) => createTargets({ engine, scope, ownId, socketPaths })
  const observed = observe ? { observed: targetsIn(EVERYTHING) } : {}
  const under = (given: Policy): Client => ({
    ...shared,
    ...observed,
    apiRange,
    turns,
    bodyTurns,
    open,
    execs,
    policy: given,
    targets: targetsIn(given.scope),
  })
  let client = under(policy)
  return {
    current: () => client,
    policy: () => client.policy,
    govern(given) {
      client = under(given)
      open.judgeAnew(given)
    },
    open,
  }
}
