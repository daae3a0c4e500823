// Alertmanager, by its API v2, so that its routes, silences and receivers are used. It forgets what it is not told again: an alert
// ends by itself soon after the healer is gone.
import * as z from 'zod'
import { anyText, credential, httpUrl, labelValue } from '../../settings/value.ts'
import type { Alert } from '../alert.ts'
import { ALERT_NAME, RESEND_MS, type Receiver } from '../receiver.ts'
import { eventWords, JSON_HEADERS, rfc3339, type ShownDiagnosis, showDiagnosis, showWords } from '../render-text.ts'
import { type Common, secret, setting } from '../setting.ts'

/** Labels are identity; these are its own. */
const OWN_LABELS = ['alertname', 'container']

export const alertmanagerSettings = z
  .strictObject({
    url: setting(httpUrl),
    username: setting(credential).optional(),
    password: secret(anyText).optional(),
    bearer_token: secret(credential).optional(),
    labels: z.record(z.string(), setting(labelValue), { error: 'expected a map of labels' }).optional(),
  })
  .superRefine(({ username, password, bearer_token: token, labels }, context) => {
    const wrong = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message })
    if (username?.includes(':')) wrong(['username'], 'expected no colon in it')
    if (username !== undefined && password === undefined) wrong(['password'], 'expected beside a username')
    if (password && username === undefined) wrong(['username'], 'expected beside a password')
    if (password && token) wrong(['bearer_token'], 'expected without a password beside it')
    for (const name of Object.keys(labels ?? {})) {
      if (OWN_LABELS.includes(name)) wrong(['labels', name], 'expected a label that Postern does not set itself')
      else if (!/^[a-zA-Z_][a-zA-Z0-9_]{0,127}$/.test(name))
        wrong(['labels'], 'expected names of letters, digits and _, not beginning with a digit')
    }
  })

type Settings = z.infer<typeof alertmanagerSettings>

/** An alert that is not told again for so long is over to Alertmanager. */
const ENDS_AFTER_MS = 4 * RESEND_MS

export function createAlertmanager(settings: Settings, common: Common): Receiver {
  const { url, labels = {} } = settings
  const endpoint = `${url.replace(/\/+$/, '')}/api/v2/alerts`
  return {
    ...common,
    maxBatch: 20,
    resends: true,
    request: (alerts, nowMs) => ({
      url: endpoint,
      headers: { ...JSON_HEADERS, ...authorization(settings) },
      body: JSON.stringify(alerts.map((alert) => renderAlert(alert, nowMs, labels))),
    }),
  }
}

function authorization({ username, password, bearer_token: token }: Settings): { readonly authorization?: string } {
  if (token) return { authorization: `Bearer ${token.reveal()}` }
  if (username === undefined || !password) return {}
  return { authorization: `Basic ${Buffer.from(`${username}:${password.reveal()}`).toString('base64')}` }
}

/**
 * One alert for a container, whatever happens to it: the labels say which, and nothing that changes while it lasts. Severity and event
 * are annotations, since as labels each step would be another alert that nothing ends; so is the incident, since a silence is meant for
 * the container. Source: Prometheus's “Alerts API”.
 */
function renderAlert(alert: Alert, nowMs: number, labels: Readonly<Record<string, string>>) {
  const { incident, event, severity, atMs, sinceMs, resolved, diagnosis } = alert
  const { container, message } = showWords(alert)
  // An end before the beginning is refused; a clock that was set back must not hold up a resolve.
  const endsMs = Math.max(sinceMs, resolved ? atMs : nowMs + ENDS_AFTER_MS)
  return {
    labels: { ...labels, alertname: ALERT_NAME, container },
    annotations: {
      summary: `${container} — ${eventWords(event)}`,
      description: message,
      event,
      severity,
      incident,
      ...(diagnosis && diagnosisTexts(showDiagnosis(diagnosis))),
    },
    startsAt: rfc3339(sinceMs),
    endsAt: rfc3339(endsMs),
  }
}

/** Annotations are texts. */
function diagnosisTexts({ status, exitCode, oomKilled, failures }: ShownDiagnosis) {
  return {
    status,
    exit_code: String(exitCode),
    oom_killed: String(oomKilled),
    failures: failures.map(({ at, reason }) => `${at} ${reason}`).join('\n'),
  }
}
