// Healing by a metric, with the real Prometheus and Alertmanager: an error rate over 5 % heals the sample app, though its health check
// says that all is well. Rules, route and token are the composition's own, with shorter times.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { freePort } from '../support/free-port.ts'
import { blocks, readPage } from '../support/pages.ts'
import { skipFor } from '../support/required.ts'
import { bringUp, inspect, waitFor } from './support/composition.ts'

/** The file that ships, with each of `times` instead of what it has. */
function withTimes(file: string, times: readonly (readonly [string, string])[]): string {
  return times.reduce(
    (text, [from, to]) => {
      if (!text.includes(from)) throw new Error(`${file} has no “${from}”`)
      return text.replaceAll(from, to)
    },
    readFileSync(`compose/${file}`, 'utf8'),
  )
}

/** What the composition asks in `service`'s container to see whether it is well, asked from here at `port`. */
function healthCheck(service: string, port: number): readonly string[] {
  const { services } = parse(readFileSync('compose/compose.yaml', 'utf8'), { merge: true })
  const [form, ...command] = services[service].healthcheck.test as readonly string[]
  if (form !== 'CMD') throw new Error(`${service} is checked by a shell`)
  return command.map((word) => word.replace(/127\.0\.0\.1:\d+/, `127.0.0.1:${port}`))
}

const toolsMissing = ['promtool', 'amtool'].filter((tool) => spawnSync(tool, ['--version']).error !== undefined)

/** An override of the composition with configurations that act within seconds, and a file with the token. */
function quickMonitoring(t: Test) {
  const directory = t.testdir({
    // Where a build of Alertmanager that does not contain its templates, such as Debian's, looks for them; a webhook needs none.
    templates: { 'default.tmpl': '', 'email.tmpl': '' },
    prometheus: {
      'prometheus.yml': withTimes('prometheus/prometheus.yml', [['_interval: 15s', '_interval: 1s']]),
      'rules.yml': withTimes('prometheus/rules.yml', [
        ['[2m]', '[15s]'],
        ['for: 1m', 'for: 2s'],
      ]),
    },
    alertmanager: {
      'alertmanager.yml': withTimes('alertmanager/alertmanager.yml', [
        ['group_wait: 5s', 'group_wait: 1s'],
        ['group_interval: 30s', 'group_interval: 2s'],
      ]),
    },
  })
  const mounted = (name: string, target = `/etc/${name}`) => {
    const source = join(directory, name)
    return { type: 'bind', source, target, read_only: true }
  }
  const services = {
    prometheus: { volumes: [mounted('prometheus')] },
    alertmanager: { volumes: [mounted('alertmanager'), mounted('templates', '/usr/share/prometheus/alertmanager')] },
  }
  writeFileSync(join(directory, 'override.yaml'), JSON.stringify({ services }))
  // As the page has it.
  const [commands = ''] = blocks(readPage('healer.md'), 'sh').filter((block) => block.includes('HEALER_TOKEN_FILE='))
  const [make = '', up] = commands.split('\n')
  execFileSync('sh', ['-c', make], { cwd: directory })
  const compose = 'docker compose -f compose/compose.yaml --profile demo --profile monitoring'
  if (up !== `HEALER_TOKEN_FILE=$PWD/healer-token ${compose} up --detach`) throw new Error(up)
  return { override: join(directory, 'override.yaml'), HEALER_TOKEN_FILE: join(directory, 'healer-token') }
}

await t.test('an error rate over 5 % heals a container whose health check succeeds', { timeout: 580_000 }, async (t) => {
  const services = ['proxy', 'healer', 'sample-app', 'prometheus', 'alertmanager']
  const { override, HEALER_TOKEN_FILE } = quickMonitoring(t)
  const stack = await bringUp(t, services, { HEALER_TOKEN_FILE, HOOK_GRACE: '20s' }, override)
  const stop = new AbortController()
  t.teardown(() => stop.abort())
  const healths = new Set<number>()
  const visit = async () => {
    while (!stop.signal.aborted) {
      // While it is restarted nobody answers.
      await stack.app('GET', '/').then(
        (answer) => answer.text(),
        () => undefined,
      )
      await stack.app('GET', '/health').then(
        ({ status }) => healths.add(status),
        () => undefined,
      )
      await delay(100)
    }
  }
  await stack.said('sample-app — healthy: answered 200')
  const visiting = visit()
  const { State: before } = await inspect('sample-app')
  const rule = async () => {
    const answer = await fetch(`http://127.0.0.1:${stack.ports.prometheus}/api/v1/rules?type=alert`)
    const { data } = (await answer.json()) as { data: { groups: { rules: { state: string; health: string }[] }[] } }
    return data.groups[0]?.rules[0]
  }
  await waitFor('the rule to be evaluated', async () => (await rule())?.health === 'ok')
  t.equal((await rule())?.state, 'inactive')

  const skip = skipFor(toolsMissing.length > 0 ? `PATH has no ${toolsMissing.join(' and no ')}` : undefined)
  await t.test('the health checks of Prometheus and Alertmanager pass, and fail where nobody answers', { skip }, async (t) => {
    for (const service of ['prometheus', 'alertmanager'] as const) {
      const [here, nowhere] = [stack.ports[service], await freePort()].map((port) => {
        const [command = '', ...args] = healthCheck(service, port)
        return spawnSync(command, args, { encoding: 'utf8' })
      })
      t.equal(here?.status, 0, service, { said: here?.stderr })
      t.not(nowhere?.status, 0, service)
    }
  })

  await stack.app('POST', '/break?mode=requests')
  t.equal((await stack.app('GET', '/')).status, 500)
  t.equal((await stack.app('GET', '/health')).status, 200)
  await stack.said('RESTARTING sample-app')
  await stack.said('sample-app — recovered')
  stop.abort()
  await visiting
  t.same([...healths], [200], 'its health check never failed')

  const lines = (await stack.healerLog()).map(({ msg }) => msg).filter((msg) => msg.includes('sample-app'))
  const story = lines.slice(lines.findIndex((msg) => msg.includes('fires')))
  const order = [
    /^sample-app — alert HighErrorRate fires: [\d.]+% of the requests fail$/,
    /^sample-app — unhealthy \(1\/3\): alert HighErrorRate is firing: [\d.]+% of the requests fail$/,
    /^sample-app — unhealthy \(2\/3\)/,
    /^sample-app — unhealthy \(3\/3\)/,
    /^RESTARTING sample-app/,
    /^Successfully restarted: sample-app/,
    /^sample-app — unknown: alert HighErrorRate is firing, perhaps for what came before this run; it counts once this run is 20 s old/,
    /^sample-app — alert HighErrorRate has ended$/,
    /^sample-app — recovered: healthy .* after the restart/,
  ]
  const places = order.map((words) => story.findLastIndex((msg) => words.test(msg)))
  t.ok(
    places.every((place, i) => place >= 0 && place > (places[i - 1] ?? -1)),
    story.join('\n'),
  )
  t.equal(lines.filter((msg) => msg.startsWith('RESTARTING')).length, 1, 'the samples of before restart nothing again')

  const { State: after } = await inspect('sample-app')
  t.ok(after.StartedAt > before.StartedAt)
  const audit = await stack.audit()
  const restarts = audit.filter(({ event, operation }) => event === 'decision' && operation === 'ContainerRestart')
  t.match(restarts, [{ verdict: 'allow', client: 'healer', target: { name: 'sample-app', state: 'running' } }])
  t.equal(restarts.length, 1)
  t.match(
    audit.filter(({ event, of }) => event === 'outcome' && of === restarts[0]?.seq),
    [{ status: 204 }],
  )
  t.equal((await stack.app('GET', '/')).status, 200)
})
