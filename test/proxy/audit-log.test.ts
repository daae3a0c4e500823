// The audit file: whole lines in order, chained and sealed, numbered on across restarts, and no line lost without an error.
import { execFileSync } from 'node:child_process'
import { appendFileSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { AuditEvent } from '../../proxy/audit/audit-line.ts'
import { openAuditLog } from '../../proxy/audit/audit-log.ts'
import { makeSealKey } from '../../proxy/audit/chain.ts'
import { createChainWriter } from '../../proxy/audit/chain-writer.ts'
import { openLogFile } from '../../proxy/audit/log-file.ts'
import type { ReadLine } from '../../proxy/audit/read-log.ts'
import { NEW_TAIL } from '../../proxy/audit/tail.ts'
import { verifyFiles } from '../../proxy/audit/verify-files.ts'
import { plainNode } from '../support/programs.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { until } from './support/raw-connection.ts'
import { parseLines } from './support/start-proxy.ts'

const now = () => Date.parse('2024-06-01T12:00:00Z')
const event = (reason: string): AuditEvent => ({ event: 'start', reason })
const linesOf = (file: string) => parseLines(readFileSync(file, 'utf8'))

/** A place for a log and its keys. */
function place(t: Test) {
  const directory = temporaryDirectory(t)
  return { file: join(directory, 'audit.jsonl'), keyFile: join(directory, 'audit-keys.json'), now }
}

t.test('a log begins with its first key; each line holds version, time, number and the hash of the one before', async (t) => {
  const files = place(t)
  const log = await openAuditLog(files)
  t.equal(await log.append(event('one')), 2)
  t.equal(await log.appendDurably(event('two')), 3)
  const head = log.head()
  await log.close()
  const lines = linesOf(files.file)
  t.match(lines, [
    { v: 1, time: '2024-06-01T12:00:00.000Z', seq: 1, prev: '0'.repeat(64), event: 'log', key: /^[\w-]{43}$/ },
    { seq: 2, prev: /^[0-9a-f]{64}$/, event: 'start', reason: 'one' },
    { seq: 3, event: 'start', reason: 'two' },
    { seq: 4, event: 'seal', key: lines[0]?.key, next: /^[\w-]{43}$/, sig: /^[\w-]{86}$/ },
  ])
  t.match(head, { seq: 4, fingerprint: /^sha256:[0-9a-f]{32}$/ })
  t.match(await verifyFiles([files.file], { key: head.fingerprint, atLeast: 4 }), { lines: 4, seals: 1, unsealed: 0, notes: [] })
  t.equal(statSync(files.file).mode & 0o007, 0, 'and is nobody else’s to read')
  t.equal(statSync(files.keyFile).mode & 0o077, 0, 'the keys are the owner’s alone')
})

t.test('a line is on the file when its promise resolves, and sealed where it was written durably', async (t) => {
  const files = place(t)
  const log = await openAuditLog(files)
  t.teardown(() => log.close())
  t.equal(linesOf(files.file).at(-1)?.seq, 1)
  const seq = await log.append(event('x'))
  t.match(linesOf(files.file).at(-1), { seq, event: 'start' })
  const durable = await log.appendDurably(event('x'))
  t.match(linesOf(files.file).slice(-2), [{ seq: durable, event: 'start' }, { event: 'seal' }])
})

t.test('the secret of a seal is not kept', async (t) => {
  const files = place(t)
  const log = await openAuditLog(files)
  const secrets = new Set<string>()
  for (let i = 0; i < 5; i++) {
    await log.appendDurably(event(`${i}`))
    const seals = linesOf(files.file).filter((line) => line.event === 'seal')
    const kept = () => JSON.parse(readFileSync(files.keyFile, 'utf8'))
    await until('the next seal’s key is the first that is kept', () => kept().current.public === seals.at(-1)?.next)
    const { current, next } = kept()
    t.notOk(secrets.has(current.secret) && i === 0)
    secrets.add(current.secret)
    t.notMatch(readFileSync(files.file, 'utf8'), current.secret)
    t.not(current.secret, next.secret)
  }
  t.equal(secrets.size, 5)
  await log.close()
})

t.test('lines appended at once stay whole and in the order they were given in', async (t) => {
  const files = place(t)
  const log = await openAuditLog(files)
  const wanted = Array.from({ length: 200 }, (_, i) => i)
  await Promise.all(wanted.map((i) => (i % 3 === 0 ? log.appendDurably : log.append)(event(`${i} ${'x'.repeat(i)}`))))
  await log.close()
  const said = linesOf(files.file).flatMap(({ reason }) => (reason === undefined ? [] : [Number(String(reason).split(' ')[0])]))
  t.same(said, wanted)
  t.match(await verifyFiles([files.file], {}), { problem: undefined, unsealed: 0 })
})

t.test('closing waits for what was appended, and seals it', async (t) => {
  const files = place(t)
  const log = await openAuditLog(files)
  const appended = [log.append(event('a')), log.append(event('b'))]
  await log.close()
  t.same(await Promise.all(appended), [2, 3])
  t.equal(linesOf(files.file).at(-1)?.event, 'seal')
})

t.test('the chain goes on after a restart, and every line is told of once', async (t) => {
  const files = place(t)
  const first = await openAuditLog(files)
  await first.append(event('a'))
  await first.appendDurably(event('b'))
  await first.close()
  const told: ReadLine[] = []
  const second = await openAuditLog({ ...files, onLine: (line) => told.push(line) })
  t.same(
    told.map(({ seq }) => seq),
    [1, 2, 3, 4],
  )
  t.equal(await second.append(event('c')), 5)
  t.equal(second.head().fingerprint, first.head().fingerprint)
  await second.close()
  t.match(await verifyFiles([files.file], { key: first.head().fingerprint }), { problem: undefined, lines: 6, seals: 2 })
})

t.test('a log that is a seal ahead of its keys, as after a crash between the two, goes on', async (t) => {
  const files = place(t)
  const first = await openAuditLog(files)
  const keys = readFileSync(files.keyFile)
  await first.appendDurably(event('a'))
  await first.close()
  writeFileSync(files.keyFile, keys)
  const second = await openAuditLog(files)
  await second.appendDurably(event('b'))
  await second.close()
  t.match(await verifyFiles([files.file], {}), { problem: undefined, seals: 2, unsealed: 0 })
})

const lost: readonly (readonly [what: string, lose: (file: string) => void, sealed: number])[] = [
  [
    'its last seals',
    (file) => truncateSync(file, Buffer.byteLength(readFileSync(file, 'utf8').split('\n').slice(0, 3).join('\n')) + 1),
    7,
  ],
  ['everything', (file) => rmSync(file), 7],
]

for (const [what, lose, sealed] of lost) {
  t.test(`a log that lost ${what} is found cut at the next start, and says so`, async (t) => {
    const files = place(t)
    const first = await openAuditLog(files)
    for (const reason of ['a', 'b', 'c']) await first.appendDurably(event(reason))
    await first.close()
    lose(files.file)
    const second = await openAuditLog(files)
    await second.appendDurably(event('d'))
    await second.close()
    const cut = linesOf(files.file).find((line) => line.event === 'cut')
    t.match(cut, { seq: sealed + 1, sealed })
    const { problem } = await verifyFiles([files.file], {})
    t.ok(problem, 'and verifying tells')
  })
}

t.test('a log whose keys are lost goes on with others, and verifying tells where', async (t) => {
  const files = place(t)
  const first = await openAuditLog(files)
  await first.appendDurably(event('a'))
  await first.close()
  rmSync(files.keyFile)
  const second = await openAuditLog(files)
  await second.appendDurably(event('b'))
  await second.close()
  t.match((await verifyFiles([files.file], {})).problem, { line: 4, what: /^another log begins here/ })
})

t.test('a torn last line is ended, and the next line says what it was', async (t) => {
  for (const torn of [
    '{"v":1,"time":"2024',
    '{"v":1,"time":"2024-06-01T12:00:00.000Z","seq":2,"event":"start"}',
    '\u00e9',
    '{',
  ]) {
    const files = place(t)
    const first = await openAuditLog(files)
    await first.appendDurably(event('a'))
    await first.close()
    appendFileSync(files.file, torn)
    t.match(await verifyFiles([files.file], {}), { problem: undefined, notes: [/the last line is torn/] }, torn)
    const second = await openAuditLog(files)
    await second.append(event('after'))
    await second.close()
    t.match(await verifyFiles([files.file], {}), { problem: undefined, notes: [/could not be written whole/], unsealed: 0 }, torn)
    const text = readFileSync(files.file, 'utf8').split('\n')
    t.match(JSON.parse(text[4] ?? ''), { seq: 4, event: 'torn', bytes: Buffer.byteLength(torn) })
    t.match(JSON.parse(text[5] ?? ''), { seq: 5, reason: 'after' })
  }
})

t.test('what cannot be written rejects', async (t) => {
  const directory = temporaryDirectory(t)
  const keyFile = join(directory, 'keys.json')
  await t.rejects(openAuditLog({ file: join(directory, 'missing', 'audit.jsonl'), keyFile, now }), { code: 'ENOENT' })
  await t.rejects(openAuditLog({ file: directory, keyFile, now }), { code: 'EISDIR' })
  const files = place(t)
  writeFileSync(files.keyFile, 'not the keys')
  await t.rejects(openAuditLog(files), { message: /holds no keys of an audit log; move it away to begin with new ones$/ })
  const closed = await openAuditLog(place(t))
  await closed.close()
  await t.rejects(closed.append(event('late')))
  await t.rejects(closed.appendDurably(event('late')))
})

t.test('a disk that fills in the middle of a line, and has room again, leaves a log that verifies', async (t) => {
  const files = place(t)
  // A bound on the size of files stands for a full disk: the line that reaches it is written in part.
  const program = new URL('./support/fill-audit-log.ts', import.meta.url).pathname
  const report: unknown = JSON.parse(
    execFileSync(...plainNode('--import=tsx', program, files.file, files.keyFile), { encoding: 'utf8' }),
  )
  t.match(report, { rejected: true, seq: Number }, 'a line was refused, and the one after was taken')
  const verified = await verifyFiles([files.file], {})
  t.equal(verified.problem, undefined)
  t.ok(verified.lines > 10)
})

t.test('wherever in a line the disk fills, the line that was refused and is written again is there once', async (t) => {
  const { file, keyFile } = place(t)
  const logFile = await openLogFile(file)
  t.teardown(() => logFile.close())
  let room = Number.POSITIVE_INFINITY
  let longest = 0
  const chain = createChainWriter({
    ...{ keyFile, now, tail: NEW_TAIL, firstSeq: undefined, keys: { seq: 0, current: makeSealKey(), next: makeSealKey() } },
    logFile: {
      ...logFile,
      async append(text) {
        longest = Math.max(longest, text.length)
        if (text.length <= room) return logFile.append(text)
        appendFileSync(file, text.slice(0, room))
        throw new Error('no space left on device')
      },
    },
  })
  await chain.write({ event: 'log', key: 'k'.repeat(43) })
  let refused = 0
  for (let bytes = 0; bytes <= longest; bytes++) {
    const once = event(`with room for ${bytes} bytes`)
    room = bytes
    const isRefused = await chain.write(once).then(
      () => false,
      () => true,
    )
    room = Number.POSITIVE_INFINITY
    if (isRefused) await chain.write(once)
    refused += isRefused ? 1 : 0
  }
  t.ok(refused > 100)
  const text = readFileSync(file, 'utf8')
  for (let bytes = 0; bytes <= longest; bytes++) {
    const whole = text.split('\n').filter((line) => line.endsWith(`"with room for ${bytes} bytes"}`))
    t.equal(whole.length, 1, `with room for ${bytes} bytes`)
  }
  t.equal((await verifyFiles([file], {})).problem, undefined)
})
