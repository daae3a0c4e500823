// What every receiver of alerts keeps to, whatever it is told: valid requests within the bounds of who takes them, one key for an
// incident from its beginning to its end, nothing hostile let through, and no secret where it does not belong.
import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { Ajv } from 'ajv'
import t, { type Test } from 'tap'
import type { Alert } from '../../healer/alert/alert.ts'
import type { Receiver } from '../../healer/alert/receiver.ts'
import { createAlertmanager } from '../../healer/alert/receivers/alertmanager.ts'
import { createPagerduty } from '../../healer/alert/receivers/pagerduty.ts'
import { createSlack } from '../../healer/alert/receivers/slack.ts'
import { createWebhook } from '../../healer/alert/receivers/webhook.ts'
import { DEFAULT_EVENTS, RECEIVER_KINDS, type ReceiverKind } from '../../healer/alert/receivers.ts'
import { Secret } from '../../healer/alert/secret.ts'
import { ALL_EVENTS, alertOf, HOSTILE_TEXTS, hostileAlert, SINCE_MS } from './support/alerts.ts'

const NOW_MS = SINCE_MS + 120_000

type Json = Readonly<Record<string, unknown>>
type Kind = {
  readonly receiver: Receiver
  /** Each secret, and the only part of a request that may hold it. */
  readonly secrets: Readonly<Record<string, 'url' | 'headers' | 'body'>>
  /** A JSON Schema of what is taken, with the bounds that its makers document. */
  readonly schema: object
  /** For each alert of a body: what it is one of there, and whether it is over. `undefined`: it keeps no incidents. */
  readonly told: ((body: never) => readonly { readonly key: unknown; readonly resolved: boolean }[]) | undefined
}

const common = { name: 'ops', events: DEFAULT_EVENTS, isFor: () => true }
const hidden = (text: string) => new Secret(text)
const text = (maxLength: number, minLength = 1) => ({ type: 'string', minLength, maxLength })
const object = (properties: Json, optional: readonly string[] = []) => ({
  type: 'object',
  additionalProperties: false,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  properties,
})
const TIME = { type: 'string', pattern: '^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?Z$' }

const mrkdwn = (max: number) => object({ type: { const: 'mrkdwn' }, verbatim: { const: true }, text: text(max) })
const SLACK = object({
  text: text(4000),
  unfurl_links: { const: false },
  unfurl_media: { const: false },
  attachments: {
    type: 'array',
    minItems: 1,
    maxItems: 20,
    items: object({
      color: { enum: ['#36a64f', '#ff9900', '#ff0000'] },
      fallback: text(4000),
      blocks: {
        type: 'array',
        minItems: 1,
        maxItems: 16,
        items: {
          anyOf: [
            object({ type: { const: 'header' }, text: object({ type: { const: 'plain_text' }, text: text(150), emoji: {} }) }),
            object({ type: { const: 'section' }, text: mrkdwn(3000) }),
            object({ type: { const: 'section' }, fields: { type: 'array', minItems: 1, maxItems: 10, items: mrkdwn(2000) } }),
            object({ type: { const: 'context' }, elements: { type: 'array', minItems: 1, maxItems: 10, items: mrkdwn(3000) } }),
          ],
        },
      },
    }),
  },
})

const PAYLOAD = object({
  summary: text(1024),
  severity: { enum: ['critical', 'error', 'warning', 'info'] },
  source: text(1024),
  timestamp: TIME,
  component: text(255, 0),
  class: text(255),
  custom_details: { type: 'object' },
})
const PAGERDUTY = {
  ...object({ routing_key: text(32, 32), dedup_key: text(255), event_action: {}, client: text(255), payload: PAYLOAD }, [
    'client',
    'payload',
  ]),
  anyOf: [
    { properties: { event_action: { const: 'trigger' } }, required: ['payload'] },
    { properties: { event_action: { const: 'resolve' } } },
  ],
}

const LABELS = {
  type: 'object',
  propertyNames: { pattern: '^[a-zA-Z_][a-zA-Z0-9_]*$' },
  additionalProperties: { type: 'string' },
}
const ALERTMANAGER = {
  type: 'array',
  minItems: 1,
  items: object({
    labels: { ...LABELS, required: ['alertname', 'container'] },
    annotations: LABELS,
    startsAt: TIME,
    endsAt: TIME,
  }),
}

const KINDS: Readonly<Record<ReceiverKind, Kind>> = {
  slack: {
    receiver: createSlack({ webhook_url: hidden('https://hooks.slack.example/services/hunter2') }, common),
    secrets: { 'https://hooks.slack.example/services/hunter2': 'url' },
    schema: SLACK,
    told: undefined,
  },
  pagerduty: {
    receiver: createPagerduty({ routing_key: hidden('hunter2hunter2hunter2hunter2hunt') }, common),
    secrets: { hunter2hunter2hunter2hunter2hunt: 'body' },
    schema: PAGERDUTY,
    told: ({ dedup_key, event_action }: Json) => [{ key: dedup_key, resolved: event_action === 'resolve' }],
  },
  alertmanager: {
    receiver: createAlertmanager({ url: 'http://alertmanager:9093', bearer_token: hidden('hunter2') }, common),
    secrets: { hunter2: 'headers' },
    schema: ALERTMANAGER,
    told: (alerts: readonly { readonly labels: Json; readonly endsAt: string }[]) =>
      alerts.map(({ labels, endsAt }) => ({ key: labels, resolved: Date.parse(endsAt) <= NOW_MS })),
  },
  webhook: {
    receiver: createWebhook(
      { url: hidden('https://a.example/hunter2'), secret: hidden('hunter3'), headers: { Authorization: hidden('hunter4') } },
      common,
    ),
    secrets: { hunter2: 'url', hunter3: 'body', hunter4: 'headers' },
    schema: JSON.parse(readFileSync('docs/webhook.schema.json', 'utf8')),
    told: ({ alerts }: { readonly alerts: readonly Json[] }) =>
      alerts.map(({ incident, resolved }) => ({ key: incident, resolved: resolved === true })),
  },
}

await t.test('every kind is held to it', async (t) => {
  t.same(Object.keys(KINDS), RECEIVER_KINDS)
})

for (const [name, { receiver, secrets, schema, told }] of Object.entries(KINDS)) {
  const validate = new Ajv({ allErrors: true, formats: { 'date-time': true } }).compile(schema)
  /** The body of the request that tells of `alerts`, which is valid. */
  const bodyOf = (t: Test, alerts: readonly Alert[]) => {
    const parsed: unknown = JSON.parse(receiver.request(alerts, NOW_MS).body)
    t.ok(validate(parsed), JSON.stringify(validate.errors?.slice(0, 3)))
    return parsed
  }

  await t.test(`${name}: every event makes a valid request, with and without a diagnosis`, async (t) => {
    for (const alert of ALL_EVENTS) {
      t.match(JSON.stringify(bodyOf(t, [alert])), alert.container, alert.event)
      bodyOf(t, [{ ...alert, diagnosis: undefined }])
    }
  })

  await t.test(`${name}: it is a POST of JSON`, async (t) => {
    const { url, headers } = receiver.request([alertOf('restarted')], NOW_MS)
    t.match(url, /^https?:/)
    t.match(headers, { 'content-type': 'application/json', 'user-agent': 'postern-healer' })
  })

  await t.test(`${name}: batches up to ${receiver.maxBatch} make one valid request that tells of each`, async (t) => {
    for (let count = 1; count <= receiver.maxBatch; count++) {
      const alerts = Array.from({ length: count }, (_, index) =>
        alertOf('restarted', { id: `${index}`, container: `web-${index}.` }),
      )
      const body = JSON.stringify(bodyOf(t, alerts))
      for (const { container } of alerts) t.ok(body.includes(container), `${container} of ${count}`)
    }
  })

  await t.test(`${name}: nothing hostile gets through, and nothing grows beyond its bounds`, async (t) => {
    for (const text of HOSTILE_TEXTS) {
      for (const event of ['restarted', 'recovered'] as const) {
        const alerts = Array.from({ length: receiver.maxBatch }, () => hostileAlert(text, event))
        for (const batch of [alerts.slice(0, 1), alerts]) {
          const body = JSON.stringify(bodyOf(t, batch))
          t.ok(body.length < 30_000 * batch.length, `${body.length} for ${batch.length}`)
          // Control characters, those that turn the direction of reading, and halves of characters; line feeds are the receiver's own.
          t.notMatch(body.replaceAll('\\n', ''), /[\p{Cc}\p{Cf}]|\\u(00[01]|202|d[89a-f])|\\[rtbf]/u)
        }
      }
    }
  })

  await t.test(`${name}: its secrets are where they belong, and nowhere else`, async (t) => {
    const request = receiver.request(ALL_EVENTS.slice(0, receiver.maxBatch), NOW_MS)
    const { url, headers, body } = request
    const parts = { url, headers: JSON.stringify(headers), body }
    for (const [secret, where] of Object.entries(secrets)) {
      // What signs a body is not in it.
      if (secret !== 'hunter3') t.ok(parts[where].includes(secret), `${secret} is in ${where}`)
      else t.notOk(parts[where].includes(secret))
      for (const [part, shown] of Object.entries(parts))
        if (part !== where) t.notOk(shown.includes(secret), `${secret} in ${part}`)
      t.notOk(inspect(receiver, { depth: 9, showHidden: true }).includes(secret))
      t.notOk(JSON.stringify(receiver).includes(secret))
    }
  })

  await t.test(`${name}: the same alert makes the same request, however often it is sent`, async (t) => {
    const alerts = [alertOf('gave-up')]
    t.same(receiver.request(alerts, NOW_MS), receiver.request(alerts, NOW_MS))
  })

  if (!told) continue
  const tell = (alert: Alert) => told(JSON.parse(receiver.request([alert], NOW_MS).body) as never)[0]

  await t.test(`${name}: an incident has one key from its beginning to its end, and only its end ends it`, async (t) => {
    const keys = ALL_EVENTS.map(tell)
    for (const told of keys) t.same(told?.key, keys[0]?.key)
    t.same(
      keys.map((told) => told?.resolved),
      ALL_EVENTS.map(({ resolved }) => resolved),
    )
    t.notSame(
      tell(alertOf('restarted', { incident: 'postern/db/0a5d2b713f9c/1767268800000', container: 'db' }))?.key,
      keys[0]?.key,
    )
  })

  await t.test(`${name}: hostile words change no key`, async (t) => {
    const incident = `${'\u0007<é🐳"'.repeat(33)}-1`
    for (const text of HOSTILE_TEXTS)
      t.same(tell({ ...hostileAlert(text), incident })?.key, tell({ ...hostileAlert(text, 'recovered'), incident })?.key)
  })
}
