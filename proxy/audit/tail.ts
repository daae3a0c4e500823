// Where an audit log has come to, line by line. Pure.
import { type Hash, hashLine, NO_LINE } from './chain.ts'
import { parseAuditLine, type ReadLine } from './read-log.ts'

export type Tail = {
  /** Of the last line. */
  readonly seq: number
  /** The hash of the last line. */
  readonly head: Hash
  /** The first key that the log names: which log it is. */
  readonly firstKey?: string
  /** The key of the last seal, and the one that is to sign the next. */
  readonly sealedBy?: string
  readonly sealsNext?: string
  /** The beginning of a line that could not be written whole. */
  readonly torn?: string
  /** The last line is whole but for its newline. */
  readonly isOpen?: true
}

export const NEW_TAIL: Tail = { seq: 0, head: NO_LINE }

/** `tail` and one whole line more. */
export function advance(tail: Tail, text: string, onLine: (line: ReadLine) => void = () => undefined): Tail {
  const line = parseAuditLine(text)
  const head = hashLine(text)
  if (!line) return { ...tail, head }
  onLine(line)
  const next = { ...tail, head, seq: Math.max(tail.seq, line.seq) }
  const { event, key, next: nextKey } = line
  if (typeof key !== 'string') return next
  if (event === 'seal' && typeof nextKey === 'string') return { ...next, sealedBy: key, sealsNext: nextKey }
  return event === 'log' || event === 'cut' ? { ...next, firstKey: tail.firstKey ?? key, sealsNext: key } : next
}

/** `tail` and a text without a newline at the end of the file: a line that lacks only that, or the beginning of one. */
export function advanceOpen(tail: Tail, text: string, onLine?: (line: ReadLine) => void): Tail {
  const line = parseAuditLine(text)
  const isNext = line?.seq === tail.seq + 1 && line.prev === tail.head
  return isNext ? { ...advance(tail, text, onLine), isOpen: true } : { ...tail, torn: text }
}

/** What stands at the end of the file gets a newline; the beginning of a line is then the line before the next. */
export function close({ torn, isOpen: _, ...tail }: Tail): Tail {
  return torn === undefined ? tail : { ...tail, head: hashLine(torn) }
}
