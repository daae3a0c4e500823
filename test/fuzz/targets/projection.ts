// What is shown of an Engine's answer, held against an oracle of its own: a place in it appears if and only if `show` names it. And of a list
// of containers, nothing of those outside the scope.
import fc from 'fast-check'
import { fieldsBelow } from '../../../proxy/policy/name-pattern.ts'
import type { Selector, Show } from '../../../proxy/policy/policy.ts'
import { cutToScope } from '../../../proxy/show/cut-to-scope.ts'
import { project } from '../../../proxy/show/project.ts'
import { containerId } from '../../proxy/support/containers.ts'
import { defineTarget, must } from '../target.ts'

const NAMES = [
  'Id',
  'Names',
  'Labels',
  'State',
  'Health',
  'Containers',
  '__proto__',
  'constructor',
  'toString',
  '0',
  'length',
  'a.b',
  '',
  '*',
]

/** JSON text, so that `__proto__` is a field like any other, as it is in the Engine's answer. */
const json: fc.Arbitrary<string> = fc.letrec<{ value: string }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(fc.integer(), fc.string({ unit: 'binary' }), fc.boolean(), fc.constant(null)).map((leaf) => JSON.stringify(leaf)),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => `[${values.join(',')}]`),
    fc
      .uniqueArray(fc.tuple(fc.constantFrom(...NAMES), tie('value')), { maxLength: 5, selector: ([name]) => name })
      .map((fields) => `{${fields.map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`),
  ),
})).value

const show: fc.Arbitrary<Exclude<Show, 'all'>> = fc.letrec<{ show: Exclude<Show, 'all'> }>((tie) => ({
  show: fc.array(
    fc.record({
      name: fc.constantFrom(...NAMES, 'S*', '*o*', '__*', '*e*t*', '**'),
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

/** Whether some chain of entries of `show` names `place`, or ends above it in one that is shown whole. */
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

/** The values in `value` that are no objects, each with the names that lead to it. */
function leavesOf(value: unknown, above: readonly string[] = []): string[] {
  if (Array.isArray(value)) return value.flatMap((element: unknown) => leavesOf(element, above))
  if (typeof value !== 'object' || value === null) return [JSON.stringify([above, value])]
  return Object.entries(value).flatMap(([name, below]) => leavesOf(below, [...above, name]))
}

function checkProjection(text: string, show: Exclude<Show, 'all'>): void {
  const value: unknown = JSON.parse(text)
  const shown = JSON.stringify(project(value, show))
  must(JSON.stringify(value) === JSON.stringify(JSON.parse(text)), 'what came was changed')
  const kept: unknown = JSON.parse(shown)
  const places = new Set(placesOf(kept))
  for (const place of places) must(isNamed(show, JSON.parse(place)), `${place} appears, and nothing names it`)
  for (const place of placesOf(value))
    must(!isNamed(show, JSON.parse(place)) || places.has(place), `${place} is named, and missing`)
  // `null` stands for a value below which fields are named, and which has none.
  const leaves = new Set(leavesOf(value))
  for (const leaf of leavesOf(kept)) must(leaf.endsWith(',null]') || leaves.has(leaf), `${leaf} was not there`)
  must(JSON.stringify(project(kept, show)) === shown, 'what was shown, shown again, is something else')
  must(fieldsBelow(show, 'Id') !== undefined || !places.has('["Id"]'), 'a field appears that is shown as nothing')
}

const SCOPES: readonly (readonly Selector[])[] = [
  [{ labels: { monitored: 'true' } }],
  [{ names: ['web'] }, { project: 'shop' }],
  [{ labels: { __proto__: 'x' } as Record<string, string> }],
  [{}],
]
const odd = fc.oneof(fc.constant(null), fc.constant(5), fc.constant([]), fc.string())
const container = fc.record(
  {
    Id: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(containerId('aa'), containerId('bb')) }, odd),
    Names: fc.oneof(
      {
        weight: 4,
        arbitrary: fc.array(fc.oneof(fc.constantFrom('/web', '/db', '/x/web', 'web', '/', ''), odd), { maxLength: 3 }),
      },
      odd,
    ),
    Labels: fc.oneof(
      {
        weight: 4,
        arbitrary: fc.dictionary(
          fc.constantFrom('monitored', 'com.docker.compose.project', '__proto__'),
          fc.oneof(fc.constantFrom('true', 'True', 'shop'), odd),
        ),
      },
      odd,
    ),
    secret: fc.boolean(),
  },
  { requiredKeys: [] },
)

/** By a reading of its own: a container of the Engine's that the scope has. */
function isInScope(element: unknown, scope: readonly Selector[]): boolean {
  const { Id, Names, Labels } = (element ?? {}) as { Id?: unknown; Names?: unknown; Labels?: unknown }
  if (typeof Id !== 'string' || Id.length !== 64 || !Array.isArray(Names)) return false
  const own = Names.filter((name): name is string => typeof name === 'string').map((name) => name.replace(/^\//, ''))
  const name = own.find((each) => !each.includes('/')) ?? own[0]
  const label = (key: string) => Object.entries(Object(Labels)).find(([each]) => each === key)?.[1]
  return scope.some(
    ({ labels = {}, names, project }) =>
      Object.entries(labels).every(([key, value]) => label(key) === value) &&
      (names === undefined || names.includes(name ?? '')) &&
      (project === undefined || label('com.docker.compose.project') === project),
  )
}

function checkList(list: readonly unknown[], scope: readonly Selector[]): void {
  const shown = cutToScope('ContainerList', list, scope) as readonly { readonly Names: readonly string[] }[]
  const wanted = list.filter((element) => isInScope(element, scope))
  must(shown.length === wanted.length, `${shown.length} are shown of ${wanted.length} in scope`)
  must(
    shown.every(({ Names }) => Names.every((name) => name.lastIndexOf('/') < 1)),
    'the name of another container is told',
  )
  const { Containers } = cutToScope('SystemDataUsage', { Containers: list }, scope) as { readonly Containers: unknown }
  must(JSON.stringify(Containers) === JSON.stringify(shown), 'what is used tells of other containers than the list')
  must(JSON.stringify(cutToScope('ContainerList', shown, scope)) === JSON.stringify(shown), 'cut again, it is something else')
}

export const projection = defineTarget(
  'what the policy shows appears and nothing else, and of containers those in scope and no others',
  5000,
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ text: json, show }) },
    {
      weight: 1,
      arbitrary: fc.record({ list: fc.array(fc.oneof(container, odd), { maxLength: 4 }), scope: fc.constantFrom(...SCOPES) }),
    },
  ),
  (given) => {
    if ('text' in given) checkProjection(given.text, given.show)
    else checkList(given.list, given.scope)
  },
)
