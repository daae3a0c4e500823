// The real Prometheus, with the composition's own configuration, finds its targets up.
import t from 'tap'
import { bringUp, waitFor } from './support/composition.ts'

type Target = { readonly labels: { readonly job: string }; readonly health: string; readonly lastError: string }

await t.test('Prometheus scrapes the healer, the sample app and itself', { timeout: 180_000 }, async (t) => {
  const stack = await bringUp(t, ['proxy', 'healer', 'sample-app', 'prometheus'])
  const ask = async (path: string) => (await fetch(`http://127.0.0.1:${stack.ports.prometheus}/api/v1/${path}`)).json()
  const targets = await waitFor('all targets to be up', async () => {
    const { data } = (await ask('targets?state=active')) as { data: { activeTargets: Target[] } }
    return data.activeTargets.length > 0 && data.activeTargets.every(({ health }) => health === 'up') && data.activeTargets
  })
  t.same(targets.map(({ labels }) => labels.job).sort(), ['healer', 'prometheus', 'sample-app'])
  t.match(await ask('query?query=postern_healer_containers'), { data: { result: [{ value: [Number, '1'] }] } })
  t.match(await ask('query?query=postern_healer_proxy_metrics_up'), { data: { result: [{ value: [Number, '1'] }] } })
  const left = encodeURIComponent('postern_proxy_budget_left{of="client"}')
  t.match(await ask(`query?query=${left}`), {
    data: { result: [{ metric: { job: 'healer', client: 'healer', operation: 'ContainerRestart' }, value: [Number, '20'] }] },
  })
  t.match(await ask('query?query=sample_app_healthy'), { data: { result: [{ value: [Number, '1'] }] } })
})
