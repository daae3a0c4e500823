// The metrics and health of the proxy: their names, what they count, and what the socket that serves them answers.
import { join } from 'node:path'
import t from 'tap'
import { connectEngine } from '../../proxy/engine/engine.ts'
import { checkHealth } from '../../proxy/healthcheck.ts'
import { listen } from '../../proxy/serve/listen.ts'
import { createProxyMetrics } from '../../proxy/serve/metrics.ts'
import { createMetricsServer } from '../../proxy/serve/metrics-server.ts'
import { startFakeEngine } from './support/fake-engine.ts'
import { ask } from './support/raw-client.ts'
import { type Owner, temporaryDirectory } from './support/temporary.ts'

const samples = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))

async function startMetrics(owner: Owner) {
  const fake = await startFakeEngine(owner)
  const engine = connectEngine(fake.socketPath)
  const metrics = createProxyMetrics()
  const { server } = createMetricsServer(engine, metrics)
  const path = join(temporaryDirectory(owner), 'metrics.sock')
  await listen(server, path)
  owner.teardown(async () => {
    server.close()
    server.closeAllConnections()
    await engine.close()
  })
  return { fake, metrics, path }
}

t.test('every metric’s name begins with postern_proxy_', async (t) => {
  const metrics = createProxyMetrics()
  metrics.decided('healer', 'SystemPing', 'allow', 'allow.SystemPing', 0.01)
  metrics.auditFailed()
  metrics.engineUp(true)
  const names = samples(await metrics.render()).map((line) => line.split(/[{ ]/, 1)[0] ?? '')
  t.ok(names.length > 20)
  t.same(
    names.filter((name) => !/^postern_proxy_[a-z0-9_]+$/.test(name)),
    [],
  )
})

t.test('decisions are counted by client, operation, verdict and rule', async (t) => {
  const metrics = createProxyMetrics()
  metrics.decided('healer', 'SystemPing', 'allow', 'allow.SystemPing', 0.01)
  metrics.decided('healer', 'SystemPing', 'allow', 'allow.SystemPing', 0.01)
  metrics.decided('healer', '', 'deny', 'request.target', 0.01)
  metrics.auditFailed()
  const lines = samples(await metrics.render())
  for (const line of [
    'postern_proxy_decisions_total{client="healer",operation="SystemPing",verdict="allow",rule="allow.SystemPing"} 2',
    'postern_proxy_decisions_total{client="healer",operation="",verdict="deny",rule="request.target"} 1',
    'postern_proxy_request_duration_seconds_count{client="healer",verdict="allow"} 2',
    'postern_proxy_audit_failures_total 1',
  ]) {
    t.ok(lines.includes(line), line)
  }
})

t.test('two proxies in one process count apart', async (t) => {
  const [one, other] = [createProxyMetrics(), createProxyMetrics()]
  one.auditFailed()
  t.match(await other.render(), /^postern_proxy_audit_failures_total 0$/m)
})

t.test('/healthz asks the Engine, and the metric tells what it answered last', async (t) => {
  const { fake, metrics, path } = await startMetrics(t)
  t.match(await ask(path, 'GET /healthz'), { status: 200, body: 'ok\n' })
  t.equal(await checkHealth(path), 'ok')
  t.match(await metrics.render(), /^postern_proxy_engine_up 1$/m)
  fake.answer = () => ({ status: 500, body: 'x' })
  t.match(await ask(path, 'GET /healthz'), { status: 503, body: 'the Engine answers its ping with 500\n' })
  t.match(await metrics.render(), /^postern_proxy_engine_up 0$/m)
  await fake.stop()
  t.match(await ask(path, 'GET /healthz'), {
    status: 503,
    body: /^the Engine does not answer at .*engine\.sock: (ENOENT|ECONNREFUSED)\n$/,
  })
  await t.rejects(checkHealth(path), { message: /^the Engine does not answer/ })
})

t.test('the metrics socket leads nowhere else', async (t) => {
  const { fake, path } = await startMetrics(t)
  t.match(await ask(path, 'GET /metrics'), { status: 200, body: /postern_proxy_engine_up/ })
  for (const target of ['/', '/containers/json', '/v1.45/_ping', '/metrics/', '/metrics?x', '/healthz/../containers/json']) {
    t.equal((await ask(path, `GET ${target}`)).status, 404, target)
  }
  t.same(fake.lines(), [])
})
