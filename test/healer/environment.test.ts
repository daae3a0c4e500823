// The healer's environment variables: the original's names and defaults, and a sentence for each wrong value.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { EnvironmentError, readEnvironment } from '../../healer/settings/environment.ts'
import { temporaryDirectory } from '../support/temporary.ts'

await t.test('the defaults are the original’s', async (t) => {
  t.match(readEnvironment({}), {
    intervalMs: 15_000,
    retries: 3,
    timeoutMs: 5000,
    path: '/health',
    alerting: { slackWebhookUrl: undefined, alertmanagerUrl: undefined, file: undefined },
    alertCooldownMs: 600_000,
    alertReminderMs: 14_400_000,
    dockerHost: { socketPath: '/var/run/docker.sock' },
    startPeriodMs: 30_000,
    retryIntervalMs: 15_000,
    maxRestarts: 5,
    dryRun: false,
    port: 8081,
    stateDir: '/var/lib/postern',
  })
})

await t.test('seconds and durations are both understood', async (t) => {
  t.match(readEnvironment({ CHECK_INTERVAL: '1m30s', REQUEST_TIMEOUT: '250ms', RETRY_INTERVAL: '2' }), {
    intervalMs: 90_000,
    timeoutMs: 250,
    retryIntervalMs: 2000,
  })
  t.match(readEnvironment({ DOCKER_HOST: 'tcp://proxy:2375' }), { dockerHost: { host: 'proxy', port: 2375 } })
})

const wrong: [name: string, value: string, message: string][] = [
  [
    'CHECK_INTERVAL',
    'abc',
    'CHECK_INTERVAL is “abc”; it takes a number of seconds or a duration such as 1m30s, at least 1 s and at most 24 h',
  ],
  [
    'CHECK_INTERVAL',
    '',
    'CHECK_INTERVAL is empty; it takes a number of seconds or a duration such as 1m30s, at least 1 s and at most 24 h',
  ],
  [
    'CHECK_INTERVAL',
    '0',
    'CHECK_INTERVAL is “0”; it takes a number of seconds or a duration such as 1m30s, at least 1 s and at most 24 h',
  ],
  [
    'CHECK_INTERVAL',
    '15 s',
    'CHECK_INTERVAL is “15 s”; it takes a number of seconds or a duration such as 1m30s, at least 1 s and at most 24 h',
  ],
  ['FAILURE_THRESHOLD', '-1', 'FAILURE_THRESHOLD is “-1”; it takes a whole number from 1 to 100'],
  ['FAILURE_THRESHOLD', '1.5', 'FAILURE_THRESHOLD is “1.5”; it takes a whole number from 1 to 100'],
  [
    'REQUEST_TIMEOUT',
    '1e3',
    'REQUEST_TIMEOUT is “1e3”; it takes a number of seconds or a duration such as 1m30s, at least 0.1 s and at most 10 min',
  ],
  ['HEALTH_PATH', 'health', 'HEALTH_PATH is “health”; it takes a path such as /health, without spaces'],
  ['DRY_RUN', 'yes', 'DRY_RUN is “yes”; it takes true or false'],
  ['HEALER_PORT', '70000', 'HEALER_PORT is “70000”; it takes a whole number from 1 to 65535'],
  [
    'DOCKER_HOST',
    '/var/run/docker.sock',
    'DOCKER_HOST is “/var/run/docker.sock”; it takes unix:///path/to/socket or tcp://host:port',
  ],
  ['PROXY_METRICS', 'tcp://proxy:9100', 'PROXY_METRICS is “tcp://proxy:9100”; it takes unix:///path/to/socket, or nothing'],
  ['PROXY_METRICS', '/metrics.sock', 'PROXY_METRICS is “/metrics.sock”; it takes unix:///path/to/socket, or nothing'],
  ['STATE_DIR', '', 'STATE_DIR is empty; it takes a text'],
  [
    'HEALER_TOKEN',
    'fifteen-letters',
    'HEALER_TOKEN holds something else; it takes at least 16 letters, digits and -._~+/, such as openssl rand -hex 32 makes',
  ],
  [
    'HEALER_TOKEN',
    'sixteen letters!',
    'HEALER_TOKEN holds something else; it takes at least 16 letters, digits and -._~+/, such as openssl rand -hex 32 makes',
  ],
  [
    'SLACK_WEBHOOK_URL',
    'hooks.slack.com/x',
    'SLACK_WEBHOOK_URL holds something else; it takes an http:// or https:// address without user and password',
  ],
  [
    'WEBHOOK_URL',
    'https://user:password@a.example',
    'WEBHOOK_URL holds something else; it takes an http:// or https:// address without user and password',
  ],
  [
    'ALERTMANAGER_URL',
    'alertmanager:9093',
    'ALERTMANAGER_URL is “alertmanager:9093”; it takes an http:// or https:// address without user and password, or nothing',
  ],
  [
    'PAGERDUTY_ROUTING_KEY',
    'short',
    'PAGERDUTY_ROUTING_KEY holds something else; it takes the 32 letters and digits of an integration key of the Events API v2',
  ],
  ['WEBHOOK_SECRET', 'alone', 'WEBHOOK_SECRET has no effect; set WEBHOOK_URL as well'],
  [
    'ALERTS_FILE',
    'alerts.yaml',
    'ALERTS_FILE is “alerts.yaml”; it takes the absolute path of a file in the healer’s container, or nothing',
  ],
  [
    'ALERT_REMINDER',
    'never',
    'ALERT_REMINDER is “never”; it takes a number of seconds or a duration such as 1m30s, at least 0 s and at most 24 h',
  ],
]
for (const [name, value, message] of wrong) {
  await t.test(`${name}=${value} stops the start with a sentence`, async (t) => {
    t.throws(() => readEnvironment({ [name]: value }), new EnvironmentError(message))
  })
}

await t.test('the proxy’s metrics are passed on where their socket is named, and an empty name is none', async (t) => {
  t.match(readEnvironment({ PROXY_METRICS: 'unix:///run/m.sock' }), { proxyMetricsSocket: '/run/m.sock' })
  t.equal(readEnvironment({ PROXY_METRICS: '' }).proxyMetricsSocket, undefined)
  t.equal(readEnvironment({}).proxyMetricsSocket, undefined)
})

await t.test('all that is wrong is said at once', async (t) => {
  t.throws(() => readEnvironment({ CHECK_INTERVAL: 'x', DRY_RUN: 'x' }), { message: /^CHECK_INTERVAL .*\nDRY_RUN .*$/ })
})

await t.test('a secret can come from a file, and an empty one is none', async (t) => {
  const directory = t.testdir({ url: 'https://hooks.example/T1\n' })
  const { alerting } = readEnvironment({ SLACK_WEBHOOK_URL_FILE: join(directory, 'url') })
  t.equal(alerting.slackWebhookUrl?.reveal(), 'https://hooks.example/T1')
  t.equal(readEnvironment({ SLACK_WEBHOOK_URL: '' }).alerting.slackWebhookUrl, undefined)
  t.throws(
    () => readEnvironment({ SLACK_WEBHOOK_URL_FILE: join(directory, 'none') }),
    /SLACK_WEBHOOK_URL_FILE is “.*none”, which cannot be read: ENOENT/,
  )
  t.throws(
    () => readEnvironment({ SLACK_WEBHOOK_URL: 'https://a', SLACK_WEBHOOK_URL_FILE: join(directory, 'url') }),
    /set one of them/,
  )
})

await t.test('how often people are told', async (t) => {
  t.match(readEnvironment({ ALERT_COOLDOWN: '1h', ALERT_REMINDER: '0' }), { alertCooldownMs: 3_600_000, alertReminderMs: 0 })
})

await t.test('the token of control is a secret like the others', async (t) => {
  const token = '0123456789abcdef0123456789abcdef'
  t.match(readEnvironment({ HEALER_TOKEN: token }), { token })
  t.match(readEnvironment({ HEALER_TOKEN_FILE: join(t.testdir({ token: `${token}\n` }), 'token') }), { token })
  for (const env of [{}, { HEALER_TOKEN: '' }]) t.equal(readEnvironment(env).token, undefined)
})

await t.test('a secret that is wrong is not repeated in the message', async (t) => {
  const file = join(temporaryDirectory(t), 'url')
  writeFileSync(file, 'not-an-address-but-secret')
  t.throws(() => readEnvironment({ SLACK_WEBHOOK_URL_FILE: file }), { message: /^(?!.*but-secret)SLACK_WEBHOOK_URL holds/ })
})
