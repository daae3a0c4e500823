// PagerDuty in particular: what opens an alert, what ends it, and what it holds. The rest is in receivers-contract.test.ts.
import t from 'tap'
import type { Alert } from '../../healer/alert/alert.ts'
import { createPagerduty } from '../../healer/alert/receivers/pagerduty.ts'
import { DEFAULT_EVENTS } from '../../healer/alert/receivers.ts'
import { Secret } from '../../healer/alert/secret.ts'
import { ALL_EVENTS, alertOf, SINCE_MS } from './support/alerts.ts'

const KEY = '0123456789abcdef0123456789abcdef'
const common = { name: 'pagerduty', events: DEFAULT_EVENTS, isFor: () => true }
const pagerduty = createPagerduty({ routing_key: new Secret(KEY) }, common)
const render = (alert: Alert) => JSON.parse(pagerduty.request([alert], SINCE_MS).body)

await t.test('an alert is triggered with what was found', async (t) => {
  t.equal(pagerduty.request([alertOf('restarted')], SINCE_MS).url, 'https://events.pagerduty.com/v2/enqueue')
  t.same(render(alertOf('restarted')), {
    routing_key: KEY,
    dedup_key: 'postern/web/3f9c0a5d2b71/1767268800000',
    event_action: 'trigger',
    client: 'Postern',
    payload: {
      summary: 'web — restarted: web failed 3 consecutive health checks (answered 503) and was restarted.',
      severity: 'warning',
      source: 'postern',
      timestamp: '2026-01-01T12:01:00.000Z',
      component: 'web',
      class: 'restarted',
      custom_details: {
        event: 'restarted',
        message: 'web failed 3 consecutive health checks (answered 503) and was restarted.',
        since: '2026-01-01T12:00:00.000Z',
        status: 'running',
        exitCode: 137,
        oomKilled: true,
        failures: [
          { at: '2026-01-01T12:00:15.000Z', reason: 'answered 503 after 15000' },
          { at: '2026-01-01T12:00:30.000Z', reason: 'answered 503 after 30000' },
          { at: '2026-01-01T12:00:45.000Z', reason: 'answered 503 after 45000' },
        ],
      },
    },
  })
})

await t.test('it is resolved under the same key, and by nothing else', async (t) => {
  t.same(render(alertOf('recovered')), {
    routing_key: KEY,
    dedup_key: 'postern/web/3f9c0a5d2b71/1767268800000',
    event_action: 'resolve',
  })
  t.same(
    ALL_EVENTS.filter((alert) => render(alert).event_action === 'resolve').map(({ event }) => event),
    ['recovered'],
  )
})

await t.test('a reminder triggers again, under the same key', async (t) => {
  t.match(render(alertOf('reminder')), { event_action: 'trigger', dedup_key: 'postern/web/3f9c0a5d2b71/1767268800000' })
})

await t.test('restarted is a warning, a failed restart an error, giving up critical', async (t) => {
  const severity = (alert: Alert) => render(alert).payload.severity
  t.equal(severity(alertOf('restarted')), 'warning')
  t.equal(severity(alertOf('restart-failed')), 'error')
  t.equal(severity(alertOf('gave-up')), 'critical')
})

await t.test('where it is sent and what the source is called can be set', async (t) => {
  const url = 'https://events.eu.pagerduty.com/v2/enqueue'
  const elsewhere = createPagerduty({ routing_key: new Secret(KEY), url, source: 'host-7' }, common)
  const request = elsewhere.request([alertOf('restarted')], SINCE_MS)
  t.equal(request.url, url)
  t.equal(JSON.parse(request.body).payload.source, 'host-7')
})

await t.test('a request tells of one alert', async (t) => {
  t.equal(pagerduty.maxBatch, 1)
  t.throws(() => pagerduty.request([], SINCE_MS), { message: 'a request to PagerDuty tells of one alert, and was given none' })
})
