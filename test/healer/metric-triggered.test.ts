// Healing by a metric: an alert that fires for a container counts as failing although its probe succeeds, and is healed as any failure is.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { temporaryDirectory } from '../support/temporary.ts'
import { createBench, startServer } from './support/bench.ts'

const FIRES = { container: 'web', fingerprint: 'a1', name: 'HighErrorRate', summary: '7 % fail', isFiring: true }
const ENDS = { ...FIRES, isFiring: false }

/** A healer that watches `web`, whose probe succeeds; the run is ten minutes old. */
async function start(t: Test, env: NodeJS.ProcessEnv = {}, stateDir = temporaryDirectory(t)) {
  const bench = createBench(t, env, stateDir)
  const app = await startServer(t)
  const web = bench.docker.add('web', app.port)
  web.detail = { ...web.detail, startedAt: new Date(bench.clock.wallMs() - 600_000).toISOString() }
  const healer = await bench.start()
  return { bench, app, web, healer, state: () => healer.view().containers[0]?.state }
}

await t.test('an alert restarts at the threshold; recovered is said once it has ended, and not before', async (t) => {
  const { bench, state } = await start(t)
  await bench.rules().take([FIRES])
  await bench.clock.advance(30_000)
  t.same(bench.docker.restarts, [], 'two failures restart nothing')
  await bench.clock.advance(15_000)
  t.same(bench.docker.restarts, ['web'])
  await bench.clock.advance(120_000)
  t.match(state(), { health: 'unknown', incident: { restarts: 1 } })
  t.notOk(bench.kinds('web').includes('recovered'))
  await bench.rules().take([ENDS])
  await bench.clock.advance(15_000)
  t.same(bench.kinds('web'), ['healthy', 'failing', 'failing', 'failing', 'restarting', 'restarted', 'unknown', 'recovered'])
  t.match(
    bench.log.filter((line) => line.startsWith('web')),
    [
      /^web — probing/,
      'web — healthy: answered 200',
      'web — alert HighErrorRate fires: 7 % fail',
      'web — unhealthy (1/3): alert HighErrorRate is firing: 7 % fail',
      'web — unhealthy (2/3): alert HighErrorRate is firing: 7 % fail',
      'web — unhealthy (3/3): alert HighErrorRate is firing: 7 % fail',
      /^web — unknown: alert HighErrorRate is firing, perhaps for what came before this run; it counts once this run is 5 min old/,
      'web — alert HighErrorRate has ended',
      /^web — recovered: healthy 2 min \d+ s after the restart/,
    ],
  )
})

await t.test('an alert that does not end counts again after HOOK_GRACE, up to giving up', async (t) => {
  const { bench, state } = await start(t, { HOOK_GRACE: '1m', MAX_RESTARTS: '2' })
  await bench.rules().take([FIRES])
  await bench.clock.advance(45_000)
  t.equal(bench.docker.restarts.length, 1)
  await bench.clock.advance(59_000)
  t.equal(bench.docker.restarts.length, 1, 'within the grace it is not known')
  await bench.clock.advance(50_000)
  t.equal(bench.docker.restarts.length, 2)
  await bench.clock.advance(300_000)
  t.equal(bench.docker.restarts.length, 2)
  t.equal(state()?.notRestarting, 'gave-up')
  t.match(
    bench.log.find((line) => line.includes('gave up')),
    /gave up after 2 attempts .*alert HighErrorRate is firing/,
  )
  t.notOk(bench.kinds('web').includes('recovered'))
})

await t.test('an alert that ends below the threshold restarts nothing', async (t) => {
  const { bench } = await start(t)
  await bench.rules().take([FIRES])
  await bench.clock.advance(30_000)
  await bench.rules().take([ENDS])
  await bench.clock.advance(60_000)
  t.same(bench.docker.restarts, [])
  t.equal(bench.kinds('web').at(-1), 'healed-itself')
})

await t.test('without HOOK_GRACE an alert counts from the first probe of a run', async (t) => {
  const { bench } = await start(t, { HOOK_GRACE: '0' })
  await bench.rules().take([FIRES])
  await bench.clock.advance(120_000)
  t.ok(bench.docker.restarts.length >= 2)
  t.notOk(bench.kinds('web').includes('unknown'))
})

await t.test('a probe that fails is a failure by itself, and its own words are said', async (t) => {
  const { bench, app } = await start(t)
  await bench.rules().take([FIRES])
  app.status(503)
  await bench.clock.advance(15_000)
  t.ok(bench.log.includes('web — unhealthy (1/3): answered 503'))
})

await t.test('an alert alone does not arm a container whose probe never succeeded', async (t) => {
  const bench = createBench(t, { HOOK_GRACE: '0' })
  const app = await startServer(t)
  app.status(404)
  bench.docker.add('web', app.port)
  const healer = await bench.start()
  await bench.rules().take([FIRES])
  await bench.clock.advance(600_000)
  t.same(bench.docker.restarts, [])
  t.match(healer.view().containers, [{ state: { notRestarting: 'not-armed', reason: 'answered 404' } }])
})

await t.test('an alert for a container without a probe restarts nothing', async (t) => {
  const bench = createBench(t, { HOOK_GRACE: '0' })
  bench.docker.add('web')
  const healer = await bench.start()
  await bench.rules().take([FIRES])
  await bench.clock.advance(600_000)
  t.same(bench.docker.restarts, [])
  t.match(healer.view().containers, [{ state: { health: 'unknown', reason: /set healer\.port/ } }])
})

await t.test('a container that goes by the Engine’s verdict needs the threshold for an alert', async (t) => {
  const bench = createBench(t, { HOOK_GRACE: '0' })
  bench.docker.add('web', undefined, { detail: { engineHealth: { status: 'healthy', failingStreak: 0 } } })
  await bench.start()
  await bench.rules().take([FIRES])
  await bench.clock.advance(30_000)
  t.same(bench.docker.restarts, [])
  await bench.clock.advance(15_000)
  t.same(bench.docker.restarts, ['web'])
})

await t.test('a pause, healer.action=none and a dry run hold what an alert would restart', async (t) => {
  const paused = await start(t, {}, temporaryDirectory(t))
  await paused.healer.control.pause('web', Number.POSITIVE_INFINITY)
  await paused.bench.rules().take([FIRES])
  await paused.bench.clock.advance(60_000)
  t.same(paused.bench.docker.restarts, [])
  t.equal(paused.state()?.notRestarting, 'paused')

  const dry = await start(t, { DRY_RUN: 'true' }, temporaryDirectory(t))
  await dry.bench.rules().take([FIRES])
  await dry.bench.clock.advance(60_000)
  t.same(dry.bench.docker.restarts, [])
  t.ok(dry.bench.log.includes('DRY RUN: would restart web — failed 3 consecutive health checks'))
})

await t.test('where alerts fire for most containers at once, nothing is restarted', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  for (const name of ['a', 'b', 'c']) {
    const one = bench.docker.add(name, app.port)
    one.detail = { ...one.detail, startedAt: new Date(bench.clock.wallMs() - 600_000).toISOString() }
  }
  const healer = await bench.start()
  await bench.rules().take(['a', 'b', 'c'].map((container) => ({ ...FIRES, container })))
  await bench.clock.advance(120_000)
  t.same(bench.docker.restarts, [])
  t.not(healer.view().holdSinceMs, undefined)
})

await t.test('what fires is known to a healer that is started anew', async (t) => {
  const directory = temporaryDirectory(t)
  const first = await start(t, {}, directory)
  await first.bench.rules().take([FIRES])
  await first.bench.stop()
  const second = await start(t, {}, directory)
  await second.bench.clock.advance(30_000)
  t.same(second.bench.docker.restarts, ['web'], 'its first look was the first failure')
})

await t.test('an alert that nobody repeats for 12 h counts no more', async (t) => {
  const { bench, state } = await start(t, { DRY_RUN: 'true' })
  await bench.rules().take([FIRES])
  await bench.clock.advance(60_000)
  t.equal(state()?.health, 'unhealthy')
  bench.clock.leap(12 * 3_600_000)
  await bench.clock.advance(60_000)
  t.equal(state()?.health, 'healthy')
})

await t.test('what is forgotten is written before the healer ends', async (t) => {
  const directory = temporaryDirectory(t)
  const { bench } = await start(t, { DRY_RUN: 'true' }, directory)
  await bench.rules().take([FIRES])
  bench.clock.leap(12 * 3_600_000)
  t.same(bench.rules().firing('web'), [])
  await bench.stop()
  t.match(JSON.parse(readFileSync(join(directory, 'rules.json'), 'utf8')), { rules: [] })
})
