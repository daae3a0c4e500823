// Whether an audit log is what was written: every line, in order, and each seal. Needs no secret. Names the first line that is not right.
import { AUDIT_EVENTS } from './audit-line.ts'
import { fingerprint, hashLine, isSealKey, isSignedSeal, NO_LINE } from './chain.ts'
import { parseAuditLine, type RawLine, type ReadLine } from './read-log.ts'
import { withPiece } from './tail.ts'

export type VerifyOptions = {
  /** What the log is known by; another log is a problem. */
  readonly key?: string
  /** A line that a witness has seen: a log that is not sealed as far as that was cut, or the line is not a minute old. */
  readonly atLeast?: number
}

export type Verified = {
  /** The first thing that is not right, and where; absent where all is. */
  readonly problem?: { readonly file: string; readonly line: number; readonly what: string }
  readonly lines: number
  /** The first and the last line, as they are numbered in the log. */
  readonly from: number
  readonly to: number
  readonly seals: number
  /** Lines after the last seal: nothing but their hashes holds them. */
  readonly unsealed: number
  /** What the log is known by, where its files tell. */
  readonly fingerprint: string | undefined
  /** What is no problem, but should be known. */
  readonly notes: readonly string[]
}

export type LocatedLine = RawLine & { readonly file: string }
type Place = Pick<LocatedLine, 'file' | 'number'>

/** What is known of the line before, and of the seals. */
type State = {
  readonly last?: { readonly text: string; readonly seq: number; readonly at: LocatedLine }
  /** The key that the next seal has to be by; `undefined` where what names it is not among the files. */
  readonly nextKey?: unknown
  /** What may be the beginnings of lines, if the next one says so; `text` is all of it. */
  readonly torn?: { readonly at: LocatedLine; readonly text: string }
}

/** Verifies `lines`, which are those of one log in their order. Stops at the first that is not right; that there is none is told of `file`. */
export async function verifyLog(
  file: string,
  lines: AsyncIterable<LocatedLine>,
  { key, atLeast = 0 }: VerifyOptions = {},
): Promise<Verified> {
  let state: State = {}
  let summary = { lines: 0, from: 0, to: 0, seals: 0, unsealed: 0 }
  let known: string | undefined
  const notes: string[] = []
  const wrong = ({ file, number: line }: Place, what: string): Verified => ({
    ...summary,
    fingerprint: known,
    notes,
    problem: { file, line, what },
  })

  let isTheOne = false
  let claimed: string | undefined
  let ends: { readonly first: LocatedLine; readonly last: LocatedLine } | undefined
  for await (const raw of lines) {
    ends = { first: ends?.first ?? raw, last: raw }
    const line = parseAuditLine(raw.text)
    const isTorn = !line || (!raw.isWhole && line.seq !== (state.last?.seq ?? 0) + 1)
    if (isTorn) {
      state = { ...state, torn: { at: state.torn?.at ?? raw, text: withPiece(state.torn?.text, raw.text) } }
      continue
    }
    if (state.torn) {
      if (line.event !== 'torn' || line.sha256 !== hashLine(state.torn.text)) return wrong(state.torn.at, NO_LINE_OF_A_LOG)
      notes.push(`${placeOf(state.torn.at)}: a line that could not be written whole; the next one says so`)
    }
    const judged = judge(line, raw, state)
    if (judged !== undefined) return wrong(judged.at, judged.what)
    const isSeal = line.event === 'seal'
    if (isBeginning(line)) claimed = keyOf(line)
    // Keys are public, and a file that says whose it is proves nothing of the seals before that: the next one does, which has to be by that key.
    if (summary.seals === 0 || isSeal) {
      known ??= claimed
      isTheOne ||= claimed === key
    }
    if (!state.last && line.seq > 1) notes.push(`begins with line ${line.seq}; what was before it is not here`)
    summary = {
      lines: summary.lines + 1,
      from: summary.from || line.seq,
      to: line.seq,
      seals: summary.seals + (isSeal ? 1 : 0),
      unsealed: isSeal ? 0 : summary.unsealed + 1,
    }
    const nextKey = isSeal ? line.next : isBeginning(line) ? line.key : state.nextKey
    state = { last: { text: raw.text, seq: line.seq, at: raw }, nextKey }
  }
  if (!ends) return wrong({ file, number: 1 }, 'there is no line of an audit log')
  const { first, last: end } = ends
  if (state.torn) {
    if (end.isWhole) return wrong(state.torn.at, NO_LINE_OF_A_LOG)
    notes.push(`${placeOf(state.torn.at)}: the last line is torn; the next start of the proxy says so in the log`)
  }
  if (key !== undefined && known === undefined)
    return wrong(end, 'its beginning is not here, so it cannot be told which log it is')
  if (key !== undefined && !isTheOne) return wrong(first, `this is another log: it is known by ${known}`)
  if (summary.to < atLeast) {
    return wrong(end, `it ends with line ${summary.to}, and line ${atLeast} was seen: its end was cut off`)
  }
  // Anybody can write lines that nothing seals, in the place of those that he cut off.
  const sealed = summary.to - summary.unsealed
  if (sealed < atLeast) {
    return wrong(
      end,
      `it is sealed as far as line ${sealed}, and line ${atLeast} was seen: it was cut off, or a minute has not passed`,
    )
  }
  return { ...summary, fingerprint: known, notes }
}

const isBeginning = ({ event }: ReadLine) => event === 'log' || event === 'continued'
const keyOf = ({ key }: ReadLine) => fingerprint(String(key))
const placeOf = ({ file, number }: Place) => `${file}:${number}`

const NO_LINE_OF_A_LOG = 'this is no line of an audit log'

type Wrong = { readonly at: LocatedLine; readonly what: string }

function judge(line: ReadLine, raw: LocatedLine, { last, nextKey, torn }: State): Wrong | undefined {
  if (!last && line.seq === 1 && (line.event !== 'log' || line.prev !== NO_LINE)) {
    return { at: raw, what: 'the first line does not begin a log' }
  }
  if (last && line.seq !== last.seq + 1) {
    const found = `line ${last.seq + 1} of the log is expected here, and this is line ${line.seq}`
    return { at: raw, what: `${found}: lines were dropped, added or swapped` }
  }
  if (last && line.prev !== hashLine(last.text)) {
    return { at: last.at, what: 'this is not what the next line was written after: it was changed since' }
  }
  if (!isWritten(line)) return { at: raw, what: 'no proxy writes such a line' }
  if (last && line.event === 'torn' && !torn) return { at: raw, what: 'the torn line that this tells of is not here' }
  if (line.event === 'cut') {
    return { at: raw, what: `the proxy found the log cut here: its seals went as far as line ${line.sealed}` }
  }
  if (line.event === 'continued' && nextKey !== undefined && line.key !== nextKey) return { at: raw, what: ANOTHER_KEY }
  if (line.event === 'log' && line.seq > 1) return { at: raw, what: 'another log begins here: the keys of the first were lost' }
  return line.event === 'seal' ? judgeSeal(line, raw, nextKey) : undefined
}

/** What is told of a line, or gone by, is what a proxy writes there. */
function isWritten(line: ReadLine): boolean {
  if (isBeginning(line)) return isSealKey(line.key)
  if (line.event === 'cut') return Number.isSafeInteger(line.sealed)
  return AUDIT_EVENTS.includes(line.event)
}

const ANOTHER_KEY = 'this is not by the key that the seal before it named: what is between was written anew'

function judgeSeal(line: ReadLine, raw: LocatedLine, nextKey: unknown): Wrong | undefined {
  const { key, next } = line
  if (!isSealKey(key) || !isSealKey(next)) return { at: raw, what: 'this seal is none' }
  if (nextKey !== undefined && key !== nextKey) {
    return { at: raw, what: ANOTHER_KEY }
  }
  if (!isSignedSeal(raw.text, key)) return { at: raw, what: 'this seal does not fit: it, or what is before it, was written anew' }
  return undefined
}
