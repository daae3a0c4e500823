// Reads what audit files say, line by line, for those who sum it up. Never judges whether the log is what was written; `verify` does.
import * as z from 'zod'
import { parseAuditLine, type ReadLine, readRawLines } from './read-log.ts'

/** A decision as it stands in a log, of this version or one that says more. */
export type RecordedDecision = z.infer<typeof decision> & { readonly event: 'decision' }
/** What came of the decision with the number `of`. */
export type RecordedOutcome = z.infer<typeof outcome> & { readonly event: 'outcome' }
/** Another line: of the log's own, or about the proxy. */
export type OtherLine = { readonly event: 'other'; readonly isBeginning: boolean }

export type AuditRecord = { readonly line: ReadLine; readonly says: RecordedDecision | RecordedOutcome | OtherLine }

const time = z.string().refine((text) => Number.isFinite(Date.parse(text)))

const decision = z.object({
  seq: z.int(),
  /** RFC 3339; of a line about several requests, when the last came. */
  time,
  since: time.optional(),
  client: z.string(),
  method: z.string().optional(),
  path: z.string().optional(),
  operation: z.string().optional(),
  target: z
    .object({ id: z.string(), name: z.string(), state: z.string().optional(), startedAt: z.string().optional() })
    .optional(),
  query: z.record(z.string(), z.unknown()).optional(),
  /** `observe`: it would have been refused, and was let through to be seen. */
  verdict: z.enum(['allow', 'deny', 'observe']),
  rule: z.string(),
  reason: z.string().optional(),
  /** How many like requests the line stands for. */
  count: z.int().positive().default(1),
  /** The line stands for requests that were not told one by one. */
  various: z.boolean().default(false),
  status: z.int().optional(),
})
const outcome = z.object({ of: z.int(), status: z.int(), left: z.string().optional() })

/**
 * The lines of `files` in order. `note` is told of a last line that is torn. Throws where a file cannot be read, or has a line, told
 * by file and number, that no proxy writes; beginnings of lines that could not be written whole are none where the next line says so.
 */
export async function* readRecords(files: readonly string[], note: (text: string) => void): AsyncGenerator<AuditRecord> {
  for (const file of files) {
    let unread: number | undefined
    for await (const { text, number, isWhole } of readRawLines(file)) {
      const line = parseAuditLine(text)
      const says = line && saysWhat(line)
      if (unread !== undefined && says && line.event !== 'torn') throw noLine(file, unread)
      if (line && says) {
        unread = undefined
        yield { line, says }
      } else if (isWhole) {
        unread ??= number
      } else {
        note(`${file}:${unread ?? number}: the last line is torn, and is left out`)
        unread = undefined
      }
    }
    if (unread !== undefined) throw noLine(file, unread)
  }
}

function noLine(file: string, number: number): Error {
  return new Error(`${file}:${number}: this is no line of an audit log`)
}

function saysWhat(line: ReadLine): AuditRecord['says'] | undefined {
  switch (line.event) {
    case 'decision': {
      const { data } = decision.safeParse(line)
      return data && { event: 'decision', ...data }
    }
    case 'outcome': {
      const { data } = outcome.safeParse(line)
      return data && { event: 'outcome', ...data }
    }
    default:
      return { event: 'other', isBeginning: line.event === 'log' }
  }
}
