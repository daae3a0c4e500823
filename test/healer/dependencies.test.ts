// What a container needs: the one whose network it uses, and what compose or its label says. Two that need each other wait for neither.
import fc from 'fast-check'
import t from 'tap'
import type { ContainerSummary } from '../../healer/docker/docker.ts'
import { mapProviders, networkProvider } from '../../healer/health/dependencies.ts'

function container(name: string, more: Partial<ContainerSummary> & { readonly needs?: string } = {}): ContainerSummary {
  const { needs, labels, ...rest } = more
  const compose = { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': name }
  return {
    id: name.padEnd(64, '_'),
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
    t.same(found.get(who.id)?.flat().map(id), expected.map(id), what)
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
    [...mapProviders(all, () => []).values()].map((needed) => needed.flat().map(({ name }) => name)),
    [[], [], ['shop-d-1'], []],
  )
})

/** What a container of a small graph needs: services of their project by number, containers by theirs, and whose network it uses. */
type Needs = {
  readonly service: number
  readonly needs: readonly number[]
  readonly names: readonly number[]
  readonly network: number
}

const anyNeeds: fc.Arbitrary<Needs> = fc.record({
  service: fc.nat(3),
  needs: fc.array(fc.nat(4), { maxLength: 2 }),
  names: fc.array(fc.nat(6), { maxLength: 1 }),
  network: fc.nat(12),
})

t.test('whatever needs what: all that it needs, but for what needs it in turn by any way', async () => {
  fc.assert(
    fc.property(fc.array(anyNeeds, { maxLength: 7 }), (graph) => {
      const all = graph.map(({ service, needs, network }, i) =>
        container(`${i}`, {
          needs: needs.map((each) => `s${each}:x:y`).join(','),
          labels: { 'com.docker.compose.service': `s${service}` },
          networkMode: network < graph.length ? `container:${`${network}`.padEnd(64, '_')}` : 'net',
        }),
      )
      const namesOf = (i: number) => (graph[i]?.names ?? []).map((each) => `shop-${each}-1`)
      const direct = graph.map(({ needs, names, network }, i) =>
        graph.flatMap((each, j) => (j !== i && (needs.includes(each.service) || names.includes(j) || network === j) ? [j] : [])),
      )
      const reaches = (from: number, to: number, seen: readonly number[] = []): boolean =>
        from === to || (direct[from] ?? []).some((next) => !seen.includes(next) && reaches(next, to, [...seen, from]))
      const expected = direct.map((needed, i) => needed.filter((each) => !reaches(each, i)).map((each) => all[each]?.id))
      const found = mapProviders(all, (of) => namesOf(all.indexOf(of)))
      t.same(
        [...found.values()].map((needed) => all.filter((each) => needed.flat().includes(each)).map(id)),
        expected,
      )
    }),
    { numRuns: 1000 },
  )
})

t.test('thousands that all need each other, and a chain of thousands, take work in proportion', async (t) => {
  const worker = { 'com.docker.compose.service': 'worker' }
  const round = Array.from({ length: 5000 }, (_, i) => container(`w${i}`, { needs: 'worker:x:y', labels: worker }))
  const chain = Array.from({ length: 5000 }, (_, i) => container(`c${i}`, { needs: `c${i + 1}:x:y` }))
  t.ok([...mapProviders(round, () => ['worker']).values()].every((needed) => needed.length === 0))
  const found = mapProviders(chain, () => [])
  t.same(
    found
      .get(id(chain[0] ?? db))
      ?.flat()
      .map(id),
    [id(chain[1] ?? db)],
  )
})

t.test('a network mode that names a container', async (t) => {
  t.equal(networkProvider(container('x', { networkMode: `container:${db.id}` })), db.id)
  t.equal(networkProvider(container('x', { networkMode: 'bridge' })), undefined)
})
