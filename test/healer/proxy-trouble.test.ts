// The proxy unreachable, refusing, slow, starting anew: probing goes on, restarts wait, it is said once, and it ends by itself. Over the
// healer's real client, on a unix socket.
import type { RequestListener } from 'node:http'
import t, { type Test } from 'tap'
import { connectDocker } from '../../healer/docker/dockerode.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { createBench, startServer } from './support/bench.ts'
import { type DockerApi, serveDocker } from './support/docker-api.ts'

type Trouble = {
  readonly begin: (api: DockerApi) => void | Promise<void>
  readonly end: (api: DockerApi) => void | Promise<void>
  /** What is said, once, and the reason that is shown while it lasts. */
  readonly said: string
  readonly why: string
  /** How long an answer to a read is waited for; in real time, so the test takes as long. */
  readonly readMs?: number
}

const answers = (status: number, message: string, asked: (url: string) => boolean): Trouble['begin'] => {
  const refuse: RequestListener = (_request, response) => response.writeHead(status).end(JSON.stringify({ message }))
  return (api) => {
    api.trouble = (usual) => (request, response) => (asked(request.url ?? '') ? refuse : usual)(request, response)
  }
}
const hangs =
  (asked: (url: string) => boolean): Trouble['begin'] =>
  (api) => {
    api.trouble = (usual) => (request, response) => (asked(request.url ?? '') ? undefined : usual(request, response))
  }
const everything = () => true
const restarts = (url: string) => url.endsWith('/restart')
const inspects = (url: string) => url.endsWith('/json') && !url.startsWith('/containers/json')
const end: Trouble['end'] = (api) => {
  api.trouble = undefined
}

const WAITING = 'Probing goes on; restarts wait'
const TROUBLES: Readonly<Record<string, Trouble>> = {
  'is not there': { begin: (api) => api.stop(), end: (api) => api.start(), said: WAITING, why: 'unreachable' },
  'answers nothing': { begin: hangs(everything), end, said: WAITING, why: 'unreachable', readMs: 500 },
  'refuses everything': { begin: answers(403, 'not allowed', everything), end, said: WAITING, why: 'unreachable' },
  'answers 500 to everything': { begin: answers(500, 'broken', everything), end, said: WAITING, why: 'unreachable' },
  'allows too little: no inspect': {
    begin: answers(403, 'ContainerInspect is not allowed', inspects),
    end,
    said: 'not restarted (unreachable)',
    why: 'unreachable',
  },
  'refuses the restart': {
    begin: answers(403, 'ContainerRestart is not allowed', restarts),
    end,
    said: 'not restarted (refused): ContainerRestart is not allowed',
    why: 'refused',
  },
  'does not find the container': {
    begin: answers(404, 'no such container', restarts),
    end,
    said: 'not restarted (gone)',
    why: 'gone',
  },
  'has another change under way': {
    begin: answers(409, 'another change is under way', restarts),
    end,
    said: 'not restarted (gone): another change is under way',
    why: 'gone',
  },
  'has no budget left': {
    begin: answers(429, 'the budget is spent', restarts),
    end,
    said: 'not restarted (budget): the budget is spent',
    why: 'budget',
  },
  'cannot write its audit log': {
    begin: answers(503, 'the audit log cannot be written', restarts),
    end,
    said: 'not restarted (unreachable): the audit log cannot be written',
    why: 'unreachable',
  },
}

async function setUp(t: Test, { readMs = 60_000, restartMs = 60_000 }: { readMs?: number; restartMs?: number } = {}) {
  const bench = createBench(t, {}, temporaryDirectory(t), (fake) => {
    api = serveDocker(t, () => fake)
    return api.then(({ socketPath }) => connectDocker({ socketPath }, () => undefined, { readMs, restartMs }))
  })
  let api: Promise<DockerApi> | undefined
  const app = await startServer(t)
  bench.docker.add('web', app.port)
  const healer = await bench.start()
  bench.docker.onRestart = (container) => {
    app.status(200)
    bench.docker.startAnew(container)
    return { outcome: 'restarted' }
  }
  const served = await api
  if (!served) throw new Error('it is served')
  const shown = () => healer.view().containers[0]?.state
  const count = (words: string) => bench.log.filter((line) => line.includes(words)).length
  return { bench, app, api: served, shown, count }
}

for (const [what, trouble] of Object.entries(TROUBLES)) {
  await t.test(`a proxy that ${what}: probing goes on, restarts wait, and it mends itself`, async (t) => {
    const { bench, app, api, shown, count } = await setUp(t, trouble)
    await trouble.begin(api)
    app.status(503)
    const { requests } = app
    await bench.clock.advance(trouble.readMs === undefined ? 300_000 : 90_000)
    t.ok(app.requests >= requests + 6, 'it is probed as ever')
    t.same(bench.docker.restarts, [])
    t.match(shown(), { health: 'unhealthy', notRestarting: trouble.why, escalation: { restarts: 0, gaveUp: false } })
    t.equal(count(trouble.said), 1, `“${trouble.said}” is said once`)
    t.equal(count('RESTARTING'), 1)

    await trouble.end(api)
    await bench.clock.advance(120_000)
    t.same(bench.docker.restarts, ['web'])
    t.match(shown(), { health: 'healthy', escalation: { restarts: 1 } })
    t.equal(count('web — recovered'), 1)
  })
}

await t.test('a proxy that is slow to restart is not taken for one that failed', async (t) => {
  const { bench, app, api, shown, count } = await setUp(t, { restartMs: 500 })
  // The Engine goes on when its client has gone.
  api.trouble = (usual) => (request, response) => {
    if (!restarts(request.url ?? '')) return usual(request, response)
    const [container] = bench.docker.containers.values()
    if (container) void bench.docker.restart(container.summary.id)
  }
  app.status(503)
  await bench.clock.advance(120_000)
  t.same(bench.docker.restarts, ['web'])
  t.match(shown(), { health: 'healthy', escalation: { restarts: 1 } })
  t.equal(count('Failed to restart'), 0)
})

await t.test('a proxy that is started anew again and again costs no restart and invents none', async (t) => {
  const { bench, app, api, count } = await setUp(t)
  for (let i = 0; i < 5; i++) {
    await api.stop()
    await bench.clock.advance(20_000)
    await api.start()
    await bench.clock.advance(40_000)
  }
  t.same(bench.docker.restarts, [], 'what is well is left alone')
  t.equal(count(WAITING), 5)
  t.equal(count('Docker can be asked again'), 5)
  app.status(503)
  await bench.clock.advance(60_000)
  t.same(bench.docker.restarts, ['web'])
})
