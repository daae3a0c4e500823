// One request's way through: read, decide, forward, show, record. Reads as a checklist; each step is a module.
import type { Logger } from 'pino'
import type { AuditLog } from '../audit/audit-log.ts'
import type { ApiRange } from '../engine/api-range.ts'
import { type Engine, EngineError } from '../engine/engine.ts'
import { forward } from '../engine/forward.ts'
import type { Targets } from '../engine/targets.ts'
import { type Approved, decide, type Known } from '../policy/decide.ts'
import type { Policy } from '../policy/policy.ts'
import type { ApiRequest } from '../request/api-request.ts'
import { type RequestHead, readRequest } from '../request/read-request.ts'
import { type Refusal, refuse } from '../request/refusal.ts'
import { type Answer, refusalAnswer, showAnswer } from '../show/answer.ts'
import type { Ledger } from './ledger.ts'
import type { ProxyMetrics } from './metrics.ts'
import { createRecorder, type Recorder } from './record.ts'
import type { Turns } from './turns.ts'

/** All that one client's requests are handled with. */
export type Client = {
  readonly policy: Policy
  readonly engine: Engine
  readonly targets: Targets
  readonly apiRange: ApiRange
  readonly ledger: Ledger
  readonly audit: AuditLog
  readonly metrics: ProxyMetrics
  readonly log: Logger
  /** Ids of the containers to which a write is under way, shared by all clients. */
  readonly busy: Set<string>
  /** For answers to reads, from the Engine's first byte to the client's last. */
  readonly turns: Turns
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Answers one request. Never rejects: a bug is answered with 500 and logged. */
export async function handle(client: Client, head: RequestHead): Promise<Answer> {
  const record = createRecorder(client, head)
  try {
    return await handleRequest(client, head, record)
  } catch (error) {
    client.log.error({ err: error }, 'a request failed inside the proxy')
    return record.refused(refuse(500, 'proxy.error', 'the proxy failed; see its log'))
  }
}

/** Refuses what could not be read as a request. */
export function refuseUnread(client: Client, refusal: Refusal, head: RequestHead): Promise<Answer> {
  return createRecorder(client, head).refused(refusal)
}

async function handleRequest(client: Client, head: RequestHead, record: Recorder): Promise<Answer> {
  const request = readRequest(head)
  if ('verdict' in request) return record.refused(request)

  let known: Known = { target: 'not asked' }
  let decision = decide(client.policy, request, known, client.ledger.charges(), client.now())
  if (decision.verdict === 'deny') return record.refused(decision, request, known)
  const tooNew = await checkVersion(client, request)
  if (tooNew) return record.refused(tooNew, request)
  if (decision.verdict === 'resolve') {
    const found = await findTarget(client, request, decision.need)
    if ('verdict' in found) return record.refused(found, request)
    // From here to the reservation nothing waits, so that no other request can decide on the same budget or target.
    known = withOwnKnowledge(client, found)
    decision = decide(client.policy, request, known, client.ledger.charges(), client.now())
  }
  if (decision.verdict === 'resolve') throw new Error(`${request.operation.id} still asks for its target`)
  if (decision.verdict === 'deny') return record.refused(decision, request, known)
  if (decision.charge) return forwardWrite(client, request, known, decision, record)

  const taken = await client.turns.take()
  if (!taken)
    return record.refused(refuse(504, 'engine.timeout', 'the Engine did not answer those before in time'), request, known)
  try {
    const { answer, error } = await forwardAndShow(client, decision)
    await record.read(request, known, answer, error)
    return { ...answer, taken }
  } catch (error) {
    taken()
    throw error
  }
}

type Inspected = NonNullable<Awaited<ReturnType<Targets['inspect']>>>
type Found = Exclude<Known, { target: 'inspected' }> | { readonly target: 'inspected'; readonly container: Inspected }

/** A version that the Engine does not have would be refused by it in words of its own. */
async function checkVersion({ apiRange, log }: Client, { version }: ApiRequest): Promise<Refusal | undefined> {
  if (version === undefined) return undefined
  try {
    const lacks = await apiRange.lacks(version)
    return lacks === undefined ? undefined : refuse(400, 'request.version', lacks)
  } catch (error) {
    return engineRefusal(error, log)
  }
}

async function findTarget(
  { targets, log }: Client,
  { container: ref }: ApiRequest,
  need: 'listed' | 'inspected',
): Promise<Found | Refusal> {
  if (ref === undefined) return { target: 'not asked' }
  try {
    if (need === 'listed') {
      const container = await targets.find(ref)
      return container ? { target: 'listed', container } : { target: 'not found' }
    }
    const container = await targets.inspect(ref)
    return container ? { target: 'inspected', container } : { target: 'not found' }
  } catch (error) {
    return engineRefusal(error, log)
  }
}

/** Adds what the proxy itself knows at this moment. */
function withOwnKnowledge({ busy, ledger, policy }: Client, found: Found): Known {
  if (found.target !== 'inspected') return found
  const { id, startedAt } = found.container
  const failedToStart = ledger.failedToStart({ client: policy.client, id, startedAt })
  return { ...found, container: { ...found.container, isBusy: busy.has(id), failedToStart } }
}

/** An operation that changes something: reserved in the same turn as the decision, on disk before it goes out. */
async function forwardWrite(
  client: Client,
  request: ApiRequest,
  known: Known,
  approved: Approved,
  record: Recorder,
): Promise<Answer> {
  const { charge } = approved
  if (!charge) throw new Error(`${approved.operation} was approved without a charge`)
  const run = known.target === 'inspected' ? { client: charge.client, ...known.container } : undefined
  client.ledger.add(charge)
  if (run) client.busy.add(run.id)
  try {
    const seq = await record.beforeWrite(request, known)
    if (typeof seq !== 'number') {
      client.ledger.cancel(charge)
      return record.refused(seq, request, known)
    }
    const words = `${approved.operation} of ${charge.container ?? ([...approved.names.values()].join(' ') || 'the Engine')} goes out`
    client.log.info({ operation: approved.operation, container: charge.container }, words)
    const { answer, error } = await forwardAndShow(client, approved)
    if (run && approved.operation === 'ContainerRestart' && (answer.status === 204 || answer.status === 500)) {
      client.ledger.noteRestart(run, answer.status === 204)
    }
    await record.afterWrite(request, seq, answer, error)
    return answer
  } finally {
    if (run) client.busy.delete(run.id)
  }
}

async function forwardAndShow(client: Client, approved: Approved): Promise<{ answer: Answer; error?: string }> {
  let shown: Answer | Refusal
  try {
    const answer = await forward(client.engine, approved)
    shown = showAnswer(approved, answer)
    if ('verdict' in shown) client.log.warn({ operation: approved.operation, engine: answer.body.slice(0, 1000) }, shown.reason)
  } catch (error) {
    const refusal = engineRefusal(error, client.log)
    const mayBeDone = approved.charge !== undefined && refusal.rule !== 'engine.unreachable'
    shown = mayBeDone
      ? { ...refusal, reason: `${refusal.reason}; ${approved.operation} may have been done all the same` }
      : refusal
  }
  return 'verdict' in shown ? { answer: refusalAnswer(shown), error: shown.reason } : { answer: shown }
}

/** What the client is told when the Engine could not be asked; the log is told all. */
function engineRefusal(error: unknown, log: Logger): Refusal {
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
