// Budgets: a sliding window for each container, by its name, and one for the client; the wait that is told is exact.
import t from 'tap'
import { budgetsLeft, chargesOf } from '../../proxy/policy/budget.ts'
import type { Charge } from '../../proxy/policy/decide.ts'
import { containerId } from './support/containers.ts'
import { decideLine, inspected, inWords, NOW_MS, restartCharge } from './support/deciding.ts'
import { healerPolicy, policyOf, policyText } from './support/policies.ts'

const RESTART = 'POST /containers/web/restart'
const MINUTE = 60_000
const ago = (ms: number, over: Partial<Charge> = {}) => restartCharge({ atMs: NOW_MS - ms, ...over })
const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))

const cases: readonly (readonly [what: string, ledger: readonly Charge[], outcome: string, retryAfterSeconds?: number])[] = [
  ['nothing spent', [], 'allow'],
  ['four of five', times(4, () => ago(0)), 'allow'],
  ['five of five, just now', times(5, () => ago(0)), '429 policy.budget', 600],
  ['five of five, the oldest about to leave', [ago(599_999), ...times(4, () => ago(0))], '429 policy.budget', 1],
  ['five of five, the oldest just left', [ago(600_000), ...times(4, () => ago(0))], 'allow'],
  ['a fraction of a second is rounded up', [ago(598_999), ...times(4, () => ago(0))], '429 policy.budget', 2],
  ['spread over the window', [9, 7, 5, 3, 1].map((minutes) => ago(minutes * MINUTE)), '429 policy.budget', 60],
  ['in no order', [1, 9, 3, 7, 5].map((minutes) => ago(minutes * MINUTE)), '429 policy.budget', 60],
  [
    'more than five, as after a change of policy: two must leave',
    [9, 8, 7, 5, 3, 1].map((m) => ago(m * MINUTE)),
    '429 policy.budget',
    120,
  ],
  ['five of another container', times(5, () => ago(0, { container: 'db' })), 'allow'],
  ['five of another client', times(5, () => ago(0, { client: 'other' })), 'allow'],
  ['nineteen of the client’s twenty', times(19, (i) => ago(0, { container: `c${i}` })), 'allow'],
  ['twenty of twenty', times(20, (i) => ago(MINUTE, { container: `c${i}` })), '429 policy.budget', 540],
  [
    'both are spent: the longer wait is told',
    [...times(5, () => ago(9 * MINUTE)), ...times(15, (i) => ago(MINUTE, { container: `c${i}` }))],
    '429 policy.budget',
    60,
  ],
  [
    'both are spent, and the client’s for longer',
    [...times(5, (i) => ago(i * MINUTE)), ...times(15, (i) => ago(5000, { container: `c${i}` })), ...times(5, () => ago(1))],
    '429 policy.budget',
    600,
  ],
  ['twenty of another client', times(20, (i) => ago(0, { container: `c${i}`, client: 'other' })), 'allow'],
  ['charges from a clock that was set back', times(5, () => ago(-24 * 60 * MINUTE)), '429 policy.budget', 600],
]

t.test('a budget is counted in a sliding window, and Retry-After is when one more fits', async (t) => {
  for (const [what, ledger, outcome, retryAfterSeconds] of cases) {
    const decision = decideLine(healerPolicy(), RESTART, inspected(), ledger)
    t.equal(inWords(decision), outcome, what)
    t.equal('retryAfterSeconds' in decision ? decision.retryAfterSeconds : undefined, retryAfterSeconds, `${what}: Retry-After`)
  }
})

t.test('after the seconds that were told, the same request passes, and not a second before', async (t) => {
  const ledger = [9, 7, 5, 3, 1].map((minutes) => ago(minutes * MINUTE + 250))
  const refused = decideLine(healerPolicy(), RESTART, inspected(), ledger)
  if (!('retryAfterSeconds' in refused) || refused.retryAfterSeconds === undefined) throw new Error('it was not refused')
  const later = NOW_MS + refused.retryAfterSeconds * 1000
  t.equal(inWords(decideLine(healerPolicy(), RESTART, inspected(), ledger, later)), 'allow')
  t.equal(inWords(decideLine(healerPolicy(), RESTART, inspected(), ledger, later - 1000)), '429 policy.budget')
})

t.test('a container that was made anew has another id and the same name, and no new budget', async (t) => {
  const spent = times(5, () => ago(0))
  t.equal(inWords(decideLine(healerPolicy(), RESTART, inspected({ id: containerId('ee') }), spent)), '429 policy.budget')
})

t.test('asking by id does not go round the budget of the name', async (t) => {
  const id = containerId('aa')
  const spent = times(5, () => ago(0))
  for (const ref of [id, id.slice(0, 12)]) {
    t.equal(inWords(decideLine(healerPolicy(), `POST /containers/${ref}/restart`, inspected({ id }), spent)), '429 policy.budget')
  }
})

t.test('the exception for a failed start is within the budget', async (t) => {
  const known = inspected({ state: 'exited', failedToStart: true })
  t.equal(
    inWords(
      decideLine(
        healerPolicy(),
        RESTART,
        known,
        times(5, () => ago(0)),
      ),
    ),
    '429 policy.budget',
  )
})

t.test('no budget, no limit; and each limit alone', async (t) => {
  const many = times(1000, () => ago(0))
  const policy = (budget: string) => policyOf(policyText([`ContainerRestart: {${budget}}`]))
  t.equal(inWords(decideLine(policy(''), RESTART, inspected(), many)), 'allow')
  t.equal(
    inWords(decideLine(policy(' budget: { client: 1 per 1s } '), RESTART, inspected(), [ago(0, { container: 'db' })])),
    '429 policy.budget',
  )
  t.equal(
    inWords(decideLine(policy(' budget: { container: 1 per 2d } '), RESTART, inspected(), [ago(0, { container: 'db' })])),
    'allow',
  )
  t.match(decideLine(policy(' budget: { container: 1 per 2d } '), RESTART, inspected(), [ago(0)]), { retryAfterSeconds: 172_800 })
})

t.test('the refusal says whose budget is spent, how much it is and how long to wait', async (t) => {
  t.match(
    decideLine(
      healerPolicy(),
      RESTART,
      inspected(),
      times(5, () => ago(0)),
    ),
    {
      reason: 'ContainerRestart: the budget for web is spent (5 in 600 s); try again in 600 s',
    },
  )
  t.match(
    decideLine(
      healerPolicy(),
      RESTART,
      inspected(),
      times(20, (i) => ago(0, { container: `c${i}` })),
    ),
    {
      reason: 'ContainerRestart: the budget of healer is spent (20 in 600 s); try again in 600 s',
    },
  )
})

t.test('a charge counts for its own operation, and for a container by its name or its id', async (t) => {
  const policy = policyOf(
    policyText(['ContainerRestart: { budget: { container: 1 per 1m } }', 'ContainerStop: { budget: { client: 1 per 1m } }']),
  )
  const decided = (line: string, charge: Charge) => inWords(decideLine(policy, line, inspected(), [charge]))
  t.equal(decided('POST /containers/web/stop', ago(0)), 'allow', 'a restart is no stop')
  t.equal(decided(RESTART, ago(0, { operation: 'ContainerStop' })), 'allow', 'a stop is no restart')
  t.equal(decided(RESTART, ago(0, { container: 'before', id: containerId('aa') })), '429 policy.budget', 'it was renamed')
  t.equal(decided(RESTART, ago(0, { container: 'before', id: containerId('bb') })), 'allow', 'it is another')
  const { container: _, ...nameless } = ago(0)
  t.same(chargesOf({ container: 'web' }, [nameless, ago(0, { container: 'db' })]), [], 'without an id none is the same')
})

t.test('of two budgets that are spent, the one that lasts longer is told', async (t) => {
  const spent = (container: string, client: string) => {
    const policy = policyOf(
      policyText([`ContainerRestart: { budget: { container: 1 per ${container}, client: 1 per ${client} } }`]),
    )
    const decision = decideLine(policy, RESTART, inspected(), [ago(0)])
    return decision.verdict === 'deny' ? decision.reason : decision.verdict
  }
  t.match(spent('1m', '1h'), /the budget of healer is spent \(1 in 3600 s\); try again in 3600 s$/)
  t.match(spent('1h', '1m'), /the budget for web is spent \(1 in 3600 s\); try again in 3600 s$/)
})

t.test('what is left is told for each limit, for containers by the one with the fewest', async (t) => {
  const policy = policyOf(
    policyText([
      'SystemPing: {}',
      'ContainerRestart: { budget: { container: 3 per 1m, client: 5 per 1m } }',
      'ContainerStop: { budget: { client: 2 per 1m } }',
      'ContainerKill: { budget: { container: 4 per 1m } }',
    ]),
  )
  const charges = [
    ...[ago(0), ago(1000), ago(MINUTE), ago(MINUTE + 1), ago(0, { container: 'db', id: containerId('bb') })],
    ...times(3, () => ago(0, { operation: 'ContainerStop' })),
  ]
  const charged = (_client: string, operation: string) => charges.filter((charge) => charge.operation === operation)
  const left = budgetsLeft(policy, charged, NOW_MS)
  const of = (operation: string, whose: string, left: number) => ({ client: 'healer', operation, of: whose, left })
  t.same(left, [
    ...[of('ContainerStop', 'client', 0), of('ContainerRestart', 'client', 2), of('ContainerRestart', 'container', 1)],
    of('ContainerKill', 'container', 4),
  ])
})
