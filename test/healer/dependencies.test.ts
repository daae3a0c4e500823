// What a container needs: the one whose network it uses, and what compose or its label says. Two that need each other wait for neither.
import t from 'tap'
import type { ContainerSummary } from '../../healer/docker/docker.ts'
import { mapProviders, networkProvider } from '../../healer/health/dependencies.ts'

function container(name: string, more: Partial<ContainerSummary> & { readonly needs?: string } = {}): ContainerSummary {
  const { needs, labels, ...rest } = more
  const compose = { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': name }
  return {
    id: name.padEnd(64, '0'),
    name: `shop-${name}-1`,
    imageId: '',
    labels: { ...compose, ...(needs === undefined ? {} : { 'com.docker.compose.depends_on': needs }), ...labels },
    tcpPorts: [],
    networkMode: 'shop_default',
    networks: [],
    ...rest,
  }
}
const db = container('db')
const cache = container('cache')
const id = (of: ContainerSummary) => of.id

const needs: readonly (readonly [
  what: string,
  who: ContainerSummary,
  others: readonly ContainerSummary[],
  names: readonly string[],
  expected: readonly ContainerSummary[],
])[] = [
  ['nothing', container('web'), [db, cache], [], []],
  ['a service of its project', container('web', { needs: 'db:service_healthy:false' }), [db, cache], [], [db]],
  [
    'two services',
    container('web', { needs: 'db:service_started:true,cache:service_started:false' }),
    [db, cache],
    [],
    [db, cache],
  ],
  [
    'a service of the same name elsewhere',
    container('web', { needs: 'db:service_started:false' }),
    [container('db', { labels: { 'com.docker.compose.project': 'blog' } })],
    [],
    [],
  ],
  [
    'every container of a scaled service',
    container('web', { needs: 'db:service_started:false' }),
    [db, container('db', { id: 'e'.repeat(64), name: 'shop-db-2' })],
    [],
    [db, container('db', { id: 'e'.repeat(64), name: 'shop-db-2' })],
  ],
  ['one whose network it uses', container('web', { networkMode: `container:${db.id}` }), [db, cache], [], [db]],
  ['one that its label names', container('web', { labels: {} }), [db, cache], ['shop-cache-1'], [cache]],
  ['a service that its label names', container('web'), [db, cache], ['cache'], [cache]],
  ['something that is not there', container('web', { needs: 'queue:service_started:false' }), [db], ['nobody'], []],
]

t.test('a container needs', async (t) => {
  for (const [what, who, others, names, expected] of needs) {
    const found = mapProviders([who, ...others], (of) => (of === who ? names : []))
    t.same(found.get(who.id)?.map(id), expected.map(id), what)
  }
})

t.test('of containers that need each other, round and round, none waits for another', async (t) => {
  const [a, b, c] = [
    container('a', { needs: 'b:x:y' }),
    container('b', { needs: 'c:x:y' }),
    container('c', { needs: 'a:x:y,d:x:y' }),
  ]
  const d = container('d')
  const all = [a, b, c, d]
  t.same(
    [...mapProviders(all, () => []).values()].map((needed) => needed.map(({ name }) => name)),
    [[], [], ['shop-d-1'], []],
  )
})

t.test('a network mode that names a container', async (t) => {
  t.equal(networkProvider(container('x', { networkMode: `container:${db.id}` })), db.id)
  t.equal(networkProvider(container('x', { networkMode: 'bridge' })), undefined)
})
