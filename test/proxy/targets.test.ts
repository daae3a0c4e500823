// Which container a name or id stands for, and which containers a selector selects.
import t from 'tap'
import type { Selector } from '../../proxy/policy/policy.ts'
import { findContainer, inScope, type Listed, matchesSelector, parseContainerId } from '../../proxy/policy/target.ts'
import { parseContainerRef } from '../../proxy/request/api-request.ts'
import { containerId, listed } from './support/containers.ts'

const [A, B, C] = [containerId('abc1'), containerId('abc2'), containerId('def')]

function find(ref: string, containers: readonly Listed[]): Listed | undefined {
  const parsed = parseContainerRef(ref)
  if (parsed === undefined) throw new Error(`${ref} names no container`)
  return findContainer(parsed, containers)
}

const plain = [listed({ id: A, names: ['web'] }), listed({ id: B, names: ['db'] }), listed({ id: C, names: ['cache'] })]
const references: readonly (readonly [ref: string, id: string | undefined, containers: readonly Listed[], why: string])[] = [
  ['web', A, plain, 'a name'],
  [A, A, plain, 'a whole id'],
  ['abc1', A, plain, 'the beginning of one id'],
  ['d', C, plain, 'one digit suffices'],
  ['abc', undefined, plain, 'the beginning of two ids'],
  ['we', undefined, plain, 'the beginning of a name is nothing'],
  ['WEB', undefined, plain, 'a name in another case'],
  ['ABC1', undefined, plain, 'an id in another case'],
  ['0abc1', undefined, plain, 'the middle of an id'],
  ['e', undefined, plain, 'nothing'],
  [`${A}0`, undefined, plain, 'more than a whole id'],
  [A, A, [listed({ id: B, names: [A] }), listed({ id: A, names: ['web'] })], 'an id comes before a name'],
  [
    'abc2',
    A,
    [listed({ id: B, names: ['db'] }), listed({ id: A, names: ['abc2'] })],
    'a name comes before the beginning of an id',
  ],
  ['web', undefined, [listed({ id: A, names: ['web'] }), listed({ id: B, names: ['web'] })], 'two of one name'],
  ['abc', A, [listed({ id: A, names: ['abc'] }), listed({ id: B, names: ['db'] })], 'a name decides between two ids'],
  ['alias', undefined, [listed({ id: A, names: ['web', 'other/alias'] })], 'a link’s alias is no name'],
  ['web', undefined, [], 'nothing to be found in'],
]

t.test('a container is found by whole id, then name, then the beginning of its id; several are none', async (t) => {
  for (const [ref, id, containers, why] of references) {
    t.equal(find(ref, containers)?.id, id, `${ref.slice(0, 8)}: ${why}`)
    t.equal(find(ref, [...containers].reverse())?.id, id, `${ref.slice(0, 8)}: in whatever order the Engine lists`)
  }
})

const PROJECT = { 'com.docker.compose.project': 'shop' }
const selections: readonly (readonly [selector: Selector, container: Partial<Listed>, matches: boolean, why: string])[] = [
  [{ labels: { a: '1' } }, { labels: { a: '1', b: '2' } }, true, 'a label'],
  [{ labels: { a: '1', b: '2' } }, { labels: { a: '1', b: '2' } }, true, 'both labels'],
  [{ labels: { a: '1', b: '2' } }, { labels: { a: '1' } }, false, 'one of two labels'],
  [{ labels: { a: '' } }, { labels: {} }, false, 'an empty value is not a missing label'],
  [{ labels: { toString: 'x' } }, { labels: {} }, false, 'what every object has is no label'],
  [{ names: ['web', 'db'] }, { names: ['db'] }, true, 'one of the names'],
  [{ names: ['web'] }, { names: ['db', 'web'] }, false, 'only the own name counts'],
  [{ names: ['web'] }, { names: [] }, false, 'no name'],
  [{ names: [''] }, { names: ['web'] }, false, 'an empty name'],
  [{ project: 'shop' }, { labels: PROJECT }, true, 'a project'],
  [{ project: 'shop' }, { labels: { ...PROJECT, 'com.docker.compose.project': 'Shop' } }, false, 'another project'],
  [{ project: 'shop' }, { labels: {} }, false, 'no project'],
  [
    { labels: { a: '1' }, names: ['web'], project: 'shop' },
    { labels: { a: '1', ...PROJECT }, names: ['web'] },
    true,
    'all that is said',
  ],
  [{ labels: { a: '1' }, names: ['web'], project: 'shop' }, { labels: { a: '1' }, names: ['web'] }, false, 'all but one'],
]

t.test('of one selector all must hold, of a scope any selector', async (t) => {
  for (const [selector, over, matches, why] of selections) {
    const container = listed({ labels: {}, ...over })
    t.equal(matchesSelector(selector, container), matches, why)
    t.equal(inScope([{ names: ['nobody'] }, selector], container), matches, `${why}: as the second of a scope`)
  }
  t.equal(inScope([], listed()), false, 'an empty scope holds nothing')
})

t.test('only 64 lower-case hexadecimal digits are a whole id', async (t) => {
  t.equal(parseContainerId(A), A)
  for (const wrong of [A.slice(1), `${A}0`, A.toUpperCase(), `${A}\n`, `sha256:${A}`, 'web', '', undefined, null, 5, [A]]) {
    t.equal(parseContainerId(wrong), undefined, String(wrong))
  }
})
