// Each container is looked at on its own clock: spread over the interval, a bounded number at once, a slow one delays no other, and a
// machine that slept causes neither a burst nor a false failure.
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import t from 'tap'
import type { Docker } from '../../healer/docker/docker.ts'
import { createBench, startServer } from './support/bench.ts'
import type { FakeDocker } from './support/fake-docker.ts'

await t.test('containers that are found together are looked at once, and then spread over the interval', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  const names = Array.from({ length: 10 }, (_, i) => `web-${i}`)
  for (const name of names) bench.docker.add(name, app.port)
  const healer = await bench.start()
  t.ok(healer.view().ready, 'the first round is complete at once')
  const counts: number[] = []
  for (let step = 0; step < 20; step++) {
    const before = app.requests
    await bench.clock.advance(1500)
    counts.push(app.requests - before)
  }
  t.same(counts, Array(20).fill(1), 'one in each tenth of the interval')
})

await t.test('one that does not answer delays no other', async (t) => {
  const bench = createBench(t, { REQUEST_TIMEOUT: '1' })
  const [slow, quick] = [await startServer(t), await startServer(t)]
  bench.docker.add('slow', slow.port)
  bench.docker.add('quick', quick.port)
  slow.handler = () => undefined
  await bench.start()
  const before = quick.requests
  await bench.clock.advance(60_000)
  t.equal(quick.requests - before, 4)
})

await t.test('probes that hang end with the watching of their containers, and keep no other from being probed', async (t) => {
  const open = new Set<Socket>()
  const silent = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => undefined).on('close', () => open.delete(socket))
    socket.resume()
  })
  await once(silent.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    for (const socket of open) socket.destroy()
    silent.close()
  })
  const until = async (holds: () => boolean) => {
    while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5))
  }
  const bench = createBench(t, { REQUEST_TIMEOUT: '10m' })
  const web = await startServer(t)
  bench.docker.add('web', web.port)
  const kinds = [{ 'healer.probe': 'http' }, { 'healer.probe': 'grpc' }, { 'healer.probe': 'tcp', 'healer.expect': 'x' }]
  const { port } = silent.address() as AddressInfo
  const jobs = Array.from({ length: 256 }, (_, i) =>
    bench.docker.add(`job-${i}`, port, { summary: { labels: { monitored: 'true', ...kinds[i % 3] } } }),
  )
  await bench.start(0)
  await until(() => open.size === jobs.length)
  for (const { summary } of jobs.slice(3)) bench.docker.containers.delete(summary.id)
  const before = web.requests
  await bench.clock.advance(15_000)
  await until(() => web.requests > before && open.size === 3)
  t.same(bench.kinds('job-0'), [])
  await bench.stop()
  await until(() => open.size === 0)
})

await t.test('a container that a list names twice is watched once', async (t) => {
  const twice = (fake: FakeDocker): Docker => ({ ...fake, list: async () => (await fake.list()).flatMap((each) => [each, each]) })
  const bench = createBench(t, {}, undefined, twice)
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  const healer = await bench.start()
  t.ok(bench.log.includes('watching 1: web'))
  t.equal(app.requests, 1)
  await bench.clock.advance(60_000)
  t.equal(app.requests, 5)
  t.equal(healer.view().containers.length, 1)
  bench.docker.containers.clear()
  // The loop alone goes on.
  await bench.clock.settled(1)
  await bench.clock.advance(30_000)
  const before = app.requests
  await bench.clock.advance(60_000)
  t.equal(app.requests, before)
})

await t.test('Docker is asked about few at once, however many containers there are', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  for (let i = 0; i < 100; i++) bench.docker.add(`web-${i}`, app.port)
  let [now, most] = [0, 0]
  const { inspect } = bench.docker
  Object.assign(bench.docker, {
    async inspect(id: string) {
      now += 1
      most = Math.max(most, now)
      await new Promise((resolve) => setTimeout(resolve, 2))
      now -= 1
      return inspect(id)
    },
  })
  await bench.start()
  t.equal(most, 16)
})

await t.test('one probe of a container at a time', async (t) => {
  const bench = createBench(t, { CHECK_INTERVAL: '1', REQUEST_TIMEOUT: '20' })
  const app = await startServer(t)
  let [now, most] = [0, 0]
  app.handler = (_request, response) => {
    now += 1
    most = Math.max(most, now)
    setTimeout(() => {
      now -= 1
      response.end('ok')
    }, 30)
  }
  bench.docker.add('web', app.port)
  await bench.start()
  await bench.clock.advance(20_000)
  t.equal(most, 1)
  t.ok(app.requests >= 20)
})

await t.test('a machine that slept looks at nothing twice, and goes back to its rhythm', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  for (let i = 0; i < 4; i++) bench.docker.add(`web-${i}`, app.port)
  await bench.start()
  await bench.clock.advance(30_000)
  bench.clock.leap(3_600_000)
  await bench.clock.advance(0)
  const before = app.requests
  await bench.clock.advance(15_000)
  t.ok(app.requests - before <= 4, `${app.requests - before} probes in the interval after it`)
  const counts: number[] = []
  for (let step = 0; step < 4; step++) {
    const begun = app.requests
    await bench.clock.advance(3750)
    counts.push(app.requests - begun)
  }
  t.same(counts, [1, 1, 1, 1], 'spread as before')
})

await t.test('a probe that the healer itself held up says nothing of the container', async (t) => {
  const bench = createBench(t, { REQUEST_TIMEOUT: '1' })
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  const healer = await bench.start()
  app.handler = () => bench.clock.leap(30_000)
  await bench.clock.advance(15_000)
  t.match(healer.view().containers[0]?.state, { health: 'unknown', failures: 0 })
  t.match(bench.log.at(-1), /the healer itself was held up for 30 s/)
})

await t.test('a wall clock that jumps moves nothing', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  await bench.start()
  for (const stepMs of [3_600_000, -7_200_000]) {
    bench.clock.stepWall(stepMs)
    const before = app.requests
    await bench.clock.advance(60_000)
    t.equal(app.requests - before, 4)
  }
  t.same(bench.kinds('web'), ['healthy'])
  t.same(bench.docker.restarts, [])
})

await t.test('new, gone, renamed and recreated containers are noticed within one interval', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  const old = bench.docker.add('old', app.port)
  const healer = await bench.start()
  const watched = () =>
    healer
      .view()
      .containers.map(({ summary: { name, id } }) => `${name} ${id.slice(-2)}`)
      .sort()
  bench.docker.add('new', app.port)
  await bench.clock.advance(15_000)
  await bench.clock.settled(3)
  t.equal(watched().length, 2)
  old.summary = { ...old.summary, name: 'renamed' }
  await bench.clock.advance(30_000)
  t.match(watched().join(), /renamed/)
  bench.docker.containers.delete(old.summary.id)
  await bench.clock.settled(2)
  await bench.clock.advance(15_000)
  t.notMatch(watched().join(), /renamed/)
  bench.docker.add('renamed', app.port)
  await bench.clock.advance(15_000)
  await bench.clock.settled(3)
  t.match(watched().join(), /renamed/, 'made anew')
})
