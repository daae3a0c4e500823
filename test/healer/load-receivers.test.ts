// The receivers of alerts that the environment and ALERTS_FILE set together, with the names that they get.
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { loadReceivers } from '../../healer/alert/load-receivers.ts'
import { DEFAULT_EVENTS, namesMatcher } from '../../healer/alert/receivers.ts'
import { EnvironmentError, readEnvironment } from '../../healer/settings/environment.ts'
import { alertOf, SINCE_MS } from './support/alerts.ts'

const load = (env: NodeJS.ProcessEnv) => loadReceivers(readEnvironment(env).alerting)
const names = (env: NodeJS.ProcessEnv) => load(env).map(({ name }) => name)

const EVERY_KIND = {
  SLACK_WEBHOOK_URL: 'https://hooks.slack.example/services/T0/B0/x',
  PAGERDUTY_ROUTING_KEY: '0123456789abcdef0123456789abcdef',
  ALERTMANAGER_URL: 'http://alertmanager:9093',
  WEBHOOK_URL: 'https://a.example/hook',
  WEBHOOK_SECRET: 'hunter2',
}

await t.test('where nothing is set, nobody is told', async (t) => {
  t.same(load({}), [])
  t.same(load({ SLACK_WEBHOOK_URL: '', ALERTMANAGER_URL: '', ALERTS_FILE: '', WEBHOOK_SECRET: '' }), [])
})

await t.test('a variable for each kind makes a receiver that is told of everything that is told by default', async (t) => {
  const receivers = load(EVERY_KIND)
  t.same(names(EVERY_KIND), ['slack', 'pagerduty', 'alertmanager', 'webhook'])
  for (const { events, isFor } of receivers) {
    t.same(events, DEFAULT_EVENTS)
    t.ok(isFor('anything'))
  }
  const requests = receivers.map((receiver) => receiver.request([alertOf('restarted')], SINCE_MS))
  t.same(
    requests.map(({ url }) => url),
    [
      EVERY_KIND.SLACK_WEBHOOK_URL,
      'https://events.pagerduty.com/v2/enqueue',
      'http://alertmanager:9093/api/v2/alerts',
      EVERY_KIND.WEBHOOK_URL,
    ],
  )
  t.equal(JSON.parse(requests[1]?.body ?? '').routing_key, EVERY_KIND.PAGERDUTY_ROUTING_KEY)
  t.match(requests[3]?.headers, { 'X-Postern-Signature-256': /^sha256=/ })
})

await t.test('each secret can come from a file', async (t) => {
  const { ALERTMANAGER_URL, ...secrets } = EVERY_KIND
  const directory = t.testdir(Object.fromEntries(Object.entries(secrets).map(([name, text]) => [name, `${text}\n`])))
  const env = Object.fromEntries(Object.keys(secrets).map((name) => [`${name}_FILE`, join(directory, name)]))
  const requests = (env: NodeJS.ProcessEnv) => load(env).map((receiver) => receiver.request([alertOf('restarted')], SINCE_MS))
  t.same(requests({ ...env, ALERTMANAGER_URL }), requests(EVERY_KIND))
})

await t.test('no secret of the environment can be printed with the settings', async (t) => {
  const environment = readEnvironment(EVERY_KIND)
  t.notMatch(JSON.stringify(environment), /hunter2|hooks\.slack|0123456789|a\.example/)
})

await t.test('those of the file come after, each with its name, or that of its kind and a number', async (t) => {
  const text = `
receivers:
  - slack: { webhook_url: https://hooks.slack.example/1 }
  - slack: { webhook_url: https://hooks.slack.example/2 }
    name: ops
  - slack: { webhook_url: https://hooks.slack.example/3 }
  - pagerduty: { routing_key: 0123456789abcdef0123456789abcdef }
  - webhook: { url: https://a.example/hook }
    name: slack-2
`
  const ALERTS_FILE = join(t.testdir({ 'alerts.yaml': text }), 'alerts.yaml')
  t.same(names({ ALERTS_FILE }), ['slack', 'ops', 'slack-3', 'pagerduty', 'slack-2'])
  t.same(names({ ...EVERY_KIND, ALERTS_FILE }).slice(4), ['slack-3', 'ops', 'slack-4', 'pagerduty-2', 'slack-2'])
})

await t.test('a star stands for any run of characters, and everything else for itself', async (t) => {
  const characters = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 8 })
  fc.assert(
    fc.property(characters, fc.string({ unit: fc.constantFrom('a', 'b', '.'), maxLength: 12 }), (pattern, name) => {
      const expected = new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`)
      return namesMatcher([pattern])(name) === expected.test(name)
    }),
  )
  t.ok(namesMatcher(['x', 'web'])('web'))
  t.notOk(namesMatcher(['web'])('web-2'))
})

await t.test('a file that cannot be read, or with mistakes, stops the start with a sentence for each', async (t) => {
  const directory = t.testdir({ 'alerts.yaml': 'receivers:\n  - slak: {}\n  - slack: {}\n' })
  const none = join(directory, 'none.yaml')
  t.throws(() => load({ ALERTS_FILE: none }), new EnvironmentError(`ALERTS_FILE is “${none}”, which cannot be read: ENOENT`))
  const file = join(directory, 'alerts.yaml')
  t.throws(() => load({ ALERTS_FILE: file }), { name: 'EnvironmentError', message: /alerts\.yaml:2:5: .*\n.*alerts\.yaml:3:5: / })
})
