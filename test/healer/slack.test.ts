// Slack in particular: the words, the original's colours, what was found, and a list where there are many. The rest is in receivers-contract.test.ts.
import t from 'tap'
import type { Alert } from '../../healer/alert/alert.ts'
import { createSlack } from '../../healer/alert/receivers/slack.ts'
import { DEFAULT_EVENTS } from '../../healer/alert/receivers.ts'
import { Secret } from '../../healer/alert/secret.ts'
import { alertOf, SINCE_MS } from './support/alerts.ts'

const URL = 'https://hooks.slack.example/services/T0/B0/x'
const slack = createSlack({ webhook_url: new Secret(URL) }, { name: 'slack', events: DEFAULT_EVENTS, isFor: () => true })
const render = (...alerts: readonly Alert[]) => JSON.parse(slack.request(alerts, SINCE_MS).body)
const noon = Math.floor(SINCE_MS / 1000)

await t.test('an alert is plain text, and one attachment with colour, title, what was found, footer and time', async (t) => {
  t.equal(slack.request([alertOf('restarted')], SINCE_MS).url, URL)
  const text = (text: string) => ({ type: 'mrkdwn', text, verbatim: true })
  t.same(render(alertOf('restarted')), {
    text: 'web failed 3 consecutive health checks (answered 503) and was restarted.',
    unfurl_links: false,
    unfurl_media: false,
    attachments: [
      {
        color: '#ff9900',
        fallback: '🐳 Postern — RESTARTED: web failed 3 consecutive health checks (answered 503) and was restarted.',
        blocks: [
          { type: 'header', text: { type: 'plain_text', text: '🐳 Postern — RESTARTED', emoji: true } },
          {
            type: 'section',
            fields: [
              text('*Container*\nweb'),
              text('*Severity*\nwarning'),
              text(`*Since*\n<!date^${noon}^{date_num} {time_secs}|2026-01-01T12:00:00.000Z>`),
              text('*State*\nrunning'),
              text('*Last exit code*\n137, out of memory'),
            ],
          },
          {
            type: 'section',
            text: text(
              '*Last failures*\n```2026-01-01T12:00:15.000Z answered 503 after 15000\n2026-01-01T12:00:30.000Z answered 503 after 30000\n2026-01-01T12:00:45.000Z answered 503 after 45000```',
            ),
          },
          {
            type: 'context',
            elements: [text(`postern-healer · <!date^${noon + 60}^{date_num} {time_secs}|2026-01-01T12:01:00.000Z>`)],
          },
        ],
      },
    ],
  })
})

await t.test('the colours are the original’s: green for well again, orange for ill, red for what needs a person', async (t) => {
  const colour = (alert: Alert) => render(alert).attachments[0].color
  t.equal(colour(alertOf('recovered')), '#36a64f')
  t.equal(colour(alertOf('restarted')), '#ff9900')
  t.equal(colour(alertOf('restart-failed')), '#ff9900')
  t.equal(colour(alertOf('gave-up')), '#ff0000')
})

await t.test('an attachment with blocks has none of the older fields, which Slack refuses beside them', async (t) => {
  for (const attachment of render(alertOf('restarted')).attachments)
    t.same(Object.keys(attachment), ['color', 'fallback', 'blocks'])
})

await t.test('up to three alerts are told one after another', async (t) => {
  const { text, attachments } = render(alertOf('restarted', { message: 'one' }), alertOf('recovered', { message: 'two' }))
  t.equal(text, 'one\ntwo')
  t.equal(attachments.length, 2)
})

await t.test('more are a list with a line for each, in the colour of the worst', async (t) => {
  const alerts = ['a', 'b', 'c'].map((container) => alertOf('restarted', { container, message: `${container} is ill.` }))
  const { text, attachments } = render(...alerts, alertOf('gave-up', { container: 'd', message: 'd is\nlost.' }))
  t.equal(
    text,
    '4 alerts:\n• a — restarted: a is ill.\n• b — restarted: b is ill.\n• c — restarted: c is ill.\n• d — gave up: d is lost.',
  )
  t.match(attachments, [{ color: '#ff0000', fallback: '🐳 Postern — 4 ALERTS: 1 critical, 3 warning' }])
  t.equal(attachments.length, 1)
})

await t.test('what a container says mentions nobody and forges no link, wherever it is put', async (t) => {
  const hostile = '<!channel> <https://evil.example|Log in> & ```'
  const diagnosis = { status: hostile, exitCode: 1, oomKilled: false, failures: [{ atMs: SINCE_MS, reason: hostile }] }
  const body = JSON.stringify(render(alertOf('restarted', { container: hostile, message: hostile, diagnosis })))
  t.match(body, '&lt;!channel&gt; &lt;https://evil.example|Log in&gt; &amp;')
  t.same(body.match(/<(?!!date\^\d+\^)/g), null)
  // Nothing closes the block of code that the failures stand in.
  t.match(body, "&amp; '''```\"")
})

await t.test('a long message is cut, but never within an escape', async (t) => {
  for (const [index, character] of ['&', '<', 'a&', 'ab<'].entries()) {
    const { text } = render(alertOf('restarted', { message: character.repeat(5000) }))
    t.ok(text.length > 3800 && text.length <= 4000, `${index}: ${text.length}`)
    t.match(text, /(?:[ab]|&amp;|&lt;)…$/)
  }
})
