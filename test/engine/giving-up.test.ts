// What no restart heals, on a real Engine: at once, then with growing pauses, then given up; what ends that; what the proxy's budget
// ends; and what is not restarted though it fails, for it is paused or was started with --rm.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { bringUp, docker, imageOf, inspect, waitFor } from './support/composition.ts'

const TOKEN = 'a-token-for-this-test-alone'

const app = (name: string, labels: Readonly<Record<string, string>>) => ({
  image: imageOf('sample-app'),
  container_name: name,
  labels: { monitored: 'true', ...labels },
})
/** Never well: its health is asked for where there is nothing. */
const INCURABLE = { 'healer.path': '/nothing', 'healer.arm': 'immediately', 'healer.retries': '1', 'healer.start_period': '1s' }

await t.test('what no restart heals', { timeout: 580_000 }, async (t) => {
  const services = {
    sick: app('sick', INCURABLE),
    ailing: app('ailing', INCURABLE),
    frozen: app('frozen', { 'healer.path': '/health' }),
  }
  const file = join(t.testdir({ 'override.yaml': '' }), 'override.yaml')
  writeFileSync(file, JSON.stringify({ services: { healer: { environment: { HEALER_TOKEN: TOKEN } }, ...services } }))
  const stack = await bringUp(t, ['proxy', 'healer', 'sample-app', ...Object.keys(services)], { MAX_RESTARTS: '3' }, file)
  const said = async (words: string) => (await stack.healerLog()).filter(({ msg }) => msg.includes(words)).length
  const mark = async () => (await stack.healerLog()).length

  await t.test('at once, then with growing pauses, then no more: said once, and still probed', async (t) => {
    for (const name of ['sick', 'ailing']) {
      const { msg } = await stack.said(`${name} — gave up`)
      t.match(msg, /gave up after 3 attempts .*\(answered 404\)/)
      t.equal(await said(`RESTARTING ${name} `), 3)
      t.ok((await said(`${name} — not restarted (backoff)`)) > 0, 'it waited between them')
    }
    const metrics = async () => (await fetch(`http://127.0.0.1:${stack.ports.healer}/metrics`)).text()
    t.match(await metrics(), /^postern_healer_restart_held\{container="sick",reason="gave-up"\} 1$/m)
    t.match(await metrics(), /^postern_healer_probe_success\{container="sick"\} 0$/m)
    const { StartedAt } = (await inspect('sick')).State
    await new Promise((resolve) => setTimeout(resolve, 5000))
    t.equal((await inspect('sick')).State.StartedAt, StartedAt)
    t.equal(await said('sick — gave up'), 1)
  })

  await t.test('an operator’s own restart ends it, and so does a recreate', async (t) => {
    let since = await mark()
    await docker('restart', 'ailing')
    await stack.said('ailing — started anew by someone else', since)
    await stack.said('Successfully restarted: ailing', since)
    since = await mark()
    // Again where a restart of the healer's came between what a recreate consists of.
    const recreate = ['up', '--detach', '--no-deps', '--force-recreate', 'ailing']
    await waitFor('the recreate', async () => (await stack.compose(...recreate)) !== undefined)
    await stack.said('Successfully restarted: ailing', since)
    t.ok((await said('RESTARTING ailing ')) >= 5, 'one after each, at least: it may have been time for a second')
  })

  await t.test('a reset by the API ends it; the proxy’s budget then ends that, and is no attempt', async (t) => {
    const since = await mark()
    const answer = await fetch(`http://127.0.0.1:${stack.ports.healer}/api/containers/sick/reset`, {
      method: 'POST',
      headers: { authorization: `Bearer ${TOKEN}` },
    })
    t.equal(answer.status, 200)
    const { msg } = await stack.said('sick — not restarted (budget)', since)
    t.match(msg, /5 per 10m|budget/)
    t.equal(await said('RESTARTING sick '), 6, 'five that were made, and one that was announced and not made')
    t.equal(await said('sick — gave up'), 1, 'what was not made does not count towards giving up')
    const audit = (await stack.audit()).filter(
      ({ event, operation, target }) => event === 'decision' && operation === 'ContainerRestart' && target?.name === 'sick',
    )
    t.same(
      audit.map(({ verdict }) => verdict),
      ['allow', 'allow', 'allow', 'allow', 'allow', 'deny'],
    )
  })

  await t.test('a container that is paused is not restarted, and is well once it goes on', async (t) => {
    await stack.said('frozen — healthy')
    const since = await mark()
    const { StartedAt } = (await inspect('frozen')).State
    await docker('pause', 'frozen')
    await stack.said('frozen — not running: paused', since)
    await new Promise((resolve) => setTimeout(resolve, 6000))
    await docker('unpause', 'frozen')
    await stack.said('frozen — healthy', since)
    t.equal((await inspect('frozen')).State.StartedAt, StartedAt)
    t.equal(await said('RESTARTING frozen'), 0)
  })

  await t.test('a container that was started with --rm is told of: a restart would remove it', async (t) => {
    const [network = ''] = Object.keys((await inspect('frozen')).NetworkSettings.Networks)
    const labels = ['--label', 'monitored=true', '--label', 'healer.path=/health']
    await docker('run', '--rm', '--detach', '--name', 'fleeting', '--network', network, ...labels, imageOf('sample-app'))
    t.teardown(() => docker('rm', '--force', 'fleeting'))
    await stack.said('fleeting — healthy')
    await docker('exec', 'fleeting', 'node', '-e', `fetch('http://127.0.0.1:8080/break', { method: 'POST' })`)
    await stack.said('fleeting — not restarted (refused): it was started with --rm')
    await waitFor('it to be there', async () => (await inspect('fleeting')).State.Status === 'running')
    t.equal(
      (await stack.audit()).filter(({ target, operation }) => target?.name === 'fleeting' && operation === 'ContainerRestart')
        .length,
      0,
    )
  })
})
