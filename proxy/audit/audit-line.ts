// The audit log's lines: one JSON object each, on one line, with everything that a client could choose bounded and escaped.
// The schema is what is published; the types are made from it.
import * as z from 'zod'

/** The version of this shape. */
export const AUDIT_VERSION = 1

/** The longest text of a client's that is recorded; the rest is replaced by how much it was. */
const MAX_TEXT = 512
/** The most of a query, in characters of JSON, that is recorded as what it means; the rest as text. */
const MAX_QUERY = 2048

const hash = z.string().regex(/^[0-9a-f]{64}$/)
const key = z.string().regex(/^[\w-]{43}$/)
const count = z.int().min(0)
const seq = z.int().min(1)
const time = z.iso.datetime()

const stamp = {
  v: z.literal(AUDIT_VERSION).describe('version of this shape'),
  time: time.describe('when the line was written'),
  seq: seq.describe('the line’s number, which counts on without a gap'),
  prev: hash.describe('SHA-256 of the line before, without its newline; 64 zeros in the first'),
}

const outcome = {
  status: z.int().describe('the HTTP status that the client was answered with'),
  bytes: count.describe('bytes of the answer’s body; of all together, where `count` is given'),
  ms: z.number().min(0).describe('how long it took; the longest, where `count` is given'),
  error: z.string().optional().describe('what failed after the decision'),
}

const target = z
  .strictObject({
    id: hash,
    name: z.string(),
    state: z.string().optional(),
    startedAt: z.string().optional(),
  })
  .describe('the container; for a change with `state` and `startedAt` as inspected just before')

const certificate = z
  .strictObject({ names: z.array(z.string()), sha256: hash })
  .describe('the certificate of who asked, where it came over TLS: its names that count, and its fingerprint')

const decision = {
  client: z.string().describe('who asked'),
  policy: z.string().describe('the hash of the policy that judged it'),
  method: z.string().describe('as sent; empty where what came was no request'),
  path: z.string().optional().describe('as sent, cut at 512 characters; absent where `various` is given'),
  certificate: certificate.optional(),
  user: z
    .string()
    .optional()
    .describe('asked as an authorization plugin: the name in the client’s certificate, as the Engine tells it'),
  operation: z.string().optional().describe('as understood'),
  target: target.optional(),
  query: z
    .union([z.record(z.string(), z.unknown()), z.string()])
    .optional()
    .describe('as understood; a text where it is too long'),
  verdict: z
    .enum(['allow', 'deny', 'observe'])
    .describe('`observe`: the policy refuses it, and it passed because of `--observe`'),
  rule: z.string().describe('by which rule'),
  reason: z.string().optional().describe('why'),
  count: z.int().min(1).optional().describe('so many requests like one that has a line of its own came after that'),
  since: time.optional().describe('when the first of them came'),
  various: z.literal(true).optional().describe('they were too various to be told one by one'),
}

const lineSchemas = [
  z
    .strictObject({ ...stamp, event: z.literal('decision'), ...decision, ...z.object(outcome).partial().shape })
    .describe(
      'a decision; without `status` it is one that changes something, or a read that goes on for long, and an `outcome` follows; or of an authorization plugin, which sees no answers',
    ),
  z
    .strictObject({
      ...stamp,
      event: z.literal('outcome'),
      of: seq.describe('the `seq` of the decision that it belongs to'),
      ...outcome,
      left: z.string().optional().describe('the state in which a change that failed has left its container'),
    })
    .describe('what came of a change, or of a read that went on for long'),
  z.strictObject({ ...stamp, event: z.literal(['start', 'stop']), reason: z.string() }).describe('of the proxy'),
  z
    .strictObject({ ...stamp, event: z.literal('reload'), client: z.string(), policy: z.string(), before: z.string() })
    .describe('the client is under another policy from now on: `policy` is its hash, `before` that of the one until now'),
  z
    .strictObject({ ...stamp, event: z.literal('log'), key: key.describe('the public key of the first seal') })
    .describe('the first line of a log'),
  z
    .strictObject({ ...stamp, event: z.literal('continued'), key: key.describe('the public key of the next seal') })
    .describe('the first line of a file that goes on with a log'),
  z
    .strictObject({
      ...stamp,
      event: z.literal('seal'),
      key: key.describe('whose secret was used for this, and is gone'),
      next: key.describe('signs the next seal'),
      sig: z
        .string()
        .regex(/^[\w-]{86}$/)
        .describe('Ed25519 signature of this line up to here'),
    })
    .describe('all lines so far are signed'),
  z
    .strictObject({
      ...stamp,
      event: z.literal('torn'),
      bytes: count.describe('how long it is'),
      sha256: hash.describe('its SHA-256; `prev` is of the last line before it'),
    })
    .describe('what stands before this line is the beginning of one that could not be written whole'),
  z
    .strictObject({
      ...stamp,
      event: z.literal('cut'),
      sealed: count.describe('how far the seals went'),
      key: key.describe('signs the next seal'),
    })
    .describe('the proxy found at its start that lines before this one are missing'),
] as const

/** What every line is, for machines: docs/audit-line.schema.json is made from it. */
export const auditLineSchema = z.discriminatedUnion('event', lineSchemas)

/** What lines tell of. */
export const AUDIT_EVENTS: readonly string[] = lineSchemas.flatMap(({ shape }) => [...shape.event.values])

type AuditLine = z.output<typeof auditLineSchema>
type WithoutStamp<L> = L extends unknown ? Omit<L, keyof Stamp> : never

/** What every line begins with. */
export type Stamp = Pick<AuditLine, keyof typeof stamp>
/** A decision, what came of one that was recorded before it went out, or something of the log's own. */
export type AuditEvent = Readonly<WithoutStamp<AuditLine>>
export type DecisionEvent = Extract<AuditEvent, { event: 'decision' }>
export type Outcome = Pick<Extract<AuditEvent, { event: 'outcome' }>, keyof typeof outcome>

/** One line without its newline: ASCII only, so that nothing in it can move a cursor or begin another line. */
export function renderAuditLine(stamp: Stamp, event: AuditEvent): string {
  return toAscii(boundedJson({ ...stamp, ...event }))
}

function toAscii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** Of a line: what it begins with, and what is told of several together. */
const MOST_OF_STAMP = 256

/** How long the line of `decision` is at most, bytes. */
export function lengthOfLine(decision: DecisionEvent): number {
  return toAscii(boundedJson(decision)).length + MOST_OF_STAMP
}

/** `decision` with what a client could choose bounded, as its line has it. */
export function boundDecision(decision: DecisionEvent): DecisionEvent {
  const bounded: DecisionEvent = JSON.parse(boundedJson(decision))
  return bounded
}

/** `value` as JSON, as far as a line tells it. What has been cut is not cut again. */
export function boundedJson(value: object): string {
  const whole = JSON.stringify(value)
  // Nothing in so short a text is too long; to look at each value costs ten times as much.
  return whole.length <= MAX_TEXT ? whole : JSON.stringify(value, bound)
}

/** `text`, or its beginning and how long it was. */
function boundText(text: string): string {
  return text.length <= MAX_TEXT + 24 ? text : `${text.slice(0, MAX_TEXT)}… (${text.length} characters)`
}

function bound(name: string, value: unknown): unknown {
  if (typeof value === 'string') return boundText(value)
  if (name !== 'query') return value
  const text = JSON.stringify(value) ?? ''
  return text.length > MAX_QUERY ? boundText(text) : value
}
