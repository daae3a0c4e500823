// Short ways to put a request to `decide`, and to say in one line what came of it.
import { type Charge, type Decision, decide, type Known } from '../../../proxy/policy/decide.ts'
import type { Policy } from '../../../proxy/policy/policy.ts'
import type { Target } from '../../../proxy/policy/target.ts'
import type { ApiRequest } from '../../../proxy/request/api-request.ts'
import { readRequest } from '../../../proxy/request/read-request.ts'
import { listed, target } from './containers.ts'

export const NOW_MS = Date.parse('2024-06-01T12:00:00Z')

/** The request that `line` is read as; a line that is refused fails the test. */
export function requestOf(line: string): ApiRequest {
  const [method = '', target = ''] = line.split(' ')
  const request = readRequest({ method, target, rawHeaders: [] })
  if ('verdict' in request) throw new Error(`${line}: ${request.reason}`)
  return request
}

export const inspected = (over: Partial<Target> = {}): Known => ({ target: 'inspected', container: target(over) })
export const inList = (over: Partial<Target> = {}): Known => ({ target: 'listed', container: listed(over) })

export function decideLine(
  policy: Policy,
  line: string,
  known: Known = { target: 'not asked' },
  ledger: readonly Charge[] = [],
  nowMs = NOW_MS,
): Decision {
  return decide(policy, requestOf(line), known, ledger, nowMs)
}

/** `allow`, `resolve listed`, or `404 policy.scope`. */
export function inWords(decision: Decision): string {
  switch (decision.verdict) {
    case 'allow':
      return 'allow'
    case 'resolve':
      return `resolve ${decision.need}`
    case 'deny':
      return `${decision.status} ${decision.rule}`
    default:
      return decision satisfies never
  }
}

export function restartCharge(over: Partial<Charge> = {}): Charge {
  return { client: 'healer', container: 'web', operation: 'ContainerRestart', atMs: NOW_MS, ...over }
}
