// A container outside the scope does not exist: every answer about it is, byte for byte, the answer about nothing, and the
// Engine is asked the same questions for both.
import t from 'tap'
import { containerId, fakeContainer, SECRET } from './support/containers.ts'
import { policyText } from './support/policies.ts'
import { DB, HIDDEN, startProxy, usualContainers, WEB } from './support/start-proxy.ts'

const MISSING = containerId('dd44')

const pairs: readonly (readonly [what: string, hidden: string, missing: string])[] = [
  ['by name', 'hidden', 'absent'],
  ['by whole id', HIDDEN, MISSING],
  ['by the beginning of an id', HIDDEN.slice(0, 12), MISSING.slice(0, 12)],
  ['where the name is ambiguous', 'twin', 'twim'],
]

const requests: readonly (readonly [what: string, line: (ref: string) => string])[] = [
  ['inspect', (ref) => `GET /v1.45/containers/${ref}/json`],
  ['restart', (ref) => `POST /v1.45/containers/${ref}/restart?t=5`],
]

const twins = ['e1', 'e2'].map((start) => fakeContainer({ id: containerId(start), name: 'twin' }))

for (const [how, hidden, missing] of pairs) {
  for (const [what, line] of requests) {
    t.test(`${what} of a hidden container ${how} is answered as of one that is not there`, async (t) => {
      const proxy = await startProxy(t, { containers: [...usualContainers(), ...twins] })
      const answers = [await proxy.ask(line(hidden)), await proxy.ask(line(missing))]
      const [first, second] = answers.map((answer, i) => JSON.stringify(answer).replaceAll(i === 0 ? hidden : missing, 'REF'))
      t.equal(first, second)
      t.match(answers[0], { status: 404, body: JSON.stringify({ message: `No such container: ${hidden}` }) })
      t.same(
        proxy.engine.lines().filter((asked) => asked !== 'GET /version HTTP/1.1'),
        ['GET /containers/json?all=1 HTTP/1.1', 'GET /containers/json?all=1 HTTP/1.1'],
        'the same question for both',
      )
    })
  }
}

t.test('a prefix that a hidden container shares names the one in scope', async (t) => {
  const sharing = fakeContainer({ id: containerId('aa12'), name: 'other', labels: {} })
  const proxy = await startProxy(t, { containers: [...usualContainers(), sharing] })
  t.match(JSON.parse((await proxy.ask('GET /containers/aa1/json')).body), { Id: WEB })
})

t.test('a list holds the scope and, of each, what the policy shows, whatever the client filters by', async (t) => {
  const proxy = await startProxy(t)
  for (const filters of ['', `?all=1&filters=${encodeURIComponent('{"label":["monitored"]}')}`]) {
    const { status, body } = await proxy.ask(`GET /containers/json${filters}`)
    t.equal(status, 200)
    t.same(
      JSON.parse(body).map((element: { Id: unknown }) => element.Id),
      [WEB, DB],
    )
    t.notMatch(body, SECRET)
    t.notMatch(body, 'hidden')
  }
})

t.test('no answer has a byte or a header of what the policy does not show', async (t) => {
  const proxy = await startProxy(t)
  for (const line of [
    'GET /_ping',
    'GET /version',
    'GET /containers/json',
    'GET /containers/web/json',
    'POST /containers/web/restart',
  ]) {
    const answer = await proxy.ask(line)
    t.ok(answer.status < 300, line)
    t.notMatch(answer.body, SECRET, line)
    t.notMatch(answer.body, 'KernelVersion', line)
    const names = answer.headers.map((header) => header.split(':')[0]?.toLowerCase() ?? '')
    const known = ['content-type', 'content-length', 'connection', 'keep-alive', 'api-version']
    t.same(
      names.filter((name) => !known.includes(name)),
      [],
      `${line}: the headers`,
    )
  }
})

t.test('a container that leaves the scope of its name between list and inspect is not restarted', async (t) => {
  const byName = policyText(['ContainerRestart: {}'], ['- names: [web]'])
  const proxy = await startProxy(t, { policyText: byName })
  proxy.engine.answer = ({ line }) => {
    const web = proxy.engine.containers.find(({ id }) => id === WEB)
    if (web && line.includes(`/containers/${WEB}/json`)) web.name = 'renamed'
    return undefined
  }
  t.equal((await proxy.ask('POST /containers/web/restart')).status, 404)
  t.notMatch(proxy.engine.lines().join('\n'), 'restart')
})

t.test('a name that moves to another container between check and restart does not take the restart with it', async (t) => {
  const proxy = await startProxy(t)
  proxy.engine.answer = ({ line }) => {
    const [web, db, hidden] = proxy.engine.containers
    if (web && db && hidden && line.includes(`/containers/${WEB}/json`)) {
      web.name = 'old'
      hidden.name = 'web'
    }
    return undefined
  }
  t.equal((await proxy.ask('POST /containers/web/restart')).status, 204)
  t.same(
    proxy.engine.lines().filter((line) => line.startsWith('POST')),
    [`POST /containers/${WEB}/restart HTTP/1.1`],
  )
})

t.test('a container that is gone by the time it is asked about is missing', async (t) => {
  const proxy = await startProxy(t)
  await proxy.ask('GET /containers/web/json')
  proxy.engine.containers = proxy.engine.containers.filter(({ id }) => id !== WEB)
  for (const line of [`GET /containers/${WEB}/json`, `POST /containers/${WEB}/restart`]) {
    t.match(await proxy.ask(line), { status: 404, body: JSON.stringify({ message: `No such container: ${WEB}` }) }, line)
  }
})
