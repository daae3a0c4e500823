// Alerts and Slack: what is told, in which words, and that a real HTTP request arrives.
import { pino } from 'pino'
import t from 'tap'
import { type Alert, alertFor } from '../../healer/alert/alert.ts'
import { createSlack } from '../../healer/alert/slack.ts'
import type { Happening } from '../../healer/health/happening.ts'
import { startServer } from './support/bench.ts'

const alert: Alert = {
  event: 'restarted',
  severity: 'degraded',
  container: 'web',
  message: 'web <1> & more',
  atMs: 1_767_225_600_500,
}

/** A receiver on 127.0.0.1 that answers with the statuses of `answers` in turn, and keeps what it was sent. */
async function startReceiver(t: Parameters<typeof startServer>[0], answers: readonly number[] = []) {
  const app = await startServer(t)
  const bodies: Record<string, unknown>[] = []
  app.handler = (request, response) => {
    let text = ''
    request.on('data', (chunk) => {
      text += chunk
    })
    request.on('end', () => {
      bodies.push({ method: request.method, type: request.headers['content-type'], ...JSON.parse(text) })
      response.writeHead(answers[bodies.length - 1] ?? 200).end('ok')
    })
  }
  const log: string[] = []
  const logger = pino({}, { write: (line: string) => void log.push(line) })
  const slack = createSlack({ url: `http://127.0.0.1:${app.port}/services/T0/B0/secret`, log: logger, retryPauseMs: 1 })
  return { bodies, log, slack }
}

await t.test('an alert arrives as one attachment with colour, title, text, footer and time, and as plain text', async (t) => {
  const { bodies, slack } = await startReceiver(t)
  await slack.send(alert)
  t.same(bodies, [
    {
      method: 'POST',
      type: 'application/json',
      text: 'web &lt;1&gt; &amp; more',
      attachments: [
        {
          color: '#ff9900',
          title: '🐳 Postern — RESTARTED',
          text: 'web &lt;1&gt; &amp; more',
          footer: 'postern-healer',
          ts: 1_767_225_600,
        },
      ],
    },
  ])
})

await t.test('the colours are the original’s, by event', async (t) => {
  const { bodies, slack } = await startReceiver(t)
  for (const severity of ['recovered', 'degraded', 'critical'] as const) await slack.send({ ...alert, severity })
  t.match(
    bodies,
    ['#36a64f', '#ff9900', '#ff0000'].map((color) => ({ attachments: [{ color }] })),
  )
})

await t.test('a receiver that fails is tried again, and alerts arrive in order', async (t) => {
  const { bodies, slack } = await startReceiver(t, [500, 503, 200])
  void slack.send({ ...alert, message: 'first' })
  void slack.send({ ...alert, message: 'second' })
  await slack.settled()
  t.same(
    bodies.map(({ text }) => text),
    ['first', 'first', 'first', 'second'],
  )
})

await t.test('what can never succeed is not tried again, and is said without the address', async (t) => {
  const { bodies, slack, log } = await startReceiver(t, [404])
  await slack.send(alert)
  t.equal(bodies.length, 1)
  t.match(log.join(''), /Slack could not be told that web restarted: it answered 404; check SLACK_WEBHOOK_URL/)
  t.notMatch(log.join(''), /secret/)
})

await t.test('a receiver that is not there rejects nothing and is said without the address', async (t) => {
  const log: string[] = []
  const logger = pino({}, { write: (line: string) => void log.push(line) })
  const slack = createSlack({ url: 'http://127.0.0.1:9/services/secret', log: logger, retryPauseMs: 1 })
  await slack.send(alert)
  t.match(log.join(''), /Slack could not be told that web restarted: it cannot be reached/)
  t.notMatch(log.join(''), /secret/)
})

const told: [Happening, Partial<Alert> | undefined][] = [
  [
    { kind: 'restarted', failures: 3, tookMs: 500, reason: 'answered 503' },
    {
      event: 'restarted',
      severity: 'degraded',
      message:
        'web failed 3 consecutive health checks (answered 503) and was restarted. Whether it is well will be seen by the next probes.',
    },
  ],
  [
    { kind: 'recovered', restarts: 1, afterMs: 5000, sinceFailureMs: 36_000 },
    {
      event: 'recovered',
      severity: 'recovered',
      message: 'web is healthy again: a probe saw it well 5 s after the restart, 36 s after its first failed check.',
    },
  ],
  [
    { kind: 'restart-failed', message: 'no', attempt: 1, maxRestarts: 5, first: true },
    {
      event: 'restart failed',
      severity: 'critical',
      message: 'web could not be restarted: no. It is tried again, with growing pauses, up to 5 times.',
    },
  ],
  [{ kind: 'restart-failed', message: 'no.', attempt: 2, maxRestarts: 5, first: false }, undefined],
  [
    { kind: 'gave-up', restarts: 5, reason: 'answered 503' },
    { event: 'gave up', severity: 'critical' },
  ],
  [
    { kind: 'never-healthy', reason: 'answered 404' },
    { event: 'never healthy', severity: 'degraded' },
  ],
  [{ kind: 'failing', failures: 1, threshold: 3, reason: 'answered 503' }, undefined],
  [{ kind: 'healthy', reason: 'answered 200' }, undefined],
]
for (const [happening, expected] of told) {
  await t.test(`“${happening.kind}” is ${expected ? `told as “${expected.event}”` : 'not told'}`, async (t) => {
    const made = alertFor('web', happening, 1)
    if (expected) t.match(made, { container: 'web', atMs: 1, ...expected })
    else t.equal(made, undefined)
  })
}
