// Names with `*`, held against the regular expression that says the same thing.
import fc from 'fast-check'
import t from 'tap'
import { fieldsBelow, matchesName } from '../../proxy/policy/name-pattern.ts'
import type { Show } from '../../proxy/policy/policy.ts'

function oracle(pattern: string, name: string): boolean {
  const escaped = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  return new RegExp(`^${escaped.join('[^]*')}$`).test(name)
}

t.test('a pattern matches what its regular expression matches', async () => {
  const few = (...letters: readonly string[]) =>
    fc.array(fc.constantFrom(...letters), { maxLength: 8 }).map((each) => each.join(''))
  fc.assert(
    fc.property(
      few('a', 'b', '.', '*'),
      few('a', 'b', '.', '*'),
      (pattern, name) => matchesName(pattern, name) === oracle(pattern, name),
    ),
    { numRuns: 20_000 },
  )
  fc.assert(fc.property(fc.string(), fc.string(), (pattern, name) => matchesName(pattern, name) === oracle(pattern, name)))
})

t.test('a star stands for any run of characters, nothing else stands for anything', async (t) => {
  const cases: readonly (readonly [pattern: string, name: string, matches: boolean])[] = [
    ['*', '', true],
    ['*', '__proto__', true],
    ['healer.*', 'healer.', true],
    ['healer.*', 'healerX', false],
    ['a*a', 'a', false],
    ['a*a', 'aa', true],
    ['a*b*a', 'aba', true],
    ['a*b*a', 'ab', false],
    ['', '', true],
    ['', 'a', false],
    ['Id', 'ID', false],
    ['I?', 'Id', false],
  ]
  for (const [pattern, name, matches] of cases) t.equal(matchesName(pattern, name), matches, `${pattern} and “${name}”`)
})

t.test('a hostile name against a hostile pattern is decided by a bounded amount of work', async (t) => {
  // A backtracking matcher needs more steps for this than there are atoms; the test's own timeout is the bound.
  t.equal(matchesName(`${'a*'.repeat(200)}b`, 'a'.repeat(100_000)), false)
})

t.test('what is shown of a field is all that its entries show together', async (t) => {
  const [all, status, pid] = [
    'all' as const,
    [{ name: 'Status', fields: 'all' as const }],
    [{ name: 'Pid', fields: 'all' as const }],
  ]
  const below = (...fields: readonly Show[]) =>
    fieldsBelow(
      fields.map((each) => ({ name: 'State', fields: each })),
      'State',
    )
  t.equal(below(), undefined)
  t.same([below(all), below(status), below([])], [all, status, []])
  t.same(below(status, pid), [...status, ...pid])
  for (const fields of [
    [status, all],
    [all, status],
    [all, all],
  ])
    t.equal(below(...fields), 'all')
  t.equal(fieldsBelow([{ name: 'State', fields: 'all' }], 'Stat'), undefined)
})
