// What is shown of an Engine's answer, held against an oracle of its own: a path appears if and only if `show` names it.
import fc from 'fast-check'
import t from 'tap'
import type { Show } from '../../proxy/policy/policy.ts'
import { project } from '../../proxy/show/project.ts'
import { fakeContainer, inspectBody, SECRET } from './support/containers.ts'
import { healerPolicy, policyOf, policyText } from './support/policies.ts'
import { WEB } from './support/start-proxy.ts'

const NAMES = ['Id', 'Env', 'State', 'Health', '__proto__', 'constructor', 'toString', '0', 'length', 'a.b', '']

/** JSON text, so that `__proto__` is a field like any other, as it is in the Engine's answer. */
const json: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.integer(), fc.string(), fc.boolean(), fc.constant(null)).map((leaf) => JSON.stringify(leaf)),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => `[${values.join(',')}]`),
    fc
      .uniqueArray(fc.tuple(fc.constantFrom(...NAMES), tie('value')), { maxLength: 5, selector: ([name]) => name })
      .map((fields) => `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`),
  ),
})).value

const show: fc.Arbitrary<Exclude<Show, 'all'>> = fc.letrec<{ show: Exclude<Show, 'all'> }>((tie) => ({
  show: fc.array(
    fc.record({
      name: fc.constantFrom(...NAMES, '*', 'S*', '*o*', '__*'),
      fields: fc.oneof({ depthSize: 'small' }, fc.constant('all' as const), tie('show')),
    }),
    { maxLength: 4 },
  ),
})).show

/** Every place in `value` that holds something, as the names that lead to it; lists are looked through. */
function placesOf(value: unknown, above: readonly string[] = []): string[] {
  if (Array.isArray(value)) return value.flatMap((element: unknown) => placesOf(element, above))
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, below]) => {
    const place = [...above, name]
    return [JSON.stringify(place), ...placesOf(below, place)]
  })
}

/** The oracle: whether some chain of entries of `show` names `place`, or ends above it in one that is shown whole. */
function isNamed(show: Show, [name, ...rest]: readonly string[]): boolean {
  if (show === 'all' || name === undefined) return true
  return show.some(({ name: pattern, fields }) => {
    const source = pattern
      .split('*')
      .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
      .join('[^]*')
    return new RegExp(`^${source}$`).test(name) && isNamed(fields, rest)
  })
}

t.test('a field that `show` does not name never appears, at any depth', async () => {
  fc.assert(
    fc.property(json, show, (text, show) => {
      const shown = JSON.stringify(project(JSON.parse(text), show))
      return placesOf(JSON.parse(shown)).every((place) => isNamed(show, JSON.parse(place)))
    }),
    { numRuns: 5000 },
  )
})

t.test('a field that `show` names appears, with its value whole where nothing is named below it', async () => {
  fc.assert(
    fc.property(json, show, (text, show) => {
      const shown = new Set(placesOf(JSON.parse(JSON.stringify(project(JSON.parse(text), show)))))
      return placesOf(JSON.parse(text)).every((place) => !isNamed(show, JSON.parse(place)) || shown.has(place))
    }),
    { numRuns: 5000 },
  )
})

t.test('a value that is no object shows nothing where fields are named of it', async (t) => {
  const show: Show = [
    { name: 'Id', fields: 'all' },
    { name: 'State', fields: [{ name: 'Status', fields: 'all' }] },
  ]
  const cases: readonly (readonly [value: unknown, shown: string])[] = [
    ['secret', 'null'],
    [5, 'null'],
    [null, 'null'],
    [['secret', 5, null], '[]'],
    [[['secret', { Id: 1, Env: 'secret' }]], '[[{"Id":1}]]'],
    [{ Id: 1, State: 'secret' }, '{"Id":1,"State":null}'],
    [{ State: [{ Status: 'up', Error: 'secret' }, 'secret'] }, '{"State":[{"Status":"up"}]}'],
    [{ Env: ['secret'] }, '{}'],
  ]
  for (const [value, shown] of cases) t.equal(JSON.stringify(project(value, show)), shown)
})

t.test('what came from the Engine is left as it was', async () => {
  fc.assert(
    fc.property(json, show, (text, show) => {
      const value: unknown = JSON.parse(text)
      const before = JSON.stringify(value)
      project(value, show)
      return JSON.stringify(value) === before
    }),
  )
})

t.test('`all` passes the answer whole; several entries for one field are taken together', async (t) => {
  const value = { State: { Status: 'up', Pid: 5, Error: 'x' }, Env: [1] }
  t.same(project(value, 'all'), value)
  const policy = policyOf(policyText(['ContainerInspect: { show: [State: [Status], Sta*: [Pid]] }']))
  const show = policy.allow.get('ContainerInspect')?.show ?? []
  t.equal(JSON.stringify(project(value, show)), '{"State":{"Status":"up","Pid":5}}')
})

t.test('the healer’s policy shows nothing of environment, commands, mounts or the host', async (t) => {
  const show = healerPolicy().allow.get('ContainerInspect')?.show ?? []
  const shown = JSON.stringify(project(inspectBody(fakeContainer({ id: WEB, name: 'web' })), show))
  t.notMatch(shown, SECRET)
  t.match(JSON.parse(shown), {
    Id: WEB,
    Name: '/web',
    RestartCount: 2,
    State: { Status: 'running' },
    Config: { Healthcheck: { Retries: 3 } },
  })
})
