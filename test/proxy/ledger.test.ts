// The ledger: what budgets count, given back from the audit log after a restart of the proxy.
import fc from 'fast-check'
import t from 'tap'
import { type AuditEvent, renderAuditLine } from '../../proxy/audit/audit-line.ts'
import { NO_LINE } from '../../proxy/audit/chain.ts'
import { parseAuditLine } from '../../proxy/audit/read-log.ts'
import { waitFor } from '../../proxy/policy/budget.ts'
import { createLedger, restoreLedger } from '../../proxy/serve/ledger.ts'
import { containerId } from './support/containers.ts'
import { NOW_MS, restartCharge } from './support/deciding.ts'
import { HEALER_POLICY_TEXT, healerPolicy, policyOf, policyText } from './support/policies.ts'

/** The healer's policy, the same for another client, and one with a budget for an operation that is about no container. */
const POLICIES = [
  healerPolicy(),
  { ...healerPolicy(), client: 'other' },
  policyOf(policyText(['ImagePrune: { show: all, budget: { client: 5 per 10m } }']).replace('client: healer', 'client: pruner')),
]
const now = () => NOW_MS
const [WEB, DB] = [containerId('aa'), containerId('bb')]
const STARTED = '2024-01-01T00:00:00Z'
const runOf = (id: string, startedAt = STARTED) => ({ client: 'healer', id, startedAt })

type Decision = Extract<AuditEvent, { event: 'decision' }>

function restarted(over: Partial<Decision> = {}): AuditEvent {
  const target = { id: WEB, name: 'web', state: 'running', startedAt: STARTED }
  const asked = { client: 'healer', policy: 'ab', method: 'POST', path: '/containers/web/restart', operation: 'ContainerRestart' }
  return { event: 'decision', ...asked, target, verdict: 'allow', rule: 'allow.ContainerRestart', ...over }
}
const outcome = (of: number, status: number, left = status === 500 ? 'exited' : undefined): AuditEvent => ({
  ...{ event: 'outcome', of, status, bytes: 0, ms: 1 },
  ...(left === undefined ? {} : { left }),
})

/** The ledger that a log of these events, `agoMs` before now, gives back; an element that is a text is a line as it stands. */
function restored(events: readonly (readonly [agoMs: number, AuditEvent] | string)[]) {
  const ledger = createLedger(POLICIES, now)
  const read = restoreLedger(ledger)
  for (const [i, each] of events.entries()) {
    const time = typeof each === 'string' ? '' : new Date(NOW_MS - each[0]).toISOString()
    const line = parseAuditLine(
      typeof each === 'string' ? each : renderAuditLine({ v: 1, time, seq: i + 1, prev: NO_LINE }, each[1]),
    )
    if (line) read(line)
  }
  return ledger
}

t.test('what was let through is given back, and nothing else', async (t) => {
  const ledger = restored([
    [700_000, restarted()],
    [600_000, restarted()],
    [599_999, restarted()],
    [1000, restarted({ client: 'other', target: { id: DB, name: 'db' } })],
    [900, restarted({ verdict: 'deny', rule: 'policy.when' })],
    [800, restarted({ operation: 'ContainerInspect' })],
    [700, restarted({ operation: 'ImagePrune', client: 'pruner' })],
    [690, restarted({ operation: 'ImagePrune' })],
    [650, restarted({ operation: 'ImageList' })],
    [600, { event: 'start', reason: 'x' }],
    [500, { event: 'outcome', of: 3, status: 204, bytes: 0, ms: 1 }],
    '{"v":1,"time":"not a time","seq":99,"prev":"","event":"decision","verdict":"allow","operation":"ContainerRestart","target":{"id":"a","name":"web"}}',
    '{"v":1,"time":"2024-06-01T12:00:00Z","seq":99,"prev":"","event":"decision","verdict":"allow","operation":"ContainerRestart","target":5}',
    'torn',
  ])
  t.same(ledger.charges('healer', 'ContainerRestart'), [
    ...[700_000, 600_000, 599_999].map((agoMs) => restartCharge({ atMs: NOW_MS - agoMs, id: WEB })),
  ])
  t.same(ledger.charges('other', 'ContainerRestart'), [
    restartCharge({ client: 'other', container: 'db', id: DB, atMs: NOW_MS - 1000 }),
  ])
  t.same(ledger.charges('pruner', 'ImagePrune'), [{ client: 'pruner', operation: 'ImagePrune', atMs: NOW_MS - 700 }])
  t.same(ledger.charges('healer', 'ImagePrune').length, 1, 'though no budget counts it')
})

t.test('a restart that could not start its container is known again, until one did', async (t) => {
  const other = restarted({ target: { id: DB, name: 'db', startedAt: STARTED } })
  const failed = restored([
    [9_000_000, restarted()],
    [8_000_000, outcome(1, 500)],
    [5000, other],
    [4000, outcome(3, 204)],
  ])
  t.equal(failed.failedToStart(runOf(WEB)), true, 'longer ago than any window too')
  t.equal(failed.failedToStart(runOf(DB)), false)
  const mended = restored([
    [9000, restarted()],
    [8000, outcome(1, 500)],
    [5000, restarted()],
    [4000, outcome(3, 204)],
  ])
  t.equal(mended.failedToStart(runOf(WEB)), false)
  const unknown = restored([
    [9000, restarted()],
    [8000, outcome(1, 504)],
    [7000, outcome(7, 500)],
  ])
  t.equal(unknown.failedToStart(runOf(WEB)), false, 'what did not answer is not known to have failed')
})

t.test(
  'within its window a budget counts all; beyond, a thousand of the last day are remembered for one that may come',
  async (t) => {
    const clock = { nowMs: NOW_MS }
    const ledger = createLedger(POLICIES, () => clock.nowMs)
    for (let i = 0; i < 5000; i++) {
      ledger.add(restartCharge({ atMs: clock.nowMs }))
      clock.nowMs += 100
    }
    t.equal(ledger.charges('healer', 'ContainerRestart').length, 5000, 'all within ten minutes')
    clock.nowMs += 700_000
    ledger.add(restartCharge({ atMs: clock.nowMs }))
    t.equal(ledger.charges('healer', 'ContainerRestart').length, 1000)
    clock.nowMs += 90_000_000
    ledger.add(restartCharge({ atMs: clock.nowMs }))
    t.equal(ledger.charges('healer', 'ContainerRestart').length, 1)
  },
)

t.test('a budget that comes with a reload counts what was let through before', async (t) => {
  const ledger = createLedger([policyOf(policyText(['ContainerRestart: {}']))], now)
  t.equal(ledger.windowMs(), 0)
  for (let i = 0; i < 10; i++) ledger.add(restartCharge())
  ledger.follow(POLICIES)
  t.equal(ledger.windowMs(), 600_000)
  t.equal(ledger.charges('healer', 'ContainerRestart').length, 10)
})

t.test('a charge that never went out is taken back, and only that one', async (t) => {
  const ledger = createLedger(POLICIES, now)
  const [kept, cancelled] = [restartCharge(), restartCharge()]
  ledger.add(kept)
  ledger.add(cancelled)
  ledger.cancel(cancelled)
  t.equal(ledger.charges('healer', 'ContainerRestart')[0], kept)
  t.equal(ledger.charges('healer', 'ContainerRestart').length, 1)
})

t.test('of restarts that could not start their container, the oldest are forgotten', async (t) => {
  const ledger = createLedger(POLICIES, now)
  for (let i = 0; i < 1001; i++) ledger.noteRestart(runOf(`${i}`), false)
  t.notOk(ledger.failedToStart(runOf('0')))
  t.ok(ledger.failedToStart(runOf('1')) && ledger.failedToStart(runOf('1000')))
})

t.test('what is given back is what a proxy that ran on would still know, however long its budgets look back', async () => {
  const DAY = 86_400_000
  const agesMs = fc.array(fc.integer({ min: 0, max: 40 * DAY }), { maxLength: 40 }).map((ages) => ages.sort((a, b) => b - a))
  fc.assert(
    fc.property(fc.constantFrom('10m', '1d', '25h', '7d', '30d'), agesMs, (window, ages) => {
      const policy = policyOf(HEALER_POLICY_TEXT.replace(/budget: \{[^}]*\}/, `budget: { client: 3 per ${window} }`))
      const clock = { nowMs: 0 }
      const [ranOn, givenBack] = [createLedger([policy], () => clock.nowMs), createLedger([policy], now)]
      for (const agoMs of ages) {
        clock.nowMs = NOW_MS - agoMs
        ranOn.add(restartCharge({ atMs: clock.nowMs }))
        givenBack.add(restartCharge({ atMs: clock.nowMs }))
      }
      clock.nowMs = NOW_MS
      const limit = policy.allow.get('ContainerRestart')?.budget?.client
      const left = ({ charges }: typeof ranOn) => limit && waitFor(limit, charges('healer', 'ContainerRestart'), NOW_MS)
      const counted = ({ charges }: typeof ranOn) =>
        charges('healer', 'ContainerRestart').filter(({ atMs }) => atMs > NOW_MS - (limit?.windowMs ?? 0)).length
      return counted(givenBack) === counted(ranOn) && left(givenBack) === left(ranOn)
    }),
  )
})
