// What the proxy costs beside the requests it forwards: the time that it adds to a restart, its start, and its memory under full load.
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { load } from '../load.ts'
import { residentBytes } from '../machine.ts'
import { POLICIES } from '../policies.ts'
import { startPostern, startStub } from '../proxies.ts'
import type { Row } from '../row.ts'
import type { Settings } from '../settings.ts'
import { onStage, type Stage } from '../started.ts'
import { spreadOf } from '../statistics.ts'
import { CONTAINER_ID } from '../stub-containers.ts'

const RESTART = { method: 'POST', path: `/v1.45/containers/${CONTAINER_ID}/restart` } as const

/** Pairs of a restart at the Engine and one through the proxy, for each round; after each the proxy has time to forget the key it signed with. */
const PAIRS = 30
const PAUSE_MS = 20

/** A restart through the proxy, whose audit line is on the disk before it goes out, to one at the Engine itself. */
export function measureRestart({ rounds, say }: Settings): Promise<readonly Row[]> {
  return onStage(async (stage) => {
    const stub = await startStub(stage)
    const { clients } = await startPostern(stage, stub.socketPath, { whole: POLICIES.whole })
    const { url } = clients.whole
    const [direct, through] = [
      new Pool('http://engine', { socketPath: stub.socketPath, connections: 1 }),
      new Pool(url, { connections: 1 }),
    ]
    stage.atEnd(() => Promise.all([direct.close(), through.close()]))
    const restart = async (by: Pool): Promise<number> => {
      const startedMs = performance.now()
      const { statusCode, body } = await by.request(RESTART)
      await body.dump()
      if (statusCode !== 204) throw new Error(`a restart was answered ${statusCode}`)
      return performance.now() - startedMs
    }
    for (let i = 0; i < PAIRS; i++) await restart(through)
    const added: number[] = []
    for (let i = 0; i < rounds * PAIRS; i++) {
      const alone = await restart(direct)
      added.push((await restart(through)) - alone)
      await delay(PAUSE_MS)
    }
    say(`${added.length} pairs`)
    return [{ work: 'restart, on disk before it goes out: added', unit: 'ms', ours: spreadOf(added), target: { atMost: 3 } }]
  })
}

/** From the start of the program to the answer to the first request. */
export function measureStart({ rounds, say }: Settings): Promise<readonly Row[]> {
  return onStage(async (stage) => {
    const stub = await startStub(stage)
    const starts: number[] = []
    for (let i = 0; i < rounds; i++) starts.push(await startOnce(stage, stub.socketPath))
    say(`${rounds} starts`)
    return [{ work: 'start to first answer', unit: 'ms', ours: spreadOf(starts), target: { atMost: 300 } }]
  })
}

async function startOnce(stage: Stage, socketPath: string): Promise<number> {
  const startedMs = performance.now()
  const { clients, end } = await startPostern(stage, socketPath, { whole: POLICIES.whole })
  const asking = new Pool(clients.whole.url)
  const { statusCode, body } = await asking.request({ method: 'GET', path: '/_ping' })
  await body.dump()
  const tookMs = performance.now() - startedMs
  await asking.close()
  await end()
  if (statusCode !== 200) throw new Error(`the first answer was ${statusCode}`)
  return tookMs
}

/** What the proxy holds in memory while it forwards as fast as it can. */
export function measureMemory({ minutes, say }: Settings): Promise<readonly Row[]> {
  return onStage(async (stage) => {
    const stub = await startStub(stage)
    const { clients, pid } = await startPostern(stage, stub.socketPath, POLICIES)
    const [whole, cut] = [clients.whole, clients.cut].map(({ url }) => `${url}/v1.45/containers/${CONTAINER_ID}/json`)
    if (!whole || !cut) throw new Error('two are served')
    const megabytes: number[] = []
    const sampling = setInterval(() => megabytes.push(residentBytes(pid) / 1024 ** 2), 1000)
    try {
      for (const url of [whole, cut]) {
        await load({ url, connections: 16, seconds: minutes * 30 })
        say(`${Math.round(residentBytes(pid) / 1024 ** 2)} MB`)
      }
    } finally {
      clearInterval(sampling)
    }
    const tenth = Math.ceil(megabytes.length / 10)
    const [early, late] = [megabytes.slice(tenth * 2, tenth * 4), megabytes.slice(-2 * tenth)]
    const [before, after] = [spreadOf(early), spreadOf(late)]
    return [
      {
        work: `memory at full load, ${minutes} min: highest`,
        unit: 'MB',
        ours: spreadOf([Math.max(...megabytes)]),
        target: { atMost: 96 },
      },
      {
        work: 'memory at full load: the last fifth',
        unit: 'MB',
        ours: after,
        peer: { name: 'the second fifth', theirs: before, ratio: spreadOf([after.median / before.median]) },
        target: { atMost: 1.05 },
      },
    ]
  })
}
