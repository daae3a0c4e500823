// Properties of deciding: it is total, it approves nothing outside the scope, and a policy that allows more refuses no more.
import fc from 'fast-check'
import t from 'tap'
import { decide, type Known } from '../../proxy/policy/decide.ts'
import type { Policy } from '../../proxy/policy/policy.ts'
import { readRequest } from '../../proxy/request/read-request.ts'
import { containerId } from './support/containers.ts'
import { NOW_MS, restartCharge } from './support/deciding.ts'
import { policyOf, policyText } from './support/policies.ts'

const RULES = {
  SystemPing: '{}',
  SystemVersion: '{ show: [Version] }',
  ContainerList: '{ query: { all: [true], filters: [label] }, show: [Id, Labels: [monitored]] }',
  ContainerInspect: '{ show: [Id] }',
  ContainerRestart: '{ query: { t: 0..60 }, when: { state: [running] }, budget: { container: 2 per 10m, client: 3 per 10m } }',
}
const policies = new Map<string, Policy>()
function policyAllowing(names: readonly string[]): Policy {
  const rules = Object.entries(RULES).flatMap(([name, rule]) => (names.includes(name) ? [`${name}: ${rule}`] : []))
  const text = policyText(rules).replace(/allow:\n$/, 'allow: {}\n')
  const policy = policies.get(text) ?? policyOf(text)
  policies.set(text, policy)
  return policy
}

const request = fc
  .tuple(
    fc.constantFrom('GET', 'POST'),
    fc.constantFrom(
      '/_ping',
      '/version',
      '/containers/json',
      '/containers/web/json',
      '/containers/web/restart',
      '/v1.45/containers/00/restart',
    ),
    fc.constantFrom(
      '',
      '?all=1',
      '?all=0',
      '?t=5',
      '?t=-5',
      '?t=99',
      '?filters=%7B%22label%22:%5B%22monitored%22%5D%7D',
      '?filters=%7B%7D',
    ),
  )
  .map(([method, path, query]) => readRequest({ method, target: path + query, rawHeaders: [] }))
  .filter((read) => !('verdict' in read))
  .map((read) => {
    if ('verdict' in read) throw new Error('filtered above')
    return read
  })

const labels = fc.oneof(
  fc.constantFrom({}, { monitored: 'true' }, { monitored: 'True' }),
  fc.dictionary(fc.constantFrom('monitored', '__proto__', 'constructor', 'x'), fc.string()),
)
const container = fc.record({
  id: fc.constantFrom(containerId('00'), containerId('ab')),
  names: fc.array(fc.constantFrom('web', 'db', '', 'web/alias', '__proto__'), { maxLength: 2 }),
  labels,
  state: fc.oneof(fc.constantFrom('running', 'exited', 'paused'), fc.string()),
  startedAt: fc.constant('2024-01-01T00:00:00Z'),
  isProtected: fc.boolean(),
  isBusy: fc.boolean(),
  failedToStart: fc.boolean(),
})
const known: fc.Arbitrary<Known> = fc.oneof(
  fc.constant<Known>({ target: 'not asked' }),
  fc.constant<Known>({ target: 'not found' }),
  container.map((container): Known => ({ target: 'listed', container })),
  container.map((container): Known => ({ target: 'inspected', container })),
)
const ledger = fc.array(
  fc
    .record({
      client: fc.constantFrom('healer', 'other'),
      container: fc.constantFrom('web', 'db'),
      atMs: fc.integer({ min: NOW_MS - 900_000, max: NOW_MS + 900_000 }),
    })
    .map(restartCharge),
  { maxLength: 6 },
)
const names = fc.subarray(Object.keys(RULES))

t.test('deciding never throws, and its outcome is one of the three', async () => {
  fc.assert(
    fc.property(names, request, known, ledger, (names, request, known, ledger) =>
      ['allow', 'deny', 'resolve'].includes(decide(policyAllowing(names), request, known, ledger, NOW_MS).verdict),
    ),
    { numRuns: 10_000 },
  )
})

t.test('nothing is approved that the policy does not name, outside its scope, protected, busy or over budget', async () => {
  fc.assert(
    fc.property(names, request, known, ledger, (names, request, known, ledger) => {
      const decision = decide(policyAllowing(names), request, known, ledger, NOW_MS)
      if (decision.verdict !== 'allow') return true
      if (!names.includes(decision.operation) || decision.operation !== request.operation.id) return false
      if (request.container === undefined) return decision.container === undefined
      if (!('container' in known) || known.container.labels.monitored !== 'true' || decision.container !== known.container.id)
        return false
      if (decision.operation !== 'ContainerRestart') return true
      if (known.target !== 'inspected' || known.container.isProtected || known.container.isBusy) return false
      const spent = ledger.filter(({ client, atMs }) => client === 'healer' && atMs > NOW_MS - 600_000)
      const ofContainer = spent.filter(({ container }) => container === (known.container.names[0] ?? known.container.id))
      return spent.length < 3 && ofContainer.length < 2 && decision.charge !== undefined
    }),
    { numRuns: 10_000 },
  )
})

t.test('an operation more under `allow` never turns an allow into a refusal', async () => {
  fc.assert(
    fc.property(names, fc.constantFrom(...Object.keys(RULES)), request, known, ledger, (names, added, request, known, ledger) => {
      const before = decide(policyAllowing(names), request, known, ledger, NOW_MS)
      const after = decide(policyAllowing([...names, added]), request, known, ledger, NOW_MS)
      return before.verdict !== 'allow' || after.verdict === 'allow'
    }),
    { numRuns: 10_000 },
  )
})

t.test('a charge more in the ledger never turns a refusal into an allow', async () => {
  fc.assert(
    fc.property(request, known, ledger, fc.integer({ min: -900_000, max: 900_000 }), (request, known, ledger, at) => {
      const policy = policyAllowing(Object.keys(RULES))
      const before = decide(policy, request, known, ledger, NOW_MS)
      const after = decide(policy, request, known, [...ledger, restartCharge({ atMs: NOW_MS + at })], NOW_MS)
      return before.verdict === 'allow' || after.verdict !== 'allow'
    }),
    { numRuns: 10_000 },
  )
})
