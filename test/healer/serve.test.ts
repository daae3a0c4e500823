// What the healer serves: the page, JSON, metrics, and its own health.
import t from 'tap'
import { createApp } from '../../healer/serve/app.ts'
import { createHealerMetrics } from '../../healer/serve/metrics.ts'
import { createBench, startServer } from './support/bench.ts'

async function startApp(t: Parameters<typeof startServer>[0], name = 'web') {
  const bench = createBench(t)
  const app = await startServer(t)
  bench.docker.add(name, app.port, { summary: { labels: { monitored: 'true', 'healer.retires': '1' } } })
  const healer = await bench.start()
  const metrics = createHealerMetrics()
  const served = createApp({ view: healer.view, metrics, maxLoopAgeMs: 60_000 })
  return { bench, app, healer, metrics, get: async (path: string) => served.request(path) }
}

await t.test('the page shows each container with its health, why, and its problems', async (t) => {
  const { get, app, bench } = await startApp(t)
  app.status(503)
  await bench.clock.advance(15_000)
  const answer = await get('/')
  const text = await answer.text()
  for (const word of ['web', 'suspect', 'answered 503', 'healer.retires is not a setting']) t.ok(text.includes(word), word)
  t.match(answer.headers.get('content-security-policy'), /default-src 'none'/)
})

await t.test('names come from strangers and are escaped', async (t) => {
  const { get } = await startApp(t, '<script>alert(1)</script>')
  const text = await (await get('/')).text()
  t.notOk(text.includes('<script>'))
  t.ok(text.includes('&lt;script&gt;'))
})

await t.test('/api/containers says the same as JSON', async (t) => {
  const { get } = await startApp(t)
  t.match(await (await get('/api/containers')).json(), [
    {
      name: 'web',
      status: 'running',
      health: 'healthy',
      reason: 'answered 200',
      failures: 0,
      notRestarting: null,
      restarts: 0,
      lastProbe: { result: 'success' },
    },
  ])
})

await t.test('metrics follow what happens', async (t) => {
  const { get, app, bench, metrics } = await startApp(t)
  const value = async (series: string) => {
    const line = (await (await get('/metrics')).text()).split('\n').find((text) => text.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.split(' ').at(-1))
  }
  t.equal(await value('postern_healer_container_health{container="web",health="healthy"}'), 1)
  t.equal(await value('postern_healer_probe_success{container="web"}'), 1)
  t.equal(await value('postern_healer_label_problems{container="web"}'), 1)
  t.equal(await value('postern_healer_docker_up'), 1)
  app.status(503)
  await bench.clock.advance(45_000)
  for (const { name, happening } of bench.happenings) metrics.happened(name, happening)
  t.equal(await value('postern_healer_restarts_total{container="web",outcome="restarted"}'), 1)
  await bench.clock.advance(45_000)
  t.equal(await value('postern_healer_probe_success{container="web"}'), 0)
  t.equal(await value('postern_healer_probe_http_status_code{container="web"}'), 503)
  t.equal(await value('postern_healer_probes_total{container="web",result="success"}'), 1)
  t.ok(((await value('postern_healer_probes_total{container="web",result="failure"}')) ?? 0) >= 4)
  app.handler = (request) => request.socket.destroy()
  await bench.clock.advance(45_000)
  t.equal(await value('postern_healer_probe_http_status_code{container="web"}'), undefined, 'none came')
  t.equal(await value('postern_healer_container_health{container="web",health="healthy"}'), 0)
})

await t.test('restarts, recoveries and alerts count from 0 on, those of a container until it is watched no more', async (t) => {
  const { healer, metrics } = await startApp(t)
  const text = () => metrics.render(healer.view())
  for (const series of ['restarts_total{container="web",outcome="restarted"}', 'recoveries_total{container="web"}'])
    t.ok((await text()).includes(`postern_healer_${series} 0\n`), series)
  metrics.happened('web', { kind: 'recovered', restarts: 1, afterMs: 0, sinceFailureMs: 0 })
  t.ok((await text()).includes('postern_healer_recoveries_total{container="web"} 1\n'))
  const told = { incidents: [], outbox: [{ receiver: 'slack', waiting: 0, waitedMs: 0 }] }
  t.match(
    await metrics.render(healer.view(), undefined, told),
    'postern_healer_alerts_total{receiver="slack",outcome="delivered"} 0\n',
  )
  metrics.probed('web', 5)
  t.notMatch(await metrics.render({ ...healer.view(), containers: [] }), /container="web"/)
})

await t.test('how long probes took is a histogram, of those that asked the container itself', async (t) => {
  const bench = createBench(t)
  const [app, metrics] = [await startServer(t), createHealerMetrics()]
  bench.docker.add('web', app.port)
  bench.docker.add('db', undefined, { detail: { engineHealth: { status: 'healthy', failingStreak: 0 } } })
  const healer = await bench.start()
  await bench.clock.advance(15_000)
  app.handler = (request) => request.socket.destroy()
  await bench.clock.advance(15_000)
  for (const { name, durationMs } of bench.probed) metrics.probed(name, durationMs)
  const text = await metrics.render(healer.view())
  t.match(text, /^postern_healer_probe_success\{container="db"\} 1$/m)
  t.same(
    text.match(/^postern_healer_probe_seconds_count.*$/gm),
    [`postern_healer_probe_seconds_count{container="web"} ${bench.probed.length}`],
    'the Engine’s verdict takes no time',
  )
  t.equal(bench.probed.length, 3, 'failures too')
  t.match(text, `postern_healer_probe_seconds_bucket{le="10",container="web"} ${bench.probed.length}`)
})

await t.test('a container that has stopped has no probe in the metrics', async (t) => {
  const { get, bench } = await startApp(t)
  const [web] = bench.docker.containers.values()
  if (!web) throw new Error('there is web')
  web.detail = { ...web.detail, status: 'exited' }
  await bench.clock.advance(15_000)
  t.notMatch(await (await get('/metrics')).text(), /^postern_healer_probe_success\{/m)
})

await t.test('/healthz fails when the loop does not come round, /readyz until all was looked at once', async (t) => {
  const { healer, metrics, get } = await startApp(t)
  t.equal((await get('/healthz')).status, 200)
  t.equal((await get('/readyz')).status, 200)
  t.equal((await get('/nothing')).status, 404)
  const stalled = createApp({
    view: () => ({ ...healer.view(), loopAgeMs: 60_001, ready: false }),
    metrics,
    maxLoopAgeMs: 60_000,
  })
  t.equal((await stalled.request('/healthz')).status, 503)
  t.equal((await stalled.request('/readyz')).status, 503)
})
