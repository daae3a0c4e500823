// A bound on time holds, whatever memory is swept meanwhile.
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { inTime } from '../../proxy/serve/in-time.ts'

setFlagsFromString('--expose-gc')
const sweep: () => void = runInNewContext('gc')

t.test('it aborts after its time, though memory was swept', async (t) => {
  const signals = Array.from({ length: 20 }, () => inTime(500, new AbortController().signal))
  while (signals.some(({ aborted }) => !aborted)) {
    sweep()
    await delay(50)
  }
  for (const { reason } of signals) t.equal(reason.name, 'TimeoutError')
})

t.test('and with the other, whichever comes first', async (t) => {
  const other = new AbortController()
  const signal = inTime(60_000, other.signal)
  other.abort(new Error('gone'))
  t.equal(signal.reason.message, 'gone')
})
