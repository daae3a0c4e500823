// What a webhook is sent, as a schema: it is typed by it, and docs/webhook.schema.json is made from it. A field is never taken away and
// never means something else under the same version.
import * as z from 'zod'
import { ALERT_EVENTS, type Alert, SEVERITIES } from '../alert.ts'
import { rfc3339, showDiagnosis, showWords } from '../render-text.ts'

const time = z.iso.datetime().describe('RFC 3339, in UTC')

const diagnosisSchema = z.object({
  status: z.string().describe('as the Engine says: running, exited, …'),
  exitCode: z.number().int().describe('of the last time that it ended'),
  oomKilled: z.boolean().describe('it was killed for want of memory'),
  failures: z.array(z.object({ at: time, reason: z.string() })).describe('the last of the streak, the oldest first'),
})

const alertSchema = z.object({
  id: z.string().describe('of this alert alone, and the same if it is sent twice'),
  incident: z.string().describe('the same for all alerts of one incident, of no other incident ever'),
  event: z.enum(ALERT_EVENTS),
  severity: z.enum(SEVERITIES),
  container: z.string().describe('its name'),
  message: z.string().describe('one or two plain sentences; they may hold what a container answered'),
  at: time.describe('when it happened, RFC 3339, in UTC'),
  since: time.describe('when the incident began, RFC 3339, in UTC'),
  resolved: z.boolean().describe('the incident is over'),
  diagnosis: diagnosisSchema.optional().describe('as it was found before the last restart, or at the last failure'),
})

const webhookBodySchema = z.object({ version: z.literal(1), alerts: z.array(alertSchema).min(1) })

export function renderWebhookBody(alerts: readonly Alert[]): z.infer<typeof webhookBodySchema> {
  return { version: 1, alerts: alerts.map(renderAlert) }
}

function renderAlert(alert: Alert): z.infer<typeof alertSchema> {
  const { id, incident, event, severity, atMs, sinceMs, resolved, diagnosis } = alert
  const shown = diagnosis && showDiagnosis(diagnosis)
  return {
    ...{ id, incident, event, severity, ...showWords(alert) },
    ...{ at: rfc3339(atMs), since: rfc3339(sinceMs), resolved },
    ...(shown && { diagnosis: { ...shown, failures: [...shown.failures] } }),
  }
}

/** The text of docs/webhook.schema.json. */
export function renderWebhookJsonSchema(): string {
  // A later version may say more: who reads by this schema must not stumble over that.
  const schema = z.toJSONSchema(webhookBodySchema, { target: 'draft-7', io: 'input' })
  return `${JSON.stringify({ title: 'What Postern’s healer posts to a webhook', ...schema }, null, 1)}\n`
}
