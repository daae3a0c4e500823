// The same checks on each engine: what the shipped policy lets through and shows, and a healing run.
import t from 'tap'
import { ENGINES, type EngineName, startEngine } from './engines.ts'
import { checkHealing } from './healing-run.ts'
import { checkPolicy, startTargets } from './policy-checks.ts'
import { startPostern } from './postern.ts'

export async function tryEngine(name: EngineName): Promise<void> {
  await t.test(name, { timeout: 580_000 }, async (t) => {
    const engine = await startEngine(t, name)
    const { version, api } = ENGINES[name]
    t.match(await engine.ask('/version'), { Version: new RegExp(`^${version}\\.`), ApiVersion: api })
    const postern = await startPostern(engine)
    await startTargets(postern)
    await t.test('the policy', { timeout: 580_000 }, (t) => checkPolicy(t, postern))
    await t.test('healing', { timeout: 580_000 }, (t) => checkHealing(t, postern))
  })
}
