// Words and times as every receiver of alerts gets them. What a container says of itself is bounded here, and cannot move a
// cursor, begin a line or turn the direction of reading.
import type { Diagnosis } from '../health/state.ts'
import type { Alert, AlertEvent } from './alert.ts'

/** More than any container's name; of a message, more than anybody reads. */
export const MAX_NAME = 255
export const MAX_MESSAGE = 4000
const MAX_REASON = 500

/** Sent along with every alert. */
export const JSON_HEADERS = { 'content-type': 'application/json', 'user-agent': 'postern-healer' } as const

/** `text` on one line, in at most `max` characters, without control and format characters and halves of characters. */
export function oneLine(text: string, max: number): string {
  // A hundred kilobytes cost no more than a line: what is far behind the end is not looked at.
  const line = text
    .slice(0, 4 * max)
    .replace(/[\s\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '\ufffd')
  return clip(line, max)
}

/** At most `max` characters, the last of them `…` where something was cut off. */
function clip(text: string, max: number): string {
  if (text.length <= max) return text
  return `${text.slice(0, max - 1).replace(/[\ud800-\udbff]$/, '')}…`
}

/** RFC 3339, in UTC. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString()
}

/** `gave up` */
export function eventWords(event: AlertEvent): string {
  return event.replaceAll('-', ' ')
}

/** What was found before the last restart, or at the last failure, safe to show; times as RFC 3339. */
export type ShownDiagnosis = {
  readonly status: string
  readonly exitCode: number
  readonly oomKilled: boolean
  readonly failures: readonly { readonly at: string; readonly reason: string }[]
}

/** Of the failures of a streak the last few tell enough. */
const MAX_FAILURES = 5

export function showDiagnosis({ status, exitCode, oomKilled, failures }: Diagnosis): ShownDiagnosis {
  return {
    status: oneLine(status, MAX_NAME),
    exitCode,
    oomKilled,
    failures: failures
      .slice(-MAX_FAILURES)
      .map(({ atMs, reason }) => ({ at: rfc3339(atMs), reason: oneLine(reason, MAX_REASON) })),
  }
}

/** The name and the message of an alert, safe to show. */
export function showWords({ container, message }: Alert): { readonly container: string; readonly message: string } {
  return { container: oneLine(container, MAX_NAME), message: oneLine(message, MAX_MESSAGE) }
}
