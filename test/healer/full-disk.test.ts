// A real file system that is full or read-only under what the healer remembers: it starts, heals and tells all the same, says so, and writes
// all of it once there is room.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import { GROUP_WAIT_MS } from '../../healer/alert/sender.ts'
import { NO_ESCALATION } from '../../healer/health/state.ts'
import { openMemory } from '../../healer/state/memory.ts'
import { freePort } from '../support/free-port.ts'
import { mountSmallDisk, whyNoSmallDisk } from '../support/small-disk.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { createBench, startServer } from './support/bench.ts'
import { startHealer } from './support/program.ts'
import { FAILING, RESTARTED, startTelling } from './support/telling.ts'

const skip = whyNoSmallDisk()
const UNWRITTEN = /cannot be written; after a restart the healer would not know what it knows now$/

for (const what of ['full', 'read-only']) {
  await t.test(`a healer whose volume is ${what} starts, and says so`, { skip }, async (t) => {
    const disk = mountSmallDisk(t)
    if (what === 'full') disk.fill()
    else disk.remount('ro')
    const { child, ended, output, said } = startHealer(t, ['run'], {
      STATE_DIR: disk.directory,
      HEALER_PORT: String(await freePort()),
      DOCKER_HOST: `unix://${temporaryDirectory(t)}/none.sock`,
    })
    await said('Health monitor started')
    for (const name of ['healer.json', 'alerts.json'])
      t.match(output.text, `${join(disk.directory, name)} cannot be written; after a restart`)
    t.match(output.text, what === 'full' ? 'ENOSPC' : 'EROFS')
    child.kill('SIGTERM')
    t.same(await ended, [0, null])
  })
}

await t.test('what was known before is known to a healer that starts on a full volume', { skip }, async (t) => {
  const disk = mountSmallDisk(t)
  const { clock, docker } = createBench(t)
  const { summary } = docker.add('web')
  const log = pino({ level: 'silent' })
  const memory = await openMemory(disk.directory, clock, log)
  const pausedUntilMs = Number.POSITIVE_INFINITY
  await memory.remember(summary, { armed: true, escalation: NO_ESCALATION, pausedUntilMs })
  disk.fill()
  const again = await openMemory(disk.directory, clock, log)
  t.match(again.recall(summary), { armed: true, pausedUntilMs })
})

await t.test('a volume that is full, from the start or later, keeps nothing from being healed', { skip }, async (t) => {
  const disk = mountSmallDisk(t)
  const armed = () => 'armedFor' in JSON.parse(readFileSync(join(disk.directory, 'healer.json'), 'utf8')).containers.web
  const app = await startServer(t)
  const { clock, docker, log, start } = createBench(t, {}, disk.directory)
  docker.add('web', app.port)
  const failAndRecover = async () => {
    app.status(500)
    await clock.advance(60_000)
    app.status(200)
    await clock.advance(900_000)
  }
  disk.fill()
  await start()
  await failAndRecover()
  t.same(docker.restarts, ['web'])
  t.match(
    log.find((line) => UNWRITTEN.test(line)),
    'healer.json',
  )

  disk.empty()
  await failAndRecover()
  t.same(docker.restarts, ['web', 'web'])
  t.ok(armed(), 'with room again all is written')

  disk.fill()
  log.length = 0
  await failAndRecover()
  t.same(docker.restarts, ['web', 'web', 'web'])
  t.match(
    log.find((line) => UNWRITTEN.test(line)),
    'healer.json',
  )
  t.ok(armed(), 'and what was there stays')
})

await t.test('a volume that is full, from the start or later, keeps nothing from being told', { skip }, async (t) => {
  const disk = mountSmallDisk(t)
  disk.fill()
  const { happen, clock, took, log } = await startTelling(t, { stateDir: disk.directory })
  await happen('web', FAILING, RESTARTED)
  await clock.advance(GROUP_WAIT_MS)
  disk.empty()
  await happen('api', FAILING, RESTARTED)
  await clock.advance(GROUP_WAIT_MS)
  disk.fill()
  await happen('db', FAILING, RESTARTED)
  await clock.advance(GROUP_WAIT_MS)
  t.same(took(), ['web restarted', 'api restarted', 'db restarted'])
  t.match(
    log.find((line) => UNWRITTEN.test(line)),
    'alerts.json',
  )
  const { incidents } = JSON.parse(readFileSync(join(disk.directory, 'alerts.json'), 'utf8'))
  t.match(incidents, [{ container: 'web' }, { container: 'api' }], 'while there was room all was written')
})
