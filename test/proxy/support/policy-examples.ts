// The policies that documentation pages show, and what each decides of a request.
import type { Test } from 'tap'
import { type Charge, type Decision, decide } from '../../../proxy/policy/decide.ts'
import type { Policy, PolicyTest } from '../../../proxy/policy/policy.ts'
import { runPolicyTests } from '../../../proxy/policy/run-tests.ts'
import { parseContainerId, type Target } from '../../../proxy/policy/target.ts'
import { readRequest } from '../../../proxy/request/read-request.ts'
import type { RefusalRule } from '../../../proxy/request/refusal.ts'
import { policyOf } from './policies.ts'

/** What an example that leaves out a required key stands for, as docs/policies.md says. */
const LEFT_OUT = {
  version: 'version: 1',
  client: 'client: example',
  scope: 'scope: [{ labels: { monitored: "true" } }]',
  allow: 'allow: { SystemPing: {} }',
} as const

/** The whole policy that `example` stands for. */
export function completed(example: string): string {
  const missing = Object.entries(LEFT_OUT).filter(([key]) => !new RegExp(`^${key}:`, 'm').test(example))
  return [example.trimEnd(), ...missing.map(([, line]) => line), ''].join('\n')
}

/** The rules in the comments beside an example's `deny` lines, in order; `undefined` where there is none. */
const rulesTold = (example: string): readonly (string | undefined)[] =>
  [...example.matchAll(/^ +- deny: \S+ \S+(?: # (\S+))?$/gm)].map((match) => match[1])

const ID = parseContainerId('0'.repeat(64)) as Target['id']

/** As a policy's own tests have it: a running container without labels, named as the request names it. */
function containerOf(ref: string, given: Partial<Target> = {}): Target {
  const known = { id: ID, names: [ref], labels: {}, state: 'running', startedAt: '' }
  return { ...known, isProtected: false, isBusy: false, failedToStart: false, ...given }
}

/** What `policy` decides of the request line `METHOD /path`. */
export function decided(
  policy: Policy,
  requestLine: string,
  given: Partial<Target> = {},
  ledger: readonly Charge[] = [],
  nowMs = 0,
): Decision {
  const [method = '', target = ''] = requestLine.split(' ')
  const request = readRequest({ method, target, rawHeaders: [] })
  if ('verdict' in request) return request
  return decide(policy, request, { target: 'inspected', container: containerOf(request.container ?? '', given) }, ledger, nowMs)
}

/** The rule that refuses; `undefined` where the request passes. */
export function refusedBy(...given: Parameters<typeof decided>): RefusalRule | undefined {
  const decision = decided(...given)
  if (decision.verdict === 'resolve') throw new Error(`${given[1]}: the container is known, and asked for`)
  return decision.verdict === 'deny' ? decision.rule : undefined
}

const containerGiven = ({ labels, name, state }: PolicyTest['given']): Partial<Target> => ({
  labels,
  ...(name === undefined ? {} : { names: [name] }),
  ...(state === undefined ? {} : { state }),
})

/** The example is a policy; its tests hold, show what passes and what is refused, and each refusal is for the rule told beside it. */
export function checkExample(t: Test, example: string): void {
  const policy = policyOf(completed(example))
  t.same(runPolicyTests(policy), [], example)
  const allowed = policy.tests.filter(({ expect }) => expect === 'allow')
  const denied = policy.tests.filter(({ expect }) => expect === 'deny')
  t.ok(allowed.length > 0, `it shows what passes: ${example}`)
  t.ok(denied.length > 0, `it shows what is refused: ${example}`)
  t.same(
    denied.map(({ method, target, given }) => refusedBy(policy, `${method} ${target}`, containerGiven(given))),
    rulesTold(example),
    example,
  )
}
