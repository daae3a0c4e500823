// The metrics and health of the proxy: their names, what they count, and what the socket that serves them answers.
import { join } from 'node:path'
import t from 'tap'
import { connectEngine } from '../../proxy/engine/engine.ts'
import { checkHealth } from '../../proxy/healthcheck.ts'
import { type BudgetLeft, budgetsLeft } from '../../proxy/policy/budget.ts'
import type { Charge } from '../../proxy/policy/decide.ts'
import { listen } from '../../proxy/serve/listen.ts'
import { createProxyMetrics } from '../../proxy/serve/metrics.ts'
import { createMetricsServer } from '../../proxy/serve/metrics-server.ts'
import { type Owner, temporaryDirectory } from '../support/temporary.ts'
import { containerId } from './support/containers.ts'
import { decideLine, inspected, inWords, NOW_MS, restartCharge } from './support/deciding.ts'
import { startFakeEngine } from './support/fake-engine.ts'
import { healerPolicy, policyOf, policyText } from './support/policies.ts'
import { ask } from './support/raw-client.ts'

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

/** The healer's restarts: 20 in 10 minutes, 5 of them of one container. */
const left = (charges: readonly Charge[], policy = healerPolicy()) =>
  budgetsLeft(
    policy,
    (client, operation) => charges.filter((charge) => charge.client === client && charge.operation === operation),
    NOW_MS,
  ).map((budget) => `${budget.operation} of ${budget.of}: ${budget.left}`)
const both = (client: number, container: number) => [
  `ContainerRestart of client: ${client}`,
  `ContainerRestart of container: ${container}`,
]
const ago = (ms: number, over: Partial<Charge> = {}) => restartCharge({ atMs: NOW_MS - ms, ...over })
const [WEB, ANEW] = [containerId('aa'), containerId('bb')]
const spread = (count: number, over: Partial<Charge> = {}) =>
  Array.from({ length: count }, (_, i) => ago(0, { container: `c${i}`, ...over }))

const budgets: readonly (readonly [what: string, charges: readonly Charge[], left: readonly string[]])[] = [
  ['nothing spent', [], both(20, 5)],
  ['one', [ago(0)], both(19, 4)],
  ['the fewest of any container', [ago(0), ago(0), ago(0), ago(0, { container: 'db' })], both(16, 2)],
  ['the last millisecond of the window', [ago(599_999)], both(19, 4)],
  ['just left the window', [ago(600_000)], both(20, 5)],
  ['a container made anew is the same by its name', [ago(0, { id: WEB }), ago(0, { id: ANEW })], both(18, 3)],
  ['a renamed one is the same by its id', [ago(0, { id: WEB }), ago(0, { id: WEB, container: 'w' })], both(18, 3)],
  ['the client’s is spent, and none of its containers’', spread(20), both(0, 4)],
  ['more than there is, as after a change of policy', spread(21, { container: 'web' }), both(0, 0)],
  ['another client’s, and another operation’s', [ago(0, { client: 'o' }), ago(0, { operation: 'ContainerKill' })], both(20, 5)],
]

t.test('what is left of a budget is counted as the decision counts it', async (t) => {
  for (const [what, charges, expected] of budgets) {
    t.same(left(charges), expected, what)
    const [ofClient, ofContainer] = left(charges).map((each) => each.endsWith(': 0'))
    const names = new Set(charges.map(({ container }) => container))
    const decisions = [...names].map((name) =>
      inWords(decideLine(healerPolicy(), 'POST /containers/web/restart', inspected({ names: [name ?? ''] }), charges)),
    )
    t.equal(decisions.includes('429 policy.budget'), ofClient || ofContainer, `${what}: the decision`)
  }
})

t.test('only what a policy limits has something left', async (t) => {
  const policy = (...rules: string[]) => policyOf(policyText(rules))
  t.same(left([], policy('ContainerRestart: {}', 'SystemPing: {}')), [])
  t.same(left([ago(0)], policy('ContainerRestart: { budget: { client: 3 per 1h } }')), ['ContainerRestart of client: 2'])
  t.same(left([ago(0)], policy('ContainerRestart: { budget: { container: 3 per 1h } }')), ['ContainerRestart of container: 2'])
  t.same(left([], policy('ImagePrune: { show: all, budget: { client: 5 per 10m } }')), ['ImagePrune of client: 5'])
})

t.test('budgets are asked for at each scrape, and those of a policy that is gone are gone', async (t) => {
  const metrics = createProxyMetrics()
  const series = async () => samples(await metrics.render()).filter((line) => line.startsWith('postern_proxy_budget_left'))
  t.same(await series(), [])
  const budget: BudgetLeft = { client: 'healer', operation: 'ContainerRestart', of: 'client', left: 20 }
  let inForce: readonly BudgetLeft[] = [budget, { ...budget, of: 'container', left: 5 }]
  metrics.showState(() => ({ policies: [], budgets: inForce, auditHead: { seq: 0, fingerprint: '' }, observes: false }))
  t.same(await series(), [
    'postern_proxy_budget_left{client="healer",operation="ContainerRestart",of="client"} 20',
    'postern_proxy_budget_left{client="healer",operation="ContainerRestart",of="container"} 5',
  ])
  inForce = [{ ...budget, left: 0 }]
  t.same(await series(), ['postern_proxy_budget_left{client="healer",operation="ContainerRestart",of="client"} 0'])
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
