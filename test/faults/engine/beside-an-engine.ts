// Faults while healing runs on a Docker Engine of the tests' own: it is killed; the network between healer and apps is gone, or names are; containers
// are removed or recreated in the middle of a restart; memory and processes run out. The programs as they ship. Runs in namespaces of its own only.
import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { waitFor } from '../../engine/support/composition.ts'
import { checkWhole, follow } from '../support/follow.ts'
import { serveNames } from '../support/names.ts'
import { type EngineApp, ownEngine, prepareNamespaces, SERVE } from '../support/own-engine.ts'
import { type Postern, startPostern } from '../support/postern.ts'

const { found, busybox, directory, cgroup } = JSON.parse(process.env.FAULTS ?? '{}')
prepareNamespaces()
const names = await serveNames(directory)
const engine = ownEngine(found, directory, cgroup, busybox)
await engine.start()

const UNLESS_STOPPED = ['--restart', 'unless-stopped']
const LIMITED = ['--memory', '24m', '--pids-limit', '9']
/** Eats memory once it is told to, until the kernel ends it. */
const EATS = `${SERVE.replace(' -f', '')}; while [ ! -e /www/eat ]; do sleep 0.1; done; rm /www/eat; exec dd if=/dev/zero of=/dev/null bs=64M count=1`
/** Starts processes once it is told to, until there may be no more: with the web server and itself, nine. */
const FORKS = `(while [ ! -e /www/fork ]; do sleep 0.1; done; rm /www/fork; for i in 1 2 3 4 5 6 7; do sleep 600 & done; wait) & exec ${SERVE}`

const apps = new Map<string, EngineApp>()
const create = async (name: string, options: readonly string[] = UNLESS_STOPPED, script?: string) => {
  const app = await engine.createApp(name, { options, ...(script === undefined ? {} : { script }) })
  apps.set(name, app)
  return app
}
for (const name of ['cut-off', 'unnamed', 'ill', 'removed', 'recreated', 'struck', 'well']) await create(name)
await create('eats', [...UNLESS_STOPPED, ...LIMITED], EATS)
await create('eaten', LIMITED, EATS)
await create('forks', [...UNLESS_STOPPED, ...LIMITED], FORKS)
const starts = () => Object.fromEntries([...apps].map(([name, app]) => [name, app.starts()]))

const appOf = (name: string): EngineApp => {
  const app = apps.get(name)
  if (!app) throw new Error(`there is no ${name}`)
  return app
}

const receivers = join(directory, 'alerts.yaml')
const postern: Postern = await startPostern(directory, engine.socketPath, {
  env(port) {
    const slacks = ['slack', 'slack-too', 'slack-three', 'slack-four'].map((name) => `http://${name}.test:${port}/${name}`)
    const lines = slacks.map((url) => `  - slack: { webhook_url: "${url}" }`)
    writeFileSync(receivers, `receivers:\n${lines.join('\n')}\n`)
    chmodSync(receivers, 0o644)
    return { CHECK_INTERVAL: '2', MAX_RESTARTS: '2', ALERTS_FILE: receivers, WEBHOOK_URL: `http://hook.test:${port}/hook` }
  },
  budget: '{ container: 5 per 10m, client: 60 per 10m }',
})
t.teardown(async () => {
  await postern.end()
  await engine.kill()
})
const { mark, said, told, times, events, restarts } = follow(postern)
await waitFor('all to be well', async () => [...apps.keys()].every((name) => times(`${name} — healthy`) > 0))

/** Long enough for a restart more, if one were to follow. */
const aWhile = () => new Promise((resolve) => setTimeout(resolve, 4000))
const statusesOf = (name: string) => restarts(name).map(({ statuses }) => statuses)

const ALL_APPS = '172.17.0.0/16'
const drop = (rule: '-A' | '-D', to: string) => execFileSync('iptables', [rule, 'OUTPUT', '-d', to, '-j', 'DROP'])

await t.test('the network between the healer and all that it probes is gone: nothing is restarted', async (t) => {
  const [since, before] = [mark(), starts()]
  drop('-A', ALL_APPS)
  await said('nothing is restarted, since', since)
  for (const name of apps.keys()) await said(`${name} — not restarted (hold)`, since)
  await aWhile()
  drop('-D', ALL_APPS)
  for (const name of apps.keys()) await told(name, 'recovered')
  t.equal(times('RESTARTING', since), 0)
  t.same(starts(), before)
  for (const name of apps.keys()) t.same(events(name), ['held', 'recovered'], `${name} is told of once, and that it is well`)
})

await t.test('the network to one of them is gone: that looks like an app that hangs, and is given up on', async (t) => {
  const [since, before] = [mark(), starts()]
  const address = await appOf('cut-off').address()
  drop('-A', address)
  await told('cut-off', 'gave-up')
  await aWhile()
  t.equal(times('RESTARTING cut-off', since), 2, 'MAX_RESTARTS, and no more')
  drop('-D', address)
  await said('cut-off — recovered', since)
  t.same(starts(), { ...before, 'cut-off': 3 }, 'it is well again without another, and no other was restarted')
  t.same(statusesOf('cut-off'), [[204], [204]])
  await waitFor('that to be told', async () => events('cut-off').at(-1) === 'recovered')
  t.same(events('cut-off').slice(2), ['restarted', 'restarted', 'gave-up', 'recovered'])
})

await t.test('names are not resolved: healing goes on, and all is told once they are', async (t) => {
  const since = mark()
  names.fail()
  appOf('unnamed').fail()
  await said('unnamed — recovered', since)
  await waitFor('names to be asked for in vain', async () => names.ignored() > 0)
  // Those who are told are asked for now, more of them than there are threads for names and files.
  appOf('ill').fail()
  await said('ill — recovered', since)
  t.equal(times('webhook answers again', since), 0, 'before any name was known again')
  names.recover()
  for (const name of ['unnamed', 'ill']) {
    await told(name, 'recovered')
    await waitFor('that to be told', async () => events(name).length === 4)
    t.same(events(name).slice(2), ['restarted', 'recovered'])
    t.equal(appOf(name).starts(), 2)
  }
})

await t.test('a container is removed in the middle of its restart: that is all, and its incident has ended', async (t) => {
  const [since, before] = [mark(), starts()]
  const held = postern.engine.hold('requests')
  appOf('removed').fail()
  await held
  await engine.docker('rm', '--force', 'removed')
  postern.engine.release()
  await said('removed — not restarted (gone)', since)
  await said('watching 9', since)
  t.same(statusesOf('removed'), [[404]])
  await aWhile()
  t.same(starts(), before)
  t.equal(times('RESTARTING removed', since), 1)
  apps.delete('removed')
})

await t.test('a container is recreated in the middle of its restart: the new one is left alone', async (t) => {
  const since = mark()
  const held = postern.engine.hold('requests')
  appOf('recreated').fail()
  await held
  await engine.docker('rm', '--force', 'recreated')
  const app = await create('recreated')
  const before = app.starts()
  postern.engine.release()
  await said('recreated — healthy', since)
  await aWhile()
  t.same(statusesOf('recreated'), [[404]])
  t.equal(app.starts(), before)
  t.equal(times('RESTARTING recreated', since), 1)
})

await t.test(
  'memory runs out: the kernel ends it, Docker starts it anew by its policy, and the healer does not restart on top',
  async (t) => {
    const since = mark()
    for (const name of ['eats', 'eaten']) appOf(name).tell('eat')
    await said("eats — restarted by Docker's own restart policy", since)
    await said('eats — healthy', since)
    await said('eaten — not running: exited with exit code 137, out of memory', since)
    await aWhile()
    t.equal(times('RESTARTING', since), 0)
    t.same([appOf('eats').starts(), appOf('eaten').starts()], [2, 1], 'what has no policy stays down, as its operator had it')
    t.match(await appOf('eaten').inspect(), { Status: 'exited', OOMKilled: true })
  },
)

await t.test('processes run out: it answers nobody, and is healed by one restart', async (t) => {
  const since = mark()
  appOf('forks').tell('fork')
  await said('forks — recovered', since)
  t.equal(appOf('forks').starts(), 2)
  t.same(statusesOf('forks'), [[204]])
  await waitFor('that to be told', async () => events('forks').length === 4)
  t.same(events('forks').slice(2), ['restarted', 'recovered'])
})

await t.test(
  'the Engine is killed in the middle of a restart: once it is back, what was ill is well, and nothing else was restarted',
  async (t) => {
    const [since, before] = [mark(), starts()]
    const held = postern.engine.hold('answers')
    appOf('struck').fail()
    await held
    await engine.kill()
    postern.engine.release()
    await said('Probing goes on; restarts wait', since)
    await engine.start()
    await said('Docker can be asked again', since)
    await waitFor('it to be well', async () => times('struck — recovered', since) + times('struck — healthy', since) > 0)
    await aWhile()
    t.ok(appOf('struck').isWell())
    const { struck: startsBefore = 0, ...othersBefore } = before
    const { struck: startsAfter = 0, ...others } = starts()
    t.same(others, othersBefore)
    // The Engine may have done it before it was killed, or may not have.
    t.equal(startsAfter, startsBefore + 1, 'restarted once')
    await waitFor('that to be told', async () => events('struck').at(-1) === 'recovered')
    t.ok(
      events('struck')
        .slice(2)
        .filter((event) => event === 'restarted').length <= 1,
      'and told once',
    )
  },
)

await t.test('and all of it is on the record', async (t) => {
  await checkWhole(t, postern)
})
