// The audit file: whole lines in order, numbered on across restarts, torn lines ended, and no line lost without an error.
import { execFileSync } from 'node:child_process'
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { AuditEvent } from '../../proxy/audit/audit-line.ts'
import { openAuditLog, readAuditLines } from '../../proxy/audit/audit-log.ts'
import { parseLines } from './support/start-proxy.ts'
import { temporaryDirectory } from './support/temporary.ts'

const now = () => Date.parse('2024-06-01T12:00:00Z')
const event = (reason: string): AuditEvent => ({ event: 'start', reason })
const linesOf = (file: string) => parseLines(readFileSync(file, 'utf8'))

t.test('a line holds version, time, sequence number and event', async (t) => {
  const file = join(temporaryDirectory(t), 'audit.jsonl')
  const log = await openAuditLog(file, now)
  t.equal(await log.append(event('one')), 1)
  t.equal(await log.appendDurably(event('two')), 2)
  await log.close()
  t.equal(
    readFileSync(file, 'utf8'),
    '{"v":1,"time":"2024-06-01T12:00:00.000Z","seq":1,"event":"start","reason":"one"}\n' +
      '{"v":1,"time":"2024-06-01T12:00:00.000Z","seq":2,"event":"start","reason":"two"}\n',
  )
  t.equal(statSync(file).mode & 0o007, 0, 'and is nobody else’s to read')
})

t.test('a line is on the file when its promise resolves', async (t) => {
  const file = join(temporaryDirectory(t), 'audit.jsonl')
  const log = await openAuditLog(file, now)
  t.teardown(() => log.close())
  for (const append of [log.append, log.appendDurably]) {
    const seq = await append(event('x'))
    t.equal(linesOf(file).at(-1)?.seq, seq)
  }
})

t.test('lines appended at once stay whole and in the order they were given in', async (t) => {
  const file = join(temporaryDirectory(t), 'audit.jsonl')
  const log = await openAuditLog(file, now)
  const wanted = Array.from({ length: 200 }, (_, i) => i)
  const seqs = await Promise.all(
    wanted.map((i) => (i % 3 === 0 ? log.appendDurably : log.append)(event(`${i} ${'x'.repeat(i)}`))),
  )
  await log.close()
  t.same(
    seqs,
    wanted.map((i) => i + 1),
  )
  t.same(
    linesOf(file).map(({ seq, reason }) => [seq, Number(String(reason).split(' ')[0])]),
    wanted.map((i) => [i + 1, i]),
  )
})

t.test('closing waits for what was appended', async (t) => {
  const file = join(temporaryDirectory(t), 'audit.jsonl')
  const log = await openAuditLog(file, now)
  const appended = [log.append(event('a')), log.append(event('b'))]
  await log.close()
  t.same(await Promise.all(appended), [1, 2])
  t.equal(linesOf(file).length, 2)
})

t.test('the sequence goes on after a restart, past what is no line of the log', async (t) => {
  const file = join(temporaryDirectory(t), 'audit.jsonl')
  const first = await openAuditLog(file, now)
  await first.append(event('a'))
  await first.append(event('b'))
  await first.close()
  appendFileSync(file, 'not json\nnull\n[]\n{"seq":"9","time":"x"}\n{"seq":9}\n\n')
  const second = await openAuditLog(file, now)
  t.equal(await second.append(event('c')), 3)
  await second.close()
})

t.test('a torn last line is ended, so that the next is a line of its own', async (t) => {
  for (const torn of ['{"v":1,"time":"2024', '{"v":1,"time":"2024-06-01T12:00:00.000Z","seq":2,"event":"start"}', '\u00e9']) {
    const file = join(temporaryDirectory(t), 'audit.jsonl')
    writeFileSync(file, `{"v":1,"time":"2024-06-01T12:00:00.000Z","seq":1,"event":"start","reason":"a"}\n${torn}`)
    const log = await openAuditLog(file, now)
    const seq = await log.append(event('after'))
    await log.close()
    const text = readFileSync(file, 'utf8').split('\n')
    t.equal(text.length, 4, 'two lines, one more, and an end')
    t.match(JSON.parse(text[2] ?? ''), { seq, reason: 'after' }, torn)
    t.ok(seq >= 2)
  }
})

t.test('what cannot be written rejects', async (t) => {
  const directory = temporaryDirectory(t)
  await t.rejects(openAuditLog(join(directory, 'missing', 'audit.jsonl'), now), { code: 'ENOENT' })
  await t.rejects(openAuditLog(directory, now), { code: 'EISDIR' })
  const closed = await openAuditLog(join(directory, 'audit.jsonl'), now)
  await closed.close()
  await t.rejects(closed.append(event('late')))
  await t.rejects(closed.appendDurably(event('late')))
})

t.test('a disk that fills in the middle of a line, and has room again, does not cost the line after', async (t) => {
  const file = join(temporaryDirectory(t), 'audit.jsonl')
  // A bound on the size of files stands for a full disk: the line that reaches it is written in part.
  const program = new URL('./support/fill-audit-log.ts', import.meta.url).pathname
  // `env -i`, since tap has every child write files of its own when it ends.
  const command = ['-i', `PATH=${process.env.PATH}`, process.execPath, '--import=tsx', program, file]
  const report: unknown = JSON.parse(execFileSync('env', command, { encoding: 'utf8' }))
  const text = readFileSync(file, 'utf8')
  t.match(report, { rejected: true, seq: Number }, 'a line was refused, and the one after was taken')
  t.match(text.trimEnd().split('\n').at(-1), /^\{[^{]*"reason":"room again"\}$/, 'on a line of its own')
  const seqs: number[] = []
  for await (const { seq } of readAuditLines(file)) seqs.push(seq)
  t.equal(new Set(seqs).size, seqs.length, 'no number is given twice')
})

t.test('reading a file that is not there gives no lines', async (t) => {
  const lines: unknown[] = []
  for await (const line of readAuditLines(join(temporaryDirectory(t), 'none.jsonl'))) lines.push(line)
  t.same(lines, [])
})
