// Incidents: what begins and ends one, who is told what of it, and how often.
import fc from 'fast-check'
import t from 'tap'
import { ALERT_EVENTS, type AlertEvent } from '../../healer/alert/alert.ts'
import { type Book, EMPTY_BOOK, forgetOthers, type Noted, note, remind, type Telling } from '../../healer/alert/incidents.ts'
import type { Happening } from '../../healer/health/happening.ts'
import { NOT_RESTARTING } from '../../healer/health/state.ts'
import { FAILING, GAVE_UP, held, RECOVERED, RESTARTED } from './support/telling.ts'

const MINUTE = 60_000
const BEGAN = 1_767_225_600_000
const subject = (name: string) => ({ name, id: 'a'.repeat(64), failingSinceMs: undefined, diagnosis: undefined })
const ALL: readonly AlertEvent[] = ALERT_EVENTS

/** A book to which things happen; what was sent, as `container event [receivers]`. */
function keep(change: Partial<Telling> = {}) {
  const telling: Telling = { cooldownMs: 0, reminderMs: 0, listeners: () => ['ops'], ...change }
  let book: Book = EMPTY_BOOK
  let nowMs = BEGAN
  const sent: string[] = []
  const messages: string[] = []
  const take = (noted: Noted) => {
    book = noted.book
    for (const { alert, to } of noted.sent) {
      sent.push(`${alert.container} ${alert.event} ${to.join('+')}`)
      messages.push(alert.message)
    }
    return noted.sent.map(({ alert }) => alert)
  }
  return {
    ...{ sent, messages, book: () => book },
    happen: (name: string, ...happenings: readonly Happening[]) =>
      happenings.flatMap((happening) => take(note(book, subject(name), happening, nowMs, telling))),
    pass(ms: number) {
      nowMs += ms
      return take(remind(book, nowMs, telling))
    },
    list: (...names: string[]) => take(forgetOthers(book, names, nowMs, telling)),
  }
}

await t.test('from the first failure that counts to the recovery it is one incident, under one key', async (t) => {
  const { happen, book, sent } = keep()
  const alerts = happen(
    'web',
    FAILING,
    { kind: 'restarting', failures: 3, diagnosis: { failures: [], status: 'running', exitCode: 0, oomKilled: false } },
    RESTARTED,
    RECOVERED,
  )
  t.same(sent, ['web opened ops', 'web restarted ops', 'web recovered ops'])
  t.equal(new Set(alerts.map(({ incident }) => incident)).size, 1)
  t.equal(new Set(alerts.map(({ id }) => id)).size, 3)
  t.match(book().incidents, [
    { container: 'web', steps: [{ what: 'failing' }, { what: 'restarting' }, { what: 'restarted' }, { what: 'recovered' }] },
  ])
  t.same(
    alerts.map(({ resolved }) => resolved),
    [false, false, true],
  )
  const [again] = happen('web', FAILING)
  t.not(again?.incident, alerts[0]?.incident, 'the next is another one')
})

await t.test('it began with the first of the failures that count', async (t) => {
  const failing = { ...subject('web'), failingSinceMs: BEGAN - 30_000 }
  const telling: Telling = { cooldownMs: 0, reminderMs: 0, listeners: () => ['ops'] }
  const { book, sent } = note(EMPTY_BOOK, failing, FAILING, BEGAN, telling)
  t.match(sent, [{ alert: { atMs: BEGAN, sinceMs: BEGAN - 30_000 } }])
  t.match(book.incidents, [{ sinceMs: BEGAN - 30_000 }])
})

await t.test('what is well, or fails below the threshold, begins none', async (t) => {
  const { happen, book } = keep()
  happen(
    'web',
    { kind: 'healthy', reason: 'answered 200' },
    { ...FAILING, failures: 2 } as Happening,
    { kind: 'unknown', reason: 'no port' },
    { kind: 'new-run', by: 'docker' },
  )
  t.same(book().incidents, [])
})

const TOLD_IF_HELD = ['tell-only', 'swarm', 'recreate', 'refused', 'unreachable', 'hold', 'budget', 'dry-run']
for (const why of NOT_RESTARTING) {
  const isTold = TOLD_IF_HELD.includes(why)
  await t.test(`that a restart is not made for “${why}” is ${isTold ? 'told once in an incident' : 'not told'}`, async (t) => {
    const { happen, sent } = keep({ listeners: (event) => (event === 'opened' ? [] : ['ops']) })
    happen('web', FAILING, held(why), held('backoff'), held(why))
    t.same(sent, isTold ? ['web held ops'] : [])
    happen('web', RECOVERED, FAILING, held(why))
    t.equal(sent.filter((line) => line === 'web held ops').length, isTold ? 2 : 0, 'and again in the next')
  })
}

await t.test('giving up is critical, a failed restart an error, a restart a warning, the end is for information', async (t) => {
  const { happen } = keep()
  const failed: Happening = { kind: 'restart-failed', message: 'no', attempt: 1, maxRestarts: 5, first: true }
  const alerts = happen('web', FAILING, failed, { ...failed, attempt: 2 } as Happening, RESTARTED, GAVE_UP, RECOVERED)
  t.same(
    alerts.map(({ event, severity }) => `${event} ${severity}`),
    ['opened warning', 'restart-failed error', 'restarted warning', 'gave-up critical', 'recovered info'],
  )
})

await t.test('who was told of it hears of its end, asked for or not; who was not does not', async (t) => {
  const wants: Record<string, readonly AlertEvent[]> = { pager: ['gave-up'], ops: ['restarted'], all: ALL, quiet: ['recovered'] }
  const listeners = (event: AlertEvent) => Object.keys(wants).filter((name) => wants[name]?.includes(event))
  const { happen, sent } = keep({ listeners })
  happen('web', FAILING, RESTARTED, RECOVERED)
  t.same(sent, ['web opened all', 'web restarted ops+all', 'web recovered all+ops'])
})

await t.test('a blip that nobody wants to hear of is recorded, told to nobody, and quiets nothing', async (t) => {
  const { happen, sent, book } = keep({ cooldownMs: 10 * MINUTE, listeners: (event) => (event === 'opened' ? [] : ['ops']) })
  happen('web', FAILING, { kind: 'healed-itself', failures: 3, afterMs: 1000 })
  t.same(sent, [])
  t.match(book().incidents, [{ endedMs: Number }])
  happen('web', FAILING, RESTARTED)
  t.same(sent, ['web restarted ops'])
})

await t.test('a flapping container is told of once in a cooldown, and then how often it was not', async (t) => {
  const { happen, sent, messages, pass } = keep({ cooldownMs: 10 * MINUTE })
  happen('web', FAILING, RESTARTED, RECOVERED)
  sent.length = 0
  for (let i = 0; i < 3; i++) {
    pass(2 * MINUTE)
    happen('web', FAILING, RESTARTED, RECOVERED)
  }
  t.same(sent, [])
  happen('api', FAILING)
  t.same(sent, ['api opened ops'], 'another is told of as ever')
  pass(5 * MINUTE)
  happen('web', FAILING)
  t.match(messages.at(-1), /3 incidents of it before were not told\.$/)
})

await t.test('the worst is told within a cooldown, too, and then its end', async (t) => {
  const { happen, sent, messages, pass } = keep({ cooldownMs: 10 * MINUTE })
  happen('web', FAILING, RECOVERED)
  pass(MINUTE)
  sent.length = 0
  happen('web', FAILING, RESTARTED, GAVE_UP)
  t.same(sent, ['web gave-up ops'])
  t.notMatch(messages.at(-1), 'not told', 'it is this one itself')
  happen('web', RECOVERED)
  t.same(sent, ['web gave-up ops', 'web recovered ops'])
})

await t.test('one that still lasts when the cooldown is over is told then', async (t) => {
  const { happen, sent, pass } = keep({ cooldownMs: 10 * MINUTE })
  happen('web', FAILING, RECOVERED)
  sent.length = 0
  pass(MINUTE)
  happen('web', FAILING, RESTARTED)
  pass(8 * MINUTE)
  t.same(sent, [])
  pass(MINUTE)
  t.same(sent, ['web restarted ops'])
  happen('web', RECOVERED)
  t.same(sent, ['web restarted ops', 'web recovered ops'])
})

await t.test(
  'what the cooldown kept is told to who was to hear it, as bad as it was, though they want no reminders',
  async (t) => {
    const listeners = (event: AlertEvent) => (event === 'held' ? ['ops'] : [])
    const { happen, pass } = keep({ cooldownMs: 10 * MINUTE, listeners })
    happen('web', FAILING, held('refused'), RECOVERED)
    pass(MINUTE)
    happen('web', FAILING, held('refused'))
    t.match(pass(9 * MINUTE), [{ event: 'held', severity: 'error', message: /^web is still ill/ }])
  },
)

await t.test('nothing is written again and again of what nobody wants to be reminded of', async (t) => {
  const listeners = (event: AlertEvent) => (event === 'restarted' ? ['ops'] : [])
  const { happen, pass, book } = keep({ reminderMs: MINUTE, listeners })
  happen('web', FAILING, RESTARTED)
  const before = book()
  pass(2 * MINUTE)
  t.equal(book(), before)
})

await t.test('while it lasts people are reminded, at the interval, of how bad it is', async (t) => {
  const { happen, pass, sent } = keep({ reminderMs: 60 * MINUTE })
  happen('web', FAILING, GAVE_UP)
  sent.length = 0
  for (let i = 0; i < 13; i++) pass(10 * MINUTE)
  t.same(sent, ['web reminder ops', 'web reminder ops'])
  const [alert] = pass(60 * MINUTE)
  t.match(alert, { severity: 'critical', message: /^web is still ill, since 2026-01-01T00:00:00\.000Z\. Last: web is ill/ })
  happen('web', RECOVERED)
  t.same(pass(600 * MINUTE), [], 'and not of what is over')
})

for (const [what, backMs] of [
  ['an hour', 60 * MINUTE],
  ['ten years', 10 * 365 * 24 * 60 * MINUTE],
] as const) {
  await t.test(`a clock that is set back by ${what} silences nothing`, async (t) => {
    const { happen, sent, pass } = keep({ cooldownMs: 10 * MINUTE, reminderMs: 30 * MINUTE })
    happen('web', FAILING, RECOVERED)
    happen('api', FAILING, RECOVERED)
    happen('db', FAILING)
    pass(MINUTE)
    happen('api', FAILING)
    sent.length = 0
    pass(-backMs)
    t.same(sent, ['db reminder ops', 'api opened ops'], 'what the cooldown kept is told, and what lasts is told again')
    happen('web', FAILING)
    t.same(sent.slice(2), ['web opened ops'], 'and the next incident')
    sent.length = 0
    for (let i = 0; i < 29; i++) pass(MINUTE)
    t.same(sent, [], 'once')
    pass(MINUTE)
    t.same(sent, ['db reminder ops', 'api reminder ops', 'web reminder ops'])
  })
}

await t.test('a clock that is set back a little reminds nobody early, and each within twice the interval', async (t) => {
  const { happen, sent, pass } = keep({ reminderMs: 60 * MINUTE })
  happen('web', FAILING)
  sent.length = 0
  pass(-59 * MINUTE)
  t.same(sent, [])
  for (let i = 0; i < 119; i++) pass(MINUTE)
  t.same(sent, ['web reminder ops'])
})

await t.test('however the clock jumps, what lasts is told within a cooldown that it runs on for', async () => {
  const cooldownMs = 10 * MINUTE
  const jump = fc.oneof(
    fc.constant(0),
    fc.integer({ min: -1e12, max: 1e12 }),
    fc.integer({ min: -2 * cooldownMs, max: cooldownMs }),
  )
  fc.assert(
    fc.property(fc.array(jump, { minLength: 1, maxLength: 8 }), (jumps) => {
      const { happen, pass, book } = keep({ cooldownMs })
      for (const ms of jumps) {
        happen('web', FAILING, RESTARTED, RECOVERED)
        pass(ms)
      }
      happen('web', FAILING)
      pass(cooldownMs)
      return book().incidents.at(-1)?.told !== undefined
    }),
  )
})

await t.test('a container that is removed ends its incident', async (t) => {
  const { happen, list, sent } = keep()
  happen('web', FAILING)
  happen('api', FAILING)
  const [alert] = list('api')
  t.match(alert, { container: 'web', event: 'recovered', resolved: true, message: /^web is not there any more/ })
  t.same(list('api'), [])
  t.equal(sent.filter((line) => line.startsWith('api')).length, 1)
})

await t.test(
  'whatever happens: one open incident a container, all is bounded, and each incident that was told of is told to have ended',
  async () => {
    const kinds: Happening[] = [
      FAILING,
      RESTARTED,
      RECOVERED,
      GAVE_UP,
      held('budget'),
      held('backoff'),
      { kind: 'healthy', reason: '' },
      { kind: 'never-healthy', reason: '' },
      { kind: 'new-run', by: 'docker' },
    ]
    const steps = fc.array(
      fc.record({
        name: fc.constantFrom('a', 'b', 'c'),
        happening: fc.constantFrom(...kinds),
        pass: fc.constantFrom(0, 30_000, 700_000),
      }),
      { maxLength: 120 },
    )
    const settings = fc.record({
      cooldownMs: fc.constantFrom(0, 600_000),
      reminderMs: fc.constantFrom(0, 3_600_000),
      wanted: fc.subarray([...ALL]),
    })
    fc.assert(
      fc.property(steps, settings, (history, { wanted, ...times }) => {
        const open = new Map<string, string>()
        const { happen, pass, book } = keep({ ...times, listeners: (event) => (wanted.includes(event) ? ['ops'] : []) })
        for (const { name, happening, pass: ms } of history) {
          for (const alert of [...pass(ms), ...happen(name, happening)]) {
            if (alert.resolved) {
              if (!open.delete(alert.incident)) throw new Error(`the end of what was not told: ${alert.incident}`)
            } else open.set(alert.incident, alert.container)
          }
        }
        const { incidents } = book()
        const stillOpen = incidents.filter(({ endedMs }) => endedMs === undefined)
        if (new Set(stillOpen.map(({ container }) => container)).size !== stillOpen.length) throw new Error('two are open')
        for (const key of open.keys()) if (!stillOpen.some((each) => each.key === key)) throw new Error(`it ended untold: ${key}`)
        return incidents.length <= 103 && incidents.every(({ steps: taken }) => taken.length <= 30)
      }),
      { numRuns: 1000 },
    )
  },
)
