// The healer's JSON API at a real port: every answer is as docs/openapi.json says, in trouble and out of it, and holds what a status page
// needs.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import type { AlertView } from '../../healer/alert/notifier.ts'
import { DockerError } from '../../healer/docker/docker.ts'
import { MAX_LOOKS } from '../../healer/health/history.ts'
import { NOT_RESTARTING } from '../../healer/health/state.ts'
import type { HealerView } from '../../healer/loop/healer.ts'
import type { ContainerAnswer, IncidentAnswer, ProxyAnswer } from '../../healer/serve/api/schemas.ts'
import { type AppOptions, createApp } from '../../healer/serve/app.ts'
import { createHealerMetrics } from '../../healer/serve/metrics.ts'
import { createProxyMetrics } from '../../proxy/serve/metrics.ts'
import { type Bench, createBench, startServer } from './support/bench.ts'
import { description, mistakes, operations, whatIsWrong } from './support/described.ts'

const TOKEN = '0123456789abcdef0123456789abcdef'
const START = '2026-01-01T00:00:00.000Z'

type Given = Partial<Pick<AppOptions, 'proxyMetrics' | 'alerts' | 'view'>>

/** Serves the healer of `bench` at a port; what it answers is held to the description. */
async function serveApi(t: Test, bench: Bench, view: () => HealerView, control: AppOptions['control'], given: Given = {}) {
  const app = createApp({ view, metrics: createHealerMetrics(), maxLoopAgeMs: 60_000, clock: bench.clock, control, ...given })
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const ask = async (method: string, described: string, { name = 'web', status = 200, body = '' } = {}) => {
    const path = described.replace('{name}', name)
    const init = method === 'POST' ? { method, body, headers: { authorization: `Bearer ${TOKEN}` } } : { method }
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, init)
    const text = await answer.text()
    t.equal(answer.status, status, `${method} ${path}`)
    t.equal(answer.headers.get('content-type'), 'application/json', path)
    t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    t.equal(answer.headers.get('cache-control'), 'no-store')
    const read: unknown = JSON.parse(text)
    t.equal(whatIsWrong(method, described, status, read), undefined, path)
    return read
  }
  const get = async <T>(path: string) => (await ask('GET', path)) as T
  const containers = () => get<ContainerAnswer[]>('/api/containers')
  return { app, ask, get, containers, port }
}

/** A healer that watches `web`, and `more`. */
async function start(
  t: Test,
  { env = {}, labels = {}, given = {} }: { env?: NodeJS.ProcessEnv; labels?: object; given?: Given } = {},
) {
  const bench = createBench(t, env)
  const server = await startServer(t)
  bench.docker.add('web', server.port, { summary: { labels: { monitored: 'true', ...labels } } })
  const healer = await bench.start()
  const log = pino({ level: 'silent' })
  const control = { control: healer.control, rules: bench.rules(), token: TOKEN, clock: bench.clock, log }
  const api = await serveApi(t, bench, healer.view, control, given)
  const web = async () => {
    const [found] = await api.containers()
    if (!found) throw new Error('web is watched')
    return found
  }
  return { bench, server, healer, web, ...api }
}

const INCIDENTS: AlertView['incidents'] = [
  {
    ...{ key: 'postern/web/1/1', container: 'web', containerId: '1', sinceMs: 1000, endedMs: 2000 },
    steps: [{ atMs: 1000, what: 'failing', message: 'web — unhealthy' }],
    diagnosis: { failures: [{ atMs: 1000, reason: 'answered 503' }], status: 'running', exitCode: 0, oomKilled: false },
    ...{ said: [], alerts: 0, toldTo: ['slack'] },
  },
  { key: 'postern/web/1/2', container: 'web', containerId: '1', sinceMs: 3000, steps: [], said: [], alerts: 0, toldTo: [] },
]

await t.test('the description is one, and has every route of the API and no other', async (t) => {
  t.same(mistakes(), [])
  t.match(description.openapi, /^3\.1\./)
  const { app, get } = await start(t)
  const routes = app.routes
    .filter(({ method, path }) => method !== 'ALL' && path.startsWith('/api/'))
    .map(({ method, path }) => `${method} ${path.replace(':name', '{name}')}`)
  t.same(
    [...new Set(routes)].sort(),
    operations()
      .map(({ method, path }) => `${method} ${path}`)
      .sort(),
  )
  t.same(await get('/api/openapi.json'), description)
})

await t.test('what is not as described is found out', async (t) => {
  const { get } = await start(t)
  const right = await get<ProxyAnswer>('/api/proxy')
  const { message: _left, ...without } = right
  for (const wrong of [without, { ...right, more: 1 }, { ...right, state: 'odd' }, [right]])
    t.type(whatIsWrong('GET', '/api/proxy', 200, wrong), 'string')
  const [incident] = INCIDENTS.map(({ key, container }) => ({ key, container, steps: [], diagnosis: null, toldTo: [] }))
  const timed = (since: string) => whatIsWrong('GET', '/api/incidents', 200, [{ ...incident, since, ended: null }])
  t.equal(timed('2026-01-01T00:00:00.000Z'), undefined)
  for (const since of ['2026-01-01T00:00:00+01:00', '2026-02-30T00:00:00.000Z', 'yesterday'])
    t.type(timed(since), 'string', since)
  t.match(whatIsWrong('GET', '/api/proxy', 500, right), 'is not said to answer 500')
})

await t.test('a container that is well: how it is probed, with what settings, when it was and will be', async (t) => {
  const { web, bench, server } = await start(t)
  await bench.clock.advance(30_000)
  const found = await web()
  t.match(found, {
    name: 'web',
    health: 'healthy',
    held: null,
    probeKind: 'http',
    probeAddress: `127.0.0.1:${server.port}`,
    settings: { intervalMs: 15_000, timeoutMs: 5000, retries: 3, maxRestarts: 5, action: 'restart', dryRun: false },
    lastProbe: { result: 'success' },
    nextRestart: { possible: 'now', at: null },
    uptime: { day: { ratio: 1, knownMs: 30_000 }, week: { ratio: 1 } },
    incident: null,
    problems: [],
  })
  t.same(
    found.strip.map(({ at, result, reason }) => ({ at, result, reason })),
    [1000, 16_000, 31_000].map((afterMs) => ({
      ...{ at: new Date(Date.parse(START) + afterMs).toISOString(), result: 'success', reason: 'answered 200' },
    })),
  )
  t.equal(Date.parse(found.nextProbe) - Date.parse(found.strip.at(-1)?.at ?? ''), 15_000)
})

await t.test(
  'a container that is ill: its strip, its restarts, when the next is possible, and why none is made now',
  async (t) => {
    const { web, bench, server, ask } = await start(t)
    server.status(503)
    await bench.clock.advance(45_000)
    t.match(await web(), {
      restarts: 1,
      lastRestarts: [{ outcome: 'restarted' }],
      health: 'starting',
      diagnosis: { exitCode: 0 },
    })
    // The restart was at 46 s; the backoff after the second ends 30 s after it.
    await bench.clock.advance(45_000)
    const found = await web()
    t.equal(found.restarts, 2)
    t.equal(found.lastRestarts.length, 2)
    const [, second] = found.lastRestarts
    t.equal(found.nextRestart.possible, 'later')
    t.equal(Date.parse(found.nextRestart.at ?? '') - Date.parse(second?.at ?? ''), 30_000)
    t.same(found.strip[0]?.result, 'success')
    t.same(found.strip.at(-1), { ...found.strip.at(-1), result: 'failure', reason: 'answered 503' })
    t.ok((found.uptime.day.ratio ?? 1) < 1)
    await bench.clock.advance(20_000)
    await ask('GET', '/api/containers/{name}')
    await ask('GET', '/api/containers/{name}', { name: 'nobody', status: 404 })
  },
)

await t.test('a restart that is due and not made says why, since when, until when, and what to do', async (t) => {
  const { web, bench, server, ask } = await start(t)
  server.status(503)
  await ask('POST', '/api/containers/{name}/pause', { body: '{"for": "2h"}' })
  await bench.clock.advance(45_000)
  const { held, pausedUntil, nextRestart } = await web()
  const at = new Date(Date.parse(START) + 1000 + 2 * 3_600_000).toISOString()
  t.match(held, { reason: 'paused', until: at, message: 'a person has paused it', cure: 'resume it, or wait' })
  t.same([pausedUntil, nextRestart], [at, { possible: 'later', at }])
  await bench.clock.advance(15_000)
  t.equal((await web()).held?.since, held?.since, 'it lasts since the first')
  await ask('POST', '/api/containers/{name}/pause')
  t.match(await web(), { paused: true, pausedUntil: null, held: { until: null }, nextRestart: { possible: 'no' } })
  await ask('POST', '/api/containers/{name}/resume')
  await ask('POST', '/api/containers/{name}/reset')
  bench.docker.onRestart = () => ({ outcome: 'budget', message: 'budget.ContainerRestart: 3 per 5m are spent' })
  await bench.clock.advance(15_000)
  const spent = (await web()).held
  t.match(spent, { reason: 'budget', message: 'the proxy’s budget is spent: budget.ContainerRestart: 3 per 5m are spent' })
  t.equal(Date.parse(spent?.until ?? '') - Date.parse(spent?.since ?? ''), 60_000)
  bench.docker.onRestart = () => ({ outcome: 'refused', message: 'not in scope' })
  await bench.clock.advance(60_000)
  t.match((await web()).held, { reason: 'refused', until: null, message: /not in scope$/ })
})

await t.test('what was never well, is not to be restarted, or is in its window, says so', async (t) => {
  for (const [labels, expected] of [
    [{ 'healer.arm': 'after-success' }, { reason: 'not-armed', until: null }],
    [
      { 'healer.arm': 'immediately', 'healer.action': 'none' },
      { reason: 'tell-only', until: null },
    ],
    [
      { 'healer.arm': 'immediately', 'com.docker.swarm.service.name': 'shop_web' },
      { reason: 'swarm', until: null },
    ],
    [
      { 'healer.arm': 'immediately', 'healer.maintenance': 'Thu 00:00-01:00' },
      { reason: 'maintenance', until: '2026-01-01T01:00:00.000Z' },
    ],
  ] as const) {
    const bench = createBench(t)
    const server = await startServer(t)
    server.status(503)
    bench.docker.add('web', server.port, { summary: { labels: { monitored: 'true', ...labels } } })
    const healer = await bench.start()
    const { containers } = await serveApi(t, bench, healer.view, undefined)
    await bench.clock.advance(60_000)
    const [web] = await containers()
    t.match(web?.held, expected, expected.reason)
    t.equal(web?.nextRestart.possible, expected.reason === 'maintenance' ? 'later' : 'no')
    await bench.stop()
  }
})

await t.test('problems of labels and of the probe are told in words with what mends them', async (t) => {
  const { web, bench } = await start(t, { labels: { 'healer.retires': '1', 'healer.interval': 'x'.repeat(10_000) } })
  const { problems } = await web()
  t.match(problems[0], 'healer.retires is not a setting; did you mean healer.retries?')
  t.ok(problems.every((text) => text.length <= 500))
  bench.docker.add('portless')
  await bench.clock.settled(2)
  const found = createBench(t)
  found.docker.add('portless')
  const healer = await found.start()
  const { containers } = await serveApi(t, found, healer.view, undefined)
  t.match(await containers(), [
    {
      ...{ probeKind: 'none', probeAddress: null, health: 'unknown', lastProbe: { result: 'unknown' } },
      problems: ['it exposes no port and has no HEALTHCHECK; set healer.port'],
      uptime: { day: { ratio: null, knownMs: 0 } },
    },
  ])
})

await t.test('while an alert fires the strip has what counts, and the container its name', async (t) => {
  const { web, bench, ask } = await start(t, { env: { HOOK_GRACE: '0' } })
  const firing = {
    version: '4',
    alerts: [
      {
        status: 'firing',
        labels: { alertname: 'Slow', container: 'web' },
        fingerprint: 'f1',
        annotations: { summary: '<b>9 s' },
      },
    ],
  }
  t.match(await ask('POST', '/api/hooks/alertmanager', { body: JSON.stringify(firing) }), { firing: [{ rule: 'Slow' }] })
  await bench.clock.advance(15_000)
  t.match(await web(), { rules: [{ name: 'Slow', summary: '<b>9 s' }], lastProbe: { result: 'success' } })
  t.match((await web()).strip.at(-1), { result: 'failure', reason: 'alert Slow is firing: <b>9 s' })
  await ask('POST', '/api/hooks/alertmanager', { body: '{}', status: 400 })
})

await t.test('a container that does not run is down; while Docker cannot be asked nobody knows', async (t) => {
  const { web, bench } = await start(t)
  const [known] = bench.docker.containers.values()
  if (!known) throw new Error('web is there')
  await bench.clock.advance(15_000)
  known.detail = { ...known.detail, status: 'exited', exitCode: 137 }
  await bench.clock.advance(15_000)
  await bench.clock.advance(15_000)
  t.match(await web(), { status: 'exited', health: 'unknown', uptime: { day: { ratio: 2 / 3, knownMs: 45_000 } } })
  bench.docker.failure = new DockerError('the proxy is away')
  await bench.clock.advance(15_000)
  const { uptime } = await web()
  t.equal(uptime.day.knownMs, 60_000)
  await bench.clock.advance(60_000)
  t.same((await web()).uptime, uptime)
})

await t.test('refusals are as described', async (t) => {
  const { ask, port } = await start(t)
  await ask('POST', '/api/containers/{name}/pause', { body: '{"fo": "2h"}', status: 400 })
  await ask('POST', '/api/containers/{name}/pause', { name: 'nobody', status: 404 })
  await ask('POST', '/api/containers/{name}/reset', { body: 'x'.repeat(2000), status: 413 })
  for (const { path } of operations().filter(({ method }) => method === 'POST')) {
    const answer = await fetch(`http://127.0.0.1:${port}${path.replace('{name}', 'web')}`, { method: 'POST' })
    t.same([answer.status, whatIsWrong('POST', path, answer.status, await answer.json())], [401, undefined])
  }
})

await t.test('incidents are as described, the youngest first, and a container has the key of the one that is open', async (t) => {
  const { get, web } = await start(t, { given: { alerts: () => ({ incidents: INCIDENTS, outbox: [] }) } })
  const found = await get<IncidentAnswer[]>('/api/incidents')
  t.same(
    found.map(({ key, ended }) => [key, ended]),
    [
      ['postern/web/1/2', null],
      ['postern/web/1/1', '1970-01-01T00:00:02.000Z'],
    ],
  )
  t.equal((await web()).incident, 'postern/web/1/2')
})

await t.test(
  'the proxy: decisions, refusals by rule, budgets, the Engine and the audit log, from what it says itself',
  async (t) => {
    const metrics = createProxyMetrics()
    metrics.showState(() => ({
      policies: [{ client: 'healer', hash: 'sha256:1' }],
      observes: false,
      auditHead: { seq: 4711, fingerprint: 'ab:cd' },
      budgets: [{ client: 'healer', operation: 'ContainerRestart', of: 'container', left: 2 }],
      tls: undefined,
    }))
    metrics.engineUp(true)
    metrics.auditFailed()
    for (let i = 0; i < 3; i += 1) metrics.decided('healer', 'ContainerList', 'allow', 'allow.ContainerList', 0.01)
    metrics.decided('healer', 'ContainerRestart', 'deny', 'budget.ContainerRestart', 0.01)
    metrics.decided('healer', '', 'deny', 'operation.unknown', 0.01)
    metrics.decided('healer', '', 'deny', 'operation.unknown', 0.01)
    const { get } = await start(t, { given: { proxyMetrics: metrics.render } })
    t.same(await get<ProxyAnswer>('/api/proxy'), {
      ...{ state: 'up', message: 'ok', engineUp: true, observing: false },
      audit: { sequence: 4711, fingerprint: 'ab:cd', failures: 1 },
      decisions: [
        { client: 'healer', verdict: 'allow', requests: 3 },
        { client: 'healer', verdict: 'deny', requests: 3 },
      ],
      refusals: [
        { client: 'healer', operation: '', rule: 'operation.unknown', requests: 2 },
        { client: 'healer', operation: 'ContainerRestart', rule: 'budget.ContainerRestart', requests: 1 },
      ],
      budgets: [{ client: 'healer', operation: 'ContainerRestart', of: 'container', left: 2 }],
      isCut: false,
    })
  },
)

await t.test('where the proxy’s metrics cannot be had, or are not asked for, it says so and knows nothing', async (t) => {
  const nothing = { engineUp: null, observing: null, audit: { sequence: null, fingerprint: null, failures: null }, decisions: [] }
  const down = await start(t, { given: { proxyMetrics: async () => undefined } })
  t.match(await down.get('/api/proxy'), { ...nothing, state: 'down', message: /is the proxy running, with --metrics\?/ })
  const off = await start(t)
  t.match(await off.get('/api/proxy'), { ...nothing, state: 'not-configured', message: /set it to the socket/ })
})

await t.test('what else may answer at the proxy’s socket makes no answer that is not as described', async (t) => {
  const rows = Array.from(
    { length: 500 },
    (_, i) => `postern_proxy_decisions_total{client="c${i}",verdict="deny",rule="a\\"b\\\\\\n"} ${i}\n`,
  )
  const odd = 'postern_proxy_engine_up Nan\npostern_proxy_audit_sequence{} -1e300\npostern_proxy_budget_left{of="}"} 1.5\n'
  const { get } = await start(t, { given: { proxyMetrics: async () => rows.join('') + odd } })
  const found = await get<ProxyAnswer>('/api/proxy')
  t.match(found, { isCut: true, engineUp: null, audit: { sequence: 0 }, budgets: [{ of: '}', left: 2 }] })
  t.same([found.refusals.length, found.refusals[0]], [200, { client: 'c499', operation: '', rule: 'a"b\\\n', requests: 499 }])
})

await t.test('with 1,000 containers the answer is bounded, and one alone has its whole strip', async (t) => {
  const { healer, bench, web } = await start(t)
  for (let i = 0; i < MAX_LOOKS + 10; i += 1) await bench.clock.advance(15_000)
  t.equal((await web()).strip.length, MAX_LOOKS)
  const [one] = healer.view().containers
  if (!one) throw new Error('web is watched')
  const containers = Array.from({ length: 1000 }, (_, i) => ({ ...one, summary: { ...one.summary, name: `web-${i}` } }))
  const many = await serveApi(t, bench, () => ({ ...healer.view(), containers }), undefined)
  const shown = await many.containers()
  t.same([shown.length, shown[0]?.strip.length], [1000, 12])
  t.ok(JSON.stringify(shown).length < 5_000_000)
  t.same(shown[0]?.strip.at(-1), (await web()).strip.at(-1), 'those that are left out are the oldest')
  const alone = (await many.ask('GET', '/api/containers/{name}', { name: 'web-7' })) as ContainerAnswer
  t.equal(alone.strip.length, MAX_LOOKS)
})

await t.test('every reason for which a restart is not made can be shown', (t) => {
  const { schemas } = description.components
  const text = JSON.stringify(schemas.Container)
  for (const reason of NOT_RESTARTING) t.ok(text.includes(`"${reason}"`), reason)
  t.end()
})
