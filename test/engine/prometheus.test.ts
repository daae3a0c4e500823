// The real Prometheus, with the composition's own configuration but for a shorter interval: it finds its targets up, and after a healing
// run and a refusal it answers every query of Grafana's dashboard.
import { cpSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { dashboard, queries } from '../support/dashboard.ts'
import { bringUp, run, waitFor } from './support/composition.ts'

type Target = { readonly labels: { readonly job: string }; readonly health: string; readonly lastError: string }
type Series = {
  readonly metric: Readonly<Record<string, string>>
  readonly values?: [number, string][]
  readonly value?: [number, string]
}
type Answer<Data> = { readonly status: string; readonly error?: string; readonly data: Data }

const valuesIn = ({ value, values = [] }: Series) => [...values, ...(value ? [value] : [])].map(([, text]) => Number(text))

/** An override by which Prometheus looks every two seconds. */
function oftener(t: Test): string {
  const folder = t.testdir({})
  cpSync('compose/prometheus', join(folder, 'prometheus'), { recursive: true })
  const file = join(folder, 'prometheus/prometheus.yml')
  writeFileSync(file, readFileSync(file, 'utf8').replaceAll('_interval: 15s', '_interval: 2s'))
  const mount = { type: 'bind', source: join(folder, 'prometheus'), target: '/etc/prometheus', read_only: true }
  writeFileSync(join(folder, 'override.yaml'), JSON.stringify({ services: { prometheus: { volumes: [mount] } } }))
  return join(folder, 'override.yaml')
}

/** For `node -e` in the healer's container: asks the proxy for what its policy does not allow, and prints the answer's status. */
const FORBIDDEN = `
const request = { socketPath: '/run/postern/healer.sock', method: 'POST', path: '/containers/create', agent: false }
require('http').request(request, (response) => console.log(response.resume().statusCode)).end()
`

await t.test('Prometheus and what it is asked for', { timeout: 580_000 }, async (t) => {
  const stack = await bringUp(t, ['proxy', 'healer', 'sample-app', 'prometheus'], {}, oftener(t))
  const beganMs = Date.now()
  const ask = async <Data>(path: string, parameters: Readonly<Record<string, string>> = {}) => {
    const address = `http://127.0.0.1:${stack.ports.prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`
    return (await (await fetch(address)).json()) as Answer<Data>
  }

  await t.test('it scrapes the healer, the sample app and itself', async (t) => {
    const targets = await waitFor('all targets to be up', async () => {
      const { activeTargets } = (await ask<{ activeTargets: Target[] }>('targets', { state: 'active' })).data
      return activeTargets.length > 0 && activeTargets.every(({ health }) => health === 'up') && activeTargets
    })
    t.same(targets.map(({ labels }) => labels.job).sort(), ['healer', 'prometheus', 'sample-app'])
    const value = (query: string) => ask('query', { query })
    await waitFor('the sample app to be watched', async () => {
      const { data } = await ask<{ result: Series[] }>('query', { query: 'postern_healer_containers == 1' })
      return data.result.length === 1
    })
    t.match(await value('postern_healer_proxy_metrics_up'), { data: { result: [{ value: [Number, '1'] }] } })
    t.match(await value('postern_proxy_budget_left{of="client"}'), {
      data: { result: [{ metric: { job: 'healer', client: 'healer', operation: 'ContainerRestart' }, value: [Number, '20'] }] },
    })
    t.match(await value('sample_app_healthy'), { data: { result: [{ value: [Number, '1'] }] } })
  })

  await stack.said('sample-app — healthy')
  await stack.app('POST', '/break')
  await stack.said('sample-app — recovered')
  t.equal((await stack.compose('exec', '-T', 'healer', 'node', '-e', FORBIDDEN)).trim(), '403')

  /** What a variable of the dashboard can be, as Grafana looks it up. */
  const valuesOf = async (name: string, others: Readonly<Record<string, string>>) => {
    const { definition = '' } = dashboard.templating.list.find((variable) => variable.name === name) ?? {}
    const [, series = '', label] = /^label_values\((.*), (\w+)\)$/.exec(definition) ?? []
    return (await ask<string[]>(`label/${label}/values`, { 'match[]': fill(series, others) })).data
  }
  const [healer = ''] = await valuesOf('healer', {})
  const [container = ''] = await valuesOf('container', { healer })

  await t.test('the variables of the dashboard have the healer and its container', async (t) => {
    t.same(await valuesOf('healer', {}), ['healer:8081'])
    t.same(await valuesOf('container', { healer }), ['sample-app'])
  })

  /** The series that a query gives; throws where Prometheus does not understand it. */
  const resultOf = async (expr: string, instant: boolean, chosen: string): Promise<readonly Series[]> => {
    const query = fill(expr, { healer, container: chosen })
    const answer = await (instant
      ? ask<{ result: Series[] }>('query', { query })
      : ask<{ result: Series[] }>('query_range', { query, start: `${beganMs / 1000}`, end: `${Date.now() / 1000}`, step: '1' }))
    if (answer.status !== 'success') throw new Error(`${answer.error}: ${query}`)
    return answer.data.result
  }
  const resultOfPanel = async (title: string) => {
    const { target } = queries.find(({ panel }) => panel.title === title) ?? {}
    return target ? resultOf(target.expr, target.instant, container) : []
  }

  await t.test('every query of the dashboard gives series, of all containers and of one', async (t) => {
    const silent = async () => {
      const asked = queries.flatMap(({ panel, target }) => ['.*', container].map((chosen) => ({ panel, target, chosen })))
      const results = asked.map(async ({ panel, target, chosen }) => {
        const result = await resultOf(target.expr, target.instant, chosen)
        return result.flatMap(valuesIn).some((value) => !Number.isNaN(value)) ? [] : [`${panel.title}: ${target.expr}`]
      })
      return (await Promise.all(results)).flat()
    }
    // A query that Prometheus does not understand is told of at once.
    await silent()
    await waitFor('an answer to each query', async () => (await silent()).length === 0).catch(() => undefined)
    t.same(await silent(), [])
  })

  await t.test('the panels show what happened', async (t) => {
    /** Waits until a series of the panel with these labels has had at least this value. */
    const shows = (title: string, metric: Readonly<Record<string, string>>, least: number) =>
      waitFor(`${title} to show it`, async () =>
        (await resultOfPanel(title)).some(
          (series) =>
            Object.entries(metric).every(([name, value]) => series.metric[name] === value) &&
            valuesIn(series).some((value) => value >= least),
        ),
      )
    t.ok(await shows('Restarts', { container, outcome: 'restarted' }, 1))
    t.ok(await shows('Incidents', {}, 1))
    t.ok(await shows('Health', { container }, 1))
    t.ok(await shows('Refusals', { client: 'healer' }, 1))
    t.ok(await shows('Refusals by operation and rule', { operation: 'ContainerCreate', client: 'healer' }, 1))
  })

  await t.test('without a healer no panel says that all is well', async (t) => {
    await stack.compose('kill', 'healer')
    await waitFor('the healer to be missed', async () => (await resultOf(`up{instance="${healer}"} == 0`, true, '')).length > 0)
    for (const title of ['Failing', 'Incidents open', 'Restarts due, not made', 'Hold', 'Ill by a metric', 'Policy'])
      t.same(await resultOfPanel(title), [], title)
  })
})

/** A query with its variables as Grafana fills them in. */
function fill(expr: string, variables: Readonly<Record<string, string>>): string {
  const all = { ...variables, __rate_interval: '1m', __range: '3h' }
  return Object.entries(all).reduce((text, [name, value]) => text.replaceAll(`$${name}`, value), expr)
}

await t.test('Grafana has an administrator where a password is given, and else none', { timeout: 60_000 }, async (t) => {
  const environment = async (env: NodeJS.ProcessEnv) => {
    const text = await run(
      'docker',
      ['compose', '-f', 'compose/compose.yaml', '--profile', '*', 'config', '--format', 'json'],
      env,
    )
    const { services, secrets } = JSON.parse(text)
    return { ...services.grafana.environment, file: secrets['grafana-admin-password'].file }
  }
  const none = { GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION: '', GF_AUTH_DISABLE_LOGIN_FORM: '' }
  const some = { GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION: 'false', GF_AUTH_DISABLE_LOGIN_FORM: 'false' }
  const unset = { GRAFANA_ADMIN_PASSWORD: '', GRAFANA_ADMIN_PASSWORD_FILE: '' }
  t.match(await environment(unset), { ...none, GF_SECURITY_ADMIN_PASSWORD: '', GF_SECURITY_ADMIN_PASSWORD__FILE: '' })
  t.match(await environment({ ...unset, GRAFANA_ADMIN_PASSWORD: 'x' }), { ...some, GF_SECURITY_ADMIN_PASSWORD: 'x' })
  t.match(await environment({ ...unset, GRAFANA_ADMIN_PASSWORD_FILE: '/etc/hostname' }), {
    ...{ ...some, GF_SECURITY_ADMIN_PASSWORD: '', file: '/etc/hostname' },
    GF_SECURITY_ADMIN_PASSWORD__FILE: '/run/secrets/grafana-admin-password',
  })
})
