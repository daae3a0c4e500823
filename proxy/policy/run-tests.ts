// Runs the tests that a policy carries, through the same reading and deciding as a client's request.
import { readRequest } from '../request/read-request.ts'
import type { RefusalRule } from '../request/refusal.ts'
import { decide } from './decide.ts'
import type { Given, Policy, PolicyTest } from './policy.ts'
import type { PolicyError } from './policy-error.ts'
import { parseContainerId, type Target } from './target.ts'

/** The tests that do not hold; empty when all do. */
export function runPolicyTests(policy: Policy): readonly PolicyError[] {
  return policy.tests.flatMap((test) => {
    const outcome = runTest(policy, test)
    if (outcome.verdict === 'no request')
      return [{ ...test.at, message: `test failed: ${outcome.words}; a test of it holds whatever the policy says` }]
    if (outcome.verdict === test.expect) return []
    return [
      { ...test.at, message: `test failed: expected ${test.expect} of ${test.method} ${test.target}, but ${outcome.words}` },
    ]
  })
}

/** What no policy could allow, so that a `deny` of it says nothing, and is likely misspelt. */
const NO_REQUEST: readonly RefusalRule[] = ['operation.unknown', 'request.version']

function runTest(policy: Policy, test: PolicyTest): { verdict: 'allow' | 'deny' | 'no request'; words: string } {
  const request = readRequest({ method: test.method, target: test.target, rawHeaders: [] })
  if ('verdict' in request) {
    const isNone = test.expect === 'deny' && NO_REQUEST.includes(request.rule)
    return isNone
      ? { verdict: 'no request', words: request.reason }
      : { verdict: 'deny', words: `it is refused: ${request.reason}` }
  }
  const container = givenContainer(test.given, request.container ?? '')
  const decision = decide(policy, request, { target: 'inspected', container }, [], 0)
  if (decision.verdict === 'allow') return { verdict: 'allow', words: 'it is allowed' }
  return { verdict: 'deny', words: `it is refused: ${decision.verdict === 'deny' ? decision.reason : 'no container is known'}` }
}

/** The container of `given`: running, without labels and named as the request names it, where the test does not say. */
export function givenContainer(given: Given, ref: string): Target {
  const id = parseContainerId('0'.repeat(64))
  if (id === undefined) throw new Error('64 zeros are no container id')
  return {
    id,
    names: [given.name ?? ref],
    labels: given.labels,
    state: given.state ?? 'running',
    startedAt: '',
    isProtected: false,
    isBusy: false,
    failedToStart: false,
  }
}
