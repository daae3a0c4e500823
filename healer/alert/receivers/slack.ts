// Slack, by an incoming webhook: the words as plain text, and below them a coloured attachment with what was found. Nothing that a
// container says can mention a person or a channel, or hide where a link leads. The address is a secret.
import * as z from 'zod'
import { httpUrl } from '../../settings/value.ts'
import { type Alert, SEVERITIES, type Severity } from '../alert.ts'
import type { Receiver } from '../receiver.ts'
import { eventWords, JSON_HEADERS, oneLine, rfc3339, showDiagnosis } from '../render-text.ts'
import { type Common, secret } from '../setting.ts'

export const slackSettings = z.strictObject({ webhook_url: secret(httpUrl) })

/** The original's. */
const COLOURS = {
  info: '#36a64f',
  warning: '#ff9900',
  error: '#ff9900',
  critical: '#ff0000',
} as const satisfies Record<Severity, string>

/**
 * Characters, as they are sent. Slack splits a `text` above 4000, and refuses the whole message where a section's text is above 3000
 * or a field's above 2000. Sources: docs.slack.dev, “Text object”, “Section block”; “Truncating really long messages”.
 */
const MAX_TEXT = 4000
const MAX_SECTION = 3000
const MAX_FIELD = 2000
/** More than these are summed up, in a line for each. */
const MAX_IN_FULL = 3

export function createSlack({ webhook_url: url }: z.infer<typeof slackSettings>, common: Common): Receiver {
  return {
    ...common,
    maxBatch: 20,
    resends: false,
    request: (alerts) => ({ url: url.reveal(), headers: JSON_HEADERS, body: JSON.stringify(renderSlack(alerts)) }),
  }
}

/**
 * The `text` says it all, for notifications and for clients that show nothing else. An attachment with `blocks` has no `title`, `text`,
 * `footer` or `ts`: Slack answers 400 to both at once, so title, footer and time are blocks too.
 */
function renderSlack(alerts: readonly Alert[]) {
  const inFull = alerts.length <= MAX_IN_FULL
  return {
    text: inFull
      ? texts(alerts, (alert) => oneLine(alert.message, MAX_TEXT) || summarise(alert))
      : `${alerts.length} alerts:\n${texts(alerts, summarise)}`,
    // An address in what a container answered is not fetched for a preview.
    unfurl_links: false,
    unfurl_media: false,
    attachments: inFull ? alerts.map(attachment) : [summary(alerts)],
  }
}

/** A line for each, all of about the same length at most. */
function texts(alerts: readonly Alert[], words: (alert: Alert) => string): string {
  const max = Math.floor((MAX_TEXT - 100) / alerts.length)
  return alerts.map((alert) => escapeWithin(words(alert), max)).join('\n')
}

function summarise({ container, event, message }: Alert): string {
  return `• ${container} — ${eventWords(event)}: ${message}`
}

function attachment(alert: Alert) {
  const { event, severity, container, message, atMs, sinceMs, diagnosis } = alert
  const title = `🐳 Postern — ${eventWords(event).toUpperCase()}`
  const found = diagnosis && showDiagnosis(diagnosis)
  const facts = [
    ['Container', container],
    ['Severity', severity],
    ['Since', date(sinceMs)],
    ...(found ? [['State', found.status]] : []),
    ...(found ? [['Last exit code', `${found.exitCode}${found.oomKilled ? ', out of memory' : ''}`]] : []),
  ] as const
  const fields = facts.map(([name = '', value = '']) =>
    mrkdwn(`*${name}*\n${name === 'Since' ? value : escapeWithin(value, MAX_FIELD - 100)}`),
  )
  const failures = found?.failures.map(({ at, reason }) => `${at}  ${reason.replaceAll('`', "'")}`) ?? []
  return {
    color: COLOURS[severity],
    fallback: escapeWithin(`${title}: ${message}`, MAX_TEXT),
    blocks: [
      header(title),
      { type: 'section', fields },
      ...(failures.length > 0 ? [section(`*Last failures*\n\`\`\`${lines(failures)}\`\`\``)] : []),
      footer(atMs),
    ],
  }
}

/** In the colour of the worst. */
function summary(alerts: readonly Alert[]) {
  const of = (severity: Severity) => alerts.filter((alert) => alert.severity === severity).length
  const counts = [...SEVERITIES].reverse().filter((severity) => of(severity) > 0)
  const title = `🐳 Postern — ${alerts.length} ALERTS`
  const words = counts.map((severity) => `${of(severity)} ${severity}`).join(', ')
  return {
    color: COLOURS[counts[0] ?? 'info'],
    fallback: `${title}: ${words}`,
    blocks: [header(title), section(words), footer(Math.max(...alerts.map(({ atMs }) => atMs)))],
  }
}

const header = (text: string) => ({ type: 'header', text: { type: 'plain_text', text, emoji: true } })
const section = (text: string) => ({ type: 'section', text: mrkdwn(text) })
const footer = (atMs: number) => ({ type: 'context', elements: [mrkdwn(`postern-healer · ${date(atMs)}`)] })

/** `verbatim`: addresses and names in it stay text. */
const mrkdwn = (text: string) => ({ type: 'mrkdwn', text, verbatim: true })

/** In the reader's own time zone; where a client cannot tell that, in UTC. */
const date = (ms: number) => `<!date^${Math.floor(ms / 1000)}^{date_num} {time_secs}|${rfc3339(ms)}>`

function lines(failures: readonly string[]): string {
  const max = Math.floor((MAX_SECTION - 100) / failures.length)
  return failures.map((failure) => escapeWithin(failure, max)).join('\n')
}

/** Slack's three control characters; without them a name could mention a whole channel. */
const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' }

/** `text` on one line, at most `max` characters once it is escaped, and never ending within an escape. */
function escapeWithin(text: string, max: number): string {
  let escaped = ''
  for (const character of oneLine(text, max)) {
    const next = ESCAPES[character] ?? character
    if (escaped.length + next.length >= max) return `${escaped}…`
    escaped += next
  }
  return escaped
}
