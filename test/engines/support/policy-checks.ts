// The shipped policy on one engine, tried at the healer's socket as a hostile healer would.
import type { Test } from 'tap'
import { CATALOGUE } from '../../../proxy/request/catalogue.ts'
import { healerPolicy } from '../../proxy/support/policies.ts'
import type { RawAnswer } from '../../proxy/support/raw-client.ts'
import { HEALTHCHECK, inspect, SECRET, startContainer, waitForState } from './containers.ts'
import type { Postern } from './postern.ts'

/** All that an element of a list, and an inspect, may have at the top. */
const LISTED = ['HostConfig', 'Id', 'ImageID', 'Labels', 'Names', 'NetworkSettings', 'Ports', 'State', 'Status']
const INSPECTED = ['Config', 'HostConfig', 'Id', 'Name', 'RestartCount', 'State']
const HIDDEN = new RegExp(`${SECRET}|PASSWORD|secret\\.label|hidden|"(Env|Cmd|Mounts|Command|LogPath|Log)"`)

/** Makes the containers that `checkPolicy` asks about. */
export async function startTargets({ engine }: Postern): Promise<void> {
  const options = ['--volume', `${engine.directory}/policy:/policy:ro`, ...HEALTHCHECK]
  await Promise.all([
    startContainer(engine, 'hidden'),
    startContainer(engine, 'seen', { labels: { autoheal: 'true', 'secret.label': 'x' }, options }),
    startContainer(engine, 'over', { labels: { monitored: 'true' }, script: '' }),
  ])
  await waitForState(engine, 'over', 'exited')
}

export async function checkPolicy(t: Test, postern: Postern): Promise<void> {
  const { ask, engine } = postern
  const { api } = engine.kind

  await t.test('the engine is shown as what it is, and asked in no version that it does not have', async (t) => {
    t.match(JSON.parse((await ask('GET /version')).body), { ApiVersion: api, MinAPIVersion: /^1\.\d+$/, Os: 'linux' })
    t.match(await ask('GET /_ping'), { status: 200, body: 'OK' })
    t.ok((await ask('GET /_ping')).headers.includes(`api-version: ${api}`))
    t.equal((await ask(`GET /v${api}/containers/json`)).status, 200)
    const next = `1.${Number(api.slice(2)) + 1}`
    t.match(await ask(`GET /v${next}/containers/json`), {
      status: 400,
      body: `the API version ${next} is not one that the Engine has: 1.`,
    })
  })

  await t.test('a list has the containers in scope, and of each the fields named', async (t) => {
    for (const query of ['?all=1', `?all=1&filters=${encodeURIComponent('{"status":["running","exited"]}')}`]) {
      const { status, body } = await ask(`GET /v${api}/containers/json${query}`)
      t.equal(status, 200)
      const list = JSON.parse(body) as Record<string, unknown>[]
      t.same(list.map(({ Names }) => Names).sort(), [['/over'], ['/proxy'], ['/seen']])
      t.same(
        [...new Set(list.flatMap(Object.keys))].filter((key) => !LISTED.includes(key)),
        [],
      )
      t.notMatch(body, HIDDEN)
    }
  })

  await t.test('an inspect shows the fields named, by name, id and the beginning of one', async (t) => {
    const { Id } = await inspect(engine, 'seen')
    for (const ref of ['seen', Id, Id.slice(0, 12)]) {
      const { status, body } = await ask(`GET /containers/${ref}/json`)
      t.match(JSON.parse(body), { Id, Name: '/seen', State: { Status: 'running', Health: { Status: String } } })
      t.same([status, Object.keys(JSON.parse(body)).sort()], [200, INSPECTED])
      t.notMatch(body, HIDDEN)
    }
  })

  await t.test('hidden and missing are byte for byte the same 404', async (t) => {
    const { Id } = await inspect(engine, 'hidden')
    const missing = 'd'.repeat(64)
    const pairs = [
      ['hidden', 'absent'],
      [Id, missing],
      [Id.slice(0, 12), missing.slice(0, 12)],
    ] as const
    for (const line of ['GET /containers/REF/json', `POST /v${api}/containers/REF/restart?t=1`]) {
      for (const pair of pairs) {
        const [first, second] = await Promise.all(pair.map(async (ref) => anonymous(await ask(line.replace('REF', ref)), ref)))
        t.equal(first, second)
        t.match(JSON.parse(first ?? ''), { status: 404, body: '{"message":"No such container: REF"}' })
      }
    }
  })

  await t.test('all else is refused, what only Podman has among it', async (t) => {
    const allowed = healerPolicy().allow
    // The answer to a HEAD has no body, which this client would wait for.
    const others = CATALOGUE.filter(({ id, method }) => !allowed.has(id) && method !== 'HEAD').map(
      ({ method, path }) => `${method} /${path.join('/')}`,
    )
    const libpod = [
      'GET /libpod/containers/json',
      'POST /libpod/containers/seen/restart',
      'GET /libpod/containers/seen/healthcheck',
    ]
    const lines = [...others, ...libpod].map((line) => line.replace('{container}', 'seen').replace(/\{[a-z]+\}/g, 'thing'))
    t.ok(lines.length > 100)
    const answered = await Promise.all(lines.map(async (line) => `${(await ask(line)).status} ${line}`))
    t.same(
      answered.filter((answer) => !answer.startsWith('403 ')),
      [],
    )
    t.equal((await ask('GET /v4.0.0/libpod/containers/json')).status, 400)
    for (const query of ['signal=SIGKILL', 't=61'])
      t.equal((await ask(`POST /containers/seen/restart?${query}`)).status, 403, query)
    t.equal((await ask('GET /containers/json?limit=1')).status, 400)
  })

  await t.test('the proxy may not be restarted through itself, though it opted in; it holds no privilege', async (t) => {
    const { Id, State } = await inspect(engine, 'proxy')
    for (const ref of ['proxy', Id, Id.slice(0, 12)]) {
      t.match(await ask(`POST /containers/${ref}/restart`), { status: 403, body: 'proxy is a part of Postern' })
    }
    t.equal((await inspect(engine, 'proxy')).State.StartedAt, State.StartedAt)
    const status = await engine.docker('exec', '--user', '10001', 'proxy', 'cat', '/proc/1/status')
    t.match(status, /^Uid:\t10001\t10001\t10001\t10001$/m)
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) t.match(status, new RegExp(`^${set}:\t0{16}$`, 'm'))
  })

  await t.test('who does not run is not restarted', async (t) => {
    t.match(await ask('POST /containers/over/restart'), { status: 409, body: 'over is exited' })
    t.equal((await inspect(engine, 'over')).State.Status, 'exited')
  })

  await checkRestarts(t, postern)
  await checkScope(t, postern)
}

async function checkRestarts(t: Test, { engine, ask }: Postern): Promise<void> {
  await t.test('a restart without t gives the container its time to stop, and begins a new run', async (t) => {
    const before = await inspect(engine, 'seen')
    t.equal((await ask('POST /containers/seen/restart')).status, 204)
    const after = await inspect(engine, 'seen')
    t.equal(after.Id, before.Id)
    t.equal(after.State.Status, 'running')
    t.ok(after.State.StartedAt > before.State.StartedAt)
    t.match(await engine.docker('logs', 'seen'), 'stopped in peace')
  })

  await t.test('five restarts in ten minutes, and then 429 with Retry-After', async (t) => {
    const answers: RawAnswer[] = []
    for (let i = 0; i < 5; i++) answers.push(await ask('POST /containers/seen/restart?t=0'))
    t.same(
      answers.map(({ status }) => status),
      [204, 204, 204, 204, 429],
    )
    t.match(answers.at(-1)?.headers.join('\n'), /^retry-after: [1-9]\d*$/im)
  })
}

async function checkScope(t: Test, { engine, proxy }: Postern): Promise<void> {
  await t.test('`check --engine` says who is in scope and who is not', async (t) => {
    const args = ['check', `${engine.directory}/policy/healer.yaml`, '--engine', `unix://${engine.socketPath}`]
    const words = await proxy(...args)
    t.match(words, /^Containers of the Engine: 3 in scope, 1 not\.$/m)
    t.match(words, /^ {2}in +seen +scope\.1: autoheal=true$/m)
    t.match(words, /^ {2}out +hidden +scope\.0: no label monitored$/m)
  })
}

/** The whole answer, without the name that was asked for and what depends on its length. */
function anonymous({ status, headers, body }: RawAnswer, ref: string): string {
  return JSON.stringify({
    status,
    headers: headers.filter((line) => !/^content-length:/i.test(line)),
    body: body.replaceAll(ref, 'REF'),
  })
}
