// What every receiver of alerts is to the outbox: whom it is for, and how one request tells of some alerts. No receiver sends anything itself.
import type { Alert, AlertEvent } from './alert.ts'

export type Receiver = {
  /** Of this receiver alone, as set by its operator; `slack`, `pagerduty`, … by default. */
  readonly name: string
  readonly events: readonly AlertEvent[]
  /** Whether it is told of the container of this name. */
  readonly isFor: (container: string) => boolean
  /** So many alerts are told of in one request. */
  readonly maxBatch: number
  /** It forgets what it is not told again and again while it lasts. */
  readonly resends: boolean
  /** The request that tells of `alerts`, at `nowMs` since 1970. It holds secrets, and is never shown. */
  readonly request: (alerts: readonly Alert[], nowMs: number) => AlertRequest
}

/** What all the healer's own alerts are called, where alerts have names. */
export const ALERT_NAME = 'PosternContainerIll'

/** How often who forgets is told again. */
export const RESEND_MS = 60_000

/** A POST. */
export type AlertRequest = {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}
