// What is sent to the Engine for an approval, and what is asked and kept of lists: built from typed values, cut to the scope.
import t from 'tap'
import { filtersParameter, inspectContainer, keepInScope, listInScope, scopeFilters } from '../../proxy/engine/containers.ts'
import { type Engine, type EngineAnswer, EngineError } from '../../proxy/engine/engine.ts'
import { requestPath } from '../../proxy/engine/forward.ts'
import type { Policy, Selector } from '../../proxy/policy/policy.ts'
import { containerId, fakeContainer, inspectBody, listElement } from './support/containers.ts'
import { decideLine, inspected } from './support/deciding.ts'
import { healerPolicy, policyOf, policyText } from './support/policies.ts'

const ID = containerId('ab12')

/** The path that goes out for `line`, decoded for reading. */
function pathOf(policy: Policy, line: string): string {
  const decision = decideLine(policy, line, inspected({ id: ID }))
  if (decision.verdict !== 'allow') throw new Error(`${line} is not allowed`)
  return decodeURIComponent(requestPath(decision))
}

const oneLabel = policyOf(
  policyText([
    'ContainerList:',
    '  query: { all: [true, false], filters: [label, status] }',
    '  show: [Id, State, Labels: [tier]]',
  ]),
)

const others = policyOf(
  `${policyText([
    'ContainerKill: { query: { signal: ["*"] } }',
    'ImageInspect: { show: [Id] }',
    'NetworkInspect: { query: { scope: ["*"], verbose: [true] }, show: [Name] }',
    'CheckpointDelete: {}',
    'SystemPingHead: {}',
  ])}allow_root_equivalent: [CheckpointDelete]\n`,
)

const paths: readonly (readonly [policy: Policy, line: string, path: string, why: string])[] = [
  [healerPolicy(), 'GET /_ping', '/_ping', 'no version where none was asked for'],
  [healerPolicy(), 'GET /v1.44/version', '/v1.44/version', 'the version that was asked for'],
  [healerPolicy(), 'GET /v1.45/containers/web/json', `/v1.45/containers/${ID}/json`, 'the id that was judged, not the name'],
  [healerPolicy(), `POST /containers/${ID.slice(0, 4)}/restart`, `/containers/${ID}/restart`, 'the whole id for its beginning'],
  [healerPolicy(), 'POST /containers/web/restart?t=05'.replace('05', '5'), `/containers/${ID}/restart?t=5`, 'a number'],
  [healerPolicy(), 'GET /containers/json?all=true', '/containers/json?all=1', 'true is written anew'],
  [healerPolicy(), 'GET /containers/json?all=%30', '/containers/json?all=0', 'an encoded digit is written anew'],
  [healerPolicy(), 'GET /containers/json', '/containers/json', 'two selectors cannot be said in a filter'],
  [oneLabel, 'GET /containers/json', '/containers/json?filters={"label":["monitored=true"]}', 'the scope as a filter'],
  [
    oneLabel,
    'GET /containers/json?all=1',
    '/containers/json?all=1&filters={"label":["monitored=true"]}',
    'the scope beside a query',
  ],
  [
    oneLabel,
    `GET /containers/json?filters=${encodeURIComponent('{"status":["running"],"label":{"tier=web":true}}')}`,
    '/containers/json?filters={"label":["monitored=true","tier=web"],"status":["running"]}',
    'the client’s filters are added to the scope’s, not put in their place',
  ],
  [
    others,
    'POST /containers/web/kill?signal=%26t%3D1%23%2F',
    `/containers/${ID}/kill?signal=&t=1#/`,
    'a text is encoded anew, whatever is in it',
  ],
  [others, 'GET /v1.41/images/localhost:5000/a/b:1/json', '/v1.41/images/localhost:5000/a/b:1/json', 'the name of an image'],
  [others, 'GET /networks/front?scope=local&verbose=true', '/networks/front?scope=local&verbose=1', 'the name of a network'],
  [others, 'DELETE /containers/web/checkpoints/one', `/containers/${ID}/checkpoints/one`, 'an id and a name'],
  [others, 'HEAD /_ping', '/_ping', 'a ping by HEAD'],
  [
    oneLabel,
    `GET /containers/json?filters=${encodeURIComponent('{"label":[]}')}`,
    '/containers/json?filters={"label":["monitored=true"]}',
    'an empty filter does not empty the scope’s',
  ],
]

t.test('a request is built anew from what was approved', async (t) => {
  for (const [policy, line, path, why] of paths) t.equal(pathOf(policy, line), path, why)
})

const selectors: readonly (readonly [scope: readonly Selector[], labels: readonly string[] | undefined])[] = [
  [[{ labels: { a: '1', b: '' } }], ['a=1', 'b=']],
  [[{ project: 'shop' }], ['com.docker.compose.project=shop']],
  [[{ labels: { a: '1' }, project: 'shop' }], ['a=1', 'com.docker.compose.project=shop']],
  [[{ names: ['web'] }], undefined],
  [[{ labels: { a: '1' } }, { labels: { b: '1' } }], undefined],
]

t.test('the Engine’s filter never says more than the scope does', async (t) => {
  for (const [scope, labels] of selectors) t.same(scopeFilters(scope).get('label'), labels)
  t.equal(filtersParameter(new Map()), '')
  t.equal(
    filtersParameter(new Map([['label', ['a=&b#"\r\n']]])),
    '&filters=%7B%22label%22%3A%5B%22a%3D%26b%23%5C%22%5Cr%5Cn%22%5D%7D',
  )
})

/** An Engine that gives the same answer to everything and writes down what it was asked. */
function recordingEngine(answer: Partial<EngineAnswer>): Pick<Engine, 'ask'> & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    ask: async ({ method, path }) => {
      asked.push(`${method} ${decodeURIComponent(path)}`)
      return { status: 200, headers: {}, body: '', ...answer }
    },
  }
}

const SCOPE: readonly Selector[] = [{ labels: { monitored: 'true' } }]
const good = listElement(fakeContainer({ id: ID, name: 'web' }))

t.test(
  'of a list, only what has the shape of a container in scope is kept, whatever the Engine’s filter let through',
  async (t) => {
    const odd: readonly unknown[] = [
      null,
      'web',
      5,
      [],
      {},
      { ...good, Id: 'short' },
      { ...good, Id: undefined },
      { ...good, Names: null },
      { ...good, Labels: null },
      { ...good, Labels: { monitored: 'True' } },
      { ...good, Labels: { monitored: true } },
      { ...good, Labels: [['monitored', 'true']] },
      JSON.parse('{"__proto__":{"Labels":{"monitored":"true"}}}'),
    ]
    t.same(
      keepInScope([...odd, good, ...odd], SCOPE).map(({ element }) => element),
      [good],
    )
    for (const none of [{}, null, 'x', undefined]) t.throws(() => keepInScope(none, SCOPE), EngineError)
  },
)

t.test('a container’s own name comes first, before those that links gave it', async (t) => {
  const [kept] = keepInScope([{ ...good, Names: ['/other/alias', '/web'] }], SCOPE)
  t.same(kept?.listed.names, ['web', 'other/alias'])
})

t.test('all containers in scope are asked for, running or not, and by the scope’s filter where there is one', async (t) => {
  const engine = recordingEngine({ body: JSON.stringify([good]) })
  t.match(await listInScope(engine, SCOPE), [{ id: ID, names: ['web'] }])
  await listInScope(engine, [...SCOPE, { names: ['db'] }])
  t.same(engine.asked, ['GET /containers/json?all=1&filters={"label":["monitored=true"]}', 'GET /containers/json?all=1'])
  await t.rejects(listInScope(recordingEngine({ status: 500 }), SCOPE), { name: 'EngineError', kind: 'answer' })
  await t.rejects(listInScope(recordingEngine({ body: '[' }), SCOPE), { name: 'EngineError', kind: 'answer' })
})

t.test('Podman, which would kill at once, is told the container’s own time to stop', async (t) => {
  const path = (line: string, stopSeconds?: number) => {
    const decision = decideLine(
      healerPolicy(),
      line,
      inspected({ id: ID, ...(stopSeconds === undefined ? {} : { stopSeconds }) }),
    )
    return decision.verdict === 'allow' ? requestPath(decision) : decision.verdict
  }
  t.equal(path('POST /containers/web/restart', 30), `/containers/${ID}/restart?t=30`)
  t.equal(
    path('POST /containers/web/restart', 90),
    `/containers/${ID}/restart?t=90`,
    'though a client may ask for no more than 60',
  )
  t.equal(path('POST /containers/web/restart?t=0', 30), `/containers/${ID}/restart?t=0`, 'what was asked for comes first')
  t.equal(path('POST /containers/web/restart'), `/containers/${ID}/restart`, 'any other Engine')

  const body = (StopTimeout: unknown) => {
    const whole = inspectBody(fakeContainer({ id: ID, name: 'web' })) as { readonly Config: object }
    return JSON.stringify({ ...whole, Config: { ...whole.Config, StopTimeout } })
  }
  const headers = { 'libpod-api-version': '4.3.1' }
  const seconds = async (answer: Partial<EngineAnswer>) => (await inspectContainer(recordingEngine(answer), ID))?.stopSeconds
  t.equal(await seconds({ body: body(30), headers }), 30)
  for (const none of [0, undefined, null, '30', 1.5, -1]) t.equal(await seconds({ body: body(none), headers }), 10, String(none))
  t.equal(await seconds({ body: body(30) }), undefined, 'any other Engine')
})

t.test('an inspect that is not of the container that was asked for is not believed', async (t) => {
  const body = inspectBody(fakeContainer({ id: ID, name: 'web', mounts: [{ Source: '/a', Destination: '/b' }] }))
  const answer = (over: object) => recordingEngine({ body: JSON.stringify({ ...body, ...over }) })
  t.match(await inspectContainer(answer({}), ID), {
    id: ID,
    names: ['web'],
    labels: { monitored: 'true' },
    state: 'running',
    mounts: [{ source: '/a', destination: '/b' }],
  })
  t.equal(await inspectContainer(recordingEngine({ status: 404 }), ID), undefined)
  for (const over of [{ Id: containerId('ff') }, { Id: undefined }, { Name: 5 }, { State: null }, { State: { Status: 1 } }]) {
    await t.rejects(inspectContainer(answer(over), ID), { name: 'EngineError', kind: 'answer' }, JSON.stringify(over))
  }
  for (const text of ['', 'null', '[]', '"x"', '{']) {
    await t.rejects(inspectContainer(recordingEngine({ body: text }), ID), { name: 'EngineError', kind: 'answer' }, text)
  }
})
