// A log that has become too long goes on in another file: one chain, the oldest files dropped, and whatever happens in between, it
// verifies or says what is missing.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import type { AuditEvent } from '../../proxy/audit/audit-line.ts'
import { openAuditLog } from '../../proxy/audit/audit-log.ts'
import { listEarlierFiles } from '../../proxy/audit/log-file.ts'
import { verifyFiles } from '../../proxy/audit/verify-files.ts'
import { compiled, plainNode } from '../support/programs.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { preparePlace, startServing } from './support/proxy-process.ts'
import { ask } from './support/raw-client.ts'
import { parseLines } from './support/start-proxy.ts'

const now = () => Date.parse('2024-06-01T12:00:00Z')
const event = (reason: string): AuditEvent => ({ event: 'start', reason })
const linesOf = (file: string) => parseLines(readFileSync(file, 'utf8'))

function place(t: Test) {
  const directory = temporaryDirectory(t)
  return { file: join(directory, 'audit.jsonl'), keyFile: join(directory, 'audit-keys.json'), now, maxBytes: 1600, maxFiles: 4 }
}
const filesOf = async (file: string) => [...(await listEarlierFiles(file)), file]

async function fill(files: Parameters<typeof openAuditLog>[0], changes: number) {
  const log = await openAuditLog(files)
  for (let i = 0; i < changes; i++) await log.appendDurably(event(`change ${i}`))
  const head = log.head()
  await log.close()
  return head
}

t.test(
  'a file that is longer than it should be is set aside, named by its first line; the next says which log it goes on with',
  async (t) => {
    const files = place(t)
    const { fingerprint, seq } = await fill(files, 8)
    const names = readdirSync(dirname(files.file)).filter((name) => name.endsWith('.jsonl'))
    t.match(names, ['audit-000000000001.jsonl', /^audit-\d{12}\.jsonl$/, 'audit.jsonl'])
    const all = await filesOf(files.file)
    for (const [i, file] of all.entries()) {
      const [first] = linesOf(file)
      t.match(first, { event: i === 0 ? 'log' : 'continued', key: /^[\w-]{43}$/ }, file)
      t.ok(file.endsWith('audit.jsonl') || file.endsWith(`-${String(first?.seq).padStart(12, '0')}.jsonl`), file)
      t.equal(statSync(file).mode & 0o007, 0)
    }
    t.match(await verifyFiles(all, { key: fingerprint, atLeast: seq }), {
      problem: undefined,
      from: 1,
      to: seq,
      unsealed: 0,
      notes: [],
    })
  },
)

t.test('the oldest are dropped; what the log is known by is then the first key of the oldest that is left', async (t) => {
  const files = place(t)
  const { fingerprint } = await fill(files, 40)
  const all = await filesOf(files.file)
  t.equal(all.length, files.maxFiles)
  const verified = await verifyFiles(all, { key: fingerprint })
  t.match(verified, {
    problem: undefined,
    fingerprint,
    unsealed: 0,
    notes: [/^begins with line \d+; what was before it is not here$/],
  })
  const own = place(t)
  await fill(own, 40)
  t.match((await verifyFiles(await filesOf(own.file), { key: fingerprint })).problem, { what: /^this is another log/ })
  const later = await verifyFiles(all.slice(1), { key: fingerprint })
  t.match(later.problem, { what: /^this is another log/ }, 'by a key that its files do not hold')
})

t.test('a file that is missing, foreign or twice is found', async (t) => {
  const files = place(t)
  await fill(files, 30)
  const [first = '', second = '', third = '', last = ''] = await filesOf(files.file)
  t.match((await verifyFiles([first, third, last], {})).problem, { file: third, line: 1, what: /is expected here/ })
  t.match((await verifyFiles([first, second, second, last], {})).problem, { file: second, line: 1, what: /is expected here/ })
  t.match((await verifyFiles([second, first, third, last], {})).problem, { file: first, line: 1, what: /is expected here/ })
  const other = place(t)
  await fill(other, 30)
  const foreign = (await filesOf(other.file))[1] ?? ''
  t.match((await verifyFiles([first, foreign, third, last], {})).problem, {
    what: /was changed since|is expected here|another log|not by the key/,
  })
})

t.test('a start reads what budgets may need of the files before, and goes on with the chain', async (t) => {
  const files = place(t)
  await fill(files, 30)
  const [oldest = '', ...others] = await filesOf(files.file)
  for (const file of others) utimesSync(file, now() / 1000, now() / 1000)
  utimesSync(oldest, now() / 1000 - 3600, now() / 1000 - 3600)
  const heard: number[] = []
  const log = await openAuditLog({ ...files, onLine: ({ seq }) => heard.push(seq), lookBackMs: 600_000 })
  await log.close()
  t.equal(heard[0], linesOf(others[0] ?? '')[0]?.seq, 'from the first line of the first file that was written to since')
  t.same(
    heard,
    heard.map((_, i) => (heard[0] ?? 0) + i),
  )
})

const between: readonly (readonly [what: string, make: (file: string) => void])[] = [
  ['the file was set aside, and there is no other', () => undefined],
  ['the next file is there, and empty', (file) => writeFileSync(file, '')],
  ['the next file holds the beginning of a line', (file) => writeFileSync(file, '{"v":1,"time":"2024-')],
  ['the last file ends with the beginning of a line', (file) => appendFileSync(earliest(file), '{"v":1,"time":"2024-')],
]
const earliest = (file: string) => join(dirname(file), 'audit-000000000001.jsonl')

t.test('a crash between two files leaves a log that goes on', async (t) => {
  for (const [what, make] of between) {
    const files = { ...place(t), maxBytes: 100_000 }
    const { fingerprint } = await fill(files, 3)
    renameSync(files.file, earliest(files.file))
    make(files.file)
    await fill(files, 3)
    t.match(
      await verifyFiles(await filesOf(files.file), { key: fingerprint }),
      { problem: undefined, from: 1, unsealed: 0 },
      what,
    )
  }
})

t.test('a log whose last file is lost is found cut', async (t) => {
  const files = place(t)
  await fill(files, 10)
  rmSync(files.file)
  await fill(files, 1)
  t.match((await verifyFiles(await filesOf(files.file), {})).problem, { what: /is expected here|found the log cut here/ })
})

t.test('files that are set aside while their directory cannot be read follow one another all the same', async (t) => {
  const place = await preparePlace(t)
  const program = await startServing(t, { ...place, args: [...place.args, '--audit-max-size', '1k', '--audit-max-files', '100'] })
  const paths = Array.from({ length: 15 }, (_, i) => `/odd/${i}`)
  for (const [i, path] of paths.entries()) {
    // Renaming goes on, and what comes after it does not.
    if (i === 5) chmodSync(place.directory, 0o333)
    if (i === 10) chmodSync(place.directory, 0o777)
    await ask(place.client, `GET ${path}`)
  }
  program.child.kill('SIGTERM')
  t.match((await program.ended).stdout, /EACCES.*the audit log cannot be written/)
  const all = await filesOf(place.audit)
  t.match(await verifyFiles(all, {}), { problem: undefined, from: 1, unsealed: 0 })
  const told = all.flatMap(linesOf).map(({ path }) => path)
  t.same(
    paths.map((path) => told.filter((each) => each === path).length),
    paths.map(() => 1),
    'each request is told of, once',
  )
})

t.test('a file that is no audit log is left as it is', async (t) => {
  const files = place(t)
  writeFileSync(files.file, 'dear diary\n')
  await t.rejects(openAuditLog(files), { message: /audit\.jsonl is no audit log; name another file, or move it away$/ })
  t.equal(readFileSync(files.file, 'utf8'), 'dear diary\n')
})

t.test(
  'a writer that is killed at any moment leaves a log that verifies, to the last line that it was told is durable',
  async (t) => {
    const files = place(t)
    const program = compiled('proxy/support/write-audit-log.ts')
    let durable = 0
    for (let run = 0; run < 12; run++) {
      const child = spawn(...plainNode(program, files.file, files.keyFile), { stdio: ['ignore', 'pipe', 'inherit'] })
      const enough = 5 + run * 7
      let said = ''
      child.stdout.on('data', (chunk) => {
        said += String(chunk)
        if (said.split('\n').length > enough) child.kill('SIGKILL')
      })
      await once(child, 'close')
      durable = Number(said.split('\n').at(-2))
      const all = await filesOf(files.file)
      const { problem, notes } = await verifyFiles(all, { atLeast: durable })
      t.equal(problem, undefined, `killed after line ${durable}: ${notes.join('; ')}`)
    }
    t.ok((await filesOf(files.file)).length > 2, 'it went on over several files')
  },
)
