// An Engine that cannot be reached for long is lost, and the program ends so that whoever runs it starts it anew.
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { watchReach } from '../../proxy/engine/reach.ts'
import { preparePlace, startServing } from './support/proxy-process.ts'
import { ask } from './support/raw-client.ts'
import { whatHappened } from './support/start-proxy.ts'

/** What becomes of tries at these seconds; `!` is one that reached the Engine. */
async function outcomeOf(tries: readonly (number | `${number}!`)[]): Promise<string> {
  let nowMs = 0
  const { tried, lost } = watchReach(() => nowMs)
  for (const each of tries) {
    nowMs = Number.parseInt(String(each), 10) * 1000
    tried(String(each).endsWith('!'))
  }
  return Promise.race([lost, delay(1).then(() => 'kept')])
}

const histories: readonly (readonly [tries: readonly (number | `${number}!`)[], outcome: RegExp, why: string])[] = [
  [[], /^kept$/, 'never asked'],
  [['0!', '100!'], /^kept$/, 'always there'],
  [[0, 1, 2, 3, 4, 5, 10, 20, 29], /^kept$/, 'many refusals in a short time: it restarts'],
  [[0, 60], /^kept$/, 'two refusals, however far apart'],
  [[0, 15, 30], /refused every connection for 30 s$/, 'three refusals over half a minute'],
  [[0, 10, 20, 40], /refused every connection for 40 s$/, 'and later'],
  [[0, 10, '20!', 30, 40, 50], /^kept$/, 'it was there in between'],
  [['0!', 100, 110, 131], /refused every connection for 31 s$/, 'counted from the first refusal'],
]

t.test('the Engine is lost after three refusals over thirty seconds, with nothing else in between', async (t) => {
  for (const [tries, outcome, why] of histories) t.match(await outcomeOf(tries), outcome, why)
})

t.test('the program ends with 1 and a whole log once the Engine’s socket has refused it for long', async (t) => {
  const place = await preparePlace(t)
  const { ended } = await startServing(t, place)
  t.match(await ask(place.client, 'GET /_ping'), { status: 200 })
  await place.engine.stop()
  let isOver = false
  const run = ended.finally(() => {
    isOver = true
  })
  while (!isOver) {
    await ask(place.client, 'GET /_ping').catch(() => 'it has ended')
    await delay(1000)
  }
  const { code, stdout, stderr } = await run
  t.equal(code, 1)
  t.match(
    stderr,
    /^postern-proxy: the Engine's socket has refused every connection for \d+ s; the proxy ends, so that its restart policy starts it anew\n$/,
  )
  t.match(stdout, '"msg":"stopped"')
  t.match(whatHappened(readFileSync(place.audit, 'utf8')).at(-1), { event: 'stop' })
})
