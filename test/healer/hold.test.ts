// Where most fail at once, it is rather the healer that is ill: nothing is restarted, then one, to see.
import fc from 'fast-check'
import t from 'tap'
import { assessHold, type Hold, isHeld, type Member } from '../../healer/health/hold.ts'

const SETTINGS = { intervalMs: 15_000, holdMaxMs: 300_000 }
const NOW = 1_000_000

const member = (id: string, failingSinceMs?: number, more: Partial<Member> = {}): Member => ({
  id,
  isCounted: true,
  failingSinceMs,
  lastSuccessMs: 0,
  ...more,
})
const assess = (hold: Hold | undefined, members: readonly Member[], nowMs = NOW) => assessHold(hold, members, nowMs, SETTINGS)

const crowds: readonly (readonly [what: string, members: readonly Member[], isHold: boolean])[] = [
  ['none at all', [], false],
  ['two of two', [member('a', NOW), member('b', NOW)], false],
  ['three of three', [member('a', NOW), member('b', NOW), member('c', NOW)], true],
  ['two of three', [member('a', NOW), member('b', NOW), member('c')], true],
  ['one of three', [member('a', NOW), member('b'), member('c')], false],
  ['half of four', [member('a', NOW), member('b', NOW), member('c'), member('d')], false],
  ['three of four', [member('a', NOW), member('b', NOW), member('c', NOW), member('d')], true],
  ['two of three, an interval apart', [member('a', NOW - 15_000), member('b', NOW), member('c')], true],
  ['two of three, longer apart', [member('a', NOW - 15_001), member('b', NOW), member('c')], false],
  [
    'two of three, and a third that failed long before',
    [member('a', NOW - 99_000), member('b', NOW), member('c', NOW), member('d')],
    false,
  ],
  [
    'three of three, each long after another, in no order',
    [member('a', NOW), member('b', NOW - 99_000), member('c', NOW - 50_000)],
    false,
  ],
  [
    'two of three, of which one only waits on another',
    [member('a', NOW), member('b', NOW, { isCounted: false }), member('c'), member('d')],
    false,
  ],
]

t.test('more than half of at least three, that began to fail within one interval, are a hold', async (t) => {
  for (const [what, members, isHold] of crowds) {
    const hold = assess(undefined, members)
    t.equal(hold !== undefined, isHold, what)
    for (const { id } of members) t.equal(isHeld(hold, id), isHold, `${what}: ${id}`)
  }
})

const ALL = [member('b', NOW - 2000), member('a', NOW - 1000), member('c', NOW - 3000)]

t.test('it lasts while most fail, however they come to fail later, and ends when most do not', async (t) => {
  const hold = assess(undefined, ALL)
  t.equal(assess(hold, [...ALL, member('d'), member('e')], NOW + 60_000), hold, 'three of five')
  t.equal(assess(hold, [...ALL, member('d'), member('e'), member('f')], NOW + 60_000), undefined, 'three of six')
})

t.test(
  'after a time the one that fails longest may be restarted; after as long again the next; then they begin anew',
  async (t) => {
    let hold = assess(undefined, ALL)
    t.ok(isHeld(assess(hold, ALL, NOW + 299_999), 'c'))
    const order: string[] = []
    for (let i = 1; i <= 5; i++) {
      hold = assess(hold, ALL, NOW + i * 300_000)
      order.push(
        ALL.filter(({ id }) => !isHeld(hold, id))
          .map(({ id }) => id)
          .join(),
      )
    }
    t.same(order, ['c', 'b', 'a', '', 'c'])
  },
)

t.test('each has the whole time, the third as the first', async (t) => {
  let hold = assess(undefined, ALL)
  for (let i = 0; i < 5; i++) {
    const held = hold
    t.equal(assess(held, ALL, NOW + (i + 1) * 300_000 - 1), held)
    hold = assess(held, ALL, NOW + (i + 1) * 300_000)
    t.not(hold, held)
  }
})

t.test('of those that fail as long the first by its id comes first; a hold begins, and begins anew, without any', async (t) => {
  const alike = ['b', 'a', 'c'].map((id) => member(id, NOW))
  for (const members of [alike, alike.toReversed()]) {
    let hold = assess(undefined, members)
    t.same(hold, { sinceMs: NOW, canaries: [], isLifted: false })
    for (let i = 1; i <= 3; i++) hold = assess(hold, members, NOW + i * 300_000)
    t.same(
      hold?.canaries.map(({ id }) => id),
      ['a', 'b', 'c'],
    )
    t.same(assess(hold, members, NOW + 1_200_000), { sinceMs: NOW + 1_200_000, canaries: [], isLifted: false })
  }
})

t.test('neither another that recovers, nor what was well before, shows anything of a canary', async (t) => {
  const [fromMs, well] = [NOW + 300_000, NOW + 310_000]
  const canary = assess(assess(undefined, ALL), ALL, fromMs)
  t.equal(isHeld(canary, 'c'), false)
  const cases: readonly (readonly [what: string, changed: Member])[] = [
    ['another', member('a', undefined, { lastSuccessMs: well })],
    ['one that was well as it was let go', member('c', NOW, { lastSuccessMs: fromMs })],
    ['one that is not counted', member('c', NOW, { lastSuccessMs: well, isCounted: false })],
    ['one that never was well', member('c', NOW, { lastSuccessMs: undefined })],
  ]
  for (const [what, changed] of cases) {
    const members = [...ALL.filter(({ id }) => id !== changed.id), changed, member('d', NOW)]
    t.equal(assess(canary, members, well), canary, what)
  }
})

t.test(
  'a canary that recovers shows that the others are ill: they are restarted, and no new hold begins with the same failures',
  async (t) => {
    const canary = assess(assess(undefined, ALL), ALL, NOW + 300_000)
    const recovered = [member('c', undefined, { lastSuccessMs: NOW + 310_000 }), member('a', NOW), member('b', NOW)]
    const lifted = assess(canary, recovered, NOW + 310_000)
    t.match(lifted, { isLifted: true })
    for (const id of ['a', 'b', 'c']) t.notOk(isHeld(lifted, id))
    t.equal(assess(lifted, recovered, NOW + 900_000), lifted)
    t.equal(assess(lifted, [member('c'), member('a'), member('b', NOW)], NOW + 900_000), undefined)
  },
)

t.test(
  'whatever happens, at most one is let go at a time until one recovered, and there is no hold without a crowd',
  async () => {
    const step = fc.array(
      fc.record({
        failingAgoMs: fc.option(fc.integer({ min: 0, max: 100_000 })),
        isCounted: fc.boolean(),
        successAgoMs: fc.integer({ min: 0, max: 400_000 }),
      }),
      { maxLength: 7 },
    )
    fc.assert(
      fc.property(
        fc.array(fc.record({ members: step, afterMs: fc.integer({ min: 0, max: 200_000 }) }), { maxLength: 20 }),
        (steps) => {
          let hold: Hold | undefined
          let nowMs = NOW
          for (const { members: made, afterMs } of steps) {
            nowMs += afterMs
            const members = made.map(({ failingAgoMs, isCounted, successAgoMs }, i) =>
              member(`${i}`, failingAgoMs === null ? undefined : nowMs - failingAgoMs, {
                isCounted,
                lastSuccessMs: nowMs - successAgoMs,
              }),
            )
            hold = assess(hold, members, nowMs)
            const counted = members.filter(({ isCounted }) => isCounted)
            const failing = counted.filter(({ failingSinceMs }) => failingSinceMs !== undefined)
            if ((counted.length < 3 || failing.length <= counted.length / 2) && hold) return false
            const free = members.filter(({ id }) => !isHeld(hold, id))
            if (hold && !hold.isLifted && free.length > 1) return false
          }
          return true
        },
      ),
      { numRuns: 2000 },
    )
  },
)
