// What Alertmanager tells by its webhook: which alerts fire for which container. Only for who has HEALER_TOKEN. Takes note, and no
// more: what it leads to is for the loop to judge, container by container.

import type { Context, Hono, MiddlewareHandler } from 'hono'
import type { Logger } from 'pino'
import * as z from 'zod'
import { ALERT_NAME } from '../alert/receiver.ts'
import type { RuleAlert, Taken } from '../health/rules.ts'
import type { Clock } from '../loop/clock.ts'
import { boundBody, refuse } from './guard.ts'

export type AlertmanagerHookOptions = {
  readonly rules: { readonly take: (alerts: readonly RuleAlert[]) => Promise<Omit<Taken, 'rules'>> }
  /** Lets through who may ask. */
  readonly guard: MiddlewareHandler
  /** The names of the containers that are watched. */
  readonly names: () => readonly string[]
  /** Whether it is known yet which those are. */
  readonly isReady: () => boolean
  readonly clock: Clock
  readonly log: Logger
}

const PATH = '/api/hooks/alertmanager'
const MAX_BODY_BYTES = 1024 * 1024
/** Characters of an alert's own text that are kept. */
const MAX_NAME = 100
const MAX_SUMMARY = 200
const MAX_CONTAINER = 255
/** So many of what is left aside are named in the log. */
const MAX_NAMED = 10

/**
 * What is needed of https://prometheus.io/docs/alerting/latest/configuration/#webhook_config; whatever else there is, now or in later
 * releases, is passed over. `endsAt` is the year 1 while nothing is known of the end.
 */
const webhookSchema = z.object({
  version: z.literal('4'),
  truncatedAlerts: z.int().min(0).default(0),
  alerts: z.array(
    z.object({
      status: z.enum(['firing', 'resolved']),
      labels: z.object({ alertname: z.string().default(''), container: z.string().optional() }),
      annotations: z.object({ summary: z.string().default('') }).prefault({}),
      endsAt: z.iso.datetime({ offset: true }).optional(),
      fingerprint: z.string().regex(/^[\x21-\x7e]{1,64}$/, 'it takes 1 to 64 printable characters'),
    }),
  ),
})
type Webhook = z.infer<typeof webhookSchema>

/** Adds the route to `app`. Every answer is JSON; a refusal holds a `message` that says what to do. */
export function addAlertmanagerHook(app: Hono, options: AlertmanagerHookOptions): void {
  app.post(PATH, options.guard, boundBody(MAX_BODY_BYTES), (context) => takeWebhook(context, options))
  app.all(PATH, (context) => refuse(context, 405, 'Alertmanager’s webhook comes by POST', { allow: 'POST' }))
}

async function takeWebhook(context: Context, { rules, names, isReady, clock, log }: AlertmanagerHookOptions): Promise<Response> {
  const read = readWebhook(await context.req.text())
  if ('problem' in read) return refuse(context, 400, read.problem)
  // Alertmanager asks again after a 5xx, and after nothing else.
  if (!isReady()) return refuse(context, 503, 'it is not known yet which containers there are; ask again in a moment')
  const watched = new Set(names())
  const { alerts, withoutContainer, own } = readAlerts(read.webhook, clock.wallMs())
  const isMeant = ({ container, isFiring }: RuleAlert) => !isFiring || watched.has(container)
  const notWatched = alerts.filter((alert) => !isMeant(alert)).map(nameRule)
  const { began, renewed, ended, refused } = await rules.take(alerts.filter(isMeant))
  const answer = {
    firing: [...began, ...renewed].map(nameRule),
    ended: ended.map(nameRule),
    withoutContainer,
    own,
    notWatched,
    refused: refused.map(nameRule),
    truncated: read.webhook.truncatedAlerts,
  }
  tell(answer, log)
  return context.json(answer)
}

type NamedRule = { readonly container: string; readonly rule: string }
type Answer = {
  readonly withoutContainer: readonly string[]
  readonly notWatched: readonly NamedRule[]
  readonly refused: readonly NamedRule[]
  readonly truncated: number
}

const nameRule = ({ container, name }: { readonly container: string; readonly name: string }): NamedRule => ({
  container: plain(container, MAX_CONTAINER),
  rule: name,
})

/** What was left aside, in one line each; what was taken says itself what it changes. */
function tell({ withoutContainer, notWatched, refused, truncated }: Answer, log: Logger): void {
  const some = (texts: readonly string[]) =>
    `${texts.slice(0, MAX_NAMED).join(', ')}${texts.length > MAX_NAMED ? ` and ${texts.length - MAX_NAMED} more` : ''}`
  const pairs = (rules: readonly NamedRule[]) => some(rules.map(({ container, rule }) => `${rule} for ${container}`))
  const event = 'alerts-left-aside'
  if (withoutContainer.length > 0)
    log.info({ event }, `alerts without the label “container” heal nothing: ${some(withoutContainer)}`)
  if (notWatched.length > 0) log.info({ event }, `alerts for containers that are not watched: ${pairs(notWatched)}`)
  if (refused.length > 0)
    log.warn({ event }, `alerts that are not taken, since so many fire already: ${pairs(refused)}; group them in the rules`)
  if (truncated > 0)
    log.warn({ event }, `Alertmanager left out ${truncated} alerts; without max_alerts in its webhook_config it sends them all`)
}

function readWebhook(body: string): { readonly webhook: Webhook } | { readonly problem: string } {
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    return { problem: 'the body is not JSON; it takes what Alertmanager’s webhook_configs send' }
  }
  const parsed = webhookSchema.safeParse(json)
  if (parsed.success) return { webhook: parsed.data }
  const [issue] = parsed.error.issues
  const where = issue ? renderPath(issue.path) : ''
  return { problem: `${where || 'the body'} is not what Alertmanager’s webhook, version 4, holds there: ${issue?.message}` }
}

/** `alerts[3].labels.container`. */
function renderPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) => (typeof part === 'number' ? `${text}[${part}]` : `${text}${text === '' ? '' : '.'}${String(part)}`),
    '',
  )
}

function readAlerts({ alerts }: Webhook, wallMs: number) {
  const withoutContainer: string[] = []
  let own = 0
  const read: RuleAlert[] = []
  for (const { status, labels, annotations, endsAt, fingerprint } of alerts) {
    const name = plain(labels.alertname, MAX_NAME) || 'without a name'
    const endsMs = endsAt === undefined ? 0 : Date.parse(endsAt)
    const isFiring = status === 'firing' && !(endsMs > 0 && endsMs <= wallMs)
    // As it stands: what is only nearly the name of a container is not put right.
    const { container = '' } = labels
    // What the healer tells Alertmanager may come back to it; taken, it would keep itself alive.
    if (labels.alertname === ALERT_NAME) own += 1
    else if (plain(container, MAX_CONTAINER) === '') withoutContainer.push(name)
    else read.push({ container, fingerprint, name, summary: plain(annotations.summary, MAX_SUMMARY), isFiring })
  }
  return { alerts: read, withoutContainer, own }
}

/** Somebody else's text on one line: no characters that move a terminal's cursor or turn the direction of writing, and no end of it. */
function plain(text: string, maxLength: number): string {
  const characters = [
    ...text
      .slice(0, 4 * maxLength)
      .replace(/[\p{C}\s]+/gu, ' ')
      .trim(),
  ]
  return characters.length > maxLength ? `${characters.slice(0, maxLength).join('')}…` : characters.join('')
}
