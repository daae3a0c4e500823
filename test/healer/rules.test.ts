// The alerts that fire for containers: what is kept of them, for how long, how many, and what they make of a successful probe.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import {
  type FiringRules,
  FORGET_AFTER_MS,
  MAX_RULES,
  MAX_RULES_OF_CONTAINER,
  overrule,
  type RuleAlert,
  takeAlerts,
} from '../../healer/health/rules.ts'
import { openRules } from '../../healer/state/rules.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { createFakeClock } from './support/fake-clock.ts'

const NONE: FiringRules = new Map()
const alert = (change: Partial<RuleAlert> = {}): RuleAlert => ({
  container: 'web',
  fingerprint: 'a1',
  name: 'HighErrorRate',
  summary: '7 % of the requests fail',
  isFiring: true,
  ...change,
})
const run = (sinceMs: number) => ({ startedAt: 'x', restartCount: 0, sinceMs })

function createLog() {
  const lines: string[] = []
  return { lines, log: pino({}, { write: (line: string) => void lines.push(JSON.parse(line).msg) }) }
}

await t.test('an alert begins once, is renewed, and ends', async (t) => {
  const first = takeAlerts(NONE, [alert()], 1000)
  t.match(first, { began: [{ name: 'HighErrorRate', sinceMs: 1000, renewedMs: 1000 }], renewed: [], ended: [], refused: [] })
  const again = takeAlerts(first.rules, [alert({ summary: '9 %' })], 2000)
  t.match(again, { began: [], renewed: [{ summary: '9 %', sinceMs: 1000, renewedMs: 2000 }] })
  const end = takeAlerts(again.rules, [alert({ isFiring: false })], 3000)
  t.match(end, { ended: [{ name: 'HighErrorRate' }] })
  t.equal(end.rules.size, 0)
  t.equal(first.rules.size, 1, 'what was there before is not changed')
})

await t.test('the end of what is not known to fire is nothing', async (t) => {
  t.match(takeAlerts(NONE, [alert({ isFiring: false })], 1), { began: [], ended: [], refused: [] })
})

await t.test('alerts are told apart by container and fingerprint', async (t) => {
  const { rules } = takeAlerts(NONE, [alert(), alert({ fingerprint: 'b2' }), alert({ container: 'db' })], 1)
  t.equal(rules.size, 3)
  t.equal(takeAlerts(rules, [alert({ container: 'db', isFiring: false })], 2).rules.size, 2)
})

await t.test('in one message the last word about an alert holds', async (t) => {
  t.equal(takeAlerts(NONE, [alert(), alert({ isFiring: false })], 1).rules.size, 0)
  t.equal(takeAlerts(NONE, [alert(), alert({ isFiring: false }), alert()], 1).rules.size, 1)
})

await t.test(`of one container ${MAX_RULES_OF_CONTAINER} are kept, and an end makes room`, async (t) => {
  const many = Array.from({ length: MAX_RULES_OF_CONTAINER + 2 }, (_, i) => alert({ fingerprint: `${i}` }))
  const { rules, refused } = takeAlerts(NONE, [...many, alert({ container: 'db' })], 1)
  t.same(
    refused.map(({ fingerprint }) => fingerprint),
    ['16', '17'],
  )
  t.equal(rules.size, MAX_RULES_OF_CONTAINER + 1, 'another container has its own')
  t.equal(takeAlerts(rules, many, 2).renewed.length, MAX_RULES_OF_CONTAINER, 'those that are known are renewed')
  const after = takeAlerts(rules, [alert({ fingerprint: '0', isFiring: false }), alert({ fingerprint: 'new' })], 2)
  t.match(after, { began: [{ fingerprint: 'new' }], refused: [] })
})

await t.test(`in all ${MAX_RULES} are kept`, async (t) => {
  const many = Array.from({ length: MAX_RULES + 5 }, (_, i) => alert({ container: `c${i}` }))
  const { rules, refused } = takeAlerts(NONE, many, 1)
  t.equal(rules.size, MAX_RULES)
  t.equal(refused.length, 5)
})

await t.test('what fires is a failure once the run is old enough, and until then not known', async (t) => {
  const firing = [...takeAlerts(NONE, [alert()], 10_000).rules.values()]
  t.equal(overrule([], run(0), 10_000, 300_000), undefined)
  t.same(overrule(firing, run(0), 300_000, 300_000), {
    result: 'failure',
    reason: 'alert HighErrorRate is firing: 7 % of the requests fail',
  })
  const young = {
    result: 'unknown',
    reason:
      'alert HighErrorRate is firing, perhaps for what came before this run; it counts once this run is 5 min old: 7 % of the requests fail',
  }
  t.same(overrule(firing, run(0), 299_999, 300_000), young)
  t.same(overrule(firing, run(9000), 12_000, 300_000), young, 'also one that began to fire in this run: a rule looks back')
  t.same(overrule(firing, undefined, 12_000, 300_000), young, 'a run that was never looked at')
  t.match(overrule(firing, run(12_000), 12_000, 0), { result: 'failure' }, 'without a grace')
})

await t.test('of several alerts the first is named, with how many there are', async (t) => {
  const three = ['a', 'b', 'c'].map((name) => alert({ name, fingerprint: name, summary: '' }))
  const firing = [...takeAlerts(NONE, three, 1).rules.values()]
  t.match(overrule(firing, run(0), 1, 0), { reason: 'alert a is firing (and 2 more)' })
})

await t.test('what fires outlives the healer, with the time that has passed', async (t) => {
  const directory = temporaryDirectory(t)
  const before = createFakeClock()
  const { log, lines } = createLog()
  const store = await openRules(directory, before, log)
  await store.take([alert(), alert({ container: 'db', fingerprint: 'b2' })])
  await before.advance(60_000)
  await store.take([alert(), alert({ container: 'db', fingerprint: 'b2', isFiring: false })])
  t.same(lines, [
    'web — alert HighErrorRate fires: 7 % of the requests fail',
    'db — alert HighErrorRate fires: 7 % of the requests fail',
    'db — alert HighErrorRate has ended',
  ])

  const clock = createFakeClock()
  clock.stepWall(before.wallMs() - clock.wallMs() + 20_000)
  const later = await openRules(directory, clock, log)
  t.same(later.firing('db'), [])
  t.match(later.firing('web'), [
    { name: 'HighErrorRate', sinceMs: clock.monotonicMs() - 80_000, renewedMs: clock.monotonicMs() - 20_000 },
  ])
})

await t.test('a clock that was set back does not put an alert into the future', async (t) => {
  const directory = temporaryDirectory(t)
  const before = createFakeClock()
  await (await openRules(directory, before, createLog().log)).take([alert()])
  const clock = createFakeClock()
  clock.stepWall(-3_600_000)
  const later = await openRules(directory, clock, createLog().log)
  t.match(later.firing('web'), [{ sinceMs: clock.monotonicMs(), renewedMs: clock.monotonicMs() }])
})

await t.test('an alert that nobody repeats is forgotten after 12 h, and that is said once', async (t) => {
  const clock = createFakeClock()
  const { log, lines } = createLog()
  const directory = temporaryDirectory(t)
  const store = await openRules(directory, clock, log)
  await store.take([alert(), alert({ fingerprint: 'b2', name: 'Slow' })])
  await clock.advance(FORGET_AFTER_MS - 1)
  await store.take([alert({ fingerprint: 'b2', name: 'Slow' })])
  t.equal(store.firing('web').length, 2)
  await clock.advance(1)
  for (let n = 0; n < 3; n++)
    t.same(
      store.firing('web').map(({ name }) => name),
      ['Slow'],
    )
  t.same(
    lines.filter((line) => line.includes('counts as ended')),
    [
      'web — alert HighErrorRate counts as ended: Alertmanager has not repeated it for 12 h; its repeat_interval has to be shorter',
    ],
  )
  t.match(await store.take([alert()]), { began: [{ name: 'HighErrorRate' }] }, 'told of again, it begins anew')
  t.match(JSON.parse(readFileSync(join(directory, 'rules.json'), 'utf8')).rules, [{ name: 'Slow' }, { name: 'HighErrorRate' }])
})

const unreadable: [text: string, aside: string, words: RegExp][] = [
  [
    '',
    'damaged',
    /rules\.json cannot be understood and was set aside as .*; no alert counts as firing before Alertmanager tells/,
  ],
  ['{"version":1,', 'damaged', /cannot be understood/],
  ['{"version":1,"rules":{}}', 'damaged', /cannot be understood/],
  ['{"version":1,"rules":[{"container":"web"}]}', 'damaged', /cannot be understood/],
  ['{"version":1,"rules":[],"more":1}', 'damaged', /cannot be understood/],
  ['{"version":2,"rules":[]}', 'newer', /was written by a newer healer/],
]
for (const [text, aside, words] of unreadable) {
  await t.test(`“${text}” is set aside, and said`, async (t) => {
    const directory = t.testdir({ 'rules.json': text })
    const { log, lines } = createLog()
    const store = await openRules(directory, createFakeClock(), log)
    t.same(store.firing('web'), [])
    t.match(lines, [words])
    t.same(readdirSync(directory), [`rules.json.${aside}`])
    t.equal(readFileSync(join(directory, `rules.json.${aside}`), 'utf8'), text)
    await store.take([alert()])
    t.equal(store.firing('web').length, 1)
  })
}

await t.test('a file that cannot be written is said, and what fires is known all the same', async (t) => {
  const directory = temporaryDirectory(t)
  const { log, lines } = createLog()
  const store = await openRules(join(directory, 'gone'), createFakeClock(), log)
  writeFileSync(join(directory, 'gone'), '')
  await store.take([alert()])
  t.equal(store.firing('web').length, 1)
  t.match(lines.at(-1), /rules\.json cannot be written; after a restart the healer would not know what it knows now/)
})
