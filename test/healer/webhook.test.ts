// The webhook in particular: its JSON, its signature, and headers of one's own. The rest is in receivers-contract.test.ts.
import { createHmac } from 'node:crypto'
import t from 'tap'
import { createWebhook, SIGNATURE_HEADER } from '../../healer/alert/receivers/webhook.ts'
import { DEFAULT_EVENTS } from '../../healer/alert/receivers.ts'
import { Secret } from '../../healer/alert/secret.ts'
import { alertOf, SINCE_MS } from './support/alerts.ts'

type Settings = Parameters<typeof createWebhook>[0]
const request = (settings: Omit<Settings, 'url'> = {}, alert = alertOf('restarted')) =>
  createWebhook(
    { url: new Secret('https://a.example/hook'), ...settings },
    { name: 'webhook', events: DEFAULT_EVENTS, isFor: () => true },
  ).request([alert], SINCE_MS)

await t.test('alerts are JSON with times as RFC 3339', async (t) => {
  t.same(JSON.parse(request().body), {
    version: 1,
    alerts: [
      {
        id: 'postern/web/3f9c0a5d2b71/1767268800000/1',
        incident: 'postern/web/3f9c0a5d2b71/1767268800000',
        event: 'restarted',
        severity: 'warning',
        container: 'web',
        message: 'web failed 3 consecutive health checks (answered 503) and was restarted.',
        at: '2026-01-01T12:01:00.000Z',
        since: '2026-01-01T12:00:00.000Z',
        resolved: false,
        diagnosis: {
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
    ],
  })
})

await t.test('with a secret, the very bytes of the body are signed as GitHub signs them', async (t) => {
  const { headers, body } = request({ secret: new Secret('It’s a secret') }, alertOf('restarted', { message: 'grün 🐳' }))
  t.equal(headers[SIGNATURE_HEADER], `sha256=${createHmac('sha256', 'It’s a secret').update(Buffer.from(body)).digest('hex')}`)
  t.notOk(SIGNATURE_HEADER in request().headers)
})

await t.test('headers of one’s own go along, and cannot replace the ones that say what it is', async (t) => {
  const headers = { Authorization: new Secret('Bearer x'), 'content-type': new Secret('text/plain') }
  t.match(request({ headers }).headers, { Authorization: 'Bearer x', 'content-type': 'application/json' })
})
