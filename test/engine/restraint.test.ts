// What the healer refrains from on a real Engine, and for how long: a crowd that fails at once, what others depend on, shared networks,
// a maintenance window, `healer.action=none`, a pause and a reset by its API.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { bringUp, docker, imageOf, inspect, waitFor } from './support/composition.ts'

const TOKEN = 'a-token-for-this-test-alone'
const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

/** A sample app more, with these labels. */
const app = (name: string, labels: Readonly<Record<string, string>>, more: Readonly<Record<string, unknown>> = {}) => ({
  image: imageOf('sample-app'),
  container_name: name,
  labels: { monitored: 'true', 'healer.path': '/health', ...labels },
  // Recreated and removed by the test; never asked for from the host.
  ...more,
})

const override = (services: Readonly<Record<string, unknown>>) => JSON.stringify({ services })

/** Asks an app of the composition from inside its own container: its ports are not published. */
const tell = (container: string, path: string) =>
  docker('exec', container, 'node', '-e', `fetch('http://127.0.0.1:8080${path}', { method: 'POST' })`)

await t.test('what the healer refrains from', { timeout: 580_000 }, async (t) => {
  const today = DAYS[new Date().getUTCDay()] ?? ''
  const tomorrow = DAYS[(new Date().getUTCDay() + 1) % 7] ?? ''
  const services = {
    needed: app('needed', {}),
    needing: app('needing', {}, { depends_on: ['needed'] }),
    sharer: app('sharer', { 'healer.port': '9090' }, { network_mode: 'service:needed', environment: { PORT: '9090' } }),
    kept: app('kept', { 'healer.maintenance': `${today} 00:00-24:00, ${tomorrow} 00:00-24:00` }),
    told: app('told', { 'healer.action': 'none' }),
  }
  const file = join(t.testdir({ 'override.yaml': '' }), 'override.yaml')
  writeFileSync(file, override({ healer: { environment: { HEALER_TOKEN: TOKEN } }, ...services }))
  const stack = await bringUp(t, ['proxy', 'healer', 'sample-app', ...Object.keys(services)], { HOLD_MAX: '10s' }, file)
  const startOf = async (name: string) => (await inspect(name)).State.StartedAt
  const all = ['sample-app', 'needed', 'needing', 'sharer', 'kept', 'told']
  for (const name of all) await stack.said(`${name} — healthy: answered 200`)
  const logSince = async (since: number) => (await stack.healerLog()).slice(since).map(({ msg }) => msg)
  const mark = async () => (await stack.healerLog()).length
  const control = (name: string, action: string) =>
    fetch(`http://127.0.0.1:${stack.ports.healer}/api/containers/${name}/${action}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}` },
    })

  await t.test('healer.action=none and a maintenance window: told, and not restarted', async (t) => {
    const before = await Promise.all([startOf('kept'), startOf('told')])
    await tell('kept', '/break')
    await stack.said('kept — not restarted (maintenance)')
    await tell('told', '/break')
    await stack.said('told — not restarted (tell-only)')
    t.same(await Promise.all([startOf('kept'), startOf('told')]), before)
    for (const name of ['kept', 'told']) {
      await tell(name, '/fix')
      await stack.said(`${name} — healthy again without a restart`)
    }
  })

  await t.test('a pause by the API holds restarts until it is resumed', async (t) => {
    t.equal((await control('sample-app', 'pause?for=1h')).status, 200)
    const before = await startOf('sample-app')
    await stack.app('POST', '/break')
    await stack.said('sample-app — not restarted (paused)')
    t.equal(await startOf('sample-app'), before)
    const since = await mark()
    t.equal((await control('sample-app', 'resume')).status, 200)
    await stack.said('Successfully restarted: sample-app', since)
    await stack.said('sample-app — recovered', since)
    t.not(await startOf('sample-app'), before)
  })

  await t.test('what another needs is restarted first, and who shares its network is restarted after it', async (t) => {
    const since = await mark()
    const before = await startOf('needing')
    for (const name of ['needed', 'needing']) await tell(name, '/break')
    await stack.said('Successfully restarted: needed', since)
    await stack.said('needed — recovered', since)
    // What shares the network is joined to it anew by a restart of its own, once it fails.
    await waitFor('all to be well', async () => {
      const shown = (await (await fetch(`http://127.0.0.1:${stack.ports.healer}/api/containers`)).json()) as {
        name: string
        health: string
      }[]
      return shown
        .filter(({ name }) => ['needed', 'needing', 'sharer'].includes(name))
        .every(({ health }) => health === 'healthy')
    })
    const order = (await logSince(since)).filter((line) => line.startsWith('Successfully restarted'))
    t.match(order[0], 'needed')
    t.ok(
      order.some((line) => line.includes('sharer')),
      'the sharer, too',
    )
    t.not(await startOf('needing'), before, 'and what was ill itself')
  })

  await t.test('where most fail at once nothing is restarted; a canary shows that they are ill', async (t) => {
    const since = await mark()
    // By one of them, so that they begin to fail at the same moment however slowly commands start.
    const broken = ['localhost', 'needed', 'kept', 'told'].map((name) => `fetch('http://${name}:8080/break', { method: 'POST' })`)
    await docker('exec', 'sample-app', 'node', '-e', broken.join('; '))
    await stack.said('nothing is restarted, since', since)
    const { msg } = await stack.said('not restarted (hold)', since)
    t.match(msg, /more than half of all containers/)
    await stack.said('Successfully restarted', since)
    await stack.said('recovered', since)
    for (const name of ['kept', 'told']) await tell(name, '/fix')
    await waitFor('all to be well', async () => {
      const shown = (await (await fetch(`http://127.0.0.1:${stack.ports.healer}/api/containers`)).json()) as { health: string }[]
      return shown.every(({ health }) => health === 'healthy')
    })
  })

  await t.test('a sharer whose provider was recreated is told of with the cure, and not restarted again and again', async (t) => {
    const since = await mark()
    await docker('rm', '--force', 'needed')
    await stack.compose('up', '--detach', '--no-deps', 'needed')
    const { msg } = await stack.said('sharer — unknown', since)
    t.match(msg, /the network of a container that is not there any more.*recreate this one/)
    await stack.said('needed — healthy', since)
    const restarts = (await logSince(since)).filter((line) => line.includes('restarted: sharer'))
    t.same(restarts, [])
  })
})
