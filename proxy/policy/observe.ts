// What a proxy that only observes lets pass although the policy refuses it: anything that a policy could allow and that does not amount
// to root on the host. Pure.
import type { ApiRequest, QueryValue } from '../request/api-request.ts'
import { type OperationId, whyNotServed } from '../request/catalogue.ts'
import type { Refusal, RefusalRule } from '../request/refusal.ts'
import type { AllowedValues, Policy, Rule } from './policy.ts'
import { EVERYTHING } from './target.ts'

/** What the policy's author could have allowed; the other rules hold whatever the policy says. */
const UP_TO_THE_POLICY: readonly RefusalRule[] = [
  'policy.operation',
  'policy.query',
  'policy.scope',
  'policy.when',
  'policy.budget',
]

/** The policy under which `request`, which `policy` refuses, would pass; `undefined` where it is refused all the same. */
export function widenFor(policy: Policy, request: ApiRequest, { rule }: Refusal): Policy | undefined {
  const { operation, query } = request
  if (!UP_TO_THE_POLICY.includes(rule) || operation.kind === 'root' || whyNotServed(operation) !== undefined) return undefined
  const wide: Rule = { query: new Map([...query].map(([key, value]) => [key, exactly(value)])), show: 'all', when: [] }
  return { ...policy, scope: EVERYTHING, allow: new Map<OperationId, Rule>([[operation.id, wide]]) }
}

function exactly({ type, value }: QueryValue): AllowedValues {
  switch (type) {
    case 'boolean':
      return { type, values: [value] }
    case 'integer':
      return { type, ranges: [{ min: value, max: value }] }
    case 'text':
      return { type, patterns: ['*'] }
    case 'filters':
      return { type, names: [...value.keys()] }
    default:
      return type satisfies never
  }
}
