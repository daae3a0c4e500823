// What outlives the healer: armed probes and past restarts, in one small file.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import { openMemory } from '../../healer/state/memory.ts'
import { createBench, startServer } from './support/bench.ts'
import { createFakeClock } from './support/fake-clock.ts'
import { createFakeDocker } from './support/fake-docker.ts'

const silent = pino({ level: 'silent' })

await t.test('a probe that was armed stays armed for the same image and settings, and for no other', async (t) => {
  const directory = t.testdir()
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
  const directory = t.testdir()
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

await t.test('a damaged file is set aside, and said', async (t) => {
  for (const text of [
    '{"version":1,',
    '{"version":2,"containers":{}}',
    '[]',
    '{"version":1,"containers":{"web":{"restarts":-1}}}',
  ]) {
    const directory = t.testdir()
    const file = join(directory, 'healer.json')
    writeFileSync(file, text)
    const lines: string[] = []
    await openMemory(directory, createFakeClock(), pino({}, { write: (line: string) => void lines.push(line) }))
    t.equal(readFileSync(`${file}.damaged`, 'utf8'), text)
    t.match(lines.join(''), /was set aside as .*healer\.json\.damaged/)
  }
})

await t.test('a directory that cannot be written is an error at the start', async (t) => {
  await t.rejects(openMemory(join(t.testdir(), 'none'), createFakeClock(), silent), { code: 'ENOENT' })
})

await t.test('a healer that is started anew heals what it had armed before', async (t) => {
  const directory = t.testdir()
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
