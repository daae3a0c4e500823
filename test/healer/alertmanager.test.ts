// Alertmanager in particular: what an alert's identity is there, when it ends, and who asks. The rest is in receivers-contract.test.ts.
import t from 'tap'
import type { Alert } from '../../healer/alert/alert.ts'
import { RESEND_MS } from '../../healer/alert/receiver.ts'
import { createAlertmanager } from '../../healer/alert/receivers/alertmanager.ts'
import { DEFAULT_EVENTS } from '../../healer/alert/receivers.ts'
import { Secret } from '../../healer/alert/secret.ts'
import { ALL_EVENTS, alertOf, SINCE_MS } from './support/alerts.ts'

type Settings = Parameters<typeof createAlertmanager>[0]
const create = (settings: Omit<Settings, 'url'> & { readonly url?: string } = {}) =>
  createAlertmanager(
    { url: 'http://alertmanager:9093', ...settings },
    { name: 'alertmanager', events: DEFAULT_EVENTS, isFor: () => true },
  )
const NOW_MS = SINCE_MS + 300_000
const render = (...alerts: readonly Alert[]) => JSON.parse(create().request(alerts, NOW_MS).body)

await t.test('an alert has labels that say which container, and annotations that say the rest', async (t) => {
  t.same(render(alertOf('restarted')), [
    {
      labels: { alertname: 'PosternContainerIll', container: 'web' },
      annotations: {
        summary: 'web — restarted',
        description: 'web failed 3 consecutive health checks (answered 503) and was restarted.',
        event: 'restarted',
        severity: 'warning',
        incident: 'postern/web/3f9c0a5d2b71/1767268800000',
        status: 'running',
        exit_code: '137',
        oom_killed: 'true',
        failures:
          '2026-01-01T12:00:15.000Z answered 503 after 15000\n2026-01-01T12:00:30.000Z answered 503 after 30000\n2026-01-01T12:00:45.000Z answered 503 after 45000',
      },
      startsAt: '2026-01-01T12:00:00.000Z',
      endsAt: '2026-01-01T12:09:00.000Z',
    },
  ])
})

await t.test('whatever happens to a container is one alert: no event and no severity changes its labels', async (t) => {
  const [first, ...others] = render(...ALL_EVENTS)
  for (const { labels } of others) t.same(labels, first.labels)
})

await t.test('it lasts four times as long as it takes to be told again, and ends when the incident did', async (t) => {
  t.equal(create().resends, true)
  t.equal(Date.parse(render(alertOf('gave-up'))[0].endsAt), NOW_MS + 4 * RESEND_MS)
  t.equal(render(alertOf('recovered'))[0].endsAt, '2026-01-01T12:01:00.000Z')
})

await t.test('it never ends before it began, which Alertmanager refuses, even when the clock was set back', async (t) => {
  for (const event of ['restarted', 'recovered'] as const) {
    const [{ startsAt, endsAt }] = render(alertOf(event, { sinceMs: NOW_MS + 3_600_000, atMs: SINCE_MS }))
    t.ok(Date.parse(startsAt) <= Date.parse(endsAt), event)
  }
})

await t.test('labels of one’s own stand beside them, and never instead of them', async (t) => {
  const { body } = create({ labels: { team: 'shop', severity: 'page', container: 'x' } }).request([alertOf('restarted')], NOW_MS)
  t.same(JSON.parse(body)[0].labels, { team: 'shop', severity: 'page', alertname: 'PosternContainerIll', container: 'web' })
})

await t.test('the address may have a path before the API’s', async (t) => {
  const url = (text: string) => create({ url: text }).request([alertOf('restarted')], NOW_MS).url
  t.equal(url('http://alertmanager:9093'), 'http://alertmanager:9093/api/v2/alerts')
  t.equal(url('https://a.example/alertmanager/'), 'https://a.example/alertmanager/api/v2/alerts')
})

await t.test('a password or a token goes along, in a header alone', async (t) => {
  const headers = (settings: Omit<Settings, 'url'>) => create(settings).request([alertOf('restarted')], NOW_MS).headers
  t.notOk('authorization' in headers({}))
  t.equal(headers({ bearer_token: new Secret('abc') }).authorization, 'Bearer abc')
  t.equal(
    headers({ username: 'u', password: new Secret('pä:ss') }).authorization,
    `Basic ${Buffer.from('u:pä:ss').toString('base64')}`,
  )
})
