// The real program, and a real file system that is full or read-only under its audit log or its keys: changes are refused and do not
// go out, reads and refusals go on. Once it can be written again all goes on with no restart; nothing is lost, or told twice.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { listEarlierFiles } from '../../proxy/audit/log-file.ts'
import { verifyFiles } from '../../proxy/audit/verify-files.ts'
import { mountSmallDisk, type SmallDisk, whyNoSmallDisk } from '../support/small-disk.ts'
import { type Place, preparePlace, type RunningProgram, startServing } from './support/proxy-process.ts'
import { ask, messageOf } from './support/raw-client.ts'
import { parseLines } from './support/start-proxy.ts'

const RESTART = 'POST /containers/web/restart'
const skip = whyNoSmallDisk()

/** A place whose audit log is on a small disk of its own; `more` arguments to serve with. */
async function prepareOnDisk(t: Test, ...more: readonly string[]): Promise<{ place: Place; disk: SmallDisk }> {
  const [usual, disk] = [await preparePlace(t), mountSmallDisk(t)]
  const audit = join(disk.directory, 'audit.jsonl')
  const args = [...usual.args.map((argument) => (argument === usual.audit ? audit : argument)), ...more]
  return { place: { ...usual, audit, args }, disk }
}

async function failures({ metrics }: Place): Promise<number> {
  const { body } = await ask(metrics, 'GET /metrics')
  return Number(/^postern_proxy_audit_failures_total (\d+)$/m.exec(body)?.[1])
}

const oddPath = (i: number) => `/odd/${i}/${'x'.repeat(300)}`

/** Asks for what no Engine has, each time for another path, until a line cannot be written; the paths. */
async function askUntilFull(t: Test, place: Place): Promise<readonly string[]> {
  const asked: string[] = []
  const before = await failures(place)
  while ((await failures(place)) === before) {
    asked.push(oddPath(asked.length))
    t.equal((await ask(place.client, `GET ${asked.at(-1)}`)).status, 403)
  }
  t.ok(asked.length < 500, 'the log ends somewhere')
  return asked
}

async function changesNothing(t: Test, place: Place): Promise<void> {
  const before = [await failures(place), place.engine.lines().filter((line) => line.startsWith('POST')).length]
  const answer = await ask(place.client, RESTART)
  t.equal(answer.status, 503)
  t.equal(messageOf(answer), 'ContainerRestart: the audit log cannot be written, so nothing is changed')
  t.ok((await failures(place)) > Number(before[0]), 'it is counted')
  t.equal(place.engine.lines().filter((line) => line.startsWith('POST')).length, before[1])
  for (const line of ['GET /_ping', 'GET /containers/json', 'GET /containers/web/json']) {
    t.equal((await ask(place.client, line)).status, 200, line)
  }
}

const filesOf = async ({ audit }: Place) => [...(await listEarlierFiles(audit)), audit]

async function linesOf(place: Place): Promise<readonly Record<string, unknown>[]> {
  // What is torn is no line; `verifyFiles` judges it.
  const texts = (await filesOf(place)).map((file) => readFileSync(file, 'utf8').split('\n'))
  return parseLines(
    texts
      .flat()
      .filter((text) => isJson(text))
      .join('\n'),
  )
}

function isJson(text: string): boolean {
  try {
    return Boolean(JSON.parse(text))
  } catch {
    return false
  }
}

/** Stops it, which tells of all that is counted; the lines, once they are verified. */
async function stopAndVerify(t: Test, place: Place, { child, ended }: RunningProgram) {
  child.kill('SIGTERM')
  const { code, stdout } = await ended
  t.equal(code, 0)
  const { problem, unsealed, notes } = await verifyFiles(await filesOf(place), {})
  t.equal(problem, undefined)
  t.equal(unsealed, 0)
  return { lines: await linesOf(place), notes, stdout }
}

const times = (lines: readonly Record<string, unknown>[], is: (line: Record<string, unknown>) => boolean) =>
  lines.filter(is).reduce((total, { count }) => total + Number(count ?? 1), 0)
const isUnwritable = ({ rule }: Record<string, unknown>) => rule === 'audit.unwritable'

function toldOnce(t: Test, lines: readonly Record<string, unknown>[], paths: readonly string[]): void {
  t.same(
    paths.map((path) => times(lines, (line) => line.path === path)),
    paths.map(() => 1),
    'each is told of, once',
  )
}

t.test('a disk that fills in the middle of a line', { skip }, async (t) => {
  const { place, disk } = await prepareOnDisk(t)
  const program = await startServing(t, place)
  t.equal((await ask(place.client, RESTART)).status, 204)
  disk.fill()
  const asked = await askUntilFull(t, place)
  for (let i = 0; i < 3; i++) await changesNothing(t, place)
  disk.empty()
  t.equal((await ask(place.client, RESTART)).status, 204)
  const { lines, notes, stdout } = await stopAndVerify(t, place, program)
  t.match(notes, [/could not be written whole/])
  t.match(stdout, /ENOSPC.*the audit log cannot be written/)
  toldOnce(t, lines, asked)
  t.equal(times(lines, isUnwritable), 3)
  const isPing = ({ operation }: Record<string, unknown>) => operation === 'SystemPing'
  t.equal(times(lines, isPing), 3)
  t.match(
    lines.filter(({ event }) => event === 'outcome'),
    [{ status: 204 }, { status: 204 }],
  )
})

t.test('a disk that fills while a change is under way', { skip }, async (t) => {
  const { place, disk } = await prepareOnDisk(t)
  const program = await startServing(t, place)
  place.engine.answer = async ({ line }) => {
    if (!line.startsWith('POST')) return undefined
    disk.fill()
    await askUntilFull(t, place)
    return { status: 204 }
  }
  t.equal((await ask(place.client, RESTART)).status, 204)
  disk.empty()
  const { lines } = await stopAndVerify(t, place, program)
  const decisions = lines.filter(({ operation, verdict }) => operation === 'ContainerRestart' && verdict === 'allow')
  t.equal(decisions.length, 1)
  t.match(
    lines.filter(({ event }) => event === 'outcome'),
    [{ of: decisions[0]?.seq, status: 204 }],
    'what came of it is told of once there is room',
  )
})

t.test('a disk that is full when the proxy is killed, and when it starts', { skip }, async (t) => {
  const { place, disk } = await prepareOnDisk(t)
  const first = await startServing(t, place)
  disk.fill()
  await askUntilFull(t, place)
  first.child.kill('SIGKILL')
  await first.ended

  const program = await startServing(t, place)
  t.ok((await failures(place)) > 0, 'its start could not be written')
  await changesNothing(t, place)
  disk.empty()
  t.equal((await ask(place.client, RESTART)).status, 204)
  const { lines } = await stopAndVerify(t, place, program)
  t.equal(times(lines, isUnwritable), 1)
  t.match(
    lines.map(({ event }) => event).filter((event) => event === 'start' || event === 'stop'),
    ['start', 'start', 'stop'],
  )
})

t.test('a disk that is read-only when the proxy starts', { skip }, async (t) => {
  const { place, disk } = await prepareOnDisk(t)
  const first = await startServing(t, place)
  t.equal((await ask(place.client, RESTART)).status, 204)
  first.child.kill('SIGTERM')
  await first.ended
  disk.remount('ro')

  const program = await startServing(t, place)
  await changesNothing(t, place)
  await changesNothing(t, place)
  disk.remount('rw')
  t.equal((await ask(place.client, RESTART)).status, 204)
  const { lines, notes, stdout } = await stopAndVerify(t, place, program)
  t.match(stdout, /EROFS.*the audit log cannot be written/)
  t.same(notes, [])
  t.equal(times(lines, isUnwritable), 2)
  t.equal(lines.filter(({ event }) => event === 'start').length, 2)
})

for (const [what, lose, mend] of [
  ['full', (disk: SmallDisk) => disk.fill(), (disk: SmallDisk) => disk.empty()],
  ['read-only', (disk: SmallDisk) => disk.remount('ro'), (disk: SmallDisk) => disk.remount('rw')],
] as const) {
  t.test(`keys on a disk that is ${what}, and a log on one that is not`, { skip }, async (t) => {
    const [usual, disk] = [await preparePlace(t), mountSmallDisk(t)]
    const place = { ...usual, args: [...usual.args, '--state', disk.directory] }
    const program = await startServing(t, place)
    lose(disk)
    // The key that is there is used up by this.
    t.equal((await ask(place.client, RESTART)).status, 204)
    const before = (await linesOf(place)).length
    await changesNothing(t, place)
    t.ok((await linesOf(place)).length > before, 'reads are recorded at once')
    mend(disk)
    t.equal((await ask(place.client, RESTART)).status, 204)
    const { lines, stdout } = await stopAndVerify(t, place, program)
    t.match(stdout, /(ENOSPC|EROFS).*the audit log cannot be written/)
    t.equal(times(lines, isUnwritable), 1)
    const seals = lines.filter(({ event }) => event === 'seal')
    t.equal(new Set(seals.map(({ key }) => key)).size, seals.length, 'no key has signed twice')
  })
}

t.test('a disk that is full when the log goes on in another file', { skip }, async (t) => {
  // Of a size at which the seal that ends a file has room in the page that is there; its key is replaced on another disk.
  const { place: usual, disk } = await prepareOnDisk(t, '--audit-max-size', '2k')
  const place = { ...usual, args: [...usual.args, '--state', usual.directory] }
  const first = await startServing(t, place)
  disk.fill()
  const asked = await askUntilFull(t, place)
  t.equal((await listEarlierFiles(place.audit)).length, 1, 'there is another file, and no room in it')
  await changesNothing(t, place)
  first.child.kill('SIGKILL')
  await first.ended
  const program = await startServing(t, place)
  await changesNothing(t, place)
  disk.empty()
  t.equal((await ask(place.client, RESTART)).status, 204)
  const { lines } = await stopAndVerify(t, place, program)
  t.equal(times(lines, isUnwritable), 1, 'what the one that was killed had counted is lost')
  toldOnce(t, lines, asked.slice(0, -1))
})
