// PagerDuty, by its Events API v2: what is told of an incident is one alert there, opened by `trigger` and ended by `resolve`. The
// routing key is a secret, and is in the body.
import * as z from 'zod'
import { httpUrl, routingKey, shortText } from '../../settings/value.ts'
import type { Alert } from '../alert.ts'
import type { Receiver } from '../receiver.ts'
import { eventWords, JSON_HEADERS, oneLine, rfc3339, showDiagnosis, showWords } from '../render-text.ts'
import { type Common, secret, setting } from '../setting.ts'

export const pagerdutySettings = z.strictObject({
  routing_key: secret(routingKey),
  url: setting(httpUrl).optional(),
  source: setting(shortText).optional(),
})

const ENQUEUE_URL = 'https://events.pagerduty.com/v2/enqueue'
/** What `source` is called where nobody says: a container has no name of its host. */
const SOURCE = 'postern'

/** Of `payload.summary`. Source: PagerDuty's “Send an Alert Event”, which also bounds `dedup_key` to 255; an incident has 200. */
const MAX_SUMMARY = 1024

export function createPagerduty(settings: z.infer<typeof pagerdutySettings>, common: Common): Receiver {
  const { routing_key: key, url = ENQUEUE_URL, source = SOURCE } = settings
  const render = (alert: Alert) => {
    const event = { routing_key: key.reveal(), dedup_key: alert.incident }
    return alert.resolved ? { ...event, event_action: 'resolve' } : { ...event, ...renderTrigger(alert, source) }
  }
  return {
    ...common,
    maxBatch: 1,
    resends: false,
    request([alert]) {
      if (!alert) throw new Error('a request to PagerDuty tells of one alert, and was given none')
      return { url, headers: JSON_HEADERS, body: JSON.stringify(render(alert)) }
    },
  }
}

/** A second trigger under the same key, such as a reminder, brings the open alert up to date. */
function renderTrigger(alert: Alert, source: string) {
  const { container, message } = showWords(alert)
  const { event, severity, atMs, sinceMs, diagnosis } = alert
  return {
    event_action: 'trigger',
    client: 'Postern',
    payload: {
      summary: oneLine(`${container} — ${eventWords(event)}: ${message}`, MAX_SUMMARY),
      severity,
      source,
      timestamp: rfc3339(atMs),
      component: container,
      class: event,
      custom_details: { event, message, since: rfc3339(sinceMs), ...(diagnosis && showDiagnosis(diagnosis)) },
    },
  }
}
