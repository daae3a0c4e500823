// The healer's Docker client against an API on a unix socket: what it asks, and what it makes of every answer.

import { createServer, type RequestListener } from 'node:http'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { connectDocker } from '../../healer/docker/dockerode.ts'
import { temporaryDirectory } from '../support/temporary.ts'

const ID = 'a'.repeat(64)
const LISTED = {
  Id: ID,
  Names: ['/other/alias', '/web'],
  ImageID: 'sha256:1',
  Labels: { monitored: 'true' },
  Ports: [
    { PrivatePort: 8080, Type: 'tcp' },
    { PrivatePort: 8080, Type: 'tcp' },
    { PrivatePort: 53, Type: 'udp' },
  ],
  HostConfig: { NetworkMode: 'net' },
  NetworkSettings: { Networks: { net: { IPAddress: '172.20.0.2', GlobalIPv6Address: '' } } },
}
const INSPECTED = {
  Id: ID,
  RestartCount: 1,
  State: {
    Status: 'running',
    StartedAt: '2026-01-01T00:00:00Z',
    ExitCode: 0,
    OOMKilled: false,
    Health: { Status: 'healthy', FailingStreak: 0 },
  },
  HostConfig: { AutoRemove: false, NetworkMode: 'net' },
}

/** An API that answers each request as `answer` says, with what was asked of it; asked with so much patience. */
async function startApi(t: Test, answer: RequestListener, patienceMs = 60_000) {
  const socketPath = join(temporaryDirectory(t), 'api.sock')
  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(
      `${request.method} ${request.url} ${request.headers['content-length'] ?? 'no'} ${request.headers['transfer-encoding'] ?? 'body'}`,
    )
    answer(request, response)
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const said: string[] = []
  const patience = { readMs: patienceMs, restartMs: patienceMs }
  return { docker: connectDocker({ socketPath }, (message) => void said.push(message), patience), asked, said }
}

const json =
  (status: number, body: unknown): RequestListener =>
  (_request, response) =>
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))

await t.test('a list gives the containers that opted in', async (t) => {
  const { docker, asked } = await startApi(t, json(200, [LISTED, { ...LISTED, Labels: null }]))
  t.same(await docker.list(), [
    {
      id: ID,
      name: 'web',
      imageId: 'sha256:1',
      labels: { monitored: 'true' },
      tcpPorts: [8080],
      networkMode: 'net',
      networks: [{ name: 'net', addresses: ['172.20.0.2'] }],
    },
  ])
  t.same(asked, ['GET /containers/json?all=true no body'])
})

await t.test(
  'of a swarm’s tasks a list gives those that have not ended, which the swarm keeps and never starts again',
  async (t) => {
    const task = { ...LISTED, Labels: { monitored: 'true', 'com.docker.swarm.service.name': 'shop_web' } }
    const states = ['created', 'running', 'paused', 'restarting', 'exited', 'dead']
    const answer = states.flatMap((State) => [
      { ...task, State, Names: [`/task-${State}`] },
      { ...LISTED, State, Names: [`/own-${State}`] },
    ])
    const { docker } = await startApi(t, json(200, answer))
    const names = (await docker.list()).map(({ name }) => name)
    t.same(
      states.filter((state) => !names.includes(`task-${state}`)),
      ['exited', 'dead'],
    )
    t.same(
      states.filter((state) => !names.includes(`own-${state}`)),
      [],
    )
  },
)

await t.test('an inspect gives the run, the state and the Engine’s verdict', async (t) => {
  const { docker } = await startApi(t, json(200, INSPECTED))
  t.match(await docker.inspect(ID), {
    status: 'running',
    startedAt: '2026-01-01T00:00:00Z',
    restartCount: 1,
    engineHealth: { status: 'healthy', failingStreak: 0 },
  })
})

await t.test('a container without a HEALTHCHECK has no verdict, though Podman writes an empty one', async (t) => {
  for (const Status of ['', 'none']) {
    const { docker } = await startApi(
      t,
      json(200, { ...INSPECTED, State: { ...INSPECTED.State, Health: { Status, FailingStreak: 0 } } }),
    )
    t.equal((await docker.inspect(ID))?.engineHealth, undefined, `“${Status}”`)
  }
})

await t.test('a list that tells no network modes, as Podman’s: they are asked for once', async (t) => {
  const { HostConfig: _, ...unmoded } = LISTED
  const [sharer, gone] = ['b', 'c'].map((digit) => ({ ...unmoded, Id: digit.repeat(64) }))
  let list: readonly object[] = [LISTED, sharer ?? {}, gone ?? {}]
  const shared = { ...INSPECTED, HostConfig: { AutoRemove: false, NetworkMode: `container:${ID}` } }
  let trouble = false
  const { docker, asked } = await startApi(t, (request, response) => {
    if (request.url?.includes('all=')) return json(200, list)(request, response)
    if (trouble) return json(500, { message: 'because' })(request, response)
    return (request.url?.includes('bbb') ? json(200, shared) : json(404, { message: 'gone' }))(request, response)
  })
  const modes = async () => (await docker.list()).map(({ networkMode }) => networkMode)
  t.same(await modes(), ['net', `container:${ID}`, ''], 'what cannot be told is left empty')
  t.equal(asked.length, 3, 'what the list tells is not asked for')
  list = [LISTED, sharer ?? {}]
  trouble = true
  t.same(await modes(), ['net', `container:${ID}`])
  t.equal(asked.length, 4)
  list = [LISTED]
  await modes()
  list = [LISTED, sharer ?? {}]
  t.same(await modes(), ['net', ''], 'an inspect that fails costs no other container')
  trouble = false
  t.same(await modes(), ['net', `container:${ID}`])
})

const ODD: readonly (readonly [what: string, odd: object, lacks: string])[] = [
  ['an address of no kind', { NetworkSettings: { Networks: { net: null } } }, 'NetworkSettings.Networks.net'],
  ['a label without a value', { Labels: { monitored: 'true', x: null } }, 'Labels.x'],
  ['a port without a number', { Ports: [{ Type: 'tcp' }] }, 'Ports.0.PrivatePort'],
  ['no network mode', { HostConfig: {} }, 'HostConfig.NetworkMode'],
  ['no names at all', { Names: undefined }, 'Names'],
]

await t.test('one container that cannot be read costs no other its place, and is said once', async (t) => {
  for (const [what, odd, lacks] of ODD) {
    const list: unknown[] = [{ ...LISTED, ...odd, Id: 'b'.repeat(64) }, LISTED]
    const { docker, said } = await startApi(t, (...exchange) => json(200, list)(...exchange))
    const ids = async () => (await docker.list()).map(({ id }) => id)
    t.same(await ids(), [ID], what)
    t.same(await ids(), [ID], what)
    const words = "not watched, since Docker's list does not tell what is needed:"
    t.same(said, [`${words} bbbbbbbbbbbb lacks ${lacks}`], what)
    list.push(null)
    t.same(await ids(), [ID], what)
    t.same(said.slice(1), [`${words} a container lacks all`], 'what was said already is not said again')
  }
})

await t.test('a flood of containers that cannot be read is a line of the log, with ten of them', async (t) => {
  const odd = Array.from({ length: 500 }, (_, i) => ({
    ...LISTED,
    Id: `${i + 1000}`.padEnd(64, '0'),
    Labels: { [`\n${'x'.repeat(5000)}`]: null },
  }))
  const { docker, said } = await startApi(t, json(200, [LISTED, ...odd]))
  for (let i = 0; i < 3; i++) t.equal((await docker.list()).length, 1)
  t.equal(said.length, 1)
  t.match(said[0], /; and 490 more$/)
  t.ok((said[0]?.length ?? 0) < 1100)
  t.notMatch(said[0], '\n')
})

await t.test('a container without a name, as the Engine lists what is dead, is left out without a word', async (t) => {
  for (const Names of [[], null]) {
    const dead = { ...LISTED, Id: 'd'.repeat(64), Names, State: 'dead' }
    for (const [list, expected] of [
      [[dead, LISTED], [ID]],
      [[dead], []],
    ] as const) {
      const { docker, said } = await startApi(t, json(200, list))
      t.same(
        (await docker.list()).map(({ id }) => id),
        expected,
      )
      t.same(said, [])
    }
  }
})

await t.test('a field that all containers lack is one that the policy hides', async (t) => {
  const hidden = { ...LISTED, Names: undefined }
  const { docker, said } = await startApi(t, json(200, [hidden, { ...hidden, Id: 'b'.repeat(64) }]))
  await t.rejects(docker.list(), {
    name: 'DockerError',
    message: "Docker's answer to a list lacks Names; does the proxy's policy show it?",
  })
  t.same(said, [])
})

await t.test('a field that the policy hides is named', async (t) => {
  const { docker } = await startApi(t, json(200, { ...INSPECTED, HostConfig: {} }))
  await t.rejects(docker.inspect(ID), {
    name: 'DockerError',
    message: "Docker's answer to an inspect lacks HostConfig.AutoRemove; does the proxy's policy show it?",
  })
})

await t.test('a container that is gone is no error', async (t) => {
  const { docker } = await startApi(t, json(404, { message: 'No such container' }))
  t.equal(await docker.inspect(ID), undefined)
})

await t.test('a refusal and an unreachable proxy are said in words', async (t) => {
  const { docker } = await startApi(t, json(403, { message: 'ContainerList is not allowed' }))
  await t.rejects(docker.list(), { name: 'DockerError', message: /answered 403: ContainerList is not allowed$/ })
  const nobody = connectDocker({ socketPath: join(temporaryDirectory(t), 'none.sock') }, () => undefined)
  await t.rejects(nobody.list(), {
    name: 'DockerError',
    message: /none\.sock cannot be reached \(ENOENT\); is the proxy running\?$/,
  })
  t.match(await nobody.restart(ID), { outcome: 'unreachable' })
})

await t.test('a restart carries no body and no query', async (t) => {
  const { docker, asked } = await startApi(t, (_request, response) => response.writeHead(204).end())
  t.same(await docker.restart(ID), { outcome: 'restarted' })
  t.match(asked, [new RegExp(`^POST /containers/${ID}/restart (0|no) body$`)])
})

for (const [status, outcome] of [
  [404, 'gone'],
  [409, 'conflict'],
  [429, 'budget'],
  [403, 'refused'],
  [400, 'refused'],
  [500, 'failed'],
  [502, 'unanswered'],
  [503, 'unreachable'],
  [504, 'unanswered'],
] as const) {
  await t.test(`a restart answered ${status} is “${outcome}”`, async (t) => {
    const { docker } = await startApi(t, json(status, { message: 'because' }))
    const answer = await docker.restart(ID)
    t.equal(answer.outcome, outcome)
    if ('message' in answer) t.equal(answer.message, 'because')
  })
}

await t.test('a restart whose connection breaks is unanswered', async (t) => {
  const { docker } = await startApi(t, (request) => request.socket.destroy())
  t.match(await docker.restart(ID), { outcome: 'unanswered' })
})

await t.test('a Docker that does not answer is an error after a while, and a restart unanswered', async (t) => {
  const { docker } = await startApi(t, () => undefined, 200)
  await t.rejects(docker.list(), { name: 'DockerError', message: /api\.sock did not answer within 0\.2 s$/ })
  await t.rejects(docker.inspect(ID), { name: 'DockerError', message: /did not answer within 0\.2 s$/ })
  t.match(await docker.restart(ID), { outcome: 'unanswered' })
})

await t.test('an answer that is cut off in mid-body is an error, not a wait without end', async (t) => {
  const cutOff: RequestListener = (_request, response) => {
    response.writeHead(200, { 'content-length': 1000 }).write('[{"Id"')
    setTimeout(() => response.destroy(), 20)
  }
  const { docker } = await startApi(t, cutOff, 200)
  await t.rejects(docker.list(), { name: 'DockerError' })
  await t.rejects(docker.inspect(ID), { name: 'DockerError' })
  t.match(await docker.restart(ID), { outcome: 'unanswered' })
})

await t.test('many calls at once stay below the connections that the proxy takes', async (t) => {
  let [open, most] = [0, 0]
  const { docker } = await startApi(t, (request, response) => {
    open += 1
    most = Math.max(most, open)
    setTimeout(() => {
      open -= 1
      json(200, INSPECTED)(request, response)
    }, 5)
  })
  const details = await Promise.all(Array.from({ length: 500 }, () => docker.inspect(ID)))
  t.equal(details.filter(Boolean).length, 500, 'all are answered, however much the client’s library makes of each')
  t.ok(most <= 32, `${most} at once`)
})
