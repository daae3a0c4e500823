// What goes back to a client: a status, a few headers of the proxy's own, and a body that was built here.
import { keepInScope, parseJson } from '../engine/containers.ts'
import { type EngineAnswer, EngineError } from '../engine/engine.ts'
import type { Approved } from '../policy/decide.ts'
import { type Refusal, refuse } from '../request/refusal.ts'
import { project } from './project.ts'

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** A refusal in the Engine's own error shape. */
export function refusalAnswer({ status, reason, retryAfterSeconds }: Refusal): Answer {
  const retry: Record<string, string> = retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }
  return jsonAnswer(status, { message: reason }, retry)
}

/** What is shown of the Engine's answer to an approved request. Throws `EngineError` where it cannot be read. */
export function showAnswer(approved: Approved, answer: EngineAnswer): Answer | Refusal {
  if (answer.status === 404 && approved.container !== undefined) {
    return refuse(404, 'engine.missing', `No such container: ${approved.container}`)
  }
  switch (approved.operation) {
    case 'SystemPing':
      if (answer.status !== 200) return failed(approved, answer)
      return { status: 200, headers: { 'content-type': 'text/plain; charset=utf-8', ...pingHeaders(answer) }, body: 'OK' }
    case 'ContainerRestart':
      return answer.status === 204 ? { status: 204, headers: {}, body: '' } : failed(approved, answer)
    case 'ContainerList': {
      if (answer.status !== 200) return failed(approved, answer)
      const kept = keepInScope(parseJson(answer.body), approved.scope).map(({ element }) => element)
      return jsonAnswer(200, project(kept, approved.show))
    }
    case 'SystemVersion':
    case 'ContainerInspect':
      return answer.status === 200 ? jsonAnswer(200, project(parseJson(answer.body), approved.show)) : failed(approved, answer)
    default:
      return approved.operation satisfies never
  }
}

/** The Engine's own text is not passed on: it names ids and paths of the host. The proxy's log has it. */
function failed({ operation }: Approved, { status }: EngineAnswer): Refusal {
  if (status === 400)
    return refuse(400, 'engine.failed', `${operation}: the Engine does not take this request; see the proxy's log`)
  if (status === 409)
    return refuse(409, 'engine.failed', `${operation}: the Engine answers that the state does not allow it; see the proxy's log`)
  if (status === 500) return refuse(500, 'engine.failed', `${operation}: the Engine tried and failed; see the proxy's log`)
  throw new EngineError('answer', `the Engine answered ${status} to ${operation}`)
}

function jsonAnswer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) }
}

function pingHeaders({ headers }: EngineAnswer): Record<string, string> {
  const version = headers['api-version']
  return typeof version === 'string' && /^1\.\d{1,3}$/.test(version) ? { 'api-version': version } : {}
}
