// What somebody may try with an audit log, who can write the files: without any key, and with those of a proxy that he took over. All
// that he can reach is the end: it can be cut off, and what nothing has sealed can be replaced.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openAuditLog } from '../../proxy/audit/audit-log.ts'
import { fingerprint, makeSealKey, type SealKey } from '../../proxy/audit/chain.ts'
import { verifyFiles } from '../../proxy/audit/verify-files.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { forge, makeLog, now, parse, said, verifyLines } from './support/forged-log.ts'

const [own, another] = [makeSealKey(), makeSealKey()]

/** A log that somebody made up to be taken for the one whose first public key is `key`. */
const madeUp: readonly (readonly [what: string, make: (key: string) => readonly (readonly string[])[]])[] = [
  [
    'begun with his key',
    () => [
      forge([
        { event: 'log', key: own.public },
        { event: 'seal', by: own, next: another.public },
      ]),
    ],
  ],
  [
    'begun with the key of the true log, and sealed with his',
    (key) => [
      forge([
        { event: 'log', key },
        { event: 'seal', by: own, next: another.public },
      ]),
    ],
  ],
  [
    'begun with the key in a list, which is no key and yet has its letters',
    (key) => [forge([{ event: 'log', key: [key] }, said('x'), { event: 'seal', by: own, next: another.public }])],
  ],
  [
    'begun with the key and a space',
    (key) => [forge([{ event: 'log', key: `${key} ` }, said('x'), { event: 'seal', by: own, next: another.public }])],
  ],
  [
    'that names the key as the next, and says that it goes on with that',
    (key) => {
      const first = forge([{ event: 'log', key: own.public }, said('x'), { event: 'seal', by: own, next: key }])
      return [first, forge([{ event: 'continued', key }, said('y')], first.at(-1))]
    },
  ],
  [
    'that begins in the middle, names the key as the next, and says that it goes on with that',
    (key) => {
      const last = forge([said('never written')])[0]
      const first = forge([said('x'), { event: 'seal', by: own, next: key }], last)
      return [first, forge([{ event: 'continued', key }, said('y')], first.at(-1))]
    },
  ],
  [
    'that names the key as the next but one',
    (key) => {
      const seals = [
        { event: 'seal', by: own, next: another.public } as const,
        { event: 'seal', by: another, next: key } as const,
      ]
      const first = forge([{ event: 'log', key: own.public }, ...seals])
      return [first, forge([{ event: 'continued', key }], first.at(-1))]
    },
  ],
]

t.test('a log that was made up with public keys is not taken for the one that it says it is', async (t) => {
  const { first, known } = await makeLog(t)
  for (const [what, make] of madeUp) {
    const { problem, fingerprint: said } = await verifyLines(t, make(first), { key: known })
    t.ok(problem, what)
    const looked = await verifyLines(t, make(first))
    t.ok(looked.problem || looked.fingerprint !== known, `${what}: and is not said to be known by its key, but ${said}`)
  }
})

t.test('a log is known by the key of any of its files that a seal stands for', async (t) => {
  const { files } = await makeLog(t)
  const keys = files.map((lines) => fingerprint(parse(lines[0]).key))
  t.ok(keys.length > 2)
  for (const key of keys) t.match(await verifyLines(t, files, { key }), { problem: undefined, fingerprint: keys[0] })
  const middle = [files[0]?.slice(2) ?? [], ...files.slice(1)]
  t.match(await verifyLines(t, middle, { key: keys[1] ?? '' }), { problem: undefined, fingerprint: keys[1] })
  const begun = forge([{ event: 'log', key: own.public }, said('just begun')])
  t.match(await verifyLines(t, [begun], { key: fingerprint(own.public) }), { problem: undefined, unsealed: 2 })
})

t.test('a text in the place of a number is no line of a proxy’s, and is not repeated on a terminal', async (t) => {
  const lines = forge([
    { event: 'log', key: own.public },
    { event: 'cut', sealed: '\u001b[2J', key: own.public },
  ])
  const { problem } = await verifyLines(t, [lines])
  t.match(problem, { line: 2, what: 'no proxy writes such a line' })
})

/** One file: lines, some that nothing has sealed, what a crash left of two lines, and, after a start, sealed to its end. */
async function makeTornLog(t: Test) {
  const directory = temporaryDirectory(t)
  const options = { file: join(directory, 'audit.jsonl'), keyFile: join(directory, 'keys.json'), now }
  const log = await openAuditLog(options)
  await log.appendDurably(said('change'))
  for (let i = 0; i < 3; i++) await log.append(said(`read ${i}`))
  const [before, keys] = [readFileSync(options.file, 'utf8'), readFileSync(options.keyFile)]
  await log.close()
  writeFileSync(options.keyFile, keys)
  writeFileSync(options.file, `${before}{"v":1,"time":"20\n{"v":1,"ti`)
  const next = await openAuditLog(options)
  await next.appendDurably(said('after'))
  await next.close()
  return readFileSync(options.file, 'utf8').trimEnd().split('\n')
}

const [TORN_AT, TORN_LINES] = [6, 2]

const withTorn: readonly (readonly [what: string, change: (lines: readonly string[]) => readonly string[], says: RegExp])[] = [
  ['the line before it changed', (l) => l.with(TORN_AT - 1, (l[TORN_AT - 1] ?? '').replace('read', 'lead')), /changed since/],
  [
    'the lines before it, which nothing had sealed at that time, made up',
    (l) => [...l.slice(0, 3), ...forge([said('x'), said('y'), said('z')], l[2]), ...l.slice(TORN_AT)],
    /changed since/,
  ],
  ['another text torn', (l) => l.with(TORN_AT, '{"v":1,'), /no line of an audit log/],
  ['nothing torn', (l) => l.toSpliced(TORN_AT, TORN_LINES), /torn line that this tells of is not here/],
  ['half of it torn', (l) => l.toSpliced(TORN_AT, 1), /no line of an audit log/],
  ['more torn', (l) => l.toSpliced(TORN_AT, 0, ''), /no line of an audit log/],
  ['a line added to what is torn', (l) => l.toSpliced(TORN_AT + 1, 0, l[4] ?? ''), /no line of an audit log|dropped, added/],
  ['the line that tells of it dropped', (l) => l.toSpliced(TORN_AT + TORN_LINES, 1), /no line of an audit log/],
  ['both dropped', (l) => l.toSpliced(TORN_AT, TORN_LINES + 1), /dropped, added or swapped/],
]

t.test('what a crash has torn holds what is before it, and can be changed as little', async (t) => {
  const lines = await makeTornLog(t)
  t.equal(parse(lines[TORN_AT + TORN_LINES]).event, 'torn')
  t.match(await verifyLines(t, [lines]), { problem: undefined, unsealed: 0, notes: [/could not be written whole/] })
  for (const [what, change, says] of withTorn) t.match((await verifyLines(t, [change(lines)])).problem, { what: says }, what)
})

t.test('an end that was cut off is not made good by lines that nothing seals', async (t) => {
  const { lines, known } = await makeLog(t, 3)
  const seen = lines.length
  const cut = lines.slice(0, lines.map((line) => parse(line).event).indexOf('seal') + 1)
  t.ok(cut.length < seen - 2)
  const padding = forge(
    lines.slice(cut.length).map(() => said('nothing happened')),
    cut.at(-1),
  )
  const options = { key: known, atLeast: seen }
  t.match(await verifyLines(t, [lines], options), { problem: undefined, to: seen })
  t.match((await verifyLines(t, [[...cut, ...padding]], options)).problem, {
    line: seen,
    what: new RegExp(`^it is sealed as far as line ${cut.length}, and line ${seen} was seen: `),
  })
  t.match(await verifyLines(t, [lines.slice(0, -1)], { ...options, atLeast: cut.length }), { problem: undefined, unsealed: 1 })
})

/** Writes that mean the same to who reads JSON, or nearly, of line `i` of a log. */
const rewritten: readonly (readonly [what: string, rewrite: (line: string) => string])[] = [
  ['a carriage return', (line) => `${line}\r`],
  ['a byte order mark', (line) => `\u00ef\u00bb\u00bf${line}`],
  ['a space behind it', (line) => `${line} `],
  ['a space within', (line) => line.replace('{', '{ ')],
  ['a number with a fraction', (line) => line.replace('"v":1,', '"v":1.0,')],
  ['a number with an exponent', (line) => line.replace(/"seq":(\d+)/, '"seq":$1e0')],
  ['an escape for a letter', (line) => line.replace('"event"', '"\\u0065vent"')],
  ['a field twice', (line) => line.replace('"v":1,', '"v":2,"v":1,')],
  ['a prototype', (line) => line.replace('"v":1,', '"v":1,"__proto__":{"seq":1},')],
  ['a field that none has', (line) => line.replace('"v":1,', '"v":1,"note":"x",')],
  [
    'a signature with other spare bits',
    (line) => line.replace(/[AQgw]"\}$/, (end) => `${'BRhx'['AQgw'.indexOf(end.charAt(0))]}"}`),
  ],
  ['nothing in its place', () => ''],
  ['a byte that is no ASCII', (line) => line.replace('T', '\u00d4')],
  ['a line break within', (line) => line.replace(',', ',\n')],
  ['the next line on the same', (line) => `${line}${line}`],
]

t.test('a sealed line that is written in another way is found, whatever it means', async (t) => {
  const { lines } = await makeLog(t, 2)
  for (const [what, rewrite] of rewritten) {
    for (const [i, line] of lines.entries()) {
      const changed = lines.with(i, rewrite(line))
      if (changed[i] !== line) t.ok((await verifyLines(t, [changed])).problem, `${what} in line ${i + 1}`)
    }
  }
})

t.test('lines of any length are told apart', async (t) => {
  const { lines } = await makeLog(t, 1)
  const last = lines.at(-1) ?? ''
  const short = forge([said('')], last)[0] ?? ''
  for (const length of [65_535, 65_536, 65_537, 5_000_000]) {
    const long = JSON.stringify({ ...parse(short), reason: 'x'.repeat(length - short.length) })
    const verified = await verifyLines(t, [[...lines, long, ...forge([said('y')], long)]])
    t.match(verified, { problem: undefined, unsealed: 2 }, `${long.length} characters`)
  }
})

/** All ways to take some of these, in any order. */
function arrangements<T>(things: readonly T[]): T[][] {
  return [[], ...things.flatMap((thing, i) => arrangements(things.toSpliced(i, 1)).map((others) => [thing, ...others]))]
}

t.test(
  'files in any other order, left out or given twice, are found; how lines are divided into files is nobody’s matter',
  async (t) => {
    const { paths, lines, known } = await makeLog(t, 10)
    const whole = { key: known, atLeast: lines.length }
    t.ok(paths.length > 3)
    const wrong = arrangements(paths).filter((files) => files.join() !== paths.join())
    const twice = paths.map((path, i) => paths.toSpliced(i, 0, path))
    for (const files of [...wrong, ...twice]) {
      const names = files.map((file) => paths.indexOf(file)).join(' ')
      t.ok((await verifyFiles(files, whole)).problem, `files ${names}`)
      const isRun = files.every((file, i) => i === 0 || paths.indexOf(file) === paths.indexOf(files[i - 1] ?? '') + 1)
      if (!isRun) t.ok((await verifyFiles(files, {})).problem, `files ${names}, and no witness`)
    }
    for (let at = 0; at < lines.length; at++) {
      t.match(await verifyLines(t, [lines.slice(0, at), lines.slice(at)], whole), { problem: undefined, lines: lines.length })
    }
  },
)

t.test('who takes the proxy over, with its keys, can write nothing anew that was sealed before', async (t) => {
  const { options, lines } = await makeLog(t, 3)
  const keys: { readonly current: SealKey; readonly next: SealKey } = JSON.parse(readFileSync(options.keyFile, 'utf8'))
  const after = makeSealKey()
  const seals = [
    { event: 'seal', by: keys.current, next: keys.next.public } as const,
    { event: 'seal', by: keys.next, next: after.public } as const,
  ] as const
  const goesOn = [...lines, ...forge([said('his'), seals[0], said('own'), seals[1]], lines.at(-1))]
  t.match(await verifyLines(t, [goesOn]), { problem: undefined, unsealed: 0 }, 'from then on, what he likes')
  for (let at = 1; at < lines.length; at++) {
    const kept = lines.slice(0, at)
    const rest = lines.slice(at + 1).map((line) => {
      const { seq: _, prev: __, v: ___, time: ____, ...event } = JSON.parse(line)
      return event
    })
    for (const [what, events] of [
      ['changed', [said('nothing'), ...rest]],
      ['dropped', rest],
      ['changed, and sealed with his keys', [said('nothing'), seals[0], said('his'), seals[1]]],
      ['dropped, and sealed with his keys', [seals[0], said('his'), seals[1]]],
      ['changed, with a new beginning', [{ event: 'continued', key: keys.current.public }, seals[0]]],
    ] as const) {
      const { problem } = await verifyLines(t, [[...kept, ...forge(events, kept.at(-1))]], { atLeast: lines.length })
      t.ok(problem, `line ${at + 1} ${what}`)
    }
  }
})
