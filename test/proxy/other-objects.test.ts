// Operations that are about no container go the same way: decided, recorded, bounded by a budget, shown by name.
import t from 'tap'
import { SECRET } from './support/containers.ts'
import { policyText } from './support/policies.ts'
import { messageOf } from './support/raw-client.ts'
import { startProxy, WEB } from './support/start-proxy.ts'

const policy = policyText([
  'SystemPingHead: {}',
  'ImageInspect: { show: [Id, RepoTags] }',
  'ImagePrune: { show: [SpaceReclaimed], budget: { client: 2 per 1h } }',
  'NetworkDelete: {}',
])

t.test('an image is shown by the fields named, and asked for by its whole name', async (t) => {
  const proxy = await startProxy(t, { policyText: policy })
  proxy.engine.answer = ({ line }) =>
    line.includes('/images/') ? { status: 200, body: { Id: 'sha256:1', RepoTags: ['a'], Config: { Env: [SECRET] } } } : undefined
  const answer = await proxy.ask('GET /v1.45/images/localhost:5000/team/web:1/json')
  t.equal(answer.status, 200)
  t.same(JSON.parse(answer.body), { Id: 'sha256:1', RepoTags: ['a'] })
  t.same(proxy.engine.lines().at(-1), 'GET /v1.45/images/localhost:5000/team/web:1/json HTTP/1.1')
})

t.test('a change of another object is on the record before it goes out, and bounded for the client', async (t) => {
  const proxy = await startProxy(t, { policyText: policy })
  proxy.engine.answer = ({ line }) =>
    line.startsWith('POST')
      ? { status: 200, body: { SpaceReclaimed: proxy.auditLines().length, ImagesDeleted: [SECRET] } }
      : undefined
  const answers = []
  for (let i = 0; i < 3; i++) answers.push(await proxy.ask('POST /images/prune'))
  t.same(
    answers.map(({ status }) => status),
    [200, 200, 429],
  )
  t.same(JSON.parse(answers[0]?.body ?? ''), { SpaceReclaimed: 1 }, 'one line was there when it went out')
  t.match(answers[2]?.headers.join(), /retry-after: 3600/i)
  t.match(proxy.auditLines(), [
    { event: 'decision', operation: 'ImagePrune', verdict: 'allow', rule: 'allow.ImagePrune' },
    { event: 'outcome', of: 2, status: 200 },
    { event: 'decision' },
    { event: 'outcome', of: 5 },
    { event: 'decision', verdict: 'deny', rule: 'policy.budget' },
  ])
})

const outcomes: readonly (readonly [engine: number, client: number, says: RegExp])[] = [
  [204, 204, /^$/],
  [200, 200, /^$/],
  [304, 304, /^$/],
  [404, 404, /^No such object: front$/],
  [403, 403, /^NetworkDelete: the Engine refuses this request; see the proxy's log$/],
  [409, 409, /the state does not allow it/],
  [500, 500, /tried and failed/],
  [501, 501, /does not have this operation/],
  [401, 401, /a registry does not know the Engine/],
  [406, 406, /not in a state to do this; is it part of a swarm\?/],
  [503, 503, /not in a state to do this; is it part of a swarm\?/],
  [302, 502, /cannot be read/],
]

t.test('the Engine’s status is passed on where a client can use it, its words never', async (t) => {
  const proxy = await startProxy(t, { policyText: policy })
  for (const [engine, client, says] of outcomes) {
    proxy.engine.answer = () => ({ status: engine, ...(engine < 400 ? {} : { body: { message: SECRET } }) })
    const answer = await proxy.ask('DELETE /networks/front')
    t.equal(answer.status, client, `${engine}`)
    t.match(client < 400 ? answer.body : messageOf(answer), says, `${engine}`)
    t.notMatch(JSON.stringify(answer), SECRET)
  }
})

t.test('a ping by HEAD has the head alone', async (t) => {
  const proxy = await startProxy(t, { policyText: policy })
  proxy.engine.answer = () => 'HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nContent-Length: 2\r\n\r\n'
  const [answer] = await proxy.talk('HEAD /_ping HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n')
  t.same(proxy.engine.lines(), ['HEAD /_ping HTTP/1.1'])
  t.match(answer ?? { status: 200 }, { status: 200 })
})

t.test('what a policy shows whole goes on as the Engine wrote it, to the last digit', async (t) => {
  const proxy = await startProxy(t, {
    policyText: policyText(['ContainerInspect: { show: all }', 'ContainerList: { show: all }']),
  })
  const text = `{ "Id": "${WEB}",  "SizeRw": 12345678901234567890, "Env": ["a\\u0000"] }`
  proxy.engine.answer = ({ line }) => (line.includes(`/${WEB}/json`) ? { status: 200, body: text } : undefined)
  const { status, body } = await proxy.ask(`GET /containers/${WEB}/json`)
  t.same([status, body], [200, text])
  const { body: list } = await proxy.ask('GET /containers/json')
  const listed = (JSON.parse(list) as readonly { readonly Id: string }[]).map(({ Id }) => Id)
  t.same(listed, [WEB], 'but a list is cut to the scope')
})
