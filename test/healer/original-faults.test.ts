// Faults of the system that this one takes the place of. None may return.
import t from 'tap'
import { DockerError } from '../../healer/docker/docker.ts'
import { createBench, startServer } from './support/bench.ts'

await t.test('a restart that fails is tried again with growing pauses, told once, and given up', async (t) => {
  const bench = createBench(t, { MAX_RESTARTS: '4' })
  const app = await startServer(t)
  const web = bench.docker.add('web', app.port)
  await bench.start()
  const askedAtMs: number[] = []
  bench.docker.onRestart = () => {
    askedAtMs.push(bench.clock.monotonicMs())
    web.detail = { ...web.detail, status: 'exited', exitCode: 127 }
    return { outcome: 'failed', message: 'the Engine tried and failed' }
  }
  app.status(500)
  await bench.clock.advance(3_600_000)

  const pauses = askedAtMs.slice(1).map((ms, i) => (ms - (askedAtMs[i] ?? 0)) / 1000)
  t.same(pauses, [15, 30, 60], 'interval × 2^(n−1)')
  const told = bench.happenings.filter(({ happening }) => happening.kind === 'restart-failed' && happening.first)
  t.equal(told.length, 1)
  t.equal(bench.kinds('web').filter((kind) => kind === 'gave-up').length, 1)
})

await t.test('a container that is restarted and stays ill is given up after MAX_RESTARTS, and still probed', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  const healer = await bench.start()
  app.status(500)
  await bench.clock.advance(3_600_000)
  t.equal(bench.docker.restarts.length, 5)
  t.equal(bench.kinds('web').filter((kind) => kind === 'gave-up').length, 1)
  const { requests } = app
  await bench.clock.advance(60_000)
  t.ok(app.requests > requests)
  t.match(healer.view().containers, [{ state: { notRestarting: 'gave-up' } }])
})

await t.test('an operator’s restart ends giving up', async (t) => {
  const bench = createBench(t, { MAX_RESTARTS: '1' })
  const app = await startServer(t)
  const web = bench.docker.add('web', app.port)
  await bench.start()
  app.status(500)
  await bench.clock.advance(600_000)
  t.equal(bench.docker.restarts.length, 1)
  bench.docker.startAnew(web, 'someone')
  await bench.clock.advance(60_000)
  t.equal(bench.docker.restarts.length, 2)
})

await t.test('the loop outlives Docker: timeouts, refusals, and an error that is said once', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  const healer = await bench.start()
  bench.docker.failure = new DockerError('unix:///run/postern/healer.sock did not answer within 10 s')
  app.status(500)
  await bench.clock.advance(300_000)
  t.same(bench.docker.restarts, [], 'restarts wait')
  t.match(healer.view(), {
    docker: { reachable: false },
    containers: [{ state: { health: 'unhealthy', notRestarting: 'unreachable' } }],
  })
  t.equal(bench.log.filter((line) => line.includes('Probing goes on; restarts wait')).length, 1)
  t.equal(bench.log.filter((line) => line.startsWith('RESTARTING')).length, 1)

  bench.docker.failure = undefined
  await bench.clock.advance(30_000)
  t.same(bench.docker.restarts, ['web'])
})

await t.test('the loop outlives a container that vanished between the list and the inspect', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  const gone = bench.docker.add('gone', app.port)
  bench.docker.vanished.add(gone.summary.id)
  bench.docker.add('web', app.port)
  await bench.start(1)
  app.status(500)
  await bench.clock.advance(60_000)
  t.same(bench.docker.restarts, ['web'])
})

await t.test('a container that hangs, and a restart that takes long, delay no other', async (t) => {
  const bench = createBench(t, { REQUEST_TIMEOUT: '1' })
  const slow = await startServer(t)
  const quick = await startServer(t)
  bench.docker.add('slow', slow.port)
  bench.docker.add('quick', quick.port)
  await bench.start()
  let finish: (() => void) | undefined
  bench.docker.onRestart = (container) =>
    new Promise((resolve) => {
      finish = () => {
        bench.docker.startAnew(container)
        resolve({ outcome: 'restarted' })
      }
    })
  slow.handler = () => undefined
  await bench.clock.advance(30_000)
  // From here the watcher of `slow` waits for its restart and does not sleep.
  await bench.clock.settled(2)
  await bench.clock.advance(15_000)
  while (!finish) await new Promise((resolve) => setTimeout(resolve, 1))
  const { requests } = quick
  await bench.clock.advance(150_000)
  t.equal(quick.requests - requests, 10, 'one check every 15 s, as if nothing were the matter')
  finish()
  await bench.clock.settled(3)
  t.same(bench.docker.restarts, ['slow'])
})

await t.test('a container that is made anew under an old name does not inherit its failures', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  const old = bench.docker.add('web', app.port)
  await bench.start()
  app.status(500)
  await bench.clock.advance(30_000)
  bench.docker.containers.delete(old.summary.id)
  bench.docker.add('web', app.port)
  await bench.clock.advance(30_000)
  t.same(bench.docker.restarts, [])
  await bench.clock.advance(30_000)
  t.same(bench.docker.restarts, ['web'], 'three failures of its own')
})

await t.test('a container is probed at its own address and port, whatever it publishes on the host', async (t) => {
  const bench = createBench(t)
  const app = await startServer(t)
  bench.docker.add('web', app.port, { summary: { networks: [{ name: 'other', addresses: ['203.0.113.7'] }] } })
  const healer = await bench.start()
  await bench.clock.advance(60_000)
  t.equal(app.requests, 0)
  t.match(healer.view().containers, [
    { state: { health: 'unknown', reason: 'no network shared with the healer; join the healer to `other`' } },
  ])
})
