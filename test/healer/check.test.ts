// `check`: what a person is told of the settings, of each container that opted in, and of what is wrong.
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { loadReceivers } from '../../healer/alert/load-receivers.ts'
import { type CheckOptions, check } from '../../healer/check/check.ts'
import { explainEnvironment } from '../../healer/check/explain-settings.ts'
import { renderCheck } from '../../healer/check/render.ts'
import { DockerError } from '../../healer/docker/docker.ts'
import { runProbe } from '../../healer/probe/probes.ts'
import { readEnvironment } from '../../healer/settings/environment.ts'
import { startServer } from './support/bench.ts'
import { createFakeClock } from './support/fake-clock.ts'
import { createFakeDocker, type FakeDocker } from './support/fake-docker.ts'

function setUp(env: NodeJS.ProcessEnv = {}) {
  const docker = createFakeDocker(createFakeClock())
  const options: CheckOptions = {
    docker,
    environment: readEnvironment(env),
    settings: explainEnvironment(env),
    receivers: loadReceivers(readEnvironment(env).alerting),
    own: ['127.0.0.1/8'],
    monotonicMs: () => 0,
    runProbe,
  }
  return { docker, options, run: (change: Partial<CheckOptions> = {}) => check({ ...options, ...change }) }
}

const add = (docker: FakeDocker, name: string, labels: Record<string, string>, port?: number) =>
  docker.add(name, port, { summary: { labels } })

await t.test(
  'a container that all is well with: its probe, where, what it found, and every setting with its source',
  async (t) => {
    const { docker, run } = setUp({ FAILURE_THRESHOLD: '4' })
    const app = await startServer(t)
    add(docker, 'web', { monitored: 'true', 'healer.interval': '5s', 'healer.path': '/live' }, app.port)
    const { ok, containers } = await run()
    t.equal(ok, true)
    const [web] = containers
    t.match(web, {
      name: 'web',
      optedIn: 'monitored',
      status: 'running',
      probe: `http :${app.port}/live`,
      address: '127.0.0.1',
      found: { result: 'success', reason: 'answered 200', durationMs: 0 },
      problems: [],
    })
    t.same(
      web?.settings.map(({ name, value, from }) => `${name} ${value} ${from}`),
      [
        'interval 5s healer.interval',
        'timeout 5 default of REQUEST_TIMEOUT',
        'retries 4 FAILURE_THRESHOLD',
        'start_period 30 default of START_PERIOD',
        'retry_interval 5s healer.interval',
        'scheme http default',
        'method GET default',
        'path /live healer.path',
        'status 200-299 default',
        'arm after-success default',
      ],
    )
    t.equal(app.requests, 1)
  },
)

await t.test('what a probe found makes nothing wrong, and --no-probe probes nothing', async (t) => {
  const { docker, run } = setUp()
  const app = await startServer(t)
  app.status(503)
  add(docker, 'web', { monitored: 'true' }, app.port)
  t.match(await run(), { ok: true, containers: [{ found: { result: 'failure', reason: 'answered 503' } }] })
  t.match(await run({ runProbe: undefined }), { ok: true, containers: [{ probe: `http :${app.port}/health`, found: undefined }] })
  t.equal(app.requests, 1)
})

for (const [what, labels, port, problems, probe] of [
  [
    'a label that is wrong and decides nothing',
    { 'healer.retires': '3' },
    9,
    ['healer.retires is not a setting; did you mean healer.retries?'],
    'http :9/health',
  ],
  ['a label that is wrong and decides', { 'healer.port': 'x' }, 9, [/^healer.port is “x”/], 'none'],
  ['no port', {}, undefined, ['it exposes no port and has no HEALTHCHECK; set healer.port'], 'none'],
] as const) {
  await t.test(`${what} is wrong`, async (t) => {
    const { docker, run } = setUp()
    add(docker, 'web', { monitored: 'true', ...labels }, port)
    const { ok, containers } = await run({ runProbe: undefined })
    t.equal(ok, false)
    t.match(containers, [{ problems, probe }])
    t.equal(containers[0]?.problems.length, problems.length)
  })
}

await t.test('a container that does not run is told as that, and its labels are looked at all the same', async (t) => {
  const { docker, run } = setUp()
  const stopped = { detail: { status: 'exited' }, summary: { networks: [], tcpPorts: [] } }
  docker.add('web', undefined, { ...stopped, summary: { ...stopped.summary, labels: { monitored: 'true' } } })
  t.match(await run(), { ok: true, containers: [{ status: 'exited', probe: undefined, found: undefined, problems: [] }] })
  docker.add('db', undefined, { ...stopped, summary: { ...stopped.summary, labels: { monitored: 'true', 'healer.prot': '1' } } })
  t.match(await run(), { ok: false, containers: [{ name: 'db', problems: [/healer.prot/] }, { name: 'web' }] })
})

await t.test('one that is gone meanwhile is left out', async (t) => {
  const { docker, run } = setUp()
  docker.vanished.add(add(docker, 'web', { monitored: 'true' }, 9).summary.id)
  t.match(await run(), { ok: true, containers: [] })
})

await t.test('a Docker that cannot be asked is wrong', async (t) => {
  const { docker, run } = setUp()
  docker.failure = new DockerError('unix:///x cannot be reached (ENOENT); is the proxy running?')
  const report = await run()
  t.match(report, { ok: false, docker: { reachable: false }, containers: [] })
  t.match(renderCheck(report), /\n\nDocker cannot be asked: unix:\/\/\/x cannot be reached \(ENOENT\); is the proxy running\?\n$/)
})

await t.test('settings that the probe does not go by are left out', async (t) => {
  const { docker, run } = setUp()
  const names = async (t: Test, labels: Record<string, string>) => {
    docker.containers.clear()
    add(docker, 'web', labels, 9)
    const { containers } = await run({ runProbe: undefined })
    t.equal(containers.length, 1)
    return containers[0]?.settings.map(({ name }) => name)
  }
  t.same(await names(t, { autoheal: 'true' }), ['interval', 'start_period'])
  const timing = ['interval', 'timeout', 'retries', 'start_period', 'retry_interval']
  t.same(await names(t, { monitored: 'true', 'healer.expect': 'x' }), [...timing, 'expect', 'arm'])
  t.same(await names(t, { monitored: 'true', 'healer.probe': 'grpc', 'healer.scheme': 'https' }), [
    ...timing,
    'scheme',
    'tls_verify',
    'arm',
  ])
})

await t.test('no secret is shown: neither the webhook nor the value of a header', async (t) => {
  const { docker, run } = setUp({ SLACK_WEBHOOK_URL: 'https://hooks.example/hunter2' })
  add(docker, 'web', { monitored: 'true', 'healer.headers.Authorization': 'Bearer hunter2' }, 9)
  const report = await run({ runProbe: undefined })
  t.notMatch(JSON.stringify(report), /hunter2/)
  const text = renderCheck(report)
  t.notMatch(text, /hunter2/)
  t.match(text, /^ {2}SLACK_WEBHOOK_URL +\(not shown\) +environment$/m)
  t.match(text, /^ {2}headers\.Authorization +\(not shown\) +healer\.headers\.Authorization$/m)
})

await t.test('who is told of what, and that nobody is', async (t) => {
  const nobody = await setUp().run()
  t.same(nobody.receivers, [])
  t.match(renderCheck(nobody), /^Nobody is told: no receiver of alerts is set; docs\/alerts\.md says how$/m)
  const ALERTS_FILE = join(
    t.testdir({
      'a.yaml': 'receivers: [{ slack: { webhook_url: "https://s.example/hunter2" }, name: on-call, events: [gave-up] }]',
    }),
    'a.yaml',
  )
  const report = await setUp({ ALERTS_FILE, ALERTMANAGER_URL: 'http://alertmanager:9093' }).run()
  t.same(report.receivers.at(-1), { name: 'on-call', events: ['gave-up'] })
  const text = renderCheck(report)
  t.match(
    text,
    'Receivers of alerts\n  alertmanager  restarted restart-failed held gave-up never-healthy reminder recovered\n  on-call       gave-up\n',
  )
  t.notMatch(text + JSON.stringify(report), /hunter2/)
})

await t.test('the environment’s settings, each with its source', async (t) => {
  const explained = explainEnvironment({ CHECK_INTERVAL: '15', SLACK_WEBHOOK_URL_FILE: '/run/secrets/slack', PROXY_METRICS: '' })
  const of = (name: string) => explained.find((setting) => setting.name === name)
  t.match(of('CHECK_INTERVAL'), { value: '15', from: 'environment' })
  t.match(of('FAILURE_THRESHOLD'), { value: '3', from: 'default' })
  t.match(of('RETRY_INTERVAL'), { value: null, from: 'default' })
  t.match(of('PROXY_METRICS'), { value: null, from: 'environment' })
  t.match(of('SLACK_WEBHOOK_URL'), { value: '(not shown)', from: 'SLACK_WEBHOOK_URL_FILE' })
})

await t.test('a label cannot move the cursor', async (t) => {
  const { docker, run } = setUp()
  add(docker, 'web', { monitored: 'true', 'healer.contains': '\u001b[2Jok\n', 'healer.\u202ex': '\u0007' }, 9)
  const text = renderCheck(await run({ runProbe: undefined }))
  t.match(text, '\\u{1b}[2Jok\\u{a}')
  t.match(text, 'healer.\\u{202e}x is not a setting')
  t.notMatch(text, /[^\n\P{Cc}]|\p{Cf}/u)
})
