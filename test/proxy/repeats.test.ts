// Like reads and refusals are told of in one line with a count: the first at once, the others later, and whoever asks for a new thing
// each time cannot fill the disk.
import fc from 'fast-check'
import t from 'tap'
import { type DecisionEvent, renderAuditLine } from '../../proxy/audit/audit-line.ts'
import { createRepeats, KINDS_PER_HOUR } from '../../proxy/audit/repeats.ts'

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
  const own = (make: (path: string) => DecisionEvent) =>
    Array.from({ length: 2000 }, (_, i) => repeats.take(make(`/containers/${i}/json`))).filter((line) => line !== undefined)
  t.equal(own(refusal).length, KINDS_PER_HOUR.refused)
  t.equal(own(read).length, KINDS_PER_HOUR.passed, 'a flood of refusals takes nothing from what passed')
  clock.nowMs += MINUTE
  t.match(repeats.due(), [
    { verdict: 'deny', rule: 'policy.scope', various: true, count: 2000 - KINDS_PER_HOUR.refused, path: undefined },
    { verdict: 'allow', operation: 'ContainerInspect', various: true, count: 2000 - KINDS_PER_HOUR.passed, target: undefined },
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
  t.equal(told.length, 8192)
  t.equal(own, told.length - 1, 'all but the line for what is various')
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

t.test('a flood of refusals, each another and as long as can be, is bounded in each hour', async (t) => {
  const { clock, repeats } = repeatsAt()
  let [bytes, lines] = [0, 0]
  const write = (event: DecisionEvent) => {
    const stamp = { v: 1, time: new Date(clock.nowMs).toISOString(), seq: 1_000_000, prev: 'f'.repeat(64) } as const
    lines += 1
    bytes += renderAuditLine(stamp, event).length + 1
  }
  for (let second = 0; second < 3600; second++) {
    clock.nowMs += 1000
    for (let i = 0; i < 20; i++) {
      const line = repeats.take({ ...refusal(`/${second}/${i}/${'\u00ff'.repeat(8000)}`), reason: '\u00ff'.repeat(9000) })
      if (line) write(line)
    }
    if (second % 60 === 59) for (const line of repeats.due()) write(line)
  }
  t.ok(lines < 1000, `${lines} lines`)
  t.ok(bytes < 4 * 1024 ** 2, `${bytes} bytes`)
  t.ok(lines > KINDS_PER_HOUR.refused)
})
