// What a container's surroundings forbid: nothing is restarted while so many fail at once that the healer itself may be ill, before what a
// container needs is well, in a maintenance window, or where a person said so. Each is said, and ends by itself.
import t from 'tap'
import { temporaryDirectory } from '../support/temporary.ts'
import { type Bench, createBench, startServer } from './support/bench.ts'

const COMPOSE = (service: string, needs = '') => ({
  monitored: 'true',
  'com.docker.compose.project': 'shop',
  'com.docker.compose.service': service,
  'com.docker.compose.depends_on': needs,
})

/** Reasons told why `name` is not restarted. */
const reasons = (bench: Bench, name: string) =>
  bench.happenings.flatMap(({ name: of, happening }) =>
    of === name && happening.kind === 'not-restarting' ? [happening.why] : [],
  )

/** As many servers as names, each a container, all healthy. */
async function startAll(t: Parameters<typeof createBench>[0], names: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const bench = createBench(t, env)
  const apps = new Map<string, Awaited<ReturnType<typeof startServer>>>()
  for (const name of names) {
    const app = await startServer(t)
    apps.set(name, app)
    bench.docker.add(name, app.port)
  }
  bench.docker.onRestart = (container) => {
    bench.docker.startAnew(container)
    return { outcome: 'restarted' }
  }
  const healer = await bench.start()
  await bench.clock.advance(15_000)
  return { bench, healer, app: (name: string) => apps.get(name) ?? (t.fail(name) as never) }
}

await t.test(
  'where most fail at once nothing is restarted; it is said once; when they are well again, nothing was touched',
  async (t) => {
    const { bench, healer, app } = await startAll(t, ['a', 'b', 'c', 'd'])
    for (const name of ['a', 'b', 'c']) app(name).status(503)
    await bench.clock.advance(120_000)
    t.same(bench.docker.restarts, [])
    t.match(healer.view().holdSinceMs, Number)
    for (const name of ['a', 'b', 'c']) t.same(reasons(bench, name), ['hold'], name)
    t.equal(bench.log.filter((line) => line.includes('nothing is restarted')).length, 1)
    for (const name of ['a', 'b', 'c']) app(name).status(200)
    await bench.clock.advance(30_000)
    t.equal(healer.view().holdSinceMs, undefined)
    t.same(bench.docker.restarts, [])
    t.equal(bench.log.filter((line) => line.includes('restarts go on')).length, 1)
  },
)

await t.test(
  'once most are well again, one whose last probe was sent while the hold lasted is not restarted for that',
  async (t) => {
    const { bench, app } = await startAll(t, ['a', 'b', 'c', 'd', 'e'])
    const all = ['a', 'b', 'c', 'd', 'e']
    for (const name of all) app(name).status(503)
    await bench.clock.advance(60_000)
    t.same(bench.docker.restarts, [])
    // One comes back later than the others, by less than an interval.
    for (const name of all.slice(0, -1)) app(name).status(200)
    while (!bench.log.some((line) => line.includes('restarts go on'))) await bench.clock.advance(1000)
    await bench.clock.advance(14_000)
    app('e').status(200)
    await bench.clock.advance(30_000)
    t.same(bench.docker.restarts, [])
    app('e').status(503)
    await bench.clock.advance(60_000)
    t.equal(bench.docker.restarts[0], 'e', 'as ever')
  },
)

await t.test('after HOLD_MAX one is restarted as a canary; if it recovers, the others are restarted, too', async (t) => {
  const { bench, app } = await startAll(t, ['a', 'b', 'c'], { HOLD_MAX: '2m' })
  bench.docker.onRestart = (container) => {
    app(container.summary.name).status(200)
    bench.docker.startAnew(container)
    return { outcome: 'restarted' }
  }
  for (const name of ['a', 'b', 'c']) app(name).status(503)
  await bench.clock.advance(100_000)
  t.same(bench.docker.restarts, [])
  await bench.clock.advance(120_000)
  t.same([...bench.docker.restarts].sort(), ['a', 'b', 'c'])
  const [canary] = bench.docker.restarts
  const order = bench.happenings.map(({ name, happening }) => `${name === canary ? 'canary' : 'other'} ${happening.kind}`)
  t.ok(order.indexOf('canary recovered') < order.indexOf('other restarting'), 'one, and no other before that one recovered')
  await bench.clock.advance(30_000)
  for (const name of ['a', 'b', 'c']) t.ok(bench.kinds(name).includes('recovered'), name)
})

await t.test('a canary that does not recover is the only one for as long again', async (t) => {
  const { bench, app } = await startAll(t, ['a', 'b', 'c'], { HOLD_MAX: '2m' })
  for (const name of ['a', 'b', 'c']) app(name).status(503)
  await bench.clock.advance(230_000)
  t.equal(new Set(bench.docker.restarts).size, 1)
})

await t.test('one of three is restarted as ever, and two of two', async (t) => {
  const { bench, app } = await startAll(t, ['a', 'b', 'c'])
  app('b').status(503)
  await bench.clock.advance(60_000)
  t.equal(bench.docker.restarts[0], 'b')
  const two = await startAll(t, ['a', 'b'])
  for (const name of ['a', 'b']) two.app(name).status(503)
  await two.bench.clock.advance(60_000)
  t.same(new Set(two.bench.docker.restarts), new Set(['a', 'b']))
})

await t.test('what others need is restarted before them, and they are left alone if that was all', async (t) => {
  const bench = createBench(t)
  const [db, web] = [await startServer(t), await startServer(t)]
  bench.docker.add('db', db.port, { summary: { labels: COMPOSE('db') } })
  bench.docker.add('web', web.port, { summary: { labels: COMPOSE('web', 'db:service_healthy:false') } })
  bench.docker.onRestart = (container) => {
    bench.docker.startAnew(container)
    if (container.summary.name === 'db') for (const app of [db, web]) app.status(200)
    return { outcome: 'restarted' }
  }
  await bench.start()
  for (const app of [db, web]) app.status(503)
  await bench.clock.advance(120_000)
  t.same(bench.docker.restarts, ['db'])
  for (const reason of reasons(bench, 'web')) t.equal(reason, 'dependency')
  t.notOk(bench.kinds('web').includes('restarted'))
})

await t.test('what depends on a container that was given up on is not kept waiting', async (t) => {
  const bench = createBench(t, { MAX_RESTARTS: '1' })
  const [db, web] = [await startServer(t), await startServer(t)]
  bench.docker.add('db', db.port, { summary: { labels: COMPOSE('db') } })
  bench.docker.add('web', web.port, { summary: { labels: { ...COMPOSE('web'), 'healer.depends_on': 'db' } } })
  await bench.start()
  for (const app of [db, web]) app.status(503)
  await bench.clock.advance(200_000)
  t.ok(bench.kinds('db').includes('gave-up'))
  t.ok(bench.docker.restarts.includes('web'))
  t.equal(bench.docker.restarts[0], 'db')
})

await t.test(
  'of several containers of a service one that is well is enough: what needs it is not kept waiting for the others',
  async (t) => {
    const bench = createBench(t)
    const [db, web, stranger] = [await startServer(t), await startServer(t), await startServer(t)]
    bench.docker.add('db', db.port, { summary: { labels: COMPOSE('db') } })
    bench.docker.add('web', web.port, { summary: { labels: COMPOSE('web', 'db:service_healthy:false') } })
    // By its image's labels, a container of that service.
    const claimed = { ...COMPOSE('db'), 'healer.maintenance': 'daily 00:00-24:00' }
    bench.docker.add('stranger', stranger.port, { summary: { labels: claimed } })
    for (const name of ['a', 'b']) bench.docker.add(name, db.port)
    bench.docker.onRestart = (container) => {
      bench.docker.startAnew(container)
      if (container.summary.name === 'web') web.status(200)
      return { outcome: 'restarted' }
    }
    await bench.start()
    stranger.status(503)
    await bench.clock.advance(120_000)
    web.status(503)
    await bench.clock.advance(60_000)
    t.same(bench.docker.restarts, ['web'])
    t.same(reasons(bench, 'web'), [])
  },
)

await t.test('what depends on a container that is kept from being healed waits for it for an hour at most', async (t) => {
  const bench = createBench(t)
  const [db, web] = [await startServer(t), await startServer(t)]
  bench.docker.add('db', db.port, { summary: { labels: { ...COMPOSE('db'), 'healer.maintenance': 'daily 00:00-24:00' } } })
  bench.docker.add('web', web.port, { summary: { labels: COMPOSE('web', 'db:service_healthy:false') } })
  await bench.start()
  for (const app of [db, web]) app.status(503)
  await bench.clock.advance(3_500_000)
  t.same(bench.docker.restarts, [])
  t.same(reasons(bench, 'web'), ['dependency'])
  await bench.clock.advance(300_000)
  t.same(bench.docker.restarts, ['web'])
})

await t.test('a container whose provider was recreated is told of, and not restarted in vain', async (t) => {
  const bench = createBench(t)
  const [vpn, app] = [await startServer(t), await startServer(t)]
  const provider = bench.docker.add('vpn', vpn.port)
  bench.docker.add('app', app.port, {
    summary: { networkMode: `container:${provider.summary.id}`, networks: [], labels: { autoheal: 'true' } },
    detail: { networkMode: `container:${provider.summary.id}`, engineHealth: { status: 'healthy', failingStreak: 0 } },
  })
  await bench.start()
  bench.docker.containers.delete(provider.summary.id)
  bench.docker.add('vpn', vpn.port)
  for (const [id, container] of bench.docker.containers) {
    if (container.summary.name === 'app')
      bench.docker.containers.set(id, {
        ...container,
        detail: { ...container.detail, engineHealth: { status: 'unhealthy', failingStreak: 3 } },
      })
  }
  // The old one’s watcher ends before the new one’s begins.
  await bench.clock.settled(2)
  await bench.clock.advance(60_000)
  t.same(bench.docker.restarts, [])
  t.same(reasons(bench, 'app'), ['recreate'])
  t.match(
    bench.log.find((line) => line.includes('recreate')),
    /docker compose up -d --force-recreate app/,
  )
})

await t.test('a maintenance window holds restarts until it ends', async (t) => {
  // The clock begins at 2026-01-01T00:00:01Z, a Thursday.
  const bench = createBench(t)
  const app = await startServer(t)
  bench.docker.add('web', app.port, { summary: { labels: { monitored: 'true', 'healer.maintenance': 'Thu 00:00-00:10 UTC' } } })
  await bench.start()
  app.status(503)
  await bench.clock.advance(500_000)
  t.same(bench.docker.restarts, [])
  t.same(reasons(bench, 'web'), ['maintenance'])
  await bench.clock.advance(150_000)
  t.equal(bench.docker.restarts[0], 'web')
})

await t.test('with healer.action=none it is told of, and never restarted', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  bench.docker.add('web', app.port, { summary: { labels: { monitored: 'true', 'healer.action': 'none' } } })
  await bench.start()
  app.status(503)
  await bench.clock.advance(600_000)
  t.same(bench.docker.restarts, [])
  t.same(reasons(bench, 'web'), ['tell-only'])
  app.status(200)
  await bench.clock.advance(15_000)
  t.equal(bench.kinds('web').at(-1), 'healed-itself')
})

await t.test('a task of a swarm is told of, and never restarted: the swarm would have it twice', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  const labels = { monitored: 'true', 'com.docker.swarm.service.name': 'shop_web' }
  bench.docker.add('shop_web.1.x', app.port, { summary: { labels } })
  await bench.start()
  app.status(503)
  await bench.clock.advance(600_000)
  t.same(bench.docker.restarts, [])
  t.same(reasons(bench, 'shop_web.1.x'), ['swarm'])
  t.match(
    bench.log.find((line) => line.includes('(swarm)')),
    /a task of the service shop_web; .* docker service update --force shop_web/,
  )
})

await t.test(
  'a paused container is not restarted until it is resumed or the pause is over, also by the next healer',
  async (t) => {
    const directory = temporaryDirectory(t)
    const bench = createBench(t, {}, directory)
    const app = await startServer(t)
    bench.docker.add('web', app.port)
    const healer = await bench.start()
    t.match(await healer.control.pause('web', Number.POSITIVE_INFINITY), {
      outcome: 'done',
      pausedUntilMs: Number.POSITIVE_INFINITY,
    })
    app.status(503)
    await bench.clock.advance(120_000)
    t.same(reasons(bench, 'web'), ['paused'])
    await bench.stop()

    const next = createBench(t, {}, directory)
    for (const [id, container] of bench.docker.containers) next.docker.containers.set(id, container)
    const again = await next.start()
    await next.clock.advance(120_000)
    t.same(next.docker.restarts, [])
    t.match(await again.control.resume('web'), { outcome: 'done', pausedUntilMs: undefined })
    await next.clock.advance(15_000)
    t.same(next.docker.restarts, ['web'])
    await again.control.pause('web', next.clock.monotonicMs() + 100_000)
    await next.clock.advance(90_000)
    t.same(next.docker.restarts, ['web'])
    await next.clock.advance(60_000)
    t.ok(next.docker.restarts.length > 1, 'a pause with an end ends')
    t.match(await again.control.pause('nobody', 1), { outcome: 'unknown' })
  },
)

await t.test('a reset ends giving up', async (t) => {
  const bench = createBench(t, { MAX_RESTARTS: '1' })
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  const healer = await bench.start()
  app.status(503)
  await bench.clock.advance(300_000)
  t.ok(bench.kinds('web').includes('gave-up'))
  t.equal(bench.docker.restarts.length, 1)
  t.match(await healer.control.reset('web'), { outcome: 'done' })
  t.match(healer.view().containers[0]?.state, { escalation: { gaveUp: false, restarts: 0 }, notRestarting: undefined })
  await bench.clock.advance(15_000)
  t.equal(bench.docker.restarts.length, 2)
})
