// Like reads and refusals are told of in one line with a count: the first at once, the others later, and whoever asks for a new thing
// each time cannot fill the disk.
import fc from 'fast-check'
import t from 'tap'
import { type DecisionEvent, lengthOfLine, renderAuditLine } from '../../proxy/audit/audit-line.ts'
import { BYTES_PER_HOUR, createRepeats } from '../../proxy/audit/repeats.ts'

const MINUTE = 60_000
const START = Date.parse('2024-06-01T12:00:00Z')

const read = (path: string, more: Partial<DecisionEvent> = {}): DecisionEvent => ({
  event: 'decision',
  client: 'healer',
  policy: '0123456789abcdef',
  method: 'GET',
  path,
  operation: 'ContainerInspect',
  verdict: 'allow',
  rule: 'allow.ContainerInspect',
  status: 200,
  bytes: 100,
  ms: 1,
  ...more,
})
const refusal = (path: string) => read(path, { verdict: 'deny', rule: 'policy.scope', status: 404 })

function repeatsAt(clock = { nowMs: START }) {
  return { clock, repeats: createRepeats(() => clock.nowMs) }
}

t.test('the first of its kind is written at once, those like it are counted and told of a minute later', async (t) => {
  const { clock, repeats } = repeatsAt()
  t.same(repeats.take(read('/containers/web/json')), read('/containers/web/json'))
  for (const ms of [3, 7, 2]) {
    clock.nowMs += 10_000
    t.equal(repeats.take(read('/containers/web/json', { ms })), undefined)
  }
  t.same(repeats.due(), [], 'not yet')
  clock.nowMs = START + MINUTE
  t.same(repeats.due(), [read('/containers/web/json', { count: 3, since: '2024-06-01T12:00:10.000Z', bytes: 300, ms: 7 })])
  t.same(repeats.due(), [], 'once')
})

t.test('what goes on is told of ever less often, at least once in an hour', async (t) => {
  const { clock, repeats } = repeatsAt()
  repeats.take(read('/x'))
  const toldAt: number[] = []
  for (let minute = 1; minute <= 240; minute++) {
    clock.nowMs = START + minute * MINUTE
    repeats.take(read('/x'))
    if (repeats.due().length > 0) toldAt.push(minute)
  }
  t.same(toldAt, [1, 5, 21, 81, 141, 201])
})

t.test('what has not come again has a line of its own the next time', async (t) => {
  const { clock, repeats } = repeatsAt()
  repeats.take(read('/x'))
  clock.nowMs += MINUTE
  t.same(repeats.due(), [])
  t.ok(repeats.take(read('/x')))
})

const different: readonly (readonly [what: string, other: DecisionEvent])[] = [
  ['another path', read('/y')],
  ['another method', read('/x', { method: 'HEAD' })],
  ['another client', read('/x', { client: 'other' })],
  ['another policy', read('/x', { policy: 'f'.repeat(16) })],
  ['another verdict', read('/x', { verdict: 'deny' })],
  ['another rule', read('/x', { rule: 'policy.query' })],
  ['another status', read('/x', { status: 502 })],
  ['another container of the same name', read('/x', { target: { id: 'a'.repeat(64), name: 'x' } })],
]
const longPath = (filter: string) => {
  const path = `/containers/json?${'all=true&'.repeat(80)}filters=${filter}`
  return read(path, { operation: 'ContainerList', query: { all: 'true', filters: { name: [filter, 'x'.repeat(600)] } } })
}
t.test('what differs where a path is not told any more is not counted with it, where its query is told', async (t) => {
  const { clock, repeats } = repeatsAt()
  const line = repeats.take(longPath('web'))
  t.ok(line && repeats.take(longPath('key')))
  t.equal(repeats.take(longPath('web')), undefined)
  if (line) repeats.putBack(line)
  clock.nowMs += MINUTE
  t.match(repeats.due(), [{ count: 2, query: { filters: { name: ['web', /^x+… \(600 characters\)$/] } } }])
})

t.test('what differs is not counted with it', async (t) => {
  for (const [what, other] of different) {
    const { repeats } = repeatsAt()
    repeats.take(read('/x'))
    t.ok(repeats.take(other), what)
  }
})

t.test('what is too various to be told apart is told together, refused and passed apart', async (t) => {
  const { clock, repeats } = repeatsAt()
  const own = (make: (path: string) => DecisionEvent) => {
    const lines = Array.from({ length: 20_000 }, (_, i) => repeats.take(make(`/containers/${i}/${'x'.repeat(200)}`))).filter(
      (line) => line !== undefined,
    )
    return { lines: lines.length, bytes: lines.reduce((sum, line) => sum + lengthOfLine(line), 0) }
  }
  const isUsedUp = (bytes: number, most: number) => bytes <= most && bytes > most - 1024
  const [refused, passed] = [own(refusal), own(read)]
  t.ok(isUsedUp(refused.bytes, BYTES_PER_HOUR.refused))
  t.ok(isUsedUp(passed.bytes, BYTES_PER_HOUR.passed), 'a flood of refusals takes nothing from what passed')
  clock.nowMs += MINUTE
  t.match(repeats.due(), [
    { verdict: 'deny', rule: 'policy.scope', various: true, count: 20_000 - refused.lines, path: undefined },
    { verdict: 'allow', operation: 'ContainerInspect', various: true, count: 20_000 - passed.lines, target: undefined },
  ])
  clock.nowMs += 60 * MINUTE
  t.ok(repeats.take(read('/something/new')), 'in the next hour there is room again')
})

t.test('what is remembered is bounded, also over days in which nothing can be written', async (t) => {
  const { clock, repeats } = repeatsAt()
  let own = 0
  for (let hour = 0; hour < 24; hour++) {
    for (let i = 0; i < 2000; i++) {
      const line = repeats.take(read(`/${hour}/${i}`))
      if (line) own += 1
      if (line) repeats.putBack(line)
    }
    clock.nowMs += 60 * MINUTE
  }
  const told = repeats.due(true)
  t.ok(own > 8000 && own <= 8192, `${own} are remembered one by one`)
  const bytes = told.reduce((sum, line) => sum + lengthOfLine(line), 0)
  t.ok(bytes < BYTES_PER_HOUR.passed * 1.2, `${bytes} bytes`)
  t.equal(
    told.reduce((total, { count = 1 }) => total + count, 0),
    48_000,
  )
})

t.test('a line that could not be written is told of later', async (t) => {
  const { repeats } = repeatsAt()
  const line = repeats.take(read('/x')) ?? t.fail('the first is a line')
  repeats.putBack(read('/x'))
  repeats.take(read('/x'))
  t.ok(line)
  const [told] = repeats.due(true)
  t.match(told, { count: 2 })
  if (told) repeats.putBack(told)
  t.match(repeats.due(true), [{ count: 2, since: '2024-06-01T12:00:00.000Z' }])
})

t.test('however long it could not be written, it is due as soon as that is tried again', async (t) => {
  const { clock, repeats } = repeatsAt()
  repeats.putBack(read('/x'))
  for (let minute = 1; minute <= 180; minute++) {
    clock.nowMs = START + minute * MINUTE
    const lines = repeats.due()
    t.match(lines, [{ count: 1, since: '2024-06-01T12:00:00.000Z' }], `${minute} minutes later`)
    for (const line of lines) repeats.putBack(line)
  }
})

t.test('whatever comes, and whatever the clock does, every request is told of exactly once', async () => {
  const step = fc.record({
    path: fc.constantFrom('/a', '/b', '/c'),
    deny: fc.boolean(),
    afterMs: fc.integer({ min: -2 * 60 * MINUTE, max: 2 * 60 * MINUTE }),
    fails: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { clock, repeats } = repeatsAt()
      let told = 0
      const write = (line: DecisionEvent | undefined, fails: boolean) => {
        if (!line) return
        if (fails) repeats.putBack(line)
        else told += line.count ?? 1
      }
      for (const { path, deny, afterMs, fails } of steps) {
        write(repeats.take(deny ? refusal(path) : read(path)), fails)
        clock.nowMs += afterMs
        for (const line of repeats.due()) write(line, fails)
      }
      for (const line of repeats.due(true)) write(line, false)
      return told === steps.length
    }),
    { numRuns: 2000 },
  )
})

const LONG = '\u00ff'.repeat(600)
/** Requests that are alike are made `times` in each minute. */
const floods: readonly (readonly [what: string, times: number, make: (i: number) => DecisionEvent])[] = [
  ['refusals, each another', 1, (i) => ({ ...refusal(`/${i}/${LONG}`), reason: LONG })],
  ['refusals that come again', 2, (i) => ({ ...refusal(`/${i % 200}/${LONG}`), reason: LONG })],
  ['refusals that come again, all short', 2, (i) => refusal(`/${i % 200}`)],
  ['reads with long filters, each another', 1, (i) => ({ ...longPath(`${i}${LONG.slice(0, 480)}`) })],
  ['reads with long filters that come again', 2, (i) => ({ ...longPath(`${i % 200}${LONG.slice(0, 480)}`) })],
  ['reads of many kinds that come again', 2, (i) => read(`/${i % 200}`, { rule: `rule.${i % 10}` })],
]
for (const [what, times, make] of floods) {
  t.test(`a flood of ${what}, is bounded in each hour`, async (t) => {
    const { clock, repeats } = repeatsAt()
    let [bytes, asked, told] = [0, 0, 0]
    const write = (event: DecisionEvent) => {
      const stamp = { v: 1, time: new Date(clock.nowMs).toISOString(), seq: 1_000_000, prev: 'f'.repeat(64) } as const
      bytes += renderAuditLine(stamp, event).length + 1
      told += event.count ?? 1
    }
    const most = make(0).verdict === 'deny' ? BYTES_PER_HOUR.refused : BYTES_PER_HOUR.passed
    for (let hour = 0; hour < 2; hour++) {
      bytes = 0
      for (let minute = 0; minute < 60; minute++) {
        for (let i = 0; i < 200 * times; i++) {
          const line = repeats.take(make((hour * 60 + minute) * 200 + i))
          asked += 1
          if (line) write(line)
        }
        clock.nowMs += MINUTE
        for (const line of repeats.due()) write(line)
      }
      t.ok(bytes < most + 16 * 1024, `${bytes} bytes in hour ${hour + 1}`)
      if (hour === 0) t.ok(bytes > 128 * 1024, 'and it was a flood')
    }
    for (const line of repeats.due(true)) write(line)
    t.equal(told, asked, 'and all of it is told of, together at least')
  })
}

t.test('a thousand containers that are looked at again and again are told of one by one', async (t) => {
  const { clock, repeats } = repeatsAt()
  const ids = Array.from({ length: 1000 }, (_, i) => `${i}`.padStart(64, '0'))
  const look = (id: string) =>
    read(`/v1.45/containers/${id}/json`, { target: { id, name: `a-name-of-some-length-${id.slice(-4)}` } })
  for (let minute = 0; minute < 120; minute++) {
    const lines = [...ids.flatMap((id) => repeats.take(look(id)) ?? []), ...repeats.due()]
    t.same(
      lines.filter(({ various }) => various),
      [],
    )
    clock.nowMs += MINUTE
  }
})
