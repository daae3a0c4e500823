// What Alertmanager may tell the healer by its webhook, on a real port: who may, what is taken, what is left aside, and every refusal.
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { ALERT_NAME } from '../../healer/alert/receiver.ts'
import { MAX_RULES_OF_CONTAINER } from '../../healer/health/rules.ts'
import { createApp } from '../../healer/serve/app.ts'
import { createHealerMetrics } from '../../healer/serve/metrics.ts'
import { fuzzBriefly } from '../fuzz/target.ts'
import { hook } from '../fuzz/targets/hook.ts'
import { blocks, readPage } from '../support/pages.ts'
import { createBench, startServer } from './support/bench.ts'

const TOKEN = '0123456789abcdef0123456789abcdef'
const PATH = '/api/hooks/alertmanager'

type Alert = Readonly<Record<string, unknown>>
/** As Alertmanager sends it. */
const alert = (change: Alert = {}): Alert => ({
  status: 'firing',
  labels: { alertname: 'HighErrorRate', container: 'web', severity: 'critical' },
  annotations: { summary: '7 % of the requests fail', description: 'more of it' },
  startsAt: '2026-01-01T00:00:00.123456789+02:00',
  endsAt: '0001-01-01T00:00:00Z',
  generatorURL: 'http://prometheus:9090/graph?g0.expr=up',
  fingerprint: '1a30ba71cca2921f',
  ...change,
})
const webhook = (alerts: readonly unknown[], change: Readonly<Record<string, unknown>> = {}) => ({
  version: '4',
  groupKey: '{}:{alertname="HighErrorRate"}',
  truncatedAlerts: 0,
  status: 'firing',
  receiver: 'healer',
  groupLabels: { alertname: 'HighErrorRate' },
  commonLabels: {},
  commonAnnotations: {},
  externalURL: 'http://alertmanager:9093',
  alerts,
  ...change,
})

type Asked = {
  readonly body?: unknown
  readonly text?: string
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly path?: string
}

/** A healer on the bench that watches `web`, served at a port. */
async function start(t: Test, { isOff = false, isReady = true } = {}) {
  const bench = createBench(t)
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  const healer = await bench.start()
  const log: { msg: string; level: number; event?: string }[] = []
  const served = createApp({
    view: () => ({ ...healer.view(), ready: isReady }),
    metrics: createHealerMetrics(),
    maxLoopAgeMs: 60_000,
    control: {
      control: healer.control,
      rules: bench.rules(),
      token: isOff ? undefined : TOKEN,
      clock: bench.clock,
      log: pino({}, { write: (line: string) => void log.push(JSON.parse(line)) }),
    },
  })
  const server = serve({ fetch: served.fetch, port: 0, hostname: '127.0.0.1' })
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  const ask = async ({ body, text = JSON.stringify(body), method = 'POST', headers = {}, path = PATH }: Asked) => {
    const given = { authorization: `Bearer ${TOKEN}`, ...headers }
    const sent = request({ host: '127.0.0.1', port, path, method, agent: false, headers: given })
    sent.end(text)
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    let answer = ''
    for await (const chunk of response) answer += chunk
    const isJson = response.headers['content-type']?.includes('json') ?? false
    return { status: response.statusCode, headers: response.headers, body: isJson ? JSON.parse(answer) : answer }
  }
  const firing = () => bench.rules().firing('web')
  return { ask, bench, log, port, firing }
}

await t.test('a firing alert is taken, shown, and ended by what Alertmanager sends when it is resolved', async (t) => {
  const { ask, bench, firing } = await start(t)
  const taken = await ask({ body: webhook([alert()]) })
  const [shown = ''] = blocks(readPage('healer.md'), 'json')
  t.same(Object.keys(taken.body), Object.keys(JSON.parse(shown)), 'as the page shows it')
  t.same(
    [taken.status, taken.body],
    [
      200,
      {
        firing: [{ container: 'web', rule: 'HighErrorRate' }],
        ended: [],
        withoutContainer: [],
        own: 0,
        notWatched: [],
        refused: [],
        truncated: 0,
      },
    ],
  )
  t.match(firing(), [{ name: 'HighErrorRate', summary: '7 % of the requests fail', fingerprint: '1a30ba71cca2921f' }])
  await bench.clock.advance(15_000)
  t.match((await ask({ path: '/api/containers', method: 'GET' })).body, [
    { name: 'web', health: 'unknown', rules: [{ name: 'HighErrorRate', summary: '7 % of the requests fail' }] },
  ])
  const series = 'postern_healer_rule_firing{container="web",rule="HighErrorRate"} 1'
  t.match((await ask({ path: '/metrics', method: 'GET' })).body, series)
  t.match((await ask({ path: '/', method: 'GET' })).body, 'Alert HighErrorRate fires')

  t.match((await ask({ body: webhook([alert()]) })).body.firing, [{ container: 'web' }], 'told of again')
  const ended = { status: 'resolved', endsAt: '2026-01-01T00:00:30Z' }
  t.match((await ask({ body: webhook([alert(ended)], { status: 'resolved' }) })).body, {
    firing: [],
    ended: [{ container: 'web', rule: 'HighErrorRate' }],
  })
  await bench.clock.advance(15_000)
  t.notMatch((await ask({ path: '/metrics', method: 'GET' })).body, 'postern_healer_rule_firing{')
  t.match((await ask({ path: '/api/containers', method: 'GET' })).body, [{ name: 'web', health: 'healthy', rules: [] }])
})

await t.test('an end that has passed is an end; one that is to come, or of the year 1, is none', async (t) => {
  const { ask, bench, firing } = await start(t)
  await ask({ body: webhook([alert()]) })
  const future = new Date(bench.clock.wallMs() + 60_000).toISOString()
  for (const endsAt of [future, '0001-01-01T00:00:00Z']) {
    await ask({ body: webhook([alert({ endsAt })]) })
    t.equal(firing().length, 1, endsAt)
  }
  t.match((await ask({ body: webhook([alert({ endsAt: new Date(bench.clock.wallMs()).toISOString() })]) })).body, {
    ended: [{ container: 'web' }],
  })
})

await t.test('the healer’s own alerts, which Alertmanager may send back to it, make nothing ill', async (t) => {
  const { ask, log, bench } = await start(t)
  const own = { alertname: ALERT_NAME, container: 'web' }
  t.match(await ask({ body: webhook([alert({ labels: own })]) }), {
    status: 200,
    body: { firing: [], own: 1, withoutContainer: [] },
  })
  t.same(bench.rules().firing('web'), [])
  t.notOk(JSON.stringify(log).includes(ALERT_NAME), 'and are not worth a word')
})

await t.test('what names no container, or one that is not watched, is left aside and said, with 200', async (t) => {
  const { ask, log, bench } = await start(t)
  const body = webhook(
    [
      alert({ labels: { alertname: 'Watchdog' }, fingerprint: '1' }),
      alert({ labels: { alertname: 'Empty', container: '' }, fingerprint: '2' }),
      alert({ labels: { alertname: 'Down', container: 'db' }, fingerprint: '3' }),
      alert({ labels: { alertname: 'Down', container: 'WEB' }, fingerprint: '4' }),
      alert(),
    ],
    { truncatedAlerts: 3 },
  )
  t.match(await ask({ body }), {
    status: 200,
    body: {
      firing: [{ container: 'web', rule: 'HighErrorRate' }],
      withoutContainer: ['Watchdog', 'Empty'],
      notWatched: [
        { container: 'db', rule: 'Down' },
        { container: 'WEB', rule: 'Down' },
      ],
      truncated: 3,
    },
  })
  t.same(bench.rules().firing('db'), [], 'nothing of it is kept')
  t.same(
    log.map(({ msg }) => msg),
    [
      'alerts without the label “container” heal nothing: Watchdog, Empty',
      'alerts for containers that are not watched: Down for db, Down for WEB',
      'Alertmanager left out 3 alerts; without max_alerts in its webhook_config it sends them all',
    ],
  )
})

await t.test('what is only nearly the name of a container is none, and is told on one line', async (t) => {
  const { ask, firing } = await start(t)
  const names = [' web', 'web\n', '\u0007web', '\u200bweb', '\u001b[2J']
  const body = webhook(names.map((container, i) => alert({ labels: { alertname: 'Down', container }, fingerprint: `${i}` })))
  const { status, body: answer } = await ask({ body })
  t.same([status, answer.firing, firing()], [200, [], []])
  t.same(
    answer.notWatched.map(({ container }: { readonly container: string }) => container),
    ['web', 'web', 'web', 'web', '[2J'],
  )
})

await t.test('the end of an alert is taken also when its container is not watched any more', async (t) => {
  const { ask, bench } = await start(t)
  await bench.rules().take([{ container: 'db', fingerprint: 'f', name: 'Down', summary: '', isFiring: true }])
  const labels = { alertname: 'Down', container: 'db' }
  const { body } = await ask({ body: webhook([alert({ labels, fingerprint: 'f', status: 'resolved' })]) })
  t.match(body, { ended: [{ container: 'db', rule: 'Down' }], notWatched: [] })
})

await t.test('before it is known which containers there are, Alertmanager is asked to come again', async (t) => {
  const { ask, firing } = await start(t, { isReady: false })
  t.match(await ask({ body: webhook([alert()]) }), { status: 503, body: { message: /not known yet which containers there are/ } })
  t.same(firing(), [])
})

await t.test('an alert needs no more than status, labels and fingerprint', async (t) => {
  const { ask, firing } = await start(t)
  const body = { version: '4', alerts: [{ status: 'firing', labels: { container: 'web' }, fingerprint: 'x' }] }
  t.equal((await ask({ body })).status, 200)
  t.match(firing(), [{ name: 'without a name', summary: '' }])
  await ask({ body: webhook([alert({ labels: { alertname: '\u0007', container: 'web' } })]) })
  t.match(firing(), [{}, { name: 'without a name' }])
  t.equal((await ask({ body: { version: '4', alerts: [] } })).status, 200)
})

await t.test('an alert’s text is kept on one line, bounded, and shown as text', async (t) => {
  const { ask, bench, firing } = await start(t)
  const labels = { alertname: `<b>\u001b[2J\u202e${'N'.repeat(500)}`, container: 'web' }
  const annotations = { summary: `two\r\nlines \ud800 & "${'😀'.repeat(300)}` }
  t.equal((await ask({ body: webhook([alert({ labels, annotations })]) })).status, 200)
  const [rule] = firing()
  t.match(rule?.name, /^<b> \[2J N+…$/)
  t.equal([...(rule?.name ?? '')].length, 101)
  t.match(rule?.summary, /^two lines & "😀+…$/u)
  t.equal([...(rule?.summary ?? '')].length, 201)
  await bench.clock.advance(15_000)
  t.notMatch((await ask({ path: '/', method: 'GET' })).body, '<b>')
  t.match(
    (await ask({ path: '/metrics', method: 'GET' })).body,
    /^postern_healer_rule_firing\{container="web",rule="<b> [^\n]*"\} 1$/m,
  )
})

await t.test('more alerts for a container than are kept are refused, and that is said', async (t) => {
  const { ask, log, firing } = await start(t)
  const many = Array.from({ length: 30 }, (_, i) => alert({ fingerprint: `${i}` }))
  const { status, body } = await ask({ body: webhook(many) })
  t.same([status, body.firing.length, body.refused.length], [200, MAX_RULES_OF_CONTAINER, 30 - MAX_RULES_OF_CONTAINER])
  t.equal(firing().length, MAX_RULES_OF_CONTAINER)
  t.match(log.at(-1)?.msg, /^alerts that are not taken, since so many fire already: .* and 4 more; group them in the rules$/)
})

await t.test('who may: the same rules as for control', async (t) => {
  const { ask, log, port, firing } = await start(t)
  const body = webhook([alert()])
  for (const authorization of ['', 'Bearer x', TOKEN, `Bearer ${TOKEN}0`, `Bearer ${TOKEN.slice(1)}`]) {
    const answer = await ask({ body, headers: { authorization } })
    t.match(answer, { status: 401, body: { message: 'it takes the header “Authorization: Bearer” with HEALER_TOKEN' } })
    t.equal(answer.headers['www-authenticate'], 'Bearer')
  }
  t.match(await ask({ body, headers: { origin: 'http://evil.example' } }), {
    status: 403,
    body: { message: 'a page of another origin may not ask this' },
  })
  t.equal((await ask({ body, path: `${PATH}?token=${TOKEN}`, headers: { authorization: '' } })).status, 401)
  t.equal(log.length, 1, 'told of once a minute')
  t.notMatch(JSON.stringify(log), TOKEN)
  t.same(firing(), [])
  t.equal((await ask({ body, headers: { origin: `http://127.0.0.1:${port}` } })).status, 200)
})

await t.test('without a token set it is refused, and what to set is told', async (t) => {
  const { ask } = await start(t, { isOff: true })
  t.match(await ask({ body: webhook([alert()]) }), {
    status: 403,
    body: { message: 'control is off; set HEALER_TOKEN, or HEALER_TOKEN_FILE, to turn it on' },
  })
})

await t.test('only POST is taken', async (t) => {
  const { ask } = await start(t)
  for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
    const { status, headers } = await ask({ method, text: '' })
    t.same([method, status, headers.allow], [method, 405, 'POST'])
  }
})

const wrong: [what: string, text: string, message: RegExp][] = [
  ['nothing', '', /^the body is not JSON; it takes what Alertmanager’s webhook_configs send$/],
  ['a form', 'status=firing', /^the body is not JSON/],
  ['half of JSON', JSON.stringify(webhook([alert()])).slice(0, -1), /^the body is not JSON/],
  ['a list', '[]', /^the body is not what Alertmanager’s webhook, version 4, holds there: .*expected object/],
  ['null', 'null', /^the body is not what/],
  [
    'another version',
    JSON.stringify(webhook([], { version: '5' })),
    /^version is not what Alertmanager’s webhook, version 4, holds there/,
  ],
  ['a version that is a number', JSON.stringify(webhook([], { version: 4 })), /^version is not/],
  ['no alerts', '{"version":"4"}', /^alerts is not .*expected array/],
  ['alerts that are an object', JSON.stringify(webhook([], { alerts: {} })), /^alerts is not/],
  ['an alert that is none', JSON.stringify(webhook([alert(), null])), /^alerts\[1\] is not/],
  [
    'another status',
    JSON.stringify(webhook([alert({ status: 'pending' })])),
    /^alerts\[0\]\.status is not .*"firing"\|"resolved"/,
  ],
  ['no labels', JSON.stringify(webhook([alert({ labels: undefined })])), /^alerts\[0\]\.labels is not/],
  [
    'a container that is a number',
    JSON.stringify(webhook([alert({ labels: { alertname: 'x', container: 1 } })])),
    /^alerts\[0\]\.labels\.container is not .*expected string/,
  ],
  [
    'a summary that is a list',
    JSON.stringify(webhook([alert({ annotations: { summary: [] } })])),
    /^alerts\[0\]\.annotations\.summary is not/,
  ],
  ['no fingerprint', JSON.stringify(webhook([alert({ fingerprint: undefined })])), /^alerts\[0\]\.fingerprint is not/],
  ['an empty fingerprint', JSON.stringify(webhook([alert({ fingerprint: '' })])), /it takes 1 to 64 printable characters$/],
  ['a long fingerprint', JSON.stringify(webhook([alert({ fingerprint: 'f'.repeat(65) })])), /^alerts\[0\]\.fingerprint is not/],
  ['an end that is no time', JSON.stringify(webhook([alert({ endsAt: 'soon' })])), /^alerts\[0\]\.endsAt is not/],
  ['less than nothing left out', JSON.stringify(webhook([], { truncatedAlerts: -1 })), /^truncatedAlerts is not/],
  ['a hundred thousand brackets', '['.repeat(100_000), /^the body is not JSON/],
  ['as many that are closed', `${'['.repeat(100_000)}${']'.repeat(100_000)}`, /^the body is not what/],
  ['__proto__', '{"__proto__":{"version":"4","alerts":[]}}', /^version is not/],
]
for (const [what, text, message] of wrong) {
  await t.test(`${what} is 400 and says what is wrong where, and nothing is taken`, async (t) => {
    const { ask, firing } = await start(t)
    t.match(await ask({ text }), { status: 400, body: { message } })
    t.same(firing(), [])
  })
}

await t.test('labels that objects have from birth are no containers', async (t) => {
  const { ask } = await start(t)
  const text = JSON.stringify(webhook([alert()])).replace('"container":"web"', '"__proto__":{"container":"web"}')
  t.match(await ask({ text }), { status: 200, body: { firing: [], withoutContainer: ['HighErrorRate'] } })
})

await t.test('a body larger than 1 MiB is 413, told its length or in pieces; one of 1 MiB is read', async (t) => {
  const { ask, firing } = await start(t)
  const text = JSON.stringify(webhook([alert()]))
  const padded = (bytes: number) => text + ' '.repeat(bytes - Buffer.byteLength(text))
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
    const answer = await ask({ text: padded(1024 * 1024 + 1), headers }).catch((error: NodeJS.ErrnoException) => error.code)
    if (typeof answer === 'object') t.match(answer, { status: 413, body: { message: 'the body is larger than 1048576 bytes' } })
    else t.ok(['EPIPE', 'ECONNRESET'].includes(answer ?? ''), 'closed while it was still being sent')
    t.same(firing(), [])
  }
  t.equal((await ask({ text: padded(1024 * 1024) })).status, 200)
})

fuzzBriefly(t, 'hook', hook)
