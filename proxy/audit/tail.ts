// Where an audit log has come to, line by line. Pure.
import { type Hash, hashLine, NO_LINE } from './chain.ts'
import { parseAuditLine, type ReadLine } from './read-log.ts'

export type Tail = {
  /** Of the last line. */
  readonly seq: number
  /** The hash of the last line. */
  readonly head: Hash
  /** The key of the last seal, and the one that is to sign the next. */
  readonly sealedBy?: string
  readonly sealsNext?: string
  /** The last line is a seal, or there is none. */
  readonly isSealed: boolean
  /** What stands after the last line: beginnings of lines that could not be written whole, as they stand. */
  readonly torn?: string
  /** The file does not end with a newline. */
  readonly isOpen?: true
}

export const NEW_TAIL: Tail = { seq: 0, head: NO_LINE, isSealed: true }

type Listener = (line: ReadLine) => void

/** `tail` and one line more, which ends with a newline. */
export function advance({ torn, isOpen: _, ...tail }: Tail, text: string, onLine: Listener = () => undefined): Tail {
  const line = parseAuditLine(text)
  if (!line) return { ...tail, torn: withPiece(torn, text), isSealed: false }
  onLine(line)
  const { event, key, next: nextKey } = line
  const next = { ...tail, head: hashLine(text), seq: Math.max(tail.seq, line.seq), isSealed: event === 'seal' }
  if (typeof key !== 'string') return next
  if (event === 'seal' && typeof nextKey === 'string') return { ...next, sealedBy: key, sealsNext: nextKey }
  return ['log', 'continued', 'cut'].includes(event) ? { ...next, sealsNext: key } : next
}

/** `tail` and a text without a newline at the end of the file: a line that lacks only that, or the beginning of one. */
export function advanceOpen(tail: Tail, text: string, onLine?: Listener): Tail {
  const line = parseAuditLine(text)
  const isNext = line?.seq === tail.seq + 1 && line.prev === tail.head
  const next = isNext ? advance(tail, text, onLine) : { ...tail, torn: withPiece(tail.torn, text), isSealed: false }
  return { ...next, isOpen: true }
}

/** `tail` and bytes that were appended after it, which need not end where a line does. */
export function absorb(tail: Tail, bytes: string): Tail {
  const pieces = bytes.split('\n')
  return pieces.reduce((last: Tail, piece, i) => {
    const { isOpen, ...closed } = last
    // What is written after an open end begins with the newline that it lacks.
    if (i === 0 && isOpen && piece === '') return pieces.length > 1 ? closed : last
    if (i < pieces.length - 1) return advance(last, piece)
    return piece === '' ? last : advanceOpen(last, piece)
  }, tail)
}

/** Pieces of lines after one another, as they stand in the file. */
export function withPiece(torn: string | undefined, text: string): string {
  return torn === undefined ? text : `${torn}\n${text}`
}
