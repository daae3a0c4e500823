// From the last failed answer of a container to its restart, which the proxy has judged and recorded, as the Engine is asked for it.
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { startFleet, startHealer } from '../fleet/fleet.ts'
import { startPostern } from '../proxies.ts'
import type { Row } from '../row.ts'
import type { Settings } from '../settings.ts'
import { onStage } from '../started.ts'
import { spreadOf } from '../statistics.ts'

const COUNT = 30
/** One begins to fail when the one before is healed, or nearly: restarts come one by one. */
const APART_MS = 1200
/** What it takes from the first failure to the restart of the last one that fails. */
const TIME_TO_HEAL_MS = 8000

/** The policy that ships, with a budget for all of them. */
const POLICY = readFileSync(new URL('../../../policies/healer.yaml', import.meta.url), 'utf8').replace(
  /budget: \{.*\}/,
  'budget: { container: 100 per 10m, client: 100000 per 10m }',
)

export function measureHealing({ say }: Settings): Promise<readonly Row[]> {
  return onStage(async (stage) => {
    const fleet = await startFleet(stage, COUNT)
    const { clients } = await startPostern(stage, fleet.socketPath, { healer: POLICY })
    await startHealer(stage, clients.healer.url.replace('http:', 'tcp:'))
    await delay(10_000)
    for (let i = 0; i < COUNT; i++) {
      await fleet.fail(i)
      await delay(APART_MS)
    }
    await delay(TIME_TO_HEAL_MS)
    const { restartsAfterMs } = await fleet.noted()
    say(`${restartsAfterMs.length} restarts`)
    if (restartsAfterMs.length < COUNT) throw new Error(`${restartsAfterMs.length} of ${COUNT} were restarted`)
    const work = 'from the last failed answer to the restart leaving the proxy'
    return [{ work, unit: 'ms', ours: spreadOf(restartsAfterMs), target: { atMost: 20 } }]
  })
}
