// What somebody may try with an audit log, who can write the files: without any key, and with those of a proxy that he took over. All
// that he can reach is the end: it can be cut off, and what nothing has sealed can be replaced.
import { appendFileSync, copyFileSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type AuditEvent, renderAuditLine } from '../../proxy/audit/audit-line.ts'
import { openAuditLog } from '../../proxy/audit/audit-log.ts'
import { fingerprint, hashLine, makeSealKey, NO_LINE, type SealKey, signSeal } from '../../proxy/audit/chain.ts'
import { listEarlierFiles } from '../../proxy/audit/log-file.ts'
import { verifyFiles } from '../../proxy/audit/verify-files.ts'
import { temporaryDirectory } from './support/temporary.ts'

const now = () => Date.parse('2024-06-01T12:00:00Z')
const said = (reason: string): AuditEvent => ({ event: 'start', reason })
type Line = { readonly seq: number; readonly prev: string; readonly event: string; readonly key: string; readonly next: string }
const parse = (line = ''): Line => JSON.parse(line)

/** A log of several files, each of some changes and their seals; `files` has the lines of each, the oldest first. */
async function makeLog(t: Test, changes = 8) {
  const directory = temporaryDirectory(t)
  const options = { file: join(directory, 'audit.jsonl'), keyFile: join(directory, 'keys.json'), now, maxBytes: 1600 }
  const log = await openAuditLog(options)
  const known = log.head().fingerprint
  for (let i = 0; i < changes; i++) await log.appendDurably(said(`change ${i}`))
  await log.close()
  const paths = [...(await listEarlierFiles(options.file)), options.file]
  const files = paths.map((path) => readFileSync(path, 'utf8').trimEnd().split('\n'))
  return { directory, options, paths, files, known, lines: files.flat(), first: parse(files[0]?.[0]).key }
}

type Forged = AuditEvent | { readonly event: 'seal'; readonly by: SealKey; readonly next: string } | Record<string, unknown>

/** Lines of these events after the line `last`, as one who knows how writes them. */
function forge(events: readonly Forged[], last?: string): string[] {
  let [seq, prev] = last === undefined ? [0, NO_LINE] : [parse(last).seq, hashLine(last)]
  return events.map((given) => {
    const { by, ...event } = given as Record<string, unknown> & { readonly by?: SealKey }
    const stamp = { v: 1, time: new Date(now()).toISOString(), seq: ++seq, prev } as const
    const whole = by ? { event: event.event, key: by.public, next: event.next, sig: '' } : event
    const line = renderAuditLine(stamp, whole as unknown as AuditEvent)
    prev = hashLine(by ? signSeal(line, by) : line)
    return by ? signSeal(line, by) : line
  })
}

async function verifyLines(t: Test, files: readonly (readonly string[])[], options: Parameters<typeof verifyFiles>[1] = {}) {
  const directory = temporaryDirectory(t)
  const paths = files.map((lines, i) => {
    const path = join(directory, `${i}.jsonl`)
    writeFileSync(path, lines.map((line) => `${line}\n`).join(''))
    return path
  })
  return verifyFiles(paths, options)
}

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

const takenAway: readonly (readonly [what: string, take: (file: string) => void])[] = [
  ['removed', (file) => rmSync(file)],
  ['renamed', (file) => renameSync(file, `${file}.1`)],
  ['emptied', (file) => truncateSync(file)],
  ['replaced by an empty one', (file) => [rmSync(file), writeFileSync(file, '')]],
]

t.test('a file that is taken away from under the proxy goes on in another, and is missed', async (t) => {
  for (const [what, take] of takenAway) {
    const { options } = await makeLog(t, 4)
    const log = await openAuditLog(options)
    const known = log.head().fingerprint
    take(options.file)
    const seq = await log.appendDurably(said('after'))
    await log.close()
    t.match(parse(readFileSync(options.file, 'utf8').split('\n')[1]), { seq, reason: 'after' }, what)
    const all = [...(await listEarlierFiles(options.file)), options.file]
    t.match((await verifyFiles(all, {})).problem, { file: options.file, line: 1, what: /is expected here/ }, what)
    t.equal(log.head().fingerprint, known, 'the oldest file is there still')
    await (await openAuditLog(options)).close()
    t.match(await verifyFiles([options.file], { atLeast: seq }), { problem: undefined }, `${what}, and at the next start`)
  }
})

t.test('where it was the oldest file, the log is known by another key from then on', async (t) => {
  const { options, known } = await makeLog(t, 0)
  const log = await openAuditLog(options)
  rmSync(options.file)
  await log.append(said('after'))
  const { fingerprint } = log.head()
  t.not(fingerprint, known)
  await log.close()
  t.match(await verifyFiles([options.file], { key: fingerprint }), { problem: undefined })
  t.match((await verifyFiles([options.file], { key: known })).problem, { what: /^this is another log/ })
})

const replaced: readonly (readonly [what: string, replace: (file: string) => void])[] = [
  ['a copy', (file) => [copyFileSync(file, `${file}.copy`), renameSync(`${file}.copy`, file)]],
  ['its beginning', (file) => truncateSync(file, 100)],
  ['something else', (file) => [rmSync(file), writeFileSync(file, 'dear diary\n')]],
]

t.test('a file in whose place stands another takes no line, until that is moved away', async (t) => {
  for (const [what, replace] of replaced) {
    const { options } = await makeLog(t, 1)
    const log = await openAuditLog(options)
    replace(options.file)
    for (const write of [log.append, log.appendDurably]) {
      await t.rejects(write(said('x')), { message: /move it away, and the log goes on in a new one$/ }, what)
    }
    renameSync(options.file, `${options.file}.away`)
    await log.appendDurably(said('after'))
    await log.close()
    t.match(await verifyFiles([options.file], {}), { problem: undefined, unsealed: 0 }, what)
  }
})

const added: readonly (readonly [what: string, text: string, says: { readonly problem: unknown }])[] = [
  ['the beginning of a line', '{"v":1,"ti', { problem: undefined }],
  ['what is no line', 'dear diary\n', { problem: undefined }],
  ['an empty line', '\n', { problem: undefined }],
  ['a line of another log', `${forge([{ event: 'log', key: own.public }])[0]}\n`, { problem: { what: /dropped, added or/ } }],
]

t.test('what another program adds to the file while it is open breaks no line of the proxy’s, and is told', async (t) => {
  for (const [what, text, says] of added) {
    const { options } = await makeLog(t, 1)
    const log = await openAuditLog(options)
    await log.append(said('before'))
    appendFileSync(options.file, text)
    await log.appendDurably(said('after'))
    await log.close()
    const verified = await verifyFiles([options.file], {})
    t.match(verified, says, what)
    if (says.problem === undefined) t.match(verified.notes, [/could not be written whole/], what)
    const lines = readFileSync(options.file, 'utf8').split('\n')
    t.equal(lines.filter((line) => line.includes('"reason":"after"') && parse(line).event === 'start').length, 1, what)
  }
})
