// What goes back to a client: a status, a few headers of the proxy's own, and a body that was built here, or that the policy shows whole.
import { parseJson } from '../engine/containers.ts'
import { type EngineAnswer, EngineError } from '../engine/engine.ts'
import type { Approved } from '../policy/decide.ts'
import { operationOf } from '../request/catalogue.ts'
import { type Refusal, refuse } from '../request/refusal.ts'
import { cutToScope, isCutToScope } from './cut-to-scope.ts'
import { project } from './project.ts'

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** To be called once the client has taken the answer, or has gone: memory holds only a few large ones. */
  readonly taken?: () => void
}

/** A refusal in the Engine's own error shape. */
export function refusalAnswer({ status, reason, retryAfterSeconds }: Refusal): Answer {
  const retry: Record<string, string> = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  return jsonAnswer(status, { message: reason }, retry)
}

/** What is shown of the Engine's answer to an approved request. Throws `EngineError` where it cannot be read. */
export function showAnswer(approved: Approved, answer: EngineAnswer): Answer | Refusal {
  const { answer: kind } = operationOf(approved.operation)
  if (!DONE.includes(answer.status)) return failed(approved, answer)
  switch (kind) {
    case 'ping':
      return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8', ...pingHeaders(answer) }, body: 'OK' }
    case 'json': {
      if (answer.status === 204) return { status: answer.status, headers: {}, body: '' }
      if (approved.show === 'all' && !isCutToScope(approved.operation))
        return { status: answer.status, headers: JSON_HEADERS, body: answer.body }
      const whole = cutToScope(approved.operation, parseJson(answer.body), approved.scope)
      return jsonAnswer(answer.status, project(whole, approved.show))
    }
    default:
      return { status: answer.status, headers: {}, body: '' }
  }
}

/** How the Engine says that it has done what was asked, or (304) that it was so already. */
export const DONE: readonly number[] = [200, 201, 202, 204, 304]

/** Statuses of the Engine's that are passed on, with what is said instead of its own text, which names ids and paths of the host. */
const FAILURES = [
  [400, 'the Engine does not take this request'],
  [401, 'a registry does not know the Engine'],
  [403, 'the Engine refuses this request'],
  [406, 'the Engine is not in a state to do this; is it part of a swarm?'],
  [409, 'the Engine answers that the state does not allow it'],
  [500, 'the Engine tried and failed'],
  [501, 'the Engine does not have this operation'],
  [503, 'the Engine is not in a state to do this; is it part of a swarm?'],
] as const

/** What is said of an answer that tells of a failure. Throws `EngineError` where it tells nothing. */
export function failed({ operation, container, names }: Approved, answer: { readonly status: number }): Refusal {
  if (answer.status === 404) {
    const inside = operationOf(operation).query.path === 'path' ? ', or no such path in it' : ''
    const what = container === undefined ? `object: ${[...names.values()].join(' ')}` : `container: ${container}${inside}`
    return refuse(404, 'engine.missing', `No such ${what}`)
  }
  const [status, words] = FAILURES.find(([known]) => known === answer.status) ?? []
  if (status !== undefined) return refuse(status, 'engine.failed', `${operation}: ${words}; see the proxy's log`)
  throw new EngineError('answer', `the Engine answered ${answer.status} to ${operation}`)
}

const JSON_HEADERS = { 'content-type': 'application/json' }

function jsonAnswer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { ...JSON_HEADERS, ...headers }, body: JSON.stringify(body) }
}

/** What clients go by: the version of the API, the system, and which builder is the usual one. */
const PING_HEADERS = [
  ['api-version', /^1\.\d{1,3}$/],
  ['ostype', /^(?:linux|windows)$/],
  ['builder-version', /^[12]$/],
  ['docker-experimental', /^(?:true|false)$/],
] as const

function pingHeaders({ headers }: EngineAnswer): Record<string, string> {
  return Object.fromEntries(
    PING_HEADERS.flatMap(([name, grammar]) => {
      const value = headers[name]
      return typeof value === 'string' && grammar.test(value) ? [[name, value]] : []
    }),
  )
}
