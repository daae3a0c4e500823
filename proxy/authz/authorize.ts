// One question of the Engine's: read, decide, record, answer. The Engine does the rest, so whatever is not a plain yes is a no.
import { performance } from 'node:perf_hooks'
import type { Approved, Known } from '../policy/decide.ts'
import type { Policy } from '../policy/policy.ts'
import { EVERYTHING } from '../policy/target.ts'
import type { ApiRequest } from '../request/api-request.ts'
import { type Refusal, refuse } from '../request/refusal.ts'
import type { Client } from '../serve/handle.ts'
import { judge } from '../serve/judge.ts'
import { createRecorder, type Pass, type Recorder } from '../serve/record.ts'
import type { Outcomes } from './outcomes.ts'
import { ALLOWED, headOf, type PluginAnswer, type PluginMessage } from './plugin-message.ts'
import { readPluginRequest } from './read-plugin-request.ts'

/** All that questions are answered with. */
export type Guard = {
  /** Everybody who asks the Engine, under the policy as it is now. */
  readonly client: () => Client
  readonly outcomes: Outcomes
}

/** Whether the Engine may carry out the request that `message` tells of. Never rejects: a bug is a no, and is logged. */
export async function authorize(guard: Guard, message: PluginMessage): Promise<PluginAnswer> {
  const client = guard.client()
  const record = createRecorder(client, headOf(message))
  try {
    return await decideOn(client, guard.outcomes, message, record)
  } catch (error) {
    client.log.error({ err: error }, 'a request failed inside the plugin')
    return refused(record, refuse(500, 'proxy.error', 'the plugin failed; see its log'))
  }
}

/** Refuses what is no question, or is one too many. */
export function refuseUnread({ client }: Guard, refusal: Refusal): Promise<PluginAnswer> {
  return refused(createRecorder(client(), { method: '', target: '', rawHeaders: [] }), refusal)
}

async function decideOn(client: Client, outcomes: Outcomes, message: PluginMessage, record: Recorder): Promise<PluginAnswer> {
  const startedMs = performance.now()
  const request = readPluginRequest(message)
  if ('verdict' in request) return refused(record, request)
  const { decision, known, reserved } = await judge(client, request)
  if (decision.verdict === 'deny') return refused(record, decision, request, known)
  // Nothing here tells when a change is over: another plugin may refuse it yet. The Engine makes one at a time of a container.
  reserved?.over()
  const refusal = checkPinned(client.policy, request, decision)
  if (refusal) {
    if (reserved) client.ledger.cancel(reserved.charge)
    return refused(record, refusal, request, known)
  }
  const pass: Pass = { verdict: 'allow', rule: `allow.${request.operation.id}` }
  if (!reserved) {
    await record.passed(request, known, pass)
    return ALLOWED
  }
  const seq = await record.beforeWrite(request, known, pass)
  if (typeof seq !== 'number') {
    client.ledger.cancel(reserved.charge)
    return refused(record, seq, request, known)
  }
  client.metrics.decided(
    client.policy.client,
    request.operation.id,
    pass.verdict,
    pass.rule,
    (performance.now() - startedMs) / 1000,
  )
  outcomes.expect(message, (answer) => tellOutcome(client, seq, answer, startedMs))
  return ALLOWED
}

/**
 * A name, or the beginning of an id, may mean another container by the time that the Engine looks it up, and a plugin cannot put the id
 * that was judged in its place. Only where every container may be read is it the same to all.
 */
function checkPinned({ scope }: Policy, { operation, container: ref }: ApiRequest, { container }: Approved): Refusal | undefined {
  if (ref === undefined || container === undefined || String(ref) === container) return undefined
  if (operation.kind === 'reads' && scope === EVERYTHING) return undefined
  const reason = `${operation.id}: a name could mean another container before the Engine looks it up; name it by its whole id, ${container}`
  return refuse(403, 'request.id', reason)
}

/** What the Engine answers to a refusal, whatever it is for. */
const REFUSED = 403

async function refused(record: Recorder, refusal: Refusal, request?: ApiRequest, known?: Known): Promise<PluginAnswer> {
  await record.refused({ ...refusal, status: REFUSED }, request, known)
  return { Allow: false, Msg: refusal.reason }
}

/** Of a change that has failed the Engine tells no status, so nothing is recorded of it. */
async function tellOutcome({ audit, metrics, log }: Client, of: number, { status, answer }: PluginMessage, startedMs: number) {
  if (status === undefined) return
  const ms = Math.round((performance.now() - startedMs) * 10) / 10
  try {
    await audit.append({ event: 'outcome', of, status, bytes: answer?.length ?? 0, ms })
  } catch (error) {
    metrics.auditFailed()
    log.error({ err: error }, 'the audit log cannot be written')
  }
}
