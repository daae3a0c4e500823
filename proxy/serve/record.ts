// Step 5, record: enters what became of one request into the audit log and the metrics.
import { performance } from 'node:perf_hooks'
import type { AuditEvent, DecisionEvent, Outcome } from '../audit/audit-line.ts'
import type { Known } from '../policy/decide.ts'
import type { ApiRequest } from '../request/api-request.ts'
import type { RequestHead } from '../request/read-request.ts'
import { type Refusal, refuse } from '../request/refusal.ts'
import { type Answer, refusalAnswer } from '../show/answer.ts'
import type { Client } from './handle.ts'

export type Recorder = {
  /** Records a refusal and gives the answer to it. */
  readonly refused: (refusal: Refusal, request?: ApiRequest, known?: Known) => Promise<Answer>
  /** Records a read that was let through, with what came of it. */
  readonly read: (request: ApiRequest, known: Known, pass: Pass, answer: Result, error?: string) => Promise<void>
  /** Records a read that was let through, whose answer is not seen here. */
  readonly passed: (request: ApiRequest, known: Known, pass: Pass) => Promise<void>
  /**
   * Records that what was let through goes on from here; of a change, `of` is the number of its decision. To be told once when it is
   * over. A read that goes on for long has a line before that.
   */
  readonly opened: (
    request: ApiRequest,
    known: Known,
    pass: Pass,
    of?: number,
  ) => (result: Result, error?: string) => Promise<void>
  /** Puts the decision to let a write through on the disk: its sequence number, or a refusal where that is not possible. */
  readonly beforeWrite: (request: ApiRequest, known: Known, pass: Pass) => Promise<number | Refusal>
  /** Records what came of the write whose decision has the number `of`, and in which state a failed one left its container. */
  readonly afterWrite: (
    request: ApiRequest,
    pass: Pass,
    of: number,
    answer: Result,
    error?: string,
    left?: string,
  ) => Promise<void>
}

/** What a line tells of an answer. */
export type Result = Pick<Answer, 'status'> & ({ readonly body: string } | { readonly bytes: number })

/** Someone may ask who reads along now. */
const TOLD_AFTER_MS = 10_000

/** Why a request was let through: the policy allows it, or refuses it by this rule where the proxy only observes. */
export type Pass =
  | { readonly verdict: 'allow'; readonly rule: string }
  | { readonly verdict: 'observe'; readonly rule: string; readonly reason: string }

/** The record of one request, whose time is counted from now. */
export function createRecorder({ policy, audit, metrics, log }: Client, head: RequestHead): Recorder {
  const startedMs = performance.now()

  const decided = (
    verdict: Pick<DecisionEvent, 'verdict' | 'rule'> & { readonly reason?: string },
    request?: ApiRequest,
    known?: Known,
  ): DecisionEvent => ({
    event: 'decision',
    client: policy.client,
    policy: policy.hash,
    method: head.method,
    path: head.target,
    ...certificateOf(head),
    ...(head.user === undefined ? {} : { user: head.user }),
    ...(request ? { operation: request.operation.id, ...queryOf(request) } : {}),
    ...(known && 'container' in known ? { target: targetOf(known) } : {}),
    ...verdict,
  })
  const outcome = (answer: Result, error?: string): Outcome => ({
    status: answer.status,
    bytes: 'bytes' in answer ? answer.bytes : Buffer.byteLength(answer.body),
    ms: Math.round((performance.now() - startedMs) * 10) / 10,
    ...(error === undefined ? {} : { error }),
  })
  const count = (verdict: DecisionEvent['verdict'], rule: string, request?: ApiRequest) =>
    metrics.decided(policy.client, request?.operation.id ?? '', verdict, rule, (performance.now() - startedMs) / 1000)

  /** Reads and refusals go on when the log cannot be written; it is said in the proxy's log and in a metric. */
  const append = async (event: AuditEvent) => {
    try {
      await audit.append(event)
    } catch (error) {
      metrics.auditFailed()
      log.error({ err: error }, 'the audit log cannot be written')
    }
  }

  return {
    async refused({ verdict, rule, reason, ...rest }, request, known) {
      const answer = refusalAnswer({ verdict, rule, reason, ...rest })
      count(verdict, rule, request)
      await append({ ...decided({ verdict, rule, reason }, request, known), ...outcome(answer) })
      return answer
    },
    async read(request, known, pass, answer, error) {
      count(pass.verdict, pass.rule, request)
      await append({ ...decided(pass, request, known), ...outcome(answer, error) })
    },
    opened(request, known, pass, of) {
      count(pass.verdict, pass.rule, request)
      let told: Promise<number | undefined> = Promise.resolve(of)
      const tell = async () => {
        try {
          return await audit.appendDurably(decided(pass, request, known))
        } catch (error) {
          metrics.auditFailed()
          log.error({ err: error }, 'the audit log cannot be written')
          return undefined
        }
      }
      const timer = of === undefined ? setTimeout(() => (told = tell()), TOLD_AFTER_MS) : undefined
      return async (result, error) => {
        clearTimeout(timer)
        const number = await told
        if (number === undefined) return append({ ...decided(pass, request, known), ...outcome(result, error) })
        return append({ event: 'outcome', of: number, ...outcome(result, error) })
      }
    },
    async passed(request, known, pass) {
      count(pass.verdict, pass.rule, request)
      await append(decided(pass, request, known))
    },
    async beforeWrite(request, known, pass) {
      try {
        return await audit.appendDurably(decided(pass, request, known))
      } catch (error) {
        metrics.auditFailed()
        log.error({ err: error }, 'the audit log cannot be written; operations that change something are refused')
        return refuse(503, 'audit.unwritable', `${request.operation.id}: the audit log cannot be written, so nothing is changed`)
      }
    },
    async afterWrite(request, pass, of, answer, error, left) {
      count(pass.verdict, pass.rule, request)
      await append({ event: 'outcome', of, ...outcome(answer, error), ...(left === undefined ? {} : { left }) })
    },
  }
}

function certificateOf({ peer }: RequestHead): Pick<DecisionEvent, 'certificate'> {
  if (peer?.transport !== 'tls') return {}
  const { names, sha256 } = peer.certificate
  return { certificate: { names: [...names], sha256 } }
}

function queryOf({ query }: ApiRequest): { readonly query?: Record<string, unknown> } {
  if (query.size === 0) return {}
  const values = [...query].map(([key, given]) => [key, given.type === 'filters' ? Object.fromEntries(given.value) : given.value])
  return { query: Object.fromEntries(values) }
}

function targetOf(known: Extract<Known, { container: object }>): NonNullable<DecisionEvent['target']> {
  const { id, names } = known.container
  const target = { id, name: names[0] ?? id }
  if (known.target === 'listed') return target
  const { state, startedAt } = known.container
  return { ...target, state, startedAt }
}
