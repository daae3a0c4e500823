// What outlives the healer, in one small file: armed probes, past restarts, open incidents and pauses.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { NO_ESCALATION } from '../../healer/health/state.ts'
import { MAX_ENTRIES, openMemory, type Remembered } from '../../healer/state/memory.ts'
import { compiled, plainNode } from '../support/programs.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { createBench, startServer } from './support/bench.ts'
import { createFakeClock } from './support/fake-clock.ts'
import { createFakeDocker } from './support/fake-docker.ts'

const silent = pino({ level: 'silent' })

function createLog() {
  const lines: string[] = []
  return { lines, log: pino({}, { write: (line: string) => void lines.push(JSON.parse(line).msg) }) }
}

await t.test('a probe that was armed stays armed for the same image and settings, and for no other', async (t) => {
  const directory = temporaryDirectory(t)
  const clock = createFakeClock()
  const { summary } = createFakeDocker(clock).add('web')
  const memory = await openMemory(directory, clock, silent)
  t.equal(memory.recall(summary).armed, false)
  await memory.remember(summary, { armed: true, escalation: { restarts: 0, lastRestartMs: undefined, gaveUp: false } })

  const later = await openMemory(directory, clock, silent)
  t.equal(later.recall(summary).armed, true)
  t.equal(later.recall({ ...summary, id: 'another' }).armed, true, 'recreated from the same image')
  t.equal(later.recall({ ...summary, imageId: 'sha256:2' }).armed, false)
  t.equal(later.recall({ ...summary, labels: { ...summary.labels, 'healer.path': '/live' } }).armed, false)
  t.equal(later.recall({ ...summary, name: 'other' }).armed, false)
})

await t.test('past restarts weigh on the very container, by the time that has passed', async (t) => {
  const directory = temporaryDirectory(t)
  const before = createFakeClock()
  const { summary } = createFakeDocker(before).add('web')
  const memory = await openMemory(directory, before, silent)
  await memory.remember(summary, { armed: true, escalation: { restarts: 2, lastRestartMs: before.monotonicMs(), gaveUp: false } })

  const clock = createFakeClock()
  clock.stepWall(20_000)
  const later = await openMemory(directory, clock, silent)
  t.same(later.recall(summary).escalation, { restarts: 2, lastRestartMs: clock.monotonicMs() - 20_000, gaveUp: false })
  t.match(later.recall({ ...summary, id: 'recreated' }).escalation, { restarts: 0, gaveUp: false })
})

await t.test('a pause goes by the name and outlives a recreate, and one that is over is none', async (t) => {
  const directory = temporaryDirectory(t)
  const before = createFakeClock()
  const { summary } = createFakeDocker(before).add('web')
  const memory = await openMemory(directory, before, silent)
  await memory.remember(summary, { armed: false, escalation: NO_ESCALATION, pausedUntilMs: before.monotonicMs() + 60_000 })

  const clock = createFakeClock()
  clock.stepWall(20_000)
  const later = await openMemory(directory, clock, silent)
  t.equal(later.recall(summary).pausedUntilMs, clock.monotonicMs() + 40_000)
  t.equal(later.recall({ ...summary, id: 'recreated' }).pausedUntilMs, clock.monotonicMs() + 40_000)
  t.equal(later.recall({ ...summary, name: 'other' }).pausedUntilMs, undefined)
  clock.stepWall(40_000)
  t.equal(later.recall(summary).pausedUntilMs, undefined)

  await later.remember(summary, { armed: false, escalation: NO_ESCALATION, pausedUntilMs: Number.POSITIVE_INFINITY })
  t.equal((await openMemory(directory, clock, silent)).recall(summary).pausedUntilMs, Number.POSITIVE_INFINITY)
  await later.remember(summary, { armed: false, escalation: NO_ESCALATION })
  t.equal((await openMemory(directory, clock, silent)).recall(summary).pausedUntilMs, undefined, 'resumed')
})

await t.test('an open incident is the very container’s, and goes by the time of day', async (t) => {
  const directory = temporaryDirectory(t)
  const before = createFakeClock()
  const { summary } = createFakeDocker(before).add('web')
  const memory = await openMemory(directory, before, silent)
  const incident = { sinceMs: before.monotonicMs() - 500, restarts: 2, failedToStart: true, toldFailed: true, asked: 'then' }
  await memory.remember(summary, { armed: true, escalation: NO_ESCALATION, incident })

  const clock = createFakeClock()
  clock.stepWall(20_000)
  const later = await openMemory(directory, clock, silent)
  t.same(later.recall(summary).incident, { ...incident, sinceMs: clock.monotonicMs() - 20_500 })
  t.equal(later.recall({ ...summary, id: 'recreated' }).incident, undefined)
  clock.stepWall(-60_000)
  t.equal(later.recall(summary).incident?.sinceMs, clock.monotonicMs(), 'not in the future, though the clock was set back')
})

await t.test('a file of version 1 is understood, and written anew as version 2', async (t) => {
  const directory = temporaryDirectory(t)
  const clock = createFakeClock()
  const { summary } = createFakeDocker(clock).add('web')
  const lastRestartAt = new Date(clock.wallMs() - 5000).toISOString()
  const entry = { id: summary.id, restarts: 3, lastRestartAt, gaveUp: true }
  const file = join(directory, 'healer.json')
  writeFileSync(file, JSON.stringify({ version: 1, containers: { web: entry } }))
  const { log, lines } = createLog()
  const memory = await openMemory(directory, clock, log)
  t.same(memory.recall(summary), {
    armed: false,
    escalation: { restarts: 3, lastRestartMs: clock.monotonicMs() - 5000, gaveUp: true },
  })
  t.same(JSON.parse(readFileSync(file, 'utf8')), { version: 2, containers: { web: entry } })
  t.same(lines, [])
})

const unreadable: [text: string, aside: string, message: RegExp][] = [
  ['', 'damaged', /cannot be understood and was set aside as .*healer\.json\.damaged; no container is paused any more/],
  ['{"version":2,', 'damaged', /cannot be understood/],
  ['[]', 'damaged', /cannot be understood/],
  ['{"version":0,"containers":{}}', 'damaged', /cannot be understood/],
  ['{"version":2.5,"containers":{}}', 'damaged', /cannot be understood/],
  ['{"version":1,"containers":{"web":{"restarts":-1}}}', 'damaged', /cannot be understood/],
  [
    '{"version":2,"containers":{"web":{"id":"1","restarts":0,"gaveUp":false,"pausedUntil":"soon"}}}',
    'damaged',
    /cannot be under/,
  ],
  [
    '{"version":2,"containers":{"web":{"id":"1","restarts":0,"gaveUp":false,"pausedUntill":"forever"}}}',
    'damaged',
    /cannot be un/,
  ],
  [
    '{"version":3,"containers":{}}',
    'newer',
    /was written by a newer healer and was set aside as .*healer\.json\.newer; no container/,
  ],
  ['{"version":4,"something":"else"}', 'newer', /was written by a newer healer/],
]
for (const [text, aside, message] of unreadable) {
  await t.test(`“${text}” is set aside, and said`, async (t) => {
    const directory = temporaryDirectory(t)
    const file = join(directory, 'healer.json')
    writeFileSync(file, text)
    const { log, lines } = createLog()
    await openMemory(directory, createFakeClock(), log)
    t.equal(readFileSync(`${file}.${aside}`, 'utf8'), text)
    t.equal(lines.length, 1)
    t.match(lines[0], message)
  })
}

/** What can be remembered of a container, at `nowMs`. */
const remembered = (nowMs: number): fc.Arbitrary<Remembered> => {
  const past = fc.double({ min: 0, max: 86_400_000 * 365, noNaN: true }).map((agoMs) => nowMs - agoMs)
  const future = fc.double({ min: 2, max: 86_400_000 * 30, noNaN: true }).map((inMs) => nowMs + inMs)
  const restarts = fc.integer({ min: 1, max: 1000 })
  return fc.record({
    armed: fc.boolean(),
    escalation: fc.oneof(
      fc.constant(NO_ESCALATION),
      fc.record({ restarts, lastRestartMs: fc.option(past, { nil: undefined }), gaveUp: fc.boolean() }),
    ),
    incident: fc.option(fc.record({ sinceMs: past, restarts, failedToStart: fc.boolean(), toldFailed: fc.boolean() }), {
      nil: undefined,
    }),
    pausedUntilMs: fc.option(fc.oneof(future, fc.constant(Number.POSITIVE_INFINITY)), { nil: undefined }),
  })
}

await t.test('whatever was remembered is recalled after a restart of the healer, to the second', async (t) => {
  const parent = temporaryDirectory(t)
  const before = createFakeClock()
  const nowMs = before.monotonicMs()
  // As Docker names containers.
  const name = fc.oneof(fc.stringMatching(/^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,40}$/), fc.constantFrom('constructor', 'toString', '00'))
  const property = fc.asyncProperty(fc.dictionary(name, remembered(nowMs), { minKeys: 1, maxKeys: 5 }), async (all) => {
    const directory = mkdtempSync(join(parent, 'state-'))
    const docker = createFakeDocker(before)
    const memory = await openMemory(directory, before, silent)
    const containers = Object.keys(all).map((each) => docker.add(each).summary)
    await Promise.all(
      containers.map((each) => memory.remember(each, all[each.name] ?? { armed: false, escalation: NO_ESCALATION })),
    )

    // The healer's own clock begins anew with each start.
    const later = createFakeClock()
    await later.advance(777)
    later.stepWall(-777)
    const shiftMs = later.monotonicMs() - nowMs
    const { log, lines } = createLog()
    const reopened = await openMemory(directory, later, log)
    const times = ({ escalation, incident, pausedUntilMs }: Remembered) => [
      escalation.lastRestartMs,
      incident?.sinceMs,
      pausedUntilMs,
    ]
    const rest = ({ armed, escalation, incident }: Remembered) =>
      JSON.stringify([
        armed,
        escalation.restarts,
        escalation.gaveUp,
        incident?.restarts,
        incident?.failedToStart,
        incident?.toldFailed,
      ])
    return (
      lines.length === 0 &&
      containers.every((each) => {
        const [was, is] = [all[each.name], reopened.recall(each)]
        if (was === undefined || rest(was) !== rest(is)) return false
        return times(was).every((ms, index) => isSameSecond(ms, times(is)[index], shiftMs))
      })
    )
  })
  await fc.assert(property, { numRuns: 100 })
})

function isSameSecond(was: number | undefined, is: number | undefined, shiftMs: number): boolean {
  if (was === undefined || is === undefined) return was === is
  return was === Number.POSITIVE_INFINITY ? is === was : Math.abs(is - was - shiftMs) < 1000
}

/** A file with everything in it, and how to recall what `directory`, or another, has of its container. */
async function writeFullFile(t: Test) {
  const directory = temporaryDirectory(t)
  const clock = createFakeClock()
  const { summary } = createFakeDocker(clock).add('web')
  const memory = await openMemory(directory, clock, silent)
  const nowMs = clock.monotonicMs()
  await memory.remember(summary, {
    armed: true,
    escalation: { restarts: 2, lastRestartMs: nowMs - 1000, gaveUp: true },
    incident: { sinceMs: nowMs - 2000, restarts: 1, failedToStart: false, toldFailed: true },
    pausedUntilMs: nowMs + 60_000,
  })
  const file = join(directory, 'healer.json')
  return {
    directory,
    file,
    text: readFileSync(file, 'utf8'),
    recall: async (log = silent, from = directory) => (await openMemory(from, clock, log)).recall(summary),
  }
}

await t.test(
  'a file that ends, or is zeros, from any of its bytes on is set aside with a message, and none of it believed',
  async (t) => {
    const { directory, text, recall } = await writeFullFile(t)
    const whole = Buffer.from(text.trimEnd())
    const damage = async (damaged: Buffer, what: string) => {
      const other = mkdtempSync(join(directory, 'damaged-'))
      writeFileSync(join(other, 'healer.json'), damaged)
      const { log, lines } = createLog()
      const recalled = await recall(log, other)
      const isSetAside = lines.length === 1 && readFileSync(join(other, 'healer.json.damaged')).equals(damaged)
      if (!isSetAside) t.fail(`${what}: without a message`)
      if (JSON.stringify(recalled) !== JSON.stringify({ armed: false, escalation: NO_ESCALATION }))
        t.fail(`${what}: half believed`)
    }
    const positions = [...whole.keys()]
    await Promise.all(positions.map((at) => damage(whole.subarray(0, at), `cut at ${at}`)))
    await Promise.all(
      positions.map((at) =>
        damage(Buffer.concat([whole.subarray(0, at), Buffer.alloc(whole.length - at)]), `zeros from ${at} on`),
      ),
    )
    t.ok(whole.length > 300)
  },
)

await t.test('what a killed healer left of a write beside its file is passed over, and removed', async (t) => {
  const { directory, file, text, recall } = await writeFullFile(t)
  const whole = await recall()
  const newer = text.replaceAll('"restarts": 2', '"restarts": 3')
  for (const written of ['', newer.slice(0, 200), newer]) {
    writeFileSync(`${file}.new`, written)
    const { log, lines } = createLog()
    t.same(await recall(log), whole)
    t.same(lines, [])
  }
  t.same(readdirSync(directory), ['healer.json'])
})

await t.test(
  'a healer that is killed while it writes has lost at most what was not yet on the disk',
  { timeout: 580_000 },
  async (t) => {
    const clock = createFakeClock()
    const { summary } = createFakeDocker(clock).add('web')
    const parent = temporaryDirectory(t)
    const program = compiled('healer/support/remember.ts')
    const killOne = async (afterMs: number) => {
      const directory = mkdtempSync(join(parent, 'killed-'))
      const child = spawn(...plainNode(program, directory, JSON.stringify(summary)), {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      t.teardown(() => child.kill('SIGKILL'))
      let said = ''
      child.stdout.on('data', (chunk) => {
        said += chunk
      })
      await once(child.stdout, 'data')
      await delay(afterMs)
      child.kill('SIGKILL')
      await once(child, 'close')
      const onDisk = Number(said.trim().split('\n').at(-1))
      const { log, lines } = createLog()
      const { armed, escalation, pausedUntilMs } = (await openMemory(directory, clock, log)).recall(summary)
      t.same([lines, armed, pausedUntilMs], [[], true, Number.POSITIVE_INFINITY])
      t.ok(escalation.restarts >= onDisk, `${escalation.restarts} of ${onDisk}`)
    }
    await Promise.all([3, 20, 33, 51, 98].map(killOne))
  },
)

const PLAIN: Remembered = { armed: true, escalation: NO_ESCALATION }
const GAVE_UP: Remembered = { armed: true, escalation: { restarts: 5, lastRestartMs: undefined, gaveUp: true } }

/** A memory that is filled, and which of some containers it knows after the next start. */
async function startFilling(t: Test) {
  const directory = temporaryDirectory(t)
  const clock = createFakeClock()
  const docker = createFakeDocker(clock)
  const memory = await openMemory(directory, clock, silent)
  const remember = (name: string, remembered: Remembered) => memory.remember(docker.add(name).summary, remembered)
  return {
    ...{ clock, memory, remember },
    fill: (count: number, remembered: Remembered) =>
      Promise.all(Array.from({ length: count }, (_, i) => remember(`job-${i}`, remembered))),
    async kept(...names: readonly string[]) {
      const again = await openMemory(directory, clock, silent)
      return names.filter((name) => again.recall(docker.add(name).summary).armed)
    },
    stored: () => Object.keys(JSON.parse(readFileSync(join(directory, 'healer.json'), 'utf8')).containers).length,
  }
}

await t.test('containers that come and go make none forgotten that is there, paused, ill or given up on', async (t) => {
  const { clock, memory, remember, fill, kept, stored } = await startFilling(t)
  const nowMs = clock.monotonicMs()
  await remember('gone', PLAIN)
  await remember('was-paused', { ...PLAIN, pausedUntilMs: nowMs + 1000 })
  await remember('paused', { ...PLAIN, pausedUntilMs: Number.POSITIVE_INFINITY })
  await remember('given-up', GAVE_UP)
  await remember('ill', { ...PLAIN, incident: { sinceMs: nowMs, restarts: 1, failedToStart: false, toldFailed: false } })
  await remember('there', PLAIN)
  memory.listed(['there'])
  await clock.advance(2000)
  await fill(MAX_ENTRIES, PLAIN)
  t.same(await kept('gone', 'was-paused', 'paused', 'given-up', 'ill', 'there', 'job-0', `job-${MAX_ENTRIES - 1}`), [
    'paused',
    'given-up',
    'ill',
    'there',
    `job-${MAX_ENTRIES - 1}`,
  ])
  t.equal(stored(), MAX_ENTRIES)
})

await t.test('the bound holds for those as well: the longest unchanged are forgotten first', async (t) => {
  const { remember, fill, kept, stored } = await startFilling(t)
  await remember('first', GAVE_UP)
  await remember('second', GAVE_UP)
  await fill(MAX_ENTRIES - 2, GAVE_UP)
  await remember('first', GAVE_UP)
  await remember('last', GAVE_UP)
  t.same(await kept('first', 'second', 'last'), ['first', 'last'])
  t.equal(stored(), MAX_ENTRIES)
})

await t.test('the healer says which containers are there', async (t) => {
  const directory = temporaryDirectory(t)
  const app = await startServer(t)
  const { docker, clock, start } = createBench(t, {}, directory)
  const memory = await openMemory(directory, clock, silent)
  await memory.remember(docker.add('web', app.port).summary, PLAIN)
  const jobs = createFakeDocker(clock)
  await Promise.all(Array.from({ length: MAX_ENTRIES - 1 }, (_, i) => memory.remember(jobs.add(`job-${i}`).summary, PLAIN)))
  docker.add('api', app.port)
  await start()
  const { containers } = JSON.parse(readFileSync(join(directory, 'healer.json'), 'utf8'))
  t.match(containers, { web: {}, api: {} }, 'one that is new is remembered')
  t.notOk('job-0' in containers, 'and the first of those that are gone is not')
})

await t.test('a directory that cannot be written is an error at the start', async (t) => {
  await t.rejects(openMemory(join(temporaryDirectory(t), 'none'), createFakeClock(), silent), { code: 'ENOENT' })
})

await t.test('a healer that is started anew heals what it had armed before', async (t) => {
  const directory = temporaryDirectory(t)
  const app = await startServer(t)
  const first = createBench(t, {}, directory)
  first.docker.add('web', app.port)
  await first.start()
  await first.stop()

  app.status(500)
  const second = createBench(t, {}, directory)
  second.docker.add('web', app.port)
  await second.start()
  await second.clock.advance(45_000)
  t.same(second.docker.restarts, ['web'])
})
