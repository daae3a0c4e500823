// The audit log's lines: one JSON object each, on one line, with everything that a client could choose bounded and escaped.

import type { Hash } from './chain.ts'

/** The version of this shape. */
export const AUDIT_VERSION = 1

/** The longest text of a client's that is recorded; the rest is replaced by how much it was. */
const MAX_TEXT = 512

/** What lines tell of. */
export const AUDIT_EVENTS: readonly string[] = [
  'decision',
  'outcome',
  'start',
  'stop',
  'log',
  'seal',
  'torn',
  'cut',
] satisfies AuditEvent['event'][]

/** A decision, or what came of one that was recorded before it went out. */
export type AuditEvent =
  | ({ readonly event: 'decision' } & Decided & Partial<Outcome>)
  | ({ readonly event: 'outcome'; readonly of: number } & Outcome)
  | { readonly event: 'start' | 'stop'; readonly reason: string }
  /** The first line of a log: the key of its first seal. */
  | { readonly event: 'log'; readonly key: string }
  /** The lines so far are signed by `key`, whose secret is then forgotten; `next` signs the next seal. */
  | { readonly event: 'seal'; readonly key: string; readonly next: string; readonly sig: string }
  /** The line before is the beginning of one that could not be written whole, so many bytes of it. */
  | { readonly event: 'torn'; readonly bytes: number }
  /** Lines are missing before this one: seals went as far as the line `sealed`. `key` signs the next. */
  | { readonly event: 'cut'; readonly sealed: number; readonly key: string }

export type Decided = {
  readonly client: string
  /** The policy's hash. */
  readonly policy: string
  readonly method: string
  /** The request target as sent, cut and escaped. */
  readonly path: string
  readonly operation?: string
  /** `state` and `startedAt` as inspected just before, for an operation that changes something. */
  readonly target?: { readonly id: string; readonly name: string; readonly state?: string; readonly startedAt?: string }
  readonly query?: Readonly<Record<string, unknown>>
  readonly verdict: 'allow' | 'deny'
  readonly rule: string
  readonly reason?: string
}

export type Outcome = {
  /** The HTTP status the client was answered with. */
  readonly status: number
  /** Bytes of the answer's body. */
  readonly bytes: number
  readonly ms: number
  /** What failed after the decision, in the proxy's words. */
  readonly error?: string
  /** The container's state after a change that failed. */
  readonly left?: string
}

/** What every line begins with. `seq` counts lines of this log from 1 and never repeats; `prev` is the hash of the line before. */
export type Stamp = { readonly v: typeof AUDIT_VERSION; readonly time: string; readonly seq: number; readonly prev: Hash }

/** One line without its newline: ASCII only, so that nothing in it can move a cursor or begin another line. */
export function renderAuditLine(stamp: Stamp, event: AuditEvent): string {
  return JSON.stringify({ ...stamp, ...event }, (_key, value) => (typeof value === 'string' ? bound(value) : value)).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}

function bound(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}… (${text.length} characters)`
}
