// The ready policies in front of a real Engine: each shows its client one container and hides another, or what may not be seen of it. With
// the real client where it is to be had here; else with the very requests that its source sends.
//
// docker-autoheal's script is not kept here: AUTOHEAL_SCRIPT names a copy of its docker-entrypoint, to be run with bash, curl and jq.
import { spawn } from 'node:child_process'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Docker from 'dockerode'
import t from 'tap'
import { READY_CLIENTS } from '../support/ready-clients.ts'
import { SNIPPETS } from '../support/ready-policies.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { docker, inspect, run, waitFor } from './support/composition.ts'
import { OVERRIDE, prometheusConfiguration } from './support/ready-compositions.ts'
import { ask, follow, serveReadyPolicies } from './support/ready-proxy.ts'

const SEEN = 'postern-ready-seen'
const HIDDEN = 'postern-ready-hidden'
const NETWORK = 'postern-ready-net'
const DATA = 'postern-ready-data'
const IMAGE = 'node:24-bookworm-slim'
/** It stands wherever a secret may stand. */
const SECRET = 'hunter2'

/** In the scope of every ready policy. */
const OPTED_IN = {
  ...Object.assign({}, ...Object.values(READY_CLIENTS).map(({ labels }) => labels)),
  'autoheal.stop.timeout': '1',
  'prometheus.job': 'web',
  'homepage.group': 'Own',
  'dev.dozzle.group': 'own',
} as Readonly<Record<string, string>>

const UNHEALTHY = ['--health-cmd', `echo ${SECRET}; false`, '--health-interval', '1s', '--health-retries', '1']

async function start(name: string, labels: Readonly<Record<string, string>>): Promise<string> {
  const labelled = Object.entries({ ...labels, 'secret.label': SECRET }).flatMap(([label, value]) => [
    '--label',
    `${label}=${value}`,
  ])
  const settings = ['--network', NETWORK, '--expose', '3000', '--volume', `${DATA}:/data`, '--env', `PASSWORD=${SECRET}`]
  const what = [
    '--init',
    '--name',
    name,
    ...labelled,
    ...settings,
    ...UNHEALTHY,
    IMAGE,
    'sh',
    '-c',
    `echo it runs; sleep 600 # ${SECRET}`,
  ]
  return (await docker('run', '--detach', ...what)).trim()
}

await t.test('ready policies', { timeout: 580_000 }, async (t) => {
  t.teardown(async () => {
    await docker('rm', '--force', '--volumes', SEEN, HIDDEN)
    await docker('volume', 'rm', DATA)
    await docker('network', 'rm', NETWORK)
  })
  await docker('network', 'create', NETWORK)
  const seen = await start(SEEN, OPTED_IN)
  const hidden = await start(HIDDEN, {})
  const ready = await serveReadyPolicies(t)
  const through = (policy: string) => ({ DOCKER_HOST: `unix://${ready.socketOf(policy)}` })
  const isUnhealthy = async (name: string) =>
    (await docker('inspect', '--format', '{{.State.Health.Status}}', name)).includes('unhealthy')

  for (const [policy, { requests, streams = {}, headers }] of Object.entries(READY_CLIENTS)) {
    await t.test(`${policy}: each request of its client is answered, and tells nothing of what is hidden`, async (t) => {
      const socket = ready.socketOf(policy)
      // Those before have it restarted.
      for (const name of [SEEN, HIDDEN]) await waitFor(`${name} to be unhealthy`, () => isUnhealthy(name))
      for (const line of requests) {
        const { status, body } = await ask(socket, line.replace('NAME', SEEN).replace('ID', seen), headers)
        t.match(status, /^20[04]$/, `${line}: ${status} ${body}`)
        t.notMatch(body, SECRET, line)
        if (line.includes('/containers/json')) {
          const ids = (JSON.parse(body) as readonly { readonly Id?: string }[]).map(({ Id }) => Id)
          t.ok(policy === 'uptime-kuma' ? ids.length > 0 : ids.includes(seen), line)
          t.equal(ids.includes(hidden), policy === 'readonly', line)
        }
        if (!/NAME|ID/.test(line) || policy === 'readonly') continue
        t.notMatch(body, new RegExp(`${HIDDEN}|${hidden}`), line)
        t.equal((await ask(socket, line.replace('NAME', HIDDEN).replace('ID', hidden), headers)).status, 404, `hidden: ${line}`)
      }
      for (const [line, first] of Object.entries(streams)) {
        const stream = follow(socket, line.replace('NAME', SEEN).replace('ID', seen), headers)
        t.teardown(stream.end)
        await stream.begun
        if (line.includes('/events')) await docker('restart', '--time', '0', HIDDEN, SEEN)
        await waitFor(`${line} to tell`, async () => stream.said().includes(first))
        t.notMatch(stream.said(), SECRET, line)
        if (policy !== 'readonly') t.notMatch(stream.said(), new RegExp(`${HIDDEN}|${hidden}`), line)
        stream.end()
      }
    })
  }

  await t.test('homepage, by its calls of dockerode', async (t) => {
    const client = new Docker({ socketPath: ready.socketOf('homepage') })
    await waitFor(`${SEEN} to be unhealthy`, () => isUnhealthy(SEEN))
    const containers = await client.listContainers({ all: true })
    const found = containers.filter(({ Id }) => [seen, hidden].includes(Id))
    t.match(found, [{ Names: [`/${SEEN}`], State: 'running', Status: /\(unhealthy\)/ }])
    t.same(
      found.map(({ Labels }) => Labels),
      [{ 'homepage.group': 'Own' }],
    )
    t.same((await client.getContainer(SEEN).inspect()).State, { Status: 'running', Health: { Status: 'unhealthy' } })
    const stats = await client.getContainer(SEEN).stats({ stream: false })
    t.match(stats, { cpu_stats: { cpu_usage: { total_usage: Number } }, memory_stats: { usage: Number } })
    t.same(Object.keys(stats).sort(), ['cpu_stats', 'memory_stats', 'networks', 'precpu_stats'])
    t.match(
      await client
        .getContainer(HIDDEN)
        .inspect()
        .catch((error: unknown) => error),
      { statusCode: 404 },
    )
  })

  await t.test('readonly, by the docker command and by dockerode', async (t) => {
    const env = through('readonly')
    const shown = async (...args: readonly string[]) => {
      const output = await run('docker', args, env)
      t.notMatch(output, SECRET, args.join(' '))
      return output
    }
    t.match(await shown('ps', '--all', '--no-trunc'), new RegExp(`${hidden} .* ${HIDDEN}\n[^]*${seen} `))
    t.match(await shown('images'), 'node')
    const [inspected] = JSON.parse(await shown('inspect', '--type', 'container', SEEN)) as [Record<string, unknown>]
    t.match(inspected, { Name: `/${SEEN}`, State: { Status: 'running' }, Mounts: [{ Name: DATA, Destination: '/data' }] })
    t.notMatch(inspected, { Config: { Env: [] } })
    t.match(await shown('image', 'inspect', IMAGE), '"RepoTags"')
    t.match(await shown('network', 'inspect', NETWORK), '"Subnet"')
    t.match(await shown('volume', 'inspect', DATA), '"Driver": "local"')
    t.match(await shown('version'), 'Server:')
    t.match(await shown('info'), 'Server Version:')
    t.match(await shown('system', 'df'), 'Local Volumes')
    await shown('compose', 'ls')
    t.match(await shown('stats', '--no-stream', SEEN), '%')
    t.match(await shown('events', '--since', '1h', '--until', '0s', '--filter', 'event=start'), ` container start ${seen} `)
    for (const args of [
      ['top', SEEN],
      ['logs', SEEN],
      ['exec', SEEN, 'env'],
      ['restart', SEEN],
      ['rm', '--force', SEEN],
      ['history', IMAGE],
    ])
      await t.rejects(run('docker', args, env), { message: /Error response from daemon: / }, args.join(' '))
    const client = new Docker({ socketPath: ready.socketOf('readonly') })
    t.notMatch(
      JSON.stringify([await client.listContainers(), await client.getContainer(SEEN).inspect(), await client.info()]),
      SECRET,
    )
  })

  const script = process.env.AUTOHEAL_SCRIPT ?? ''
  const skip = existsSync(script) ? false : 'AUTOHEAL_SCRIPT names no copy of docker-autoheal’s docker-entrypoint'
  await t.test('autoheal, by its script', { skip }, async (t) => {
    const before = await Promise.all([SEEN, HIDDEN].map(async (name) => (await inspect(name)).State.StartedAt))
    const env = { ...process.env, DOCKER_SOCK: ready.socketOf('autoheal'), AUTOHEAL_INTERVAL: '1' }
    const healer = spawn('bash', [script, 'autoheal'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => healer.kill('SIGKILL'))
    let said = ''
    healer.stdout.on('data', (text: Buffer) => {
      said += text
    })
    await waitFor('the restart', async () => (await inspect(SEEN)).State.StartedAt !== before[0])
    t.match(said, `${SEEN} (${seen.slice(0, 12)}) found to be unhealthy - Restarting container now with 1s timeout`)
    t.equal((await inspect(HIDDEN)).State.StartedAt, before[1])
    t.notMatch(said, HIDDEN)
    await waitFor('the budget to be spent', async () => said.match(/Restarting container now/g)?.length === 7)
    t.match(ready.decisions('autoheal').at(-1), { operation: 'ContainerRestart', rule: 'policy.budget', target: { name: SEEN } })
  })

  await t.test('the compose snippets: valid, and each client reaches its own socket', async (t) => {
    const directory = temporaryDirectory(t)
    for (const [name, text] of [...SNIPPETS, ['override', OVERRIDE] as const])
      writeFileSync(join(directory, `${name}.yaml`), text)
    writeFileSync(join(directory, 'prometheus.yml'), prometheusConfiguration())
    chmodSync(directory, 0o755)
    const clients = [...SNIPPETS.keys()].filter((name) => name !== 'postern')
    const compose = (...args: readonly string[]) => {
      const named = ['postern', ...clients, 'override'].flatMap((name) => ['-f', join(directory, `${name}.yaml`)])
      return run('docker', ['compose', '--project-name', 'postern-ready', '--profile', '*', ...named, ...args])
    }
    for (const name of clients) {
      const pair = ['postern', name].flatMap((file) => ['-f', join(directory, `${file}.yaml`)])
      const flags = ['--project-name', 'postern-ready', '--profile', '*', ...pair]
      const services = await run('docker', ['compose', ...flags, 'config', '--services'])
      const wanted = ['postern', name === 'readonly' ? 'look' : name]
      t.ok(
        wanted.every((service) => services.split('\n').includes(service)),
        `${name}: ${services}`,
      )
    }
    await docker(
      'build',
      '--network=host',
      '--quiet',
      '--file',
      'compose/Dockerfile',
      '--target',
      'proxy',
      '--tag',
      'postern-ready-proxy',
      '.',
    )
    t.teardown(() => compose('down', '--volumes', '--timeout', '1'))
    await compose('up', '--detach', 'postern', 'prometheus')

    for (const name of clients.filter((client) => client !== 'prometheus')) {
      const [service = ''] = (await compose('config', '--services'))
        .split('\n')
        .filter((each) => each === name || (name === 'readonly' && each === 'look'))
      t.match(await compose('run', '--rm', '--no-deps', service), /^answered (?:200|403)\n$/, `${name} reaches its socket`)
    }

    const address = (await compose('port', 'prometheus', '9090')).trim()
    const targets = await waitFor('Prometheus to find a target', async () => {
      const answer = await fetch(`http://${address}/api/v1/targets?state=active`)
      const { data } = (await answer.json()) as { data: { activeTargets: { discoveredLabels: Record<string, string> }[] } }
      return data.activeTargets.length > 0 && data.activeTargets.map(({ discoveredLabels }) => discoveredLabels)
    })
    t.equal(targets.length, 1)
    t.match(targets, [
      {
        __address__: /^[0-9.]+:3000$/,
        __meta_docker_container_id: seen,
        __meta_docker_container_name: `/${SEEN}`,
        __meta_docker_container_label_prometheus_job: 'web',
        __meta_docker_network_name: NETWORK,
        __meta_docker_port_private: '3000',
      },
    ])
    t.notMatch(JSON.stringify(targets), new RegExp(`${SECRET}|${HIDDEN}|secret_label|homepage`))
  })
})
