// The healer's loop as a whole: what it heals, what it leaves alone, and what it says of both.
import t from 'tap'
import { createBench, startServer } from './support/bench.ts'

await t.test('three failed checks restart a container once, and a probe of the new run says that it recovered', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  await bench.start()
  bench.docker.onRestart = (container) => {
    app.status(200)
    bench.docker.startAnew(container)
    return { outcome: 'restarted' }
  }

  app.status(503)
  await bench.clock.advance(15_000)
  t.equal(bench.docker.restarts.length, 0, 'one failure restarts nothing')
  await bench.clock.advance(15_000)
  t.equal(bench.docker.restarts.length, 0, 'nor do two')
  await bench.clock.advance(15_000)
  t.same(bench.docker.restarts, ['web'])
  t.notOk(bench.kinds('web').includes('recovered'), 'nothing is called recovered before a probe saw it')
  await bench.clock.advance(15_000)

  t.same(bench.kinds('web'), ['healthy', 'failing', 'failing', 'failing', 'restarting', 'restarted', 'recovered'])
  const words = bench.log.filter((line) => line.includes('web'))
  t.match(words, [
    /watching 1: web/,
    /web — probing by http :\d+\/health/,
    'web — healthy: answered 200',
    'web — unhealthy (1/3): answered 503',
    'web — unhealthy (2/3): answered 503',
    'web — unhealthy (3/3): answered 503',
    'RESTARTING web — failed 3 consecutive health checks',
    /^Successfully restarted: web/,
    /^web — recovered: healthy 5 s after the restart, 35 s after the first failed check$/,
  ])
})

await t.test('a container that mends itself below the threshold is not restarted', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  await bench.start()
  app.status(500)
  await bench.clock.advance(30_000)
  app.status(200)
  await bench.clock.advance(60_000)
  t.same(bench.docker.restarts, [])
  t.same(bench.kinds('web').at(-1), 'healed-itself')
})

await t.test('a container that does not answer is restarted', async (t) => {
  const bench = createBench(t, { REQUEST_TIMEOUT: '1' })
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  await bench.start()
  app.handler = () => undefined
  await bench.clock.advance(45_000)
  t.same(bench.docker.restarts, ['web'])
  t.ok(bench.log.includes('web — unhealthy (3/3): no answer within 1 s'))
})

await t.test('a container that never succeeded is never restarted, and that is told once', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  app.status(404)
  bench.docker.add('web', app.port)
  const healer = await bench.start()
  await bench.clock.advance(3_600_000)
  t.same(bench.docker.restarts, [])
  t.equal(bench.kinds('web').filter((kind) => kind === 'never-healthy').length, 1)
  t.match(healer.view().containers, [{ state: { health: 'unhealthy', notRestarting: 'not-armed' } }])
})

await t.test('healer.arm=immediately restarts also what never succeeded', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  app.status(404)
  bench.docker.add('web', app.port, { summary: { labels: { monitored: 'true', 'healer.arm': 'immediately' } } })
  await bench.start()
  await bench.clock.advance(45_000)
  t.same(bench.docker.restarts, ['web'])
})

await t.test('a redirect to a login page is a failure', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  await bench.start()
  app.handler = (_request, response) => response.writeHead(302, { location: '/login' }).end()
  await bench.clock.advance(45_000)
  t.ok(bench.log.includes('web — unhealthy (3/3): answered 302 to /login; set healer.path or healer.status'))
  t.same(bench.docker.restarts, ['web'])
})

await t.test('a container without a port to probe is unknown, not healthy, and the label to add is named', async (t) => {
  const bench = createBench(t)
  bench.docker.add('batch')
  const healer = await bench.start()
  await bench.clock.advance(600_000)
  t.same(bench.docker.restarts, [])
  t.match(healer.view().containers, [{ state: { health: 'unknown', reason: /set healer\.port/ } }])
})

await t.test('what Docker restarted by itself is not restarted again, and its failures are forgotten', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  const web = bench.docker.add('web', app.port)
  await bench.start()
  app.status(500)
  await bench.clock.advance(30_000)
  bench.docker.startAnew(web, 'docker')
  await bench.clock.advance(29_000)
  t.same(bench.docker.restarts, [])
  t.ok(bench.log.includes("web — restarted by Docker's own restart policy"))
})

await t.test('a container that does not run is neither probed nor restarted', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  const web = bench.docker.add('web', app.port)
  const healer = await bench.start()
  web.detail = { ...web.detail, status: 'exited', exitCode: 137 }
  const { requests } = app
  await bench.clock.advance(300_000)
  t.equal(app.requests, requests)
  t.same(bench.docker.restarts, [])
  t.match(healer.view().containers, [{ state: { health: 'unknown', reason: 'exited' } }])
})

await t.test('DRY_RUN says once what it would have done and does not', async (t) => {
  const bench = createBench(t, { DRY_RUN: 'true' })
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  await bench.start()
  app.status(500)
  await bench.clock.advance(600_000)
  t.same(bench.docker.restarts, [])
  t.equal(bench.log.filter((line) => line === 'DRY RUN: would restart web — failed 3 consecutive health checks').length, 1)
})

await t.test('a container with a HEALTHCHECK of its own goes by the verdict of the Engine, at once', async (t) => {
  const bench = createBench(t)
  const db = bench.docker.add('db', undefined, { detail: { engineHealth: { status: 'healthy', failingStreak: 0 } } })
  await bench.start()
  bench.docker.onRestart = (container) => {
    bench.docker.startAnew(container)
    container.detail = { ...container.detail, engineHealth: { status: 'starting', failingStreak: 0 } }
    return { outcome: 'restarted' }
  }
  db.detail = { ...db.detail, engineHealth: { status: 'unhealthy', failingStreak: 3 } }
  await bench.clock.advance(15_000)
  t.same(bench.docker.restarts, ['db'])
  await bench.clock.advance(60_000)
  t.notOk(bench.kinds('db').includes('recovered'), 'the Engine has no verdict yet')
  db.detail = { ...db.detail, engineHealth: { status: 'healthy', failingStreak: 0 } }
  await bench.clock.advance(15_000)
  t.equal(bench.kinds('db').at(-1), 'recovered')
})

await t.test('a container that starts while all runs is taken up within one interval', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  const healer = await bench.start()
  bench.docker.add('late', app.port)
  await bench.clock.advance(15_000)
  await bench.clock.settled(2)
  t.match(healer.view().containers, [{ summary: { name: 'late' }, state: { health: 'healthy' } }])
})

await t.test('while a restart is under way, people see the failure that it is for', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  const healer = await bench.start()
  app.status(503)
  const seen: unknown[] = []
  bench.docker.onRestart = (container) => {
    const [watched] = healer.view().containers
    seen.push(watched?.state.health, watched?.state.failures)
    bench.docker.startAnew(container)
    return { outcome: 'restarted' }
  }
  await bench.clock.advance(60_000)
  t.same(seen, ['unhealthy', 3])
})
