// docs/alerts.md is held to the code: every receiver, setting and event is on it, and its examples do what it says.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Ajv } from 'ajv'
import t from 'tap'
import { parse } from 'yaml'
import { ALERT_EVENTS, SEVERITIES } from '../healer/alert/alert.ts'
import { parseAlertsFile } from '../healer/alert/alerts-file.ts'
import { loadReceivers } from '../healer/alert/load-receivers.ts'
import { createWebhook, SIGNATURE_HEADER } from '../healer/alert/receivers/webhook.ts'
import { DEFAULT_EVENTS, RECEIVER_KINDS, RECEIVERS } from '../healer/alert/receivers.ts'
import { Secret } from '../healer/alert/secret.ts'
import { readEnvironment, VARIABLES } from '../healer/settings/environment.ts'
import { ALL_EVENTS, alertOf, SINCE_MS } from './healer/support/alerts.ts'
import { blocks, firstColumn, readPage, tableRows, words } from './support/pages.ts'

const page = readPage('alerts.md')
const HEADINGS = { slack: 'Slack', pagerduty: 'PagerDuty', alertmanager: 'Alertmanager', webhook: 'Webhook' } as const

const readFile = (path: string) =>
  ({
    '/run/secrets/slack': 'https://hooks.slack.example/x',
    '/run/secrets/pagerduty': '0123456789abcdef0123456789abcdef',
    '/run/secrets/alertmanager': 'x',
    '/run/secrets/webhook-url': 'https://a.example',
    '/run/secrets/webhook-key': 'x',
  })[path] ?? ''

await t.test('every kind of receiver, its variables, and how many alerts a request tells of', async (t) => {
  t.same(firstColumn(page, 'Receivers'), RECEIVER_KINDS)
  const env = {
    SLACK_WEBHOOK_URL: 'https://a',
    PAGERDUTY_ROUTING_KEY: 'a'.repeat(32),
    ALERTMANAGER_URL: 'http://a',
    WEBHOOK_URL: 'https://a',
  }
  const rows = tableRows(page, 'Receivers')
  t.same(
    rows.map(([, , told]) => told?.trim()),
    loadReceivers(readEnvironment(env).alerting).map(({ maxBatch }) => (maxBatch === 1 ? '1 alert' : `up to ${maxBatch} alerts`)),
  )
  const variables = rows.flatMap(([, variable]) => words(variable))
  for (const name of variables) t.ok(name in VARIABLES, name)
  t.same(
    Object.keys(env).filter((name) => !variables.includes(name)),
    [],
  )
})

await t.test('every receiver’s settings, which of them are secrets, and five steps to set it up', async (t) => {
  for (const kind of RECEIVER_KINDS) {
    const { settings, secrets }: { settings: readonly string[]; secrets: readonly string[] } = RECEIVERS[kind]
    t.same(firstColumn(page, HEADINGS[kind]), settings, kind)
    const told = tableRows(page, HEADINGS[kind]).filter(([, takes]) => /\ba secret\b/.test(takes ?? ''))
    t.same(
      told.flatMap(([name]) => words(name)),
      secrets,
      `the secrets of ${kind}`,
    )
    const [section = ''] = page.split(/^### /m).filter((part) => part.startsWith(HEADINGS[kind]))
    t.equal(section.match(/^\d\. /gm)?.length, 5, `the steps of ${kind}`)
  }
})

await t.test('every event, its severity, and whether it is told by default', async (t) => {
  const rows = tableRows(page, 'Events')
  t.same(
    rows.flatMap(([event]) => words(event)),
    ALERT_EVENTS,
  )
  t.same(
    rows.filter(([, , , told]) => told?.trim() === 'yes').flatMap(([event]) => words(event)),
    DEFAULT_EVENTS,
  )
  for (const [event, , severity] of rows.filter(([event]) => !event?.includes('reminder')))
    t.ok(
      SEVERITIES.some((known) => words(severity)[0] === known),
      `${event}`,
    )
})

await t.test('the keys of the file, and the file that it shows', async (t) => {
  const rows = tableRows(page, 'The file')
  t.same(
    rows.flatMap(([key]) => words(key)),
    [...RECEIVER_KINDS, 'name', 'events', 'containers'],
  )
  const parsed = parseAlertsFile(blocks(page, 'yaml')[0] ?? '', 'alerts.yaml', readFile)
  t.match('receivers' in parsed ? parsed.receivers : parsed.problems, [
    { name: 'ops', receiver: { events: ['restarted', 'gave-up', 'recovered'] } },
    { kind: 'pagerduty' },
    { kind: 'alertmanager' },
    { kind: 'webhook' },
  ])
})

await t.test('the secrets that it mounts are the ones that the services use', async (t) => {
  const { services, secrets } = parse(blocks(page, 'yaml')[1] ?? '')
  t.same(services.healer.secrets, Object.keys(secrets))
  t.match(services.healer.environment, { ALERTS_FILE: `/run/secrets/${Object.keys(secrets)[0]}` })
  const [, user] = /AS healer$.*?^USER (\d+)/ms.exec(readFileSync('compose/Dockerfile', 'utf8')) ?? []
  t.match(page, `the healer's user, ${user};`)
})

await t.test('a mistake in the file is told as it shows', async (t) => {
  const parsed = parseAlertsFile('receivers:\n  - slack: { webhook_ulr: https://a }\n', 'alerts.yaml', readFile)
  t.match(page, `\`\`\`\n${'problems' in parsed ? parsed.problems.join('\n') : 'none'}\n\`\`\``)
})

await t.test('the JSON that it shows is what a webhook is sent, and is as the schema says', async (t) => {
  const shown: unknown = JSON.parse(blocks(page, 'json')[0] ?? '')
  const validate = new Ajv({ formats: { 'date-time': true } }).compile(
    JSON.parse(readFileSync('docs/webhook.schema.json', 'utf8')),
  )
  t.ok(validate(shown), JSON.stringify(validate.errors))
  const diagnosis = {
    status: 'running',
    exitCode: 0,
    oomKilled: false,
    failures: [{ atMs: SINCE_MS + 45_000, reason: 'answered 503' }],
  }
  t.same(shown, JSON.parse(request(alertOf('restarted', { diagnosis })).body))
})

function request(alert = alertOf('restarted'), secret = 'It’s a secret') {
  const common = { name: 'webhook', events: DEFAULT_EVENTS, isFor: () => true }
  return createWebhook({ url: new Secret('https://a.example'), secret: new Secret(secret) }, common).request([alert], SINCE_MS)
}

await t.test('its program tells a signed body from any other', async (t) => {
  const file = join(t.testdir({ 'check.mjs': blocks(page, 'js')[0] ?? '' }), 'check.mjs')
  const { isSigned } = (await import(pathToFileURL(file).href)) as { isSigned: (...texts: (string | undefined)[]) => boolean }
  for (const alert of ALL_EVENTS) {
    const { body, headers } = request(alert)
    t.ok(isSigned(body, headers[SIGNATURE_HEADER], 'It’s a secret'))
    t.notOk(isSigned(`${body} `, headers[SIGNATURE_HEADER], 'It’s a secret'))
    t.notOk(isSigned(body, headers[SIGNATURE_HEADER], 'another'))
    t.notOk(isSigned(body, undefined, 'It’s a secret'))
  }
})
