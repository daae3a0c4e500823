// Run by the test of the memory, as a process of its own, to be killed: remembers one restart more each time, for as long as it
// lives, and says on standard output which is on disk.
import { pino } from 'pino'
import { systemClock } from '../../../healer/loop/clock.ts'
import { openMemory } from '../../../healer/state/memory.ts'

const [, , directory = '', container = ''] = process.argv
const memory = await openMemory(directory, systemClock, pino({ level: 'silent' }))
for (let restarts = 1; ; restarts++) {
  const escalation = { restarts, lastRestartMs: undefined, gaveUp: false }
  await memory.remember(JSON.parse(container), { armed: true, escalation, pausedUntilMs: Number.POSITIVE_INFINITY })
  process.stdout.write(`${restarts}\n`)
}
