// By its defaults the healer stays within the budgets of the policy that ships: what it may ask for one container is never more than the
// proxy lets through.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { backoffMs } from '../../healer/health/machine.ts'
import { readEnvironment } from '../../healer/settings/environment.ts'
import { parsePolicy } from '../../proxy/policy/parse-policy.ts'

t.test('the healer’s defaults keep within the budgets of policies/healer.yaml', async (t) => {
  const parsed = parsePolicy(readFileSync('policies/healer.yaml', 'utf8'), 'healer.yaml')
  if ('errors' in parsed) throw new Error('the policy that ships does not parse')
  const limit = parsed.policy.allow.get('ContainerRestart')?.budget?.container
  if (!limit) throw new Error('the policy that ships has no budget for one container')
  const { intervalMs, maxRestarts } = readEnvironment({})
  // Each restart as early as its backoff allows, until it gives up.
  const times = [0]
  for (let n = 1; n < maxRestarts; n++) times.push((times.at(-1) ?? 0) + backoffMs(n, intervalMs))
  const most = Math.max(...times.map((from) => times.filter((atMs) => atMs >= from && atMs < from + limit.windowMs).length))
  t.ok(most <= limit.count, `${most} within the window, and ${limit.count} are let through`)
  t.equal(most, maxRestarts, 'and all that it would make are let through, so that giving up is its own decision')
})
