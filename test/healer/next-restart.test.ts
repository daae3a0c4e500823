// What is shown of the next restart is what the health machine does: it asks for one from that moment on, and not before.
import fc from 'fast-check'
import t from 'tap'
import { followHeld, HELD_WORDS } from '../../healer/health/held.ts'
import { type HealthEvent, type HealthSettings, step } from '../../healer/health/machine.ts'
import { type Bounds, findNextRestart } from '../../healer/health/next-restart.ts'
import { type HealthState, initialState, NOT_RESTARTING } from '../../healer/health/state.ts'

const NOW_MS = 10_000_000
const UNBOUND: Bounds = { tellOnly: false, needsNoSuccess: false, pausedUntilMs: undefined, maintenanceUntilMs: undefined }

const settings: fc.Arbitrary<HealthSettings> = fc.record({
  intervalMs: fc.integer({ min: 1000, max: 600_000 }),
  retries: fc.constant(1),
  startPeriodMs: fc.constant(0),
  maxRestarts: fc.integer({ min: 1, max: 8 }),
  dryRun: fc.boolean(),
})
const state: fc.Arbitrary<HealthState> = fc
  .record({
    armed: fc.boolean(),
    restarts: fc.integer({ min: 0, max: 8 }),
    agoMs: fc.integer({ min: 0, max: 1_000_000 }),
    gaveUp: fc.boolean(),
    notBeforeMs: fc.oneof(fc.constant(0), fc.integer({ min: NOW_MS - 60_000, max: NOW_MS + 60_000 })),
  })
  .map(({ armed, restarts, agoMs, gaveUp, notBeforeMs }) => ({
    ...initialState(armed, { restarts, lastRestartMs: restarts === 0 ? undefined : NOW_MS - agoMs, gaveUp }),
    ...{ status: 'running', notBeforeMs },
  }))

await t.test('the machine asks for a restart if, and as soon as, one is shown to be possible', async () => {
  fc.assert(
    fc.property(state, settings, fc.boolean(), (before, given, counted) => {
      const event: HealthEvent = { type: 'probed', probe: { result: 'failure', reason: 'answered 503' }, counted }
      const asks = (atMs: number) => step(before, event, atMs, given).effects.some(({ type }) => type === 'restart')
      const next = findNextRestart(before, given, { ...UNBOUND, needsNoSuccess: counted }, NOW_MS)
      if (next.possible === 'now') return asks(NOW_MS)
      if (next.possible === 'later') return next.atMs > NOW_MS && !asks(next.atMs - 1) && asks(next.atMs)
      return !asks(NOW_MS) && !asks(NOW_MS + 1_000_000_000)
    }),
    { numRuns: 1000 },
  )
})

await t.test(
  'a pause and a maintenance window put it off; a pause without an end, and healer.action=none, for good',
  async (t) => {
    const given = { intervalMs: 15_000, retries: 3, startPeriodMs: 0, maxRestarts: 5, dryRun: false }
    const next = (change: Partial<Bounds>) => findNextRestart(initialState(true), given, { ...UNBOUND, ...change }, NOW_MS)
    t.same(next({}), { possible: 'now' })
    t.same(next({ pausedUntilMs: NOW_MS + 5, maintenanceUntilMs: NOW_MS + 7 }), { possible: 'later', atMs: NOW_MS + 7 })
    t.same(next({ pausedUntilMs: Number.POSITIVE_INFINITY }), { possible: 'no' })
    t.same(next({ tellOnly: true }), { possible: 'no' })
  },
)

await t.test('what holds a restart is held since it began to, and is told in its latest words', async (t) => {
  const held = { ...initialState(true), notRestarting: 'dependency' } as const
  const first = followHeld(undefined, held, [], { why: 'dependency', detail: 'it depends on db' }, 1)
  const then = followHeld(first, held, [], { why: 'dependency', detail: 'it depends on cache' }, 2)
  t.same(then, { why: 'dependency', sinceMs: 1, detail: 'it depends on cache' })
  const other = followHeld(then, { ...held, notRestarting: 'gave-up' }, [], { why: 'paused', detail: 'paused' }, 3)
  t.same(other, { why: 'gave-up', sinceMs: 3, detail: '' }, 'an objection to something else is not its reason')
  t.equal(followHeld(other, { ...held, notRestarting: undefined }, [], undefined, 4), undefined)
})

await t.test('every reason has its meaning and what to do, in words', async (t) => {
  for (const why of NOT_RESTARTING) t.ok(HELD_WORDS[why].means !== '' && HELD_WORDS[why].cure !== '', why)
})
