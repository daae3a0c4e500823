// Other programs with their hands on the audit log while the proxy writes to it.
import { appendFileSync, copyFileSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { openAuditLog } from '../../proxy/audit/audit-log.ts'
import { makeSealKey } from '../../proxy/audit/chain.ts'
import { listEarlierFiles } from '../../proxy/audit/log-file.ts'
import { verifyFiles } from '../../proxy/audit/verify-files.ts'
import { forge, makeLog, parse, said } from './support/forged-log.ts'

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
  [
    'a line of another log',
    `${forge([{ event: 'log', key: makeSealKey().public }])[0]}\n`,
    { problem: { what: /dropped, added or/ } },
  ],
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

t.test('a second proxy that was started on the same log by mistake, and ended, leaves one that goes on', async (t) => {
  const { options } = await makeLog(t, 1)
  const log = await openAuditLog({ ...options, maxBytes: 100_000 })
  for (const run of ['a', 'b']) {
    await log.appendDurably(said(`first ${run}`))
    await log.append(said('the next line waits for the keys'))
    const second = await openAuditLog({ ...options, maxBytes: 100_000 })
    for (let i = 0; i < 3; i++) await second.appendDurably(said(`second ${run} ${i}`))
    await second.close()
    await log.append(said('a read'))
  }
  await log.appendDurably(said('last'))
  await log.close()
  const verified = await verifyFiles([options.file], {})
  t.match(verified, { problem: undefined, unsealed: 0, notes: [] })
  const keys = readFileSync(options.file, 'utf8')
    .trimEnd()
    .split('\n')
    .map(parse)
    .filter(({ event }) => event === 'seal')
  t.equal(new Set(keys.map(({ key }) => key)).size, keys.length, 'no key has signed twice')
})
