// Alerts for the tests of their receivers: one of each event, and one whose every word is hostile.
import { ALERT_EVENTS, type Alert, type AlertEvent, type Severity } from '../../../healer/alert/alert.ts'

const SEVERITY: Readonly<Record<AlertEvent, Severity>> = {
  opened: 'warning',
  restarted: 'warning',
  'restart-failed': 'error',
  held: 'warning',
  'gave-up': 'critical',
  'never-healthy': 'warning',
  reminder: 'critical',
  recovered: 'info',
}

export const SINCE_MS = Date.UTC(2026, 0, 1, 12)

/** An alert of an incident that began at noon, a minute later. */
export function alertOf(event: AlertEvent, change: Partial<Alert> = {}): Alert {
  return {
    id: `postern/web/3f9c0a5d2b71/1767268800000/${ALERT_EVENTS.indexOf(event)}`,
    incident: 'postern/web/3f9c0a5d2b71/1767268800000',
    event,
    severity: SEVERITY[event],
    container: 'web',
    message: 'web failed 3 consecutive health checks (answered 503) and was restarted.',
    atMs: SINCE_MS + 60_000,
    sinceMs: SINCE_MS,
    resolved: event === 'recovered',
    diagnosis: {
      status: 'running',
      exitCode: 137,
      oomKilled: true,
      failures: [15_000, 30_000, 45_000].map((afterMs) => ({
        atMs: SINCE_MS + afterMs,
        reason: `answered 503 after ${afterMs}`,
      })),
    },
    ...change,
  }
}

export const ALL_EVENTS = ALERT_EVENTS.map((event) => alertOf(event))

const HOSTILE =
  '<!channel> <https://evil.example|Log in> @here & \u001b[2J\r\n{"resolved":true}\u0000 "quoted" \\ \u202egnp.exe \ud800 🐳 ```code``` *bold* é\u2028'

/** What a container might answer, or be called, to harm those who are told of it. */
export const HOSTILE_TEXTS: readonly string[] = [
  HOSTILE,
  HOSTILE.repeat(1000),
  '&'.repeat(100_000),
  '🐳'.repeat(50_000),
  '\n'.repeat(100_000),
  '\u0000'.repeat(100_000),
  '<!channel>'.repeat(10_000),
  '`'.repeat(100_000),
  '',
]

export function hostileAlert(text: string, event: AlertEvent = 'restarted'): Alert {
  return alertOf(event, {
    container: text,
    message: text,
    diagnosis: {
      status: text,
      exitCode: 1,
      oomKilled: false,
      failures: [1, 2, 3, 4, 5, 6, 7].map((atMs) => ({ atMs, reason: text })),
    },
  })
}
