// Slack, by an incoming webhook: one attachment per alert. The address is a secret and is never logged.
import pRetry, { AbortError } from 'p-retry'
import type { Logger } from 'pino'
import { request } from 'undici'
import type { Alert, Receiver, Severity } from './alert.ts'

/** The original's colours, by event. */
const COLOURS = { recovered: '#36a64f', degraded: '#ff9900', critical: '#ff0000' } as const satisfies Record<Severity, string>

const REQUEST_TIMEOUT_MS = 5000
/** A receiver that asks for more patience than this is tried again sooner. */
const MAX_RETRY_AFTER_MS = 60_000

export type SlackOptions = {
  readonly url: string
  readonly log: Logger
  /** The first pause between attempts, doubled each time, milliseconds. */
  readonly retryPauseMs?: number
}

/** What is posted. Source: Slack's “Incoming webhooks” and “Secondary message attachments”. */
export function renderSlack({ event, severity, message, atMs }: Alert) {
  return {
    text: escapeText(message),
    attachments: [
      {
        color: COLOURS[severity],
        title: `🐳 Postern — ${event.toUpperCase()}`,
        text: escapeText(message),
        footer: 'postern-healer',
        ts: Math.floor(atMs / 1000),
      },
    ],
  }
}

/** Slack's three control characters; without them a name could mention a whole channel. */
function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** Delivers alerts in order, one at a time, each tried five times. */
export function createSlack({ url, log, retryPauseMs = 1000 }: SlackOptions): Receiver {
  let queue: Promise<void> = Promise.resolve()
  const deliver = async (alert: Alert) => {
    try {
      await pRetry(() => post(url, renderSlack(alert)), { retries: 4, minTimeout: retryPauseMs, factor: 2 })
      log.info({ container: alert.container }, `Slack was told: ${alert.container} ${alert.event}`)
    } catch (error) {
      log.error(
        { container: alert.container },
        `Slack could not be told that ${alert.container} ${alert.event}: ${(error as Error).message}`,
      )
    }
  }
  return {
    send(alert) {
      queue = queue.then(() => deliver(alert))
      return queue
    },
    settled: () => queue,
  }
}

async function post(url: string, payload: object): Promise<void> {
  const { statusCode, headers, body } = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(payload),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  }).catch((error: unknown) => {
    const { code, name } = error as NodeJS.ErrnoException
    throw new Error(`it cannot be reached (${code ?? name})`)
  })
  await body.dump()
  if (statusCode >= 200 && statusCode < 300) return
  const problem = `it answered ${statusCode}`
  if (statusCode === 429) {
    const seconds = Number(headers['retry-after'])
    if (seconds > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(seconds * 1000, MAX_RETRY_AFTER_MS)))
    throw new Error(problem)
  }
  // Any other 4xx will be the same next time: the webhook is gone or was mistyped.
  throw statusCode >= 500 ? new Error(problem) : new AbortError(`${problem}; check SLACK_WEBHOOK_URL`)
}
