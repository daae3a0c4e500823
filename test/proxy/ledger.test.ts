// The ledger: what budgets count, given back from the audit log after a restart of the proxy.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { type AuditEvent, renderAuditLine } from '../../proxy/audit/audit-line.ts'
import { createLedger, longestWindowMs, restoreLedger } from '../../proxy/serve/ledger.ts'
import { containerId } from './support/containers.ts'
import { NOW_MS, restartCharge } from './support/deciding.ts'
import { healerPolicy, policyOf, policyText } from './support/policies.ts'
import { temporaryDirectory } from './support/temporary.ts'

const WINDOW_MS = 600_000
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
const outcome = (of: number, status: number): AuditEvent => ({ event: 'outcome', of, status, bytes: 0, ms: 1 })

/** The ledger that a log of these events, `agoMs` before now, gives back; an element that is a text is a line as it stands. */
function restored(
  owner: Parameters<typeof temporaryDirectory>[0],
  events: readonly (readonly [agoMs: number, AuditEvent] | string)[],
) {
  const file = join(temporaryDirectory(owner), 'audit.jsonl')
  const lines = events.map((each, i) => {
    if (typeof each === 'string') return each
    return renderAuditLine({ v: 1, time: new Date(NOW_MS - each[0]).toISOString(), seq: i + 1 }, each[1])
  })
  writeFileSync(file, `${lines.join('\n')}\n`)
  return restoreLedger(file, WINDOW_MS, now)
}

t.test('what was let through within the window is given back, and nothing else', async (t) => {
  const ledger = await restored(t, [
    [700_000, restarted()],
    [600_000, restarted()],
    [599_999, restarted()],
    [1000, restarted({ client: 'other', target: { id: DB, name: 'db' } })],
    [900, restarted({ verdict: 'deny', rule: 'policy.when' })],
    [800, restarted({ operation: 'ContainerInspect' })],
    [700, restarted({ operation: 'ImagePrune' })],
    [650, restarted({ operation: 'ImageList' })],
    [600, { event: 'start', reason: 'x' }],
    [500, { event: 'outcome', of: 3, status: 204, bytes: 0, ms: 1 }],
    '{"v":1,"time":"not a time","seq":99,"event":"decision","verdict":"allow","operation":"ContainerRestart","target":{"id":"a","name":"web"}}',
    '{"v":1,"time":"2024-06-01T12:00:00Z","seq":99,"event":"decision","verdict":"allow","operation":"ContainerRestart","target":5}',
    'torn',
  ])
  t.same(ledger.charges(), [
    restartCharge({ atMs: NOW_MS - 599_999 }),
    restartCharge({ client: 'other', container: 'db', atMs: NOW_MS - 1000 }),
    { client: 'healer', operation: 'ImagePrune', atMs: NOW_MS - 700 },
  ])
})

t.test('a restart that could not start its container is known again, until one did', async (t) => {
  const other = restarted({ target: { id: DB, name: 'db', startedAt: STARTED } })
  const failed = await restored(t, [
    [9_000_000, restarted()],
    [8_000_000, outcome(1, 500)],
    [5000, other],
    [4000, outcome(3, 204)],
  ])
  t.equal(failed.failedToStart(runOf(WEB)), true, 'longer ago than any window too')
  t.equal(failed.failedToStart(runOf(DB)), false)
  const mended = await restored(t, [
    [9000, restarted()],
    [8000, outcome(1, 500)],
    [5000, restarted()],
    [4000, outcome(3, 204)],
  ])
  t.equal(mended.failedToStart(runOf(WEB)), false)
  const unknown = await restored(t, [
    [9000, restarted()],
    [8000, outcome(1, 504)],
    [7000, outcome(7, 500)],
  ])
  t.equal(unknown.failedToStart(runOf(WEB)), false, 'what did not answer is not known to have failed')
})

t.test('a missing log is an empty ledger', async (t) => {
  const ledger = await restoreLedger(join(temporaryDirectory(t), 'none.jsonl'), WINDOW_MS, now)
  t.same(ledger.charges(), [])
})

t.test('charges older than the window are let go when another is made', async (t) => {
  const clock = { nowMs: NOW_MS }
  const ledger = createLedger(WINDOW_MS, () => clock.nowMs)
  for (let i = 0; i < 5000; i++) {
    ledger.add(restartCharge({ atMs: clock.nowMs }))
    clock.nowMs += 1000
  }
  t.equal(ledger.charges().length, 600)
})

t.test('a charge that never went out is taken back, and only that one', async (t) => {
  const ledger = createLedger(WINDOW_MS, now)
  const [kept, cancelled] = [restartCharge(), restartCharge()]
  ledger.add(kept)
  ledger.add(cancelled)
  ledger.cancel(cancelled)
  t.equal(ledger.charges()[0], kept)
  t.equal(ledger.charges().length, 1)
})

t.test('the longest window is that of any budget of any policy', async (t) => {
  const hourly = policyOf(policyText(['ContainerRestart: { budget: { container: 1 per 10s, client: 9 per 2h } }']))
  t.equal(longestWindowMs([healerPolicy()]), 600_000)
  t.equal(longestWindowMs([healerPolicy(), hourly]), 7_200_000)
  t.equal(longestWindowMs([policyOf(policyText(['SystemPing: {}']))]), 0)
})
