// Fifty containers fail at once, among more that are well: each is restarted exactly once, within the budget for all, and each is told of once.
// The programs as they ship, on the embedded engine.
import t from 'tap'
import { waitFor } from '../engine/support/composition.ts'
import { skipFor } from '../support/required.ts'
import { IS_LIGHT } from './support/app.ts'
import { allWell, checkWhole, follow } from './support/follow.ts'
import { startStage } from './support/stage.ts'

const FAILING = Array.from({ length: 50 }, (_, i) => `ill-${i + 1}`)
const WELL = Array.from({ length: 60 }, (_, i) => `well-${i + 1}`)
/** More than a half, less than all: so some have to wait until the window has passed. */
const AT_ONCE = 30
const WINDOW_MS = 20_000

const skip = skipFor(IS_LIGHT ? undefined : 'there is no busybox, and without it each container takes 40 MB')

await t.test('fifty at once', { timeout: 580_000, skip }, async (t) => {
  const stage = await startStage({
    apps: [...FAILING, ...WELL].map((name) => ({ name })),
    env: () => ({ CHECK_INTERVAL: '5' }),
    budget: `{ container: 5 per 10m, client: ${AT_ONCE} per ${WINDOW_MS / 1000}s }`,
  })
  t.teardown(stage.end)
  const { times, events, restarts } = follow(stage)
  await allWell(stage)
  for (const name of FAILING) stage.app(name).fail()
  await waitFor('all to be healed and told of', async () => FAILING.every((name) => events(name).includes('recovered')))

  for (const name of FAILING) {
    t.equal(stage.app(name).starts(), 2, `${name} was restarted once`)
    t.equal(restarts(name).length, 1, 'that is on record')
    t.same(
      events(name).filter((event) => event !== 'held'),
      ['restarted', 'recovered'],
      'and told once',
    )
  }
  const timesMs = FAILING.flatMap((name) => restarts(name).map(({ line }) => Date.parse(String(line.time))))
  const most = Math.max(...timesMs.map((from) => timesMs.filter((atMs) => atMs >= from && atMs < from + WINDOW_MS).length))
  t.ok(most <= AT_ONCE, `${most} within the window`)
  t.ok(
    FAILING.some((name) => times(`${name} — not restarted (budget)`) > 0),
    'those that had to wait said so',
  )
  for (const name of WELL) t.equal(stage.app(name).starts(), 1, `${name} is well, and was left alone`)
  await checkWhole(t, stage)
})
