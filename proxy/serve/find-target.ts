// What is known of the container that a request names, as fresh as the decision needs it.
import type { Logger } from 'pino'
import { EngineError } from '../engine/engine.ts'
import type { Targets } from '../engine/targets.ts'
import type { Known } from '../policy/decide.ts'
import type { ApiRequest, ContainerRef } from '../request/api-request.ts'
import { type Refusal, refuse } from '../request/refusal.ts'
import type { Client } from './handle.ts'

type Inspected = NonNullable<Awaited<ReturnType<Targets['inspect']>>>
export type Found = Exclude<Known, { target: 'inspected' }> | { readonly target: 'inspected'; readonly container: Inspected }

/** How often a container is looked at anew because others change it meanwhile. */
const MAX_LOOKS = 3

export async function findTarget(client: Client, request: ApiRequest, need: 'listed' | 'inspected'): Promise<Found | Refusal> {
  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    const found = await look(client, request, need)
    if (found !== 'outdated') return found
  }
  return refuse(409, 'policy.busy', `${request.operation.id}: ${request.container} is changed again and again; try later`)
}

async function look(
  { targets, changes, log, execs }: Client,
  { container, names }: ApiRequest,
  need: 'listed' | 'inspected',
): Promise<Found | Refusal | 'outdated'> {
  const exec = names.get('exec')
  const ref = exec === undefined ? container : (execs.containerOf(exec) as string | undefined as ContainerRef | undefined)
  if (ref === undefined) return { target: 'not found' }
  try {
    if (need === 'listed') {
      const container = await targets.find(ref)
      return container ? { target: 'listed', container } : { target: 'not found' }
    }
    const mark = changes.mark()
    const container = await targets.inspect(ref)
    if (!container) return { target: 'not found' }
    // What was found may be older than a change that has ended since.
    return changes.since(container.id, mark) ? 'outdated' : { target: 'inspected', container }
  } catch (error) {
    return engineRefusal(error, log)
  }
}

/** Adds what the proxy itself knows at this moment. */
export function withOwnKnowledge({ changes, ledger, policy }: Client, found: Found): Known {
  if (found.target !== 'inspected') return found
  const { id, startedAt } = found.container
  const failedToStart = ledger.failedToStart({ client: policy.client, id, startedAt })
  return { ...found, container: { ...found.container, isBusy: changes.isUnderWay(id), failedToStart } }
}

/** What the client is told when the Engine could not be asked; the log is told all. Throws what is no `EngineError`. */
export function engineRefusal(error: unknown, log: Logger): Refusal {
  if (!(error instanceof EngineError)) throw error
  log.error({ err: error }, error.message)
  switch (error.kind) {
    case 'unreachable':
      return refuse(502, 'engine.unreachable', 'the Engine cannot be reached by the proxy; see its log')
    case 'timeout':
      return refuse(504, 'engine.timeout', 'the Engine did not answer the proxy in time')
    case 'answer':
      return refuse(502, 'engine.answer', "the Engine's answer cannot be read by the proxy; see its log")
    default:
      return error.kind satisfies never
  }
}
