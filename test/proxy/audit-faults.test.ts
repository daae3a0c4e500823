// The audit log under a file system that fails, or a process that is killed, at each single step of its work: what was told to be written is
// there, once; nothing is chained wrongly; and no key signs twice.
import { readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import t, { type Test } from 'tap'
import type { AuditEvent } from '../../proxy/audit/audit-line.ts'
import { type AuditLogOptions, openAuditLog } from '../../proxy/audit/audit-log.ts'
import { listEarlierFiles } from '../../proxy/audit/log-file.ts'
import { verifyFiles } from '../../proxy/audit/verify-files.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { type Fault, NO_FAULT, withFault } from './support/faulty-files.ts'

const now = () => Date.parse('2024-06-01T12:00:00Z')
const said = (reason: string): AuditEvent => ({ event: 'start', reason })

/** Files of about one change, so that a few go through all that a log ever does. */
function place(t: Test, maxFiles: number) {
  const directory = temporaryDirectory(t)
  const [file, keyFile] = [join(directory, 'audit.jsonl'), join(directory, 'audit-keys.json')]
  return { directory, file, keyFile, now, maxBytes: 600, maxFiles }
}
type Place = ReturnType<typeof place>
/** More files than there will be. */
const MANY = 100

/** Changes and a read, each by a name of its own; `told` are those of which the log says that they are written. */
async function work(at: AuditLogOptions, told: string[], ...names: readonly string[]): Promise<void> {
  const log = await openAuditLog(at)
  for (const name of names) {
    const write = name.startsWith('read') ? log.append : log.appendDurably
    await write(said(name)).then(
      () => told.push(name),
      () => 'was not promised',
    )
  }
  await log.close()
}
const FIRST = ['change 1', 'read 2', 'change 3', 'change 4']
const SECOND = ['read 5', 'change 6']

async function linesOf(files: readonly string[]): Promise<Record<string, unknown>[]> {
  const texts = files.flatMap((file) => readFileSync(file, 'utf8').trimEnd().split('\n'))
  // What is torn is no line; verifying judges it.
  return texts.flatMap((text) => (text.endsWith('}') ? [JSON.parse(text)] : []))
}

/** What is wrong with the log. */
async function faultsOf(at: Place, told: readonly string[]): Promise<readonly string[]> {
  const files = [...(await listEarlierFiles(at.file)), at.file]
  const { problem, unsealed, from } = await verifyFiles(files, {})
  const lines = await linesOf(files)
  const reasons = lines.flatMap(({ reason }) => (typeof reason === 'string' ? [reason] : []))
  const keys = lines.flatMap(({ event, key }) => (event === 'seal' ? [String(key)] : []))
  const state = readFileSync(at.keyFile, 'utf8')
  const oldest = Math.max(
    0,
    told.findIndex((reason) => reasons.includes(reason)),
  )
  const lost = told.slice(at.maxFiles < MANY ? oldest : 0).filter((reason) => !reasons.includes(reason))
  const left = readdirSync(at.directory).filter((name) => !name.endsWith('.jsonl') && name !== 'audit-keys.json')
  const beginnings = lines.filter(({ event }) => event === 'log' || event === 'continued')
  const found: readonly (readonly [is: boolean, what: string])[] = [
    [problem !== undefined, `${problem?.file}:${problem?.line}: ${problem?.what}`],
    [unsealed > 0, `${unsealed} lines are not sealed`],
    [at.maxFiles === MANY && from !== 1, `it begins with line ${from}`],
    [lost.length > 0, `${lost} is lost`],
    [new Set(reasons).size < reasons.length, `a line is there twice: ${reasons}`],
    [new Set(keys).size < keys.length, 'a key signed twice'],
    [keys.some((key) => state.includes(key)), 'the key of a seal is kept'],
    [beginnings.length !== files.length, `${beginnings.length} of ${files.length} files say which log they belong to`],
    // One more than wanted, where it was killed before it dropped the oldest: the next time.
    [files.length > at.maxFiles + 1, `${files.length} files are kept`],
    [left.length > 0, `${left} is left`],
  ]
  return found.flatMap(([is, what]) => (is ? [what] : []))
}

const faults: readonly (readonly [what: string, steps: number, done: Fault['done'], maxFiles?: number])[] = [
  ['a process that is killed before', Number.POSITIVE_INFINITY, 'nothing'],
  ['a process that is killed in the middle of', Number.POSITIVE_INFINITY, 'half'],
  ['one failure of', 1, 'nothing'],
  ['one failure in the middle of', 1, 'half'],
  ['one failure after', 1, 'all'],
  ['failures for a while from', 9, 'half'],
  ['where two files are kept, one failure of', 1, 'nothing', 2],
]

for (const [what, count, done, maxFiles = MANY] of faults) {
  t.test(`${what} any step leaves a log that goes on`, async (t) => {
    const steps = await withFault(NO_FAULT, () => work(place(t, maxFiles), [], ...FIRST))
    t.ok(steps.length > 30, `${steps.length} steps`)
    for (const [from, step] of steps.entries()) {
      // Where nothing is written, there is no half of it.
      if (done === 'half' && !/^(append|write) /.test(step)) continue
      const at = place(t, maxFiles)
      const told: string[] = []
      await withFault({ from, steps: count, done }, () => work(at, told, ...FIRST).catch(() => undefined))
      await work(at, told, ...SECOND)
      const found = await faultsOf(at, told)
      if (found.length > 0) t.fail(`step ${from}, ${step}: ${found.join('; ')}`)
    }
  })
}

t.test('where the keys cannot be replaced for a while, no key signs twice and the log does not get ahead of them', async (t) => {
  const names = [...FIRST, ...SECOND]
  const steps = await withFault(NO_FAULT, () => work(place(t, MANY), [], ...FIRST))
  for (const [from, step] of steps.entries()) {
    const at = place(t, MANY)
    const told: string[] = []
    await withFault({ from, steps: steps.length - from - 1, done: 'nothing', only: 'audit-keys' }, () =>
      work(at, told, ...names).catch(() => undefined),
    )
    await work(at, told, 'change 8')
    const found = await faultsOf(at, told)
    if (found.length > 0) t.fail(`step ${from}, ${step}: ${found.join('; ')}`)
  }
  t.ok(steps.some((step) => step.includes('audit-keys')))
})

t.test('an old file that cannot be removed hinders nothing, and is removed the next time', async (t) => {
  const names = [...FIRST, ...SECOND]
  const steps = await withFault(NO_FAULT, () => work(place(t, 2), [], ...names))
  const from = steps.findIndex((step) => step.startsWith('rm '))
  const at = place(t, 2)
  const [told, errors]: [string[], unknown[]] = [[], []]
  await withFault({ from, steps: 1, done: 'nothing' }, () =>
    work({ ...at, onError: (error) => errors.push(error) }, told, ...names),
  )
  t.same(told, names)
  t.match(errors, [{ message: /EIO/ }])
  t.equal((await listEarlierFiles(at.file)).length, 1)
})

t.test('a file that was made or renamed is on the disk, with its directory, before anything is built on it', async (t) => {
  const at = place(t, MANY)
  const steps = await withFault(NO_FAULT, () => work(at, [], ...FIRST))
  const syncs = `sync ${basename(at.directory)}`
  const needs = steps.flatMap((step, i) => {
    const isMade = step === 'open audit.jsonl' || step.startsWith('rename ')
    const until = step.startsWith('rename ') ? /^append / : /^open audit-keys/
    const after = steps.slice(i + 1)
    const next = after.findIndex((later) => until.test(later))
    return isMade && next >= 0 ? [{ step, i, isSynced: after.slice(0, next).includes(syncs) }] : []
  })
  // The first of all is made before there are keys, and is not told to be durable until the first change is.
  t.ok(needs.length > 5)
  t.same(
    needs.filter(({ i, isSynced }) => i > 0 && !isSynced),
    [],
  )
})

const read: AuditEvent = {
  event: 'decision',
  ...{ client: 'healer', policy: 'p', method: 'GET', path: '/_ping', verdict: 'allow', rule: 'allow.SystemPing' },
}

t.test('a line that is there all the same, where its writing failed, is not told of again', async (t) => {
  const readOnce = async (at: Place) => {
    const log = await openAuditLog(at)
    await log.append(read).catch(() => undefined)
    await log.close()
  }
  const from = (await withFault(NO_FAULT, () => readOnce(place(t, MANY)))).indexOf('append audit.jsonl') + 1
  for (const done of ['nothing', 'half', 'all'] as const) {
    const at = place(t, MANY)
    const steps = await withFault({ from, steps: 1, done }, () => readOnce(at))
    t.equal(steps[from], 'append audit.jsonl')
    const told = (await linesOf([at.file])).filter(({ path }) => path === '/_ping')
    const times = told.reduce((sum, { count }) => sum + Number(count ?? 1), 0)
    t.equal(times, 1, `${done} of it was done`)
  }
})
