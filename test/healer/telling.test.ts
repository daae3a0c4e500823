// Telling people, through an outbox on the disk: in order, all of it, to each receiver at its own pace, whatever that answers and whenever the
// healer dies.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Alert } from '../../healer/alert/alert.ts'
import { MAX_QUEUED, pauseMs } from '../../healer/alert/outbox.ts'
import { GROUP_WAIT_MS } from '../../healer/alert/sender.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { FAILING, GAVE_UP, plainReceiver, RECOVERED, RESTARTED, startTelling } from './support/telling.ts'

const HOUR = 3_600_000

await t.test('what happens is told in order, grouped in few requests', async (t) => {
  const { happen, clock, took, tries } = await startTelling(t)
  for (let i = 0; i < 50; i++) await happen(`web-${i}`, FAILING, RESTARTED)
  t.equal(tries(), 0)
  await clock.advance(GROUP_WAIT_MS)
  await clock.advance(GROUP_WAIT_MS)
  t.same(
    took(),
    Array.from({ length: 50 }, (_, i) => `web-${i} restarted`),
  )
  t.equal(tries(), 3, 'twenty at once')
})

await t.test('a receiver, and a container, may be called as something is that every object has', async (t) => {
  const { happen, clock, took } = await startTelling(t, { receivers: [plainReceiver('constructor')] })
  await happen('toString', FAILING, RESTARTED)
  await clock.advance(GROUP_WAIT_MS)
  t.same(took('constructor'), ['toString restarted'])
})

await t.test('a receiver that is down for an hour gets all in order when it is back; it is said once', async (t) => {
  let down = true
  const { happen, clock, took, log, tries } = await startTelling(t, {
    answer: () =>
      down ? { outcome: 'later', answer: 'it cannot be reached (ECONNREFUSED)' } : { outcome: 'delivered', answer: '' },
  })
  for (let i = 0; i < 12; i++) {
    await happen('web', FAILING, RESTARTED, RECOVERED)
    await clock.advance(300_000)
  }
  t.same(took(), [])
  t.ok(tries() < 30, `${tries()} tries, with growing pauses`)
  down = false
  await clock.advance(300_000)
  t.same(took(), Array(12).fill(['web restarted', 'web recovered']).flat())
  t.equal(log.filter((line) => line.startsWith('ops could not be told')).length, 1)
  t.equal(log.filter((line) => line === 'ops answers again').length, 1)
})

await t.test('a receiver that hangs or refuses delays no other', async (t) => {
  const receivers = ['hangs', 'down', 'ops'].map((name) => plainReceiver(name))
  const { happen, clock, took, notifier } = await startTelling(t, {
    receivers,
    answer: (name) =>
      name === 'ops'
        ? { outcome: 'delivered', answer: '' }
        : { outcome: 'later', answer: 'no answer within 10 s', afterMs: HOUR },
  })
  await happen('web', FAILING, RESTARTED)
  await clock.advance(GROUP_WAIT_MS)
  t.same(took('ops'), ['web restarted'])
  t.match(notifier.view().outbox, [
    { receiver: 'hangs', waiting: 1 },
    { receiver: 'down', waiting: 1 },
    { receiver: 'ops', waiting: 0 },
  ])
})

await t.test('a receiver that asks for patience is not asked before', async (t) => {
  const { happen, clock, took, tries } = await startTelling(t, {
    answer: (_name, _alerts, tries) =>
      tries === 1 ? { outcome: 'later', answer: 'it answered 429', afterMs: 120_000 } : { outcome: 'delivered', answer: '' },
  })
  await happen('web', FAILING, RESTARTED)
  await clock.advance(GROUP_WAIT_MS + 119_000)
  t.equal(tries(), 1)
  await clock.advance(1000)
  t.same(took(), ['web restarted'])
})

await t.test('what will never be taken is given up with a loud word; what stands beside it is delivered', async (t) => {
  const { happen, clock, took, log, counts } = await startTelling(t, {
    answer: (_name, alerts) =>
      alerts.some(({ container }) => container === 'bad')
        ? { outcome: 'never', answer: 'it answered 400: invalid' }
        : { outcome: 'delivered', answer: '' },
  })
  for (const name of ['a', 'bad', 'b']) await happen(name, FAILING, RESTARTED)
  await clock.advance(GROUP_WAIT_MS)
  t.same(took(), ['a restarted', 'b restarted'])
  t.match(
    log.filter((line) => line.includes('never')),
    ['ops will never take this, and nobody was told there: bad restarted; it answered 400: invalid; check its settings'],
  )
  t.same(counts, ['ops delivered 1', 'ops dropped 1', 'ops delivered 1'])
})

await t.test('a healer that is started anew tells what was not told, and knows what was', async (t) => {
  const stateDir = temporaryDirectory(t)
  const first = await startTelling(t, { stateDir, answer: () => ({ outcome: 'later', answer: 'down' }) })
  await first.happen('web', FAILING, RESTARTED)
  await first.clock.advance(10_000)
  await first.stop()
  const { clock, took, happen, notifier } = await startTelling(t, { stateDir, clock: first.clock })
  await clock.advance(GROUP_WAIT_MS)
  t.same(took(), ['web restarted'])
  await happen('web', RECOVERED)
  await clock.advance(GROUP_WAIT_MS)
  t.same(took(), ['web restarted', 'web recovered'])
  t.equal(notifier.view().incidents.length, 1, 'it is the same incident')
})

await t.test('at the end what is due is tried once more, and the rest is kept', async (t) => {
  const stateDir = temporaryDirectory(t)
  const { happen, stop, took } = await startTelling(t, { stateDir })
  await happen('web', FAILING, RESTARTED)
  await stop()
  t.same(took(), ['web restarted'])
  t.same(JSON.parse(readFileSync(join(stateDir, 'alerts.json'), 'utf8')).outbox, { ops: [] })
})

await t.test('at the end it is also tried where another alert was never taken', async (t) => {
  const { happen, stop, took, clock } = await startTelling(t, {
    answer: (_name, _alerts, tries) =>
      tries === 1
        ? { outcome: 'later', answer: 'down' }
        : tries === 2
          ? { outcome: 'never', answer: 'it answered 400' }
          : { outcome: 'delivered', answer: '' },
  })
  await happen('bad', FAILING, RESTARTED)
  await clock.advance(GROUP_WAIT_MS + 1000)
  await happen('web', FAILING, RESTARTED)
  await stop()
  t.same(took(), ['web restarted'])
})

await t.test('a receiver that forgets is told again while it lasts, and no more once it is over', async (t) => {
  const { happen, clock, took } = await startTelling(t, { receivers: [plainReceiver('ops', { resends: true })] })
  await happen('web', FAILING, GAVE_UP)
  await clock.advance(GROUP_WAIT_MS + 5 * 60_000)
  t.same(took(), Array(6).fill('web gave-up'))
  await happen('web', RECOVERED)
  await clock.advance(10 * 60_000)
  t.same(took().slice(6), ['web recovered'])
})

await t.test('one that forgets and will not be told again is said once', async (t) => {
  const { happen, clock, log } = await startTelling(t, {
    receivers: [plainReceiver('ops', { resends: true })],
    answer: (_name, _alerts, tries) =>
      tries === 1 ? { outcome: 'delivered', answer: '' } : { outcome: 'never', answer: 'it answered 401' },
  })
  await happen('web', FAILING, GAVE_UP)
  await clock.advance(10 * 60_000)
  t.equal(
    log.filter((line) => line === 'ops will not be told again of what lasts: it answered 401; check its settings').length,
    1,
  )
})

await t.test('a receiver that fails at one alert is told of all others', async (t) => {
  const plain = plainReceiver('ops')
  const request = (alerts: readonly Alert[], nowMs: number) => {
    if (alerts.some(({ container }) => container === 'bad')) throw new RangeError('too much')
    return plain.request(alerts, nowMs)
  }
  const { happen, clock, took, log } = await startTelling(t, { receivers: [{ ...plain, request }] })
  for (const name of ['a', 'bad', 'b']) await happen(name, FAILING, RESTARTED)
  await clock.advance(GROUP_WAIT_MS)
  t.same(took(), ['a restarted', 'b restarted'])
  t.ok(
    log.some(
      (line) => line.startsWith('ops will never take this') && line.includes('no request could be made of it (RangeError)'),
    ),
  )
})

await t.test('a queue has an end: the oldest goes, and it is said', async (t) => {
  const answer = () => ({ outcome: 'later', answer: 'down' }) as const
  const stateDir = temporaryDirectory(t)
  const before = await startTelling(t, { stateDir, answer })
  await before.happen('web', FAILING, RESTARTED)
  await before.stop()
  const file = join(stateDir, 'alerts.json')
  const { outbox, ...rest } = JSON.parse(readFileSync(file, 'utf8'))
  const queue = Array.from({ length: MAX_QUEUED }, (_, i) => ({ ...outbox.ops[0], id: `old/${i}` }))
  writeFileSync(file, JSON.stringify({ ...rest, outbox: { ops: queue } }))
  const { happen, notifier, log, counts } = await startTelling(t, { stateDir, answer })
  await happen('web', RECOVERED)
  t.equal(notifier.view().outbox[0]?.waiting, MAX_QUEUED)
  t.match(log.at(-1), /^ops has 1000 alerts waiting already: the oldest is dropped/)
  t.ok(counts.includes('ops dropped 1'))
})

await t.test(
  'a file that cannot be understood is set aside, and a receiver that is not set any more is told nothing',
  async (t) => {
    const stateDir = t.testdir({ 'alerts.json': '{"version": 1, "incidents": 7}' })
    const damaged = await startTelling(t, { stateDir, answer: () => ({ outcome: 'later', answer: 'down' }) })
    t.match(
      damaged.log[0],
      /alerts\.json cannot be understood and was set aside as .*alerts\.json\.damaged; open incidents are forgotten/,
    )
    await damaged.happen('web', FAILING, RESTARTED)
    await damaged.stop()
    const { log } = await startTelling(t, { stateDir, receivers: [plainReceiver('other')] })
    t.match(log[0], /^ops is not among the receivers any more; 1 alerts? for it (is|are) dropped$/)
    writeFileSync(join(stateDir, 'alerts.json'), '{"version": 2}')
    t.match((await startTelling(t, { stateDir })).log[0], /was written by a newer healer and was set aside/)
  },
)

await t.test('pauses double to five minutes, differ by chance, and are never shorter than was asked for', async (t) => {
  t.same(
    [1, 2, 3, 9, 10, 1000].map((tries) => pauseMs(tries, 1)),
    [1000, 2000, 4000, 256_000, 300_000, 300_000],
  )
  t.equal(pauseMs(1, 0), 500)
  t.equal(pauseMs(1, 0, 60_000), 60_000)
})
