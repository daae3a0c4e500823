// What is kept of a container's past: bounded, and right, whatever comes and however the clock runs.
import fc from 'fast-check'
import t from 'tap'
import {
  type History,
  type Look,
  lookedAt,
  MAX_LOOKS,
  MAX_RESTARTS_KEPT,
  NO_HISTORY,
  restartMade,
  stoodAt,
} from '../../healer/health/history.ts'
import { countStanding, NO_UPTIME, type Standing, shareOf, type Uptime } from '../../healer/health/uptime.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** Looks every minute from `fromMs` on; each is as `standings` has it for that many minutes. */
function live(fromMs: number, ...standings: readonly (readonly [Standing, minutes: number])[]) {
  let uptime: Uptime = NO_UPTIME
  let nowMs = fromMs
  for (const [standing, minutes] of standings)
    for (let minute = 0; minute < minutes; minute += 1) {
      uptime = countStanding(uptime, standing, nowMs, 2 * MINUTE_MS)
      nowMs += MINUTE_MS
    }
  return { uptime, nowMs }
}

await t.test('the share that it was up is of the time that is known', async (t) => {
  const { uptime, nowMs } = live(1000, ['up', 240], ['down', 60], ['unknown', 120])
  t.same(shareOf(uptime, 24, nowMs), { ratio: 0.8, knownMs: 5 * HOUR_MS })
  t.same(shareOf(NO_UPTIME, 24, nowMs), { ratio: undefined, knownMs: 0 }, 'nothing is known before the first look')
})

await t.test('what is shown includes the time since the last look', async (t) => {
  const uptime = countStanding(NO_UPTIME, 'up', 0, HOUR_MS)
  t.same(shareOf(uptime, 24, 10 * MINUTE_MS), { ratio: 1, knownMs: 10 * MINUTE_MS })
})

await t.test('what was a day ago is out of the day and in the week; after a week and an hour it is out of both', async (t) => {
  const { uptime, nowMs } = live(0, ['down', 60], ['up', 25 * 60])
  t.same(shareOf(uptime, 24, nowMs).ratio, 1)
  t.ok((shareOf(uptime, 7 * 24, nowMs).ratio ?? 1) < 1)
  t.same(shareOf(uptime, 7 * 24, nowMs + 8 * DAY_MS), { ratio: undefined, knownMs: 0 })
})

await t.test('time in which nobody looked is not known, as while the machine slept', async (t) => {
  const before = countStanding(NO_UPTIME, 'up', 0, 2 * MINUTE_MS)
  const after = countStanding(before, 'down', DAY_MS, 2 * MINUTE_MS)
  t.same(shareOf(after, 48, DAY_MS + MINUTE_MS), { ratio: 2 / 3, knownMs: 3 * MINUTE_MS })
})

const standing = fc.constantFrom<Standing>('up', 'down', 'unknown')
/** A clock that stands still, creeps, leaps over weeks, and goes back. */
const moveMs = fc.oneof(
  fc.integer({ min: 0, max: HOUR_MS }),
  fc.integer({ min: 0, max: 20 * DAY_MS }),
  fc.integer({ min: -20 * DAY_MS, max: 0 }),
  fc.double({ min: 0, max: HOUR_MS, noNaN: true }),
)
const holdsMs = fc.oneof(fc.integer({ min: 0, max: HOUR_MS }), fc.integer({ min: 0, max: 30 * DAY_MS }))

await t.test(
  'a share is from 0 to 1 of no more than the time there was, and memory is bounded, however the clock runs',
  async () => {
    const steps = fc.array(fc.tuple(standing, moveMs, holdsMs), { maxLength: 400 })
    fc.assert(
      fc.property(steps, moveMs, (looks, laterMs) => {
        let uptime = NO_UPTIME
        let nowMs = 0
        for (const [found, ms, holds] of looks) {
          nowMs += ms
          uptime = countStanding(uptime, found, nowMs, holds)
        }
        if (uptime.buckets.length > 7 * 24 + 1) return false
        return [24, 7 * 24].every((hours) => {
          const { ratio, knownMs } = shareOf(uptime, hours, nowMs + laterMs)
          const isShare = ratio === undefined ? knownMs === 0 : ratio >= 0 && ratio <= 1
          return isShare && knownMs >= 0 && knownMs <= hours * HOUR_MS + 1
        })
      }),
    )
  },
)

await t.test('a clock that only goes forward loses nothing of what is known of the last week', async () => {
  const steps = fc.array(fc.tuple(standing, fc.integer({ min: 0, max: 3 * HOUR_MS }), holdsMs), { maxLength: 40 })
  fc.assert(
    fc.property(steps, (looks) => {
      let uptime = NO_UPTIME
      let nowMs = 0
      const known = { up: 0, down: 0, unknown: 0 }
      for (const [found, ms, holds] of looks) {
        uptime = countStanding(uptime, found, nowMs, holds)
        known[found] += Math.min(ms, holds)
        nowMs += ms
      }
      const { ratio, knownMs } = shareOf(uptime, 7 * 24, nowMs)
      const expectedMs = known.up + known.down
      return knownMs === expectedMs && ratio === (expectedMs === 0 ? undefined : known.up / expectedMs)
    }),
  )
})

const look = (change: Partial<Look> = {}): Look => ({
  atMs: 0,
  result: 'success',
  reason: 'answered 200',
  durationMs: 1,
  ...change,
})

await t.test(
  'the last probes and restarts are kept, so many and no more, and no more of a reason than fits a line',
  async (t) => {
    let history: History = NO_HISTORY
    for (let i = 0; i < MAX_LOOKS + 5; i += 1)
      history = lookedAt(history, look({ atMs: i, reason: '🐳'.repeat(i === 64 ? 100_000 : 1) }), i, 1000)
    for (let i = 0; i < MAX_RESTARTS_KEPT + 5; i += 1) history = restartMade(history, { atMs: i, outcome: 'restarted' })
    t.equal(history.looks.length, MAX_LOOKS)
    t.match(history.looks[0], { atMs: 5, reason: '🐳' })
    t.equal([...(history.looks.at(-1)?.reason ?? '')].length, 160)
    t.match(history.looks.at(-1)?.reason, /^🐳+…$/u)
    t.same([history.restarts.length, history.restarts[0]?.atMs], [MAX_RESTARTS_KEPT, 5])
  },
)

await t.test(
  'a probe that succeeds is up, one that fails down; what nobody can tell is neither, and stays in the strip',
  async (t) => {
    const share = (result: Look['result']) =>
      shareOf(lookedAt(NO_HISTORY, look({ result }), 0, HOUR_MS).uptime, 24, MINUTE_MS).ratio
    t.same((['success', 'failure', 'unknown'] as const).map(share), [1, 0, undefined])
    const stopped = stoodAt(NO_HISTORY, 'down', 0, HOUR_MS)
    t.same([stopped.looks, shareOf(stopped.uptime, 24, MINUTE_MS).ratio], [[], 0])
  },
)
