// What was done to a log is found: the first line that is not right is named, and why. No secret is needed to tell.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openAuditLog } from '../../proxy/audit/audit-log.ts'
import { fingerprint, hashLine, makeSealKey, signSeal } from '../../proxy/audit/chain.ts'
import { verifyFiles } from '../../proxy/audit/verify-files.ts'
import { fuzzBriefly } from '../fuzz/target.ts'
import { verifier } from '../fuzz/targets/verifier.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { makeLog as makeFiles, forge as makeLines, said, verifyLines } from './support/forged-log.ts'

const now = () => Date.parse('2024-06-01T12:00:00Z')

/** A log of twelve lines: its beginning, five reads, three changes with a seal each; `untouched` is its text. */
async function makeLog(t: Test) {
  const directory = temporaryDirectory(t)
  const file = join(directory, 'audit.jsonl')
  const log = await openAuditLog({ file, keyFile: join(directory, 'keys.json'), now })
  for (let i = 0; i < 2; i++) await log.append({ event: 'start', reason: `read ${i}` })
  for (let i = 0; i < 3; i++) {
    await log.appendDurably({ event: 'start', reason: `change ${i}` })
    await log.append({ event: 'start', reason: `after ${i}` })
  }
  const { fingerprint } = log.head()
  // What is there now, before it is closed and sealed to its end.
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n')
  await log.close()
  return { file, fingerprint, lines, save: (changed: readonly string[]) => writeFileSync(file, `${changed.join('\n')}\n`) }
}

type Line = Record<string, unknown> & { seq: number; prev: string }
const parse = (line = '') => JSON.parse(line) as Line

/** Numbers and chains lines anew, as one who knows how, but has no key, would. */
function rechain(lines: readonly string[]): string[] {
  let [seq, prev] = [0, '0'.repeat(64)]
  return lines.map((text) => {
    const line = JSON.stringify({ ...parse(text), seq: ++seq, prev })
    prev = hashLine(line)
    return line
  })
}

const edit = (lines: readonly string[], at: number, text: string) => lines.map((line, i) => (i === at ? text : line))

const tampered: readonly (readonly [
  what: string,
  change: (lines: readonly string[]) => readonly string[],
  line: number,
  says: RegExp,
])[] = [
  ['an edited byte', (l) => edit(l, 1, (l[1] ?? '').replace('read 0', 'read 9')), 2, /it was changed since/],
  ['an edited time', (l) => edit(l, 3, (l[3] ?? '').replace('2024', '2023')), 4, /it was changed since/],
  ['a dropped line', (l) => l.toSpliced(2, 1), 3, /line 3 of the log is expected here, and this is line 4/],
  ['two dropped lines', (l) => l.toSpliced(2, 2), 3, /line 3 of the log is expected here, and this is line 5/],
  ['two lines swapped', (l) => [...l.slice(0, 2), l[3] ?? '', l[2] ?? '', ...l.slice(4)], 3, /dropped, added or swapped/],
  ['a line twice', (l) => l.toSpliced(2, 0, l[1] ?? ''), 3, /line 3 of the log is expected here, and this is line 2/],
  [
    'a line added with the right number',
    (l) => l.toSpliced(2, 0, JSON.stringify({ ...parse(l[2]), reason: 'x' })),
    4,
    /line 4 of the log is expected here, and this is line 3/,
  ],
  ['a dropped line, and the rest chained anew', (l) => rechain(l.toSpliced(1, 1)), 4, /this seal does not fit/],
  [
    'an edited line, and the rest chained anew',
    (l) => rechain(edit(l, 6, (l[6] ?? '').replace('change 1', 'nothing'))),
    8,
    /this seal does not fit/,
  ],
  [
    'a seal dropped, and the rest chained anew',
    (l) => rechain(l.toSpliced(4, 1)),
    7,
    /not by the key that the seal before it named/,
  ],
  ['a seal by a key of another', (l) => edit(l, 4, forge(l[4])), 5, /not by the key that the seal before it named/],
  [
    'an event that no proxy writes',
    (l) => edit(l, 7, (l[7] ?? '').replace('"seal"', '"meal"')).slice(0, 8),
    8,
    /no proxy writes such a line/,
  ],
  ['a line that is no line', (l) => l.toSpliced(2, 0, 'rm -rf'), 3, /no line of an audit log/],
  ['two lines that are none', (l) => l.toSpliced(2, 0, '', 'x'), 3, /no line of an audit log/],
  ['no beginning', (l) => [JSON.stringify({ ...parse(l[1]), seq: 1, prev: '0'.repeat(64) })], 1, /does not begin a log/],
  ['another log behind it', (l) => [...l, ...rechain([l[0] ?? ''])], 13, /dropped, added or swapped/],
]

function forge(text = ''): string {
  const [own, next] = [makeSealKey(), makeSealKey()]
  return signSeal(JSON.stringify({ ...parse(text), key: own.public, next: next.public, sig: '' }), own)
}

t.test('what was done to a log is told with the first line that is not right', async (t) => {
  const { file, lines, save } = await makeLog(t)
  t.equal(lines.length, 12 - 0)
  for (const [what, change, line, says] of tampered) {
    save(change(lines))
    const { problem } = await verifyFiles([file], {})
    t.match(problem, { file, line, what: says }, what)
  }
  save(lines)
  t.match(await verifyFiles([file], {}), { problem: undefined, lines: 12, from: 1, to: 12, seals: 3, unsealed: 1 })
})

fuzzBriefly(t, 'verifier', verifier)

t.test('a cut end is found by a line that a witness saw, another log by what it is known by', async (t) => {
  const { file, fingerprint, lines, save } = await makeLog(t)
  save(lines.slice(0, 9))
  t.match(await verifyFiles([file], { key: fingerprint }), { problem: undefined, to: 9 })
  t.match((await verifyFiles([file], { atLeast: 12 })).problem, {
    what: 'it ends with line 9, and line 12 was seen: its end was cut off',
  })
  const other = await makeLog(t)
  t.match((await verifyFiles([other.file], { key: fingerprint })).problem, {
    line: 1,
    what: /^this is another log: it is known by sha256:/,
  })
  save(lines.slice(5))
  const partial = await verifyFiles([file], {})
  t.match(partial, { problem: undefined, from: 6, notes: ['begins with line 6; what was before it is not here'] })
  t.match((await verifyFiles([file], { key: fingerprint })).problem, { what: /cannot be told which log/ })
})

t.test('a log in several files is one chain, in their order and no other', async (t) => {
  const { file, lines } = await makeLog(t)
  const [first, second] = [`${file}.1`, `${file}.0`]
  writeFileSync(first, `${lines.slice(0, 6).join('\n')}\n`)
  writeFileSync(second, `${lines.slice(6).join('\n')}\n`)
  t.match(await verifyFiles([first, second], {}), { problem: undefined, lines: 12 })
  t.match((await verifyFiles([second, first], {})).problem, { file: first, line: 1 })
  t.match((await verifyFiles([first, first], {})).problem, { file: first, line: 1 })
})

const [own, next] = [makeSealKey(), makeSealKey()]
const begun = { event: 'log', key: own.public }
const NOTHING = { lines: 0, from: 0, to: 0, seals: 0, unsealed: 0, notes: [] }

const whole = (events: Parameters<typeof makeLines>[0]) => makeLines([begun, said('x'), ...events])

/** Lines as one who knows how, and has a key of his own, makes them up; what is said of each whole. */
const madeUp: readonly (readonly [what: string, lines: readonly string[], line: number, says: string])[] = [
  [
    'a first line that is written after another',
    [JSON.stringify({ ...parse(whole([])[0]), prev: '1'.repeat(64) })],
    1,
    'the first line does not begin a log',
  ],
  ['a beginning with what is no key', makeLines([{ event: 'log', key: 'x' }]), 1, 'no proxy writes such a line'],
  ['a seal by what is no key', whole([{ event: 'seal', key: 'x', next: next.public, sig: '' }]), 3, 'this seal is none'],
  ['a seal by nobody', whole([{ event: 'seal', next: next.public, sig: '' }]), 3, 'this seal is none'],
  ['a seal that names no key', whole([{ event: 'seal', by: own, next: 'x' }]), 3, 'this seal is none'],
  [
    'a cut that the proxy found',
    whole([{ event: 'cut', sealed: 17, key: own.public }]),
    3,
    'the proxy found the log cut here: its seals went as far as line 17',
  ],
  [
    'a line that has the hash of what is torn, and does not tell of it',
    [whole([])[0] ?? '', '{"v":', makeLines([{ ...said('x'), sha256: hashLine('{"v":') }], whole([])[0])[0] ?? ''],
    2,
    'this is no line of an audit log',
  ],
]

t.test('what is made up is told word for word, with what the log is known by, as far as it went', async (t) => {
  for (const [what, lines, line, says] of madeUp) {
    const { problem, fingerprint: known } = await verifyLines(t, [lines])
    t.match(problem, { line, what: says }, what)
    t.equal(known, line === 1 ? undefined : fingerprint(own.public), `${what}: which log it is`)
  }
})

t.test('a last line without its newline is a line if it is the next one, and torn if it is not', async (t) => {
  const file = join(temporaryDirectory(t), 'audit.jsonl')
  const verify = (text: string) => {
    writeFileSync(file, text)
    return verifyFiles([file], {})
  }
  const [first = '', second = '', third = ''] = whole([said('y')])
  t.match(await verify(first), { problem: undefined, lines: 1, to: 1, notes: [] })
  t.match(await verify(`${first}\n${second}`), { problem: undefined, lines: 2, to: 2, notes: [] })
  t.same(await verify(`${first}\n${third}`), {
    ...{ lines: 1, from: 1, to: 1, seals: 0, unsealed: 1, fingerprint: fingerprint(own.public) },
    notes: [`${file}:2: the last line is torn; the next start of the proxy says so in the log`],
  })
  t.match(await verify(second), { problem: undefined, lines: 0, notes: [/:1: the last line is torn/] })
})

t.test('a log whose first files are not here begins with what is', async (t) => {
  const { files } = await makeFiles(t)
  const [first = [], ...others] = files
  t.equal(parse(others[0]?.[0]).event, 'continued')
  t.match(await verifyLines(t, others), {
    problem: undefined,
    from: first.length + 1,
    notes: [`begins with line ${first.length + 1}; what was before it is not here`],
  })
})

t.test('where there is no line at all, that is what is said, whatever was asked', async (t) => {
  const file = join(temporaryDirectory(t), 'audit.jsonl')
  writeFileSync(file, '')
  const problem = { file, line: 1, what: 'there is no line of an audit log' }
  for (const options of [{}, { key: fingerprint(own.public) }, { atLeast: 5 }])
    t.same(await verifyFiles([file], options), { ...NOTHING, fingerprint: undefined, problem })
})
