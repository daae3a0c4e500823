// Properties of suggesting: whatever was recorded, each request that is taken passes under the policy, and of the policy nothing can
// be taken away without one of them being refused.
import fc from 'fast-check'
import t from 'tap'
import { readRecords } from '../../proxy/audit/read-records.ts'
import { decide } from '../../proxy/policy/decide.ts'
import type { AllowedValues, Policy, Rule } from '../../proxy/policy/policy.ts'
import { CONTAINER_STATES } from '../../proxy/policy/policy.ts'
import { runPolicyTests } from '../../proxy/policy/run-tests.ts'
import { CATALOGUE, hasContainer, type Operation, type OperationId, whyNotServed } from '../../proxy/request/catalogue.ts'
import { createGathering } from '../../proxy/suggest/gather.ts'
import { knownOf, type RecordedRequest } from '../../proxy/suggest/recorded-request.ts'
import { prove, suggestPolicy } from '../../proxy/suggest/suggest-policy.ts'
import { auditFile, decisionLine, type LineFields } from './support/audit-lines.ts'
import { containerId } from './support/containers.ts'
import { NOW_MS } from './support/deciding.ts'
import { policyOf } from './support/policies.ts'

const SERVED = CATALOGUE.filter((operation) => whyNotServed(operation) === undefined)
const text = fc.oneof(
  fc.constantFrom('SIGKILL', '*', 'a*', 'a: "b"', "'", '# x', 'true', '-1', '\\', 'é', '', 'null', '{a', '~'),
  fc.string({ unit: 'grapheme', maxLength: 8 }).filter((value) => !/\p{Cc}/u.test(value)),
)

function queryOf({ query }: Operation): fc.Arbitrary<LineFields> {
  const values = Object.entries(query).flatMap(([key, type]) => (type === 'container' ? [] : [[key, type] as const]))
  const given = values.map(([key, type]) => {
    if (type === 'boolean') return [key, fc.boolean()] as const
    if (type === 'integer') return [key, fc.integer({ min: -3, max: 3 })] as const
    if (type === 'text' || type === 'path') return [key, text] as const
    return [
      key,
      fc.dictionary(
        fc.constantFrom(...Object.keys(type)),
        fc.array(
          fc.oneof(
            text,
            text.map((value) => `a=${value}`),
          ),
          { maxLength: 2 },
        ),
      ),
    ] as const
  })
  return fc.record(Object.fromEntries(given), { requiredKeys: [] })
}

const asked: fc.Arbitrary<LineFields> = fc.constantFrom(...SERVED).chain((operation) =>
  fc
    .record({
      query: queryOf(operation),
      name: fc.constantFrom('web', 'db', 'a.b-c_1', 'null', '1'),
      state: fc.constantFrom(...CONTAINER_STATES),
      verdict: fc.constantFrom('allow', 'observe'),
      count: fc.integer({ min: 1, max: 3 }),
      atSeconds: fc.integer({ min: 1, max: 2000 }),
    })
    .map(({ query, name, state, verdict, count, atSeconds }) => {
      const path = operation.path.map((part) => (part === '{container}' ? name : part.startsWith('{') ? 'x' : part)).join('/')
      const target = { id: containerId(name === 'web' ? 'aa' : 'bb'), name, ...(operation.kind === 'reads' ? {} : { state }) }
      return decisionLine(operation.id, atSeconds, {
        ...{ method: operation.method, path: `/${path}`, query, verdict, count },
        ...(hasContainer(operation) ? { target } : {}),
      })
    }),
)
const log = fc.array(asked, { minLength: 1, maxLength: 12 })

async function suggestFrom(lines: readonly LineFields[]) {
  const { add, clients } = createGathering({ rootEquivalent: true })
  const ends: (() => unknown)[] = []
  const file = auditFile({ teardown: (end) => ends.push(end) }, lines)
  for await (const record of readRecords([file], () => undefined)) add(record)
  for (const end of ends) end()
  return suggestPolicy('healer', clients.get('healer') ?? { taken: [], leftOut: new Map() })
}

const passes = (policy: Policy, one: RecordedRequest) => decide(policy, one.request, knownOf(one), [], NOW_MS).verdict === 'allow'

t.test('a suggested policy is one, its tests hold, and each request that was taken passes under it', async () => {
  await fc.assert(
    fc.asyncProperty(log, async (lines) => {
      const { text: policyText, taken, leftOut } = await suggestFrom(lines)
      if (policyText === undefined) return taken.length === 0 && leftOut.length > 0
      const policy = policyOf(policyText)
      prove(policy, taken)
      return runPolicyTests(policy).length === 0 && taken.every((one) => passes(policy, one))
    }),
    { numRuns: 100 },
  )
})

t.test('what was seen is taken, but for what no policy can let through', async () => {
  await fc.assert(
    fc.asyncProperty(log, async (lines) => {
      const { taken, leftOut } = await suggestFrom(lines)
      const why =
        /: (?:filters by a label that has no name|has filters that filter nothing|came without a filter|would move containers)/
      return (taken.length === lines.length) === (leftOut.length === 0) && leftOut.every((line) => why.test(line))
    }),
    { numRuns: 100 },
  )
})

/** Each policy that has one thing less, with what that is. A list is never emptied: no policy can say so. */
function* lessened(policy: Policy): Generator<readonly [string, Policy]> {
  const withRule = (id: OperationId, rule: Rule): Policy => ({ ...policy, allow: new Map([...policy.allow, [id, rule]]) })
  for (const [id, rule] of policy.allow) {
    yield [id, { ...policy, allow: new Map([...policy.allow].filter(([other]) => other !== id)) }]
    for (const [key, allowed] of rule.query) {
      yield [`${id} ${key}`, withRule(id, { ...rule, query: new Map([...rule.query].filter(([other]) => other !== key)) })]
      for (const less of withoutOne(allowed))
        yield [`${id} ${key} ${JSON.stringify(less)}`, withRule(id, { ...rule, query: new Map([...rule.query, [key, less]]) })]
    }
    const [{ state = [] } = {}] = rule.when
    for (const less of state.length > 1 ? dropOne(state) : [])
      yield [`${id} when ${less}`, withRule(id, { ...rule, when: [{ state: less }] })]
  }
  const [{ names = [] } = {}] = policy.scope
  for (const less of names.length > 1 ? dropOne(names) : []) yield [`scope ${less}`, { ...policy, scope: [{ names: less }] }]
}

const dropOne = <T>(items: readonly T[]): T[][] => items.map((_, i) => items.toSpliced(i, 1))

function withoutOne(allowed: AllowedValues): AllowedValues[] {
  switch (allowed.type) {
    case 'boolean':
      return allowed.values.length > 1 ? dropOne(allowed.values).map((values) => ({ ...allowed, values })) : []
    case 'integer':
      return allowed.ranges.length > 1 ? dropOne(allowed.ranges).map((ranges) => ({ ...allowed, ranges })) : []
    case 'text':
      return allowed.patterns.length > 1 ? dropOne(allowed.patterns).map((patterns) => ({ ...allowed, patterns })) : []
    case 'filters':
      return allowed.names.length > 1 ? dropOne(allowed.names).map((names) => ({ ...allowed, names })) : []
    default:
      return allowed satisfies never
  }
}

t.test('nothing can be taken from a suggested policy without a recorded request being refused', async (t) => {
  let lessenings = 0
  await fc.assert(
    fc.asyncProperty(log, async (lines) => {
      const { text: policyText, taken } = await suggestFrom(lines)
      if (policyText === undefined) return
      for (const [what, less] of lessened(policyOf(policyText))) {
        lessenings++
        if (taken.every((one) => passes(less, one))) throw new Error(`${what} is more than is needed in\n${policyText}`)
      }
    }),
    { numRuns: 150 },
  )
  t.ok(lessenings > 1000, `${lessenings} ways to have less`)
})
