// Where the files of an audit log have come to, and what the log is known by. Reads them, and judges nothing.
import { stat } from 'node:fs/promises'
import { AUDIT_VERSION } from './audit-line.ts'
import { listEarlierFiles } from './log-file.ts'
import { parseAuditLine, type ReadLine, readRawLines } from './read-log.ts'
import { advance, advanceOpen, NEW_TAIL, type Tail } from './tail.ts'

export type LogEnd = {
  readonly tail: Tail
  /** The first line of the file that is written to; `undefined` where it has none. */
  readonly firstSeq: number | undefined
}

export type LogEndOptions = {
  readonly file: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Hears of every line of the last `lookBackMs`, and of some before, in order. */
  readonly onLine?: (line: ReadLine) => void
  readonly lookBackMs?: number
}

/** Reads `file`, and of those before it what is asked for, at least the last. */
export async function readLogEnd({ file, now, onLine = () => undefined, lookBackMs = 0 }: LogEndOptions): Promise<LogEnd> {
  let tail = NEW_TAIL
  const read = async (each: string, hear: (line: ReadLine) => void) => {
    for await (const { text, isWhole } of readRawLines(each)) {
      tail = isWhole ? advance(tail, text, hear) : advanceOpen(tail, text, hear)
    }
  }
  const earlier = await listEarlierFiles(file)
  for (const [i, each] of earlier.entries()) {
    const isLast = i === earlier.length - 1
    if (isLast || (await stat(each)).mtimeMs > now() - lookBackMs) await read(each, onLine)
  }
  let firstSeq: number | undefined
  await read(file, (line) => {
    firstSeq ??= line.seq
    onLine(line)
  })
  return { tail, firstSeq }
}

/** The first key of the oldest file of the log: what the log is known by is its hash. */
export async function readFingerprintKey(file: string): Promise<string | undefined> {
  const [oldest = file] = await listEarlierFiles(file)
  for await (const { text } of readRawLines(oldest)) {
    const key = parseAuditLine(text)?.key
    if (typeof key === 'string') return key
  }
  return undefined
}

/** Whether `text` is nothing but the beginning of a first line: a crash while a log was begun. */
export function isBeginningOfLog(text: string): boolean {
  const beginning = `{"v":${AUDIT_VERSION},"time":"`
  return text.startsWith(beginning) ? !text.includes('\n') : beginning.startsWith(text)
}
