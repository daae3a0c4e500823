// Healer and proxy, each killed with SIGKILL at each moment of a restart and started again: what is ill is healed, by as many restarts as it takes;
// each of them is on record, and people are told once. The programs as they ship, on the embedded engine.
import t from 'tap'
import { waitFor } from '../engine/support/composition.ts'
import { allWell, checkWhole, follow } from './support/follow.ts'
import type { Holding } from './support/gate.ts'
import { startStage } from './support/stage.ts'

type Moment = {
  readonly name: string
  readonly what: string
  readonly kills: 'healer' | 'proxy'
  /** The restart is held up here when it is killed; else once the healer has said this. */
  readonly at: { readonly gate: 'shared' | 'engine'; readonly holding: Holding } | string
  /** What is on record: of each restart that was let through the statuses of its end. */
  readonly record: readonly (readonly number[])[]
  /** But for that a restart was held up, which depends on what comes first. */
  readonly told: readonly string[]
}

const HEALED = ['restarted', 'recovered']
const MOMENTS: readonly Moment[] = [
  {
    name: 'b',
    what: 'when it asks for the restart, before that arrives',
    kills: 'healer',
    at: { gate: 'shared', holding: 'requests' },
    record: [[204]],
    told: HEALED,
  },
  {
    name: 'c',
    what: 'between the audit line and the Engine’s answer',
    kills: 'healer',
    at: { gate: 'engine', holding: 'requests' },
    record: [[204]],
    told: HEALED,
  },
  {
    name: 'd',
    what: 'after the restart, before its answer arrives',
    kills: 'healer',
    at: { gate: 'engine', holding: 'answers' },
    record: [[204]],
    told: HEALED,
  },
  {
    name: 'e',
    what: 'after the answer, before a probe saw it well',
    kills: 'healer',
    at: 'Successfully restarted: e',
    record: [[204]],
    told: HEALED,
  },
  { name: 'f', what: 'below the threshold', kills: 'proxy', at: 'f — unhealthy (1/2)', record: [[204]], told: HEALED },
  {
    name: 'g',
    what: 'between the audit line and the Engine’s answer: it was not done, and is done again',
    kills: 'proxy',
    at: { gate: 'engine', holding: 'requests' },
    record: [[], [204]],
    told: HEALED,
  },
  {
    name: 'h',
    what: 'after the restart, before the answer: it is not done again',
    kills: 'proxy',
    at: { gate: 'engine', holding: 'answers' },
    record: [[]],
    told: ['recovered'],
  },
  {
    name: 'i',
    what: 'after the answer, before a probe saw it well',
    kills: 'proxy',
    at: 'Successfully restarted: i',
    record: [[204]],
    told: HEALED,
  },
]

await t.test('killed around a restart', { timeout: 580_000 }, async (t) => {
  const stage = await startStage({
    apps: MOMENTS.map(({ name }) => ({ name })),
    budget: '{ container: 5 per 10m, client: 60 per 10m }',
  })
  t.teardown(stage.end)
  const { mark, said, told, events, restarts } = follow(stage)
  await allWell(stage)

  for (const { name, what, kills, at, record, told: expected } of MOMENTS) {
    await t.test(`the ${kills}, ${what}`, async (t) => {
      const [app, since] = [stage.app(name), mark()]
      const reached = typeof at === 'string' ? undefined : stage[at.gate].hold(at.holding)
      app.fail()
      if (typeof at === 'string') await said(at, since)
      else {
        await reached
        if (at.holding === 'answers') await waitFor(`${name} to be started anew`, async () => app.isWell())
      }
      await stage[kills].kill()
      for (const gate of [stage.shared, stage.engine]) gate.release()
      await stage[kills].start()
      await told(name, 'recovered')
      t.ok(app.isWell())
      t.equal(app.starts(), 2, 'it was restarted once')
      t.same(
        restarts(name).map(({ statuses }) => statuses),
        record,
        'and that is on record',
      )
      const isOptional = (event: string) => event === 'held' || !expected.includes(event)
      t.same(
        events(name).filter((event) => !isOptional(event)),
        expected,
        'people are told once',
      )
    })
  }
  await checkWhole(t, stage)
  t.same(
    stage.apps.map((app) => app.starts()),
    MOMENTS.map(() => 2),
    'nothing was restarted later',
  )
})
