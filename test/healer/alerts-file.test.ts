// ALERTS_FILE: what it says becomes receivers, and every kind of mistake in it is told with its place and what was expected.
// invalid-alerts/ has one file for each mistake, and beside it what is said.
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { ALERT_EVENTS } from '../../healer/alert/alert.ts'
import { parseAlertsFile } from '../../healer/alert/alerts-file.ts'
import { DEFAULT_EVENTS } from '../../healer/alert/receivers.ts'
import { alertOf, SINCE_MS } from './support/alerts.ts'

const SECRETS: Readonly<Record<string, string>> = {
  '/run/secrets/slack': 'https://hooks.slack.example/services/T0/B0/x\n',
  '/run/secrets/password': 'hunter2\n',
  '/run/secrets/empty': '\n',
}
const readFile = (path: string): string => {
  const text = SECRETS[path]
  if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
  return text
}
const parse = (text: string) => parseAlertsFile(text, 'alerts.yaml', readFile)
const receiversOf = (text: string) => {
  const parsed = parse(text)
  if ('problems' in parsed) throw new Error(parsed.problems.join('\n'))
  return parsed.receivers
}

const DIRECTORY = new URL('invalid-alerts/', import.meta.url)
const mistakes = readdirSync(DIRECTORY).filter((name) => name.endsWith('.yaml'))
for (const name of mistakes) {
  await t.test(`${name.replace('.yaml', '').replaceAll('-', ' ')} is a mistake, and is told as one`, async (t) => {
    const parsed = parse(readFileSync(new URL(name, DIRECTORY), 'utf8'))
    const problems = 'problems' in parsed ? parsed.problems : ['nothing is wrong']
    t.equal(`${problems.join('\n')}\n`, readFileSync(new URL(name.replace('.yaml', '.txt'), DIRECTORY), 'utf8'))
    t.equal(problems.length, 1)
    t.notMatch(problems.join('\n'), /hunter2/)
  })
}

await t.test('each mistake has its message, and each message its mistake', async (t) => {
  const texts = readdirSync(DIRECTORY).filter((name) => name.endsWith('.txt'))
  t.same(
    texts.map((name) => name.replace('.txt', '.yaml')),
    mistakes,
  )
})

await t.test('every mistake is told at once, each with its line', async (t) => {
  const parsed = parse('receivers:\n  - slack: {}\n    nam: x\n  - webhok: {}\n  - webhook: { url: nowhere }\n')
  t.same('problems' in parsed && parsed.problems.map((problem) => problem.slice(0, 17)), [
    'alerts.yaml:3:5: ',
    'alerts.yaml:2:5: ',
    'alerts.yaml:4:5: ',
    'alerts.yaml:5:21:',
  ])
})

await t.test(
  'a slip of the keyboard anywhere is a mistake or another receiver, never a crash, and shows no secret',
  async (t) => {
    const text = `receivers:
  - slack: { webhook_url: "https://hooks.slack.example/hunter2" }
    name: ops
  - webhook: { url: https://a.example/hunter2, secret: hunter2, headers: { X-Token: hunter2 } }
    events: [restarted]
    containers: ["shop-*"]
`
    for (let at = 0; at < text.length; at++) {
      for (const slip of ['', ':', '"', '\n', '*', '!']) {
        const parsed = parse(text.slice(0, at) + slip + text.slice(at + 1))
        if ('problems' in parsed && /hunter2|slack\.example/.test(parsed.problems.join('\n'))) t.fail(parsed.problems.join('\n'))
      }
    }
  },
)

await t.test('each kind is made with its settings, from the file or from files that it names', async (t) => {
  const [slack, pagerduty, alertmanager, webhook, ...none] = receiversOf(`
receivers:
  - slack: { webhook_url_file: /run/secrets/slack }
  - pagerduty: { routing_key: 01234567890123456789012345678901, url: https://events.eu.pagerduty.com/v2/enqueue, source: host-7 }
  - alertmanager: { url: http://alertmanager:9093/am, username: postern, password_file: /run/secrets/password, labels: { tier: 1 } }
  - webhook: { url: https://a.example/hook, secret_file: /run/secrets/password, headers: { X-Token: 007 } }
`).map(({ receiver }) => receiver.request([alertOf('restarted')], SINCE_MS))
  t.equal(slack?.url, 'https://hooks.slack.example/services/T0/B0/x')
  t.equal(pagerduty?.url, 'https://events.eu.pagerduty.com/v2/enqueue')
  t.match(JSON.parse(pagerduty?.body ?? ''), { routing_key: '01234567890123456789012345678901', payload: { source: 'host-7' } })
  t.equal(alertmanager?.url, 'http://alertmanager:9093/am/api/v2/alerts')
  t.equal(alertmanager?.headers.authorization, `Basic ${Buffer.from('postern:hunter2').toString('base64')}`)
  t.match(JSON.parse(alertmanager?.body ?? ''), [{ labels: { tier: '1' } }])
  t.match(webhook?.headers, { 'X-Token': '007', 'X-Postern-Signature-256': /^sha256=[0-9a-f]{64}$/ })
  t.same(none, [])
})

await t.test(
  'a receiver is told of everything but what has only begun, unless it says of which events and containers',
  async (t) => {
    const [all, some] = receiversOf(`
receivers:
  - webhook: { url: https://a.example/hook }
  - webhook: { url: https://a.example/hook }
    name: ops
    events: [opened, gave-up]
    containers: [web, "shop-*"]
`)
    t.same(all?.receiver.events, DEFAULT_EVENTS)
    t.same(
      DEFAULT_EVENTS,
      ALERT_EVENTS.filter((event) => event !== 'opened'),
    )
    t.same(some?.receiver.events, ['opened', 'gave-up'])
    t.match([all, some], [{ name: undefined }, { name: 'ops', receiver: { name: 'ops' } }])
    const told = (receiver: typeof all) =>
      ['web', 'web-2', 'shop-1', 'ashop-1', 'shop-'].filter((name) => receiver?.receiver.isFor(name))
    t.same(told(all), ['web', 'web-2', 'shop-1', 'ashop-1', 'shop-'])
    t.same(told(some), ['web', 'shop-1', 'shop-'])
  },
)
