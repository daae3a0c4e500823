// The verifier of audit logs: a log that was sealed and is another now, in whatever way, is never taken for the one that was written, and what
// is not right is named. Those who change it know how lines are chained and have keys of their own, but not those of the log.
import fc from 'fast-check'
import { makeSealKey } from '../../../proxy/audit/chain.ts'
import { type LocatedLine, verifyLog } from '../../../proxy/audit/verify.ts'
import { renderVerified } from '../../../proxy/audit/verify-files.ts'
import { forge, makeLog, parse } from '../../proxy/support/forged-log.ts'
import { edited } from '../edits.ts'
import { defineTarget, must } from '../target.ts'

const ends: (() => unknown)[] = []
/** A log of some files, sealed to its end, as a proxy has written it. */
const { lines: written, known } = await makeLog({ teardown: (end) => ends.push(end) }, 5)
for (const end of ends) end()
const original = written.map((line) => `${line}\n`).join('')

const own = [makeSealKey(), makeSealKey()] as const
const place = fc.nat({ max: 1000 })

/** Changes of whole lines. Places count from the beginning, and begin anew after the end. */
type LineEdit = (lines: readonly string[]) => readonly string[]
const line = (lines: readonly string[], at: number) => lines[at % lines.length] ?? ''
const without = (text: string): Record<string, unknown> => {
  const { seq: _, prev: __, v: ___, time: ____, ...event } = parse(text) as unknown as Record<string, unknown>
  return event
}
/** The lines from `at` on written anew after those before: `change` says what they are to tell of. */
const rewritten = (
  lines: readonly string[],
  at: number,
  change: (events: Record<string, unknown>[]) => unknown[],
): readonly string[] => {
  const from = at % (lines.length + 1)
  return [...lines.slice(0, from), ...forge(change(lines.slice(from).map(without)) as Record<string, unknown>[], lines[from - 1])]
}
const seals = [
  { event: 'seal', by: own[0], next: own[1].public },
  { event: 'seal', by: own[1], next: own[0].public },
]

const lineEdit: fc.Arbitrary<LineEdit> = fc.oneof(
  place.map(
    (at): LineEdit =>
      (lines) =>
        lines.toSpliced(at % lines.length, 1),
  ),
  fc.tuple(place, place).map(
    ([a, b]): LineEdit =>
      (lines) =>
        lines.toSpliced(a % lines.length, 0, line(lines, b)),
  ),
  fc.tuple(place, place).map(
    ([a, b]): LineEdit =>
      (lines) =>
        lines.with(a % lines.length, line(lines, b)),
  ),
  place.map(
    (at): LineEdit =>
      (lines) =>
        lines.slice(0, at % (lines.length + 1)),
  ),
  place.map(
    (at): LineEdit =>
      (lines) =>
        lines.slice(at % (lines.length + 1)),
  ),
  place.map(
    (at): LineEdit =>
      (lines) =>
        rewritten(lines, at, (events) => events.slice(1)),
  ),
  place.map(
    (at): LineEdit =>
      (lines) =>
        rewritten(lines, at, (events) => [{ event: 'start', reason: 'nothing' }, ...events.slice(1)]),
  ),
  place.map(
    (at): LineEdit =>
      (lines) =>
        rewritten(lines, at, () => [{ event: 'start', reason: 'his' }, ...seals]),
  ),
  place.map(
    (at): LineEdit =>
      (lines) =>
        rewritten(lines, at, () => [{ event: 'continued', key: own[0].public }, ...seals]),
  ),
  fc.tuple(place, fc.string({ unit: 'binary' }), fc.constantFrom('event', 'sealed', 'key', 'next', 'sha256', 'reason')).map(
    ([at, text, field]): LineEdit =>
      (lines) =>
        rewritten(lines, at, () => [{ event: 'cut', sealed: 1, key: own[0].public, [field]: text }]),
  ),
)

const TEXTS = [
  '"seq":',
  '"prev":"',
  '"event":"seal"',
  '"event":"torn"',
  '"sig":"',
  '\n{',
  '}\n',
  '{"v":1,"time":"',
  '1e0',
  '[[[[',
]
const changed = edited(
  fc.array(lineEdit, { maxLength: 2 }).map((edits) => {
    const lines = edits.reduce<readonly string[]>((last, edit) => (last.length > 0 ? edit(last) : last), written)
    return lines.map((each) => `${each}\n`).join('')
  }),
  TEXTS,
  2,
)

async function* linesOf(text: string): AsyncGenerator<LocatedLine> {
  const lines = text.split('\n')
  const rest = lines.pop() ?? ''
  for (const [i, line] of lines.entries()) yield { text: line, number: i + 1, isWhole: true, file: 'audit.jsonl' }
  if (rest !== '') yield { text: rest, number: lines.length + 1, isWhole: false, file: 'audit.jsonl' }
}

/** The first line, from 1, in which the two differ. */
function firstChange(text: string): number {
  const lines = text.split('\n')
  const at = written.findIndex((line, i) => lines[i] !== line)
  return at < 0 ? written.length + 1 : at + 1
}

async function checkLog(text: string): Promise<void> {
  // Nobody has seen this log before: whatever is found, it is told in words that move no cursor.
  must(!/[^\n\x20-\x7e’]/.test(renderVerified(await verifyLog('', linesOf(text)))), 'what is said of it could move a cursor')
  const { problem, to } = await verifyLog('', linesOf(text), { key: known, atLeast: written.length })
  if (text.startsWith(original) || `${text}\n` === original) {
    // What was put behind it may be no line of a log; what it does not fit is the last of those that are.
    const isBehind = text.length > original.length && problem !== undefined && problem.line >= written.length
    must(problem === undefined || isBehind, `it is whole, and ${problem?.what}`)
    return
  }
  must(problem !== undefined, `it is taken for what was written, as far as line ${to}`)
  const lines = text.split('\n').length
  const isNamed = problem.file === 'audit.jsonl' && problem.line >= 1 && problem.line <= lines
  must(isNamed || text === '', `line ${problem.line} is named, and there are ${lines}`)
  must(
    problem.line >= firstChange(text) - 1 || /another log|cut off/.test(problem.what),
    `line ${problem.line} is named, and it is as it was`,
  )
}

export const verifier = defineTarget(
  'a sealed log that was changed is never taken for the one that was written, and a line is named',
  500,
  changed.map((text) => Buffer.from(text, 'latin1').toString('latin1')),
  checkLog,
)
