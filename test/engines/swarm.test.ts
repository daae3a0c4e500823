// compose/stack.yaml on a swarm of two Engines: a pair on each node, what a restart does to a task of the swarm's, and what the healer does
// about each kind of container. docs/deploy.md tells it.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { waitFor } from '../engine/support/composition.ts'
import type { RunningEngine } from './support/engines.ts'
import { startSwarm } from './support/swarm.ts'

/** The swarm replaces a task of `checked` that is ill; one of `web` only the healer finds ill. */
const shop = (images: string, version: string) => `
version: "3.9"
x-task: &task
  image: ${images}-sample-app:${version}
  networks: [monitored]
services:
  web:
    <<: *task
    healthcheck: { disable: true }
    labels: { monitored: "true", healer.path: /health }
    deploy: { replicas: 2, endpoint_mode: dnsrr, restart_policy: { delay: 1s }, update_config: { parallelism: 0 } }
  checked:
    <<: *task
    healthcheck: { interval: 1s, timeout: 10s, retries: 2, start_period: 30s }
    labels: { monitored: "true" }
    deploy: { endpoint_mode: dnsrr, restart_policy: { delay: 1s }, placement: { constraints: [node.role == manager] } }
networks:
  monitored: { external: true, name: postern-monitored }
`

const BREAK = ['node', '-e', "fetch('http://127.0.0.1:8080/break', { method: 'POST' })"]

const namesOf = async ({ docker }: RunningEngine, ...args: readonly string[]) =>
  (await docker('ps', '--format', '{{.Names}}', ...args)).split('\n').filter((name) => name !== '')
const running = (engine: RunningEngine, service: string) =>
  namesOf(engine, '--filter', `label=com.docker.swarm.service.name=${service}`, '--filter', 'status=running')

/** The one task of `service` that runs there. */
async function taskOf(engine: RunningEngine, service: string): Promise<string> {
  let tasks: string[] = []
  await waitFor(`a task of ${service}`, async () => {
    tasks = await running(engine, service)
    return tasks.length === 1
  })
  return tasks[0] ?? ''
}

await t.test('a swarm of two Engines', { timeout: 390_000 }, async (t) => {
  const { manager, worker, images, version, deploy } = await startSwarm(t)
  const nodes = [manager, worker]
  const quick = { CHECK_INTERVAL: '1', REQUEST_TIMEOUT: '10', START_PERIOD: '5' }
  await deploy('postern', 'compose/stack.yaml', quick)
  const file = join(manager.directory, 'shop.yaml')
  writeFileSync(file, shop(images, version))
  await deploy('shop', file)
  const said = async (engine: RunningEngine, words: string) => {
    let log = ''
    const found = waitFor(words, async () => {
      log = await engine.docker('logs', await taskOf(engine, 'postern_healer'))
      return log.includes(words)
    })
    await found.catch((error) => Promise.reject(new Error(`${error.message}; the healer said: ${log}`)))
  }

  await t.test('each node has a proxy that nothing leads from, and a healer that sees what runs there', async (t) => {
    for (const engine of nodes) {
      const task = await taskOf(engine, 'shop_web')
      await said(engine, `${task} — healthy`)
      const networks = await engine.docker(
        'inspect',
        '--format',
        '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}',
        await taskOf(engine, 'postern_proxy'),
      )
      t.equal(networks.trim(), 'postern_nowhere')
      t.match(await engine.docker('network', 'inspect', 'postern_nowhere', '--format', '{{.Internal}}'), 'true')
      const [other = manager] = nodes.filter((node) => node !== engine)
      t.notMatch(await engine.docker('logs', await taskOf(engine, 'postern_healer')), await taskOf(other, 'shop_web'))
    }
  })

  await t.test('a task that fails its HEALTHCHECK is replaced by the swarm, and the healer watches the new one', async (t) => {
    const task = await taskOf(manager, 'shop_checked')
    await said(manager, `${task} — healthy`)
    await manager.docker('exec', task, ...BREAK)
    await waitFor('another task', async () => {
      const tasks = await running(manager, 'shop_checked')
      return tasks.length === 1 && tasks[0] !== task
    })
    await said(manager, `${await taskOf(manager, 'shop_checked')} — healthy`)
    t.notMatch(await manager.docker('logs', await taskOf(manager, 'postern_healer')), `RESTARTING ${task}`)
  })

  await t.test('what a restart does to a task: the swarm starts another, and lets the old one run beside it', async (t) => {
    const task = await taskOf(manager, 'shop_web')
    await manager.docker('restart', task)
    await waitFor('the one that the swarm starts beside it', async () => (await running(manager, 'shop_web')).length === 2)
    t.ok((await running(manager, 'shop_web')).includes(task))
  })

  await t.test('so a task that only the healer finds ill is told of, and not restarted', async (t) => {
    const task = await taskOf(worker, 'shop_web')
    await worker.docker('exec', task, ...BREAK)
    await said(worker, `${task} — not restarted (swarm): it is a task of the service shop_web`)
    t.same(await running(worker, 'shop_web'), [task])
    await manager.docker('service', 'update', '--force', '--detach', 'shop_web')
    await waitFor('another task', async () => !(await running(worker, 'shop_web')).includes(task))
    await said(worker, `${await taskOf(worker, 'shop_web')} — healthy`)
  })

  await t.test('a container of the node that is no task is restarted as ever', async (t) => {
    const label = ['--label', 'monitored=true', '--name', 'plain']
    await worker.docker(
      'run',
      '--detach',
      ...label,
      '--health-interval',
      '1s',
      '--health-retries',
      '1',
      `${images}-sample-app:${version}`,
    )
    await said(worker, 'plain — healthy')
    await worker.docker('exec', 'plain', ...BREAK)
    await said(worker, 'plain — recovered')
    t.same(await namesOf(worker, '--filter', 'name=^plain$'), ['plain'])
  })
})
