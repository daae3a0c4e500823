// A container that is well is not asked for once more before each probe where a list has shown it since: but nothing that is done about
// it, and nothing that is said against it, goes by a list.
import t, { type Test } from 'tap'
import { DockerError } from '../../healer/docker/docker.ts'
import { createBench, startServer } from './support/bench.ts'

/** A healer with one container, and how often Docker was asked about it. */
async function setUp(t: Test, { tellsUptime = true, minutesUp = 60 } = {}) {
  const bench = createBench(t)
  const app = await startServer(t)
  bench.docker.tellsUptime = tellsUptime
  const startedAt = new Date(bench.clock.wallMs() - minutesUp * 60_000).toISOString()
  const container = bench.docker.add('web', app.port, { detail: { startedAt } })
  const asked = { inspects: 0 }
  const { inspect } = bench.docker
  Object.assign(bench.docker, {
    inspect(id: string) {
      asked.inspects += 1
      return inspect(id)
    },
  })
  await bench.start()
  return { bench, app, container, asked }
}

await t.test('one that is well is looked at by lists, and itself once a minute', async (t) => {
  const { bench, app, asked } = await setUp(t)
  const before = { inspects: asked.inspects, requests: app.requests }
  await bench.clock.advance(600_000)
  t.equal(app.requests - before.requests, 40, 'probed as ever')
  t.ok(asked.inspects - before.inspects >= 10, 'at least once a minute')
  t.ok(asked.inspects - before.inspects <= 20, `${asked.inspects - before.inspects} times for 40 probes`)
})

await t.test('where lists do not tell for how long it has been up, it is asked about before each probe', async (t) => {
  const { bench, asked } = await setUp(t, { tellsUptime: false })
  const before = asked.inspects
  await bench.clock.advance(600_000)
  t.equal(asked.inspects - before, 40)
})

await t.test('one that was stopped since the list does not count as failing', async (t) => {
  const { bench, app, container } = await setUp(t)
  await bench.clock.advance(30_000)
  app.handler = (request) => request.socket.destroy()
  container.detail = { ...container.detail, status: 'exited', exitCode: 143 }
  await bench.clock.advance(15_000)
  t.same(bench.kinds('web'), ['healthy', 'not-running'])
  await bench.clock.advance(60_000)
  t.same(bench.docker.restarts, [])
})

await t.test('a failure of a run that has ended since the list is not held against the new one', async (t) => {
  const { bench, app, container } = await setUp(t)
  await bench.clock.advance(30_000)
  app.handler = (_request, response) => {
    bench.docker.startAnew(container)
    app.handler = (_, next) => next.end('ok')
    response.writeHead(503).end()
  }
  await bench.clock.advance(60_000)
  t.same(bench.kinds('web'), ['healthy', 'new-run', 'healthy'])
})

await t.test('one that was started anew between two lists is noticed, though it answers as before', async (t) => {
  const { bench, container } = await setUp(t)
  await bench.clock.advance(31_000)
  bench.docker.startAnew(container)
  await bench.clock.advance(30_000)
  t.same(bench.kinds('web'), ['healthy', 'new-run', 'healthy'])
})

await t.test('a list is believed once: where no new one comes, the container itself is asked about', async (t) => {
  const { bench, asked } = await setUp(t)
  await bench.clock.advance(90_000)
  Object.assign(bench.docker, { list: () => Promise.reject(new DockerError('no list today')) })
  const before = asked.inspects
  await bench.clock.advance(150_000)
  t.ok(asked.inspects - before >= 9, `${asked.inspects - before} times for 10 probes`)
})

await t.test('a restart is never asked for by a list: the container is looked at first', async (t) => {
  const { bench, app, container } = await setUp(t)
  await bench.clock.advance(30_000)
  app.status(503)
  await bench.clock.advance(40_000)
  container.detail = { ...container.detail, autoRemove: true }
  await bench.clock.advance(15_000)
  t.same(bench.docker.restarts, [])
  t.match(bench.log.join('\n'), /was started with --rm/)
})
