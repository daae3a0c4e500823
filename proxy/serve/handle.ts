// One request's way through: read, decide, forward, show, record. Reads as a checklist; each step is a module.
import type { Logger } from 'pino'
import type { AuditLog } from '../audit/audit-log.ts'
import type { ApiRange } from '../engine/api-range.ts'
import { inspectContainer, parseJson } from '../engine/containers.ts'
import type { Engine, EngineAnswer } from '../engine/engine.ts'
import { forward } from '../engine/forward.ts'
import type { Targets } from '../engine/targets.ts'
import type { Approved, Known } from '../policy/decide.ts'
import { widenFor } from '../policy/observe.ts'
import type { Policy } from '../policy/policy.ts'
import type { ContainerId } from '../policy/target.ts'
import type { ApiRequest } from '../request/api-request.ts'
import { isOpenEnded } from '../request/catalogue.ts'
import { checkPeer } from '../request/check-peer.ts'
import { type RequestHead, readRequest } from '../request/read-request.ts'
import { type Refusal, refuse } from '../request/refusal.ts'
import { type Answer, refusalAnswer, showAnswer } from '../show/answer.ts'
import type { AnyAnswer } from './any-answer.ts'
import type { Changes } from './changes.ts'
import type { Execs } from './execs.ts'
import { engineRefusal } from './find-target.ts'
import type { Incoming } from './incoming.ts'
import { judge, type Reservation, WAITED_TOO_LONG, withBody } from './judge.ts'
import type { Ledger } from './ledger.ts'
import type { ProxyMetrics } from './metrics.ts'
import type { OpenAnswers } from './open-answers.ts'
import { askOpenEnded } from './open-ended.ts'
import { createRecorder, type Pass, type Recorder } from './record.ts'
import type { Turns } from './turns.ts'

/** All that one client's requests are handled with. */
export type Client = {
  readonly policy: Policy
  readonly engine: Engine
  readonly targets: Targets
  /** Where the proxy only observes: the targets of what the policy refuses, among all containers. */
  readonly observed?: Targets
  readonly apiRange: ApiRange
  readonly ledger: Ledger
  readonly audit: Pick<AuditLog, 'append' | 'appendDurably'>
  readonly metrics: ProxyMetrics
  readonly log: Logger
  /** Shared by all clients. */
  readonly changes: Changes
  /** For answers to reads, from the Engine's first byte to the client's last. */
  readonly turns: Turns
  /** For bodies, from their first byte to the decision on them. */
  readonly bodyTurns: Turns
  /** What goes on, of this client. */
  readonly open: OpenAnswers
  readonly execs: Execs
  /** Milliseconds since 1970. */
  readonly now: () => number
}

/** Answers one request, whose client may go meanwhile. Never rejects: a bug is answered with 500 and logged. */
export async function handle(client: Client, head: RequestHead, incoming: Incoming): Promise<AnyAnswer> {
  const record = createRecorder(client, head)
  try {
    return await handleRequest(client, head, record, incoming)
  } catch (error) {
    client.log.error({ err: error }, 'a request failed inside the proxy')
    return record.refused(refuse(500, 'proxy.error', 'the proxy failed; see its log'))
  }
}

/** Refuses what could not be read as a request. */
export function refuseUnread(client: Client, refusal: Refusal, head: RequestHead): Promise<Answer> {
  return createRecorder(client, head).refused(refusal)
}

async function handleRequest(client: Client, head: RequestHead, record: Recorder, incoming: Incoming): Promise<AnyAnswer> {
  const read = checkPeer(head, client.policy.client, client.now()) ?? readRequest(head)
  if ('verdict' in read) return record.refused(read)
  const request = await withBody(client, read, incoming)
  if ('verdict' in request) return record.refused(request, read)

  let judged = await judge(client, request)
  let pass: Pass = { verdict: 'allow', rule: `allow.${request.operation.id}` }
  if (judged.decision.verdict === 'deny') {
    const { known, decision } = judged
    const wide = client.observed && widenFor(client.policy, request, decision)
    if (!client.observed || !wide) return record.refused(decision, request, known)
    judged = await judge({ ...client, policy: wide, targets: client.observed }, request)
    if (judged.decision.verdict === 'deny') return record.refused(decision, request, known)
    pass = { verdict: 'observe', rule: decision.rule, reason: decision.reason }
  }
  const { decision, known, reserved } = judged
  const passing = { request, known, approved: decision, pass, incoming }
  if (reserved) return forwardWrite(client, { ...passing, reserved }, record)
  return isOpenEnded(request.operation) ? passOpenEnded(client, passing, record) : forwardRead(client, passing, record)
}

const CLIENT_GONE = refuse(408, 'request.timeout', 'the client has gone before its turn came')

const CLIENT_WENT = refuse(408, 'request.timeout', 'the client has gone before the Engine answered')

/** A request that may go out. */
type Passing = {
  readonly request: ApiRequest
  readonly known: Known
  readonly approved: Approved
  readonly pass: Pass
  readonly incoming: Incoming
}

/** An operation that changes nothing: memory holds a few answers of a client's at once. */
async function forwardRead(client: Client, passing: Passing, record: Recorder): Promise<Answer> {
  const { request, known, approved, pass, incoming } = passing
  const taken = await client.turns.take()
  if (!taken) return record.refused(WAITED_TOO_LONG, request, known)
  try {
    if (incoming.isGone()) return { ...(await record.refused(CLIENT_GONE, request, known)), taken }
    const { answer, error } = await forwardAndShow(client, approved)
    await record.read(request, known, pass, answer, error)
    return { ...answer, taken }
  } catch (error) {
    taken()
    throw error
  }
}

/** One that goes on; of a change, `of` is the number of its decision. Memory holds none of it but what is under way. */
async function passOpenEnded(
  client: Client,
  { request, known, approved, pass, incoming }: Passing,
  record: Recorder,
  of?: number,
): Promise<AnyAnswer> {
  let over: ReturnType<Recorder['opened']> | undefined
  const opened = () => {
    over = record.opened(request, known, pass, of)
    return over
  }
  const shown = await engineAnswer(client, approved, async () => {
    try {
      return await askOpenEnded(client, approved, incoming, opened)
    } catch (error) {
      if (incoming.isGone()) return CLIENT_WENT
      throw error
    }
  })
  if ('verdict' in shown) {
    const answer = refusalAnswer(shown)
    if (of === undefined) await record.read(request, known, pass, answer, shown.reason)
    else await record.afterWrite(request, pass, of, answer, shown.reason)
    return answer
  }
  if (over === undefined && 'body' in shown && of !== undefined) await record.afterWrite(request, pass, of, shown)
  return shown
}

/** An operation that changes something: reserved in the same turn as the decision, on disk before it goes out. */
async function forwardWrite(
  client: Client,
  passing: Passing & { readonly reserved: Reservation },
  record: Recorder,
): Promise<AnyAnswer> {
  const { request, known, approved, pass, reserved } = passing
  const { charge, run, over } = reserved
  try {
    const seq = await record.beforeWrite(request, known, pass)
    if (typeof seq !== 'number') {
      client.ledger.cancel(charge)
      return record.refused(seq, request, known)
    }
    const what = charge.container ?? ([...approved.names.values()].join(' ') || 'the Engine')
    client.log.info({ operation: approved.operation, container: charge.container }, `${approved.operation} of ${what} goes out`)
    if (isOpenEnded(request.operation)) return await passOpenEnded(client, passing, record, seq)
    const { answer, error } = await forwardAndShow(client, approved)
    const left = run && answer.status === 500 ? await stateAfter(client, run.id) : undefined
    if (run && approved.operation === 'ContainerRestart' && (answer.status === 204 || left === 'exited')) {
      client.ledger.noteRestart(run, answer.status === 204)
    }
    await record.afterWrite(request, pass, seq, answer, error, left)
    return answer
  } finally {
    over()
  }
}

/** What a change that failed has left the container as; `undefined` where that cannot be told. */
async function stateAfter({ engine, log }: Client, id: ContainerId): Promise<string | undefined> {
  try {
    return (await inspectContainer(engine, id))?.state
  } catch (error) {
    log.warn({ err: error }, 'what a failed change has left cannot be told')
    return undefined
  }
}

async function forwardAndShow(client: Client, approved: Approved): Promise<{ answer: Answer; error?: string }> {
  const shown = await engineAnswer(client, approved, async () => {
    const answer = await forward(client.engine, approved)
    noteExec(client, approved, answer)
    const made = showAnswer(approved, answer)
    if ('verdict' in made) client.log.warn({ operation: approved.operation, engine: answer.body.slice(0, 1000) }, made.reason)
    return made
  })
  return 'verdict' in shown ? { answer: refusalAnswer(shown), error: shown.reason } : { answer: shown }
}

/** What `ask` gives, or what is told of an Engine that could not be asked. */
async function engineAnswer<A extends AnyAnswer>(
  client: Client,
  approved: Approved,
  ask: () => Promise<A | Refusal>,
): Promise<A | Refusal> {
  try {
    return await ask()
  } catch (error) {
    const refusal = engineRefusal(error, client.log)
    const mayBeDone = approved.charge !== undefined && refusal.rule !== 'engine.unreachable'
    return mayBeDone
      ? { ...refusal, reason: `${refusal.reason}; ${approved.operation} may have been done all the same` }
      : refusal
  }
}

/** What a command that was prepared here is known by from now on. */
function noteExec({ execs }: Client, { operation, container }: Approved, { status, body }: EngineAnswer): void {
  if (operation !== 'ContainerExec' || status !== 201 || container === undefined) return
  const { Id } = (parseJson(body) ?? {}) as { readonly Id?: unknown }
  if (typeof Id === 'string') execs.note(Id, container)
}
