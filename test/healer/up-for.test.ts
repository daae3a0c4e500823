// For how long a list says that a container has been up, in the Engine's words.
import t from 'tap'
import { parseUpFor } from '../../healer/docker/up-for.ts'

const told: readonly (readonly [state: string, status: string, ms: number | undefined])[] = [
  ['running', 'Up Less than a second', 0],
  ['running', 'Up 1 second', 1000],
  ['running', 'Up 59 seconds', 59_000],
  ['running', 'Up About a minute', 60_000],
  ['running', 'Up 2 minutes', 60_000],
  ['running', 'Up About an hour', 60_000],
  ['running', 'Up 4 hours (healthy)', 60_000],
  ['running', 'Up 5 seconds (health: starting)', 5000],
  ['running', 'Up 3 weeks (unhealthy)', 60_000],
  ['running', 'Up 99 seconds', 60_000],
  ['running', 'Up 4 hours (Paused)', undefined],
  ['paused', 'Up 4 hours (Paused)', undefined],
  ['paused', 'Up 4 hours', undefined],
  ['exited', 'Exited (0) 4 hours ago', undefined],
  ['restarting', 'Restarting (1) 2 seconds ago', undefined],
  ['running', 'Up for ages', undefined],
  ['running', 'Up 4 hours (healthy) or so', undefined],
  ['running', '', undefined],
]

t.test('at least so long', async (t) => {
  for (const [state, status, ms] of told) t.equal(parseUpFor(state, status), ms, `${state}: ${status}`)
})
