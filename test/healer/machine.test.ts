// The health machine alone: scenarios as tables of events, and what must hold over any history.
import fc from 'fast-check'
import t from 'tap'
import { backoffMs, type HealthEvent, type HealthSettings, nextProbeMs, type Step, step } from '../../healer/health/machine.ts'
import type { Objection } from '../../healer/health/objection.ts'
import { type HealthState, initialState, type NotRestarting, type Run } from '../../healer/health/state.ts'

const settings: HealthSettings = { intervalMs: 15_000, retries: 3, startPeriodMs: 30_000, maxRestarts: 5, dryRun: false }
const run = (startedAt: string, sinceMs = 0, restartCount = 0): Run => ({ startedAt, sinceMs, restartCount })
const observed = (of: Run, status = 'running'): HealthEvent => ({
  type: 'observed',
  run: of,
  status,
  exitCode: 1,
  oomKilled: false,
})
const probed = (result: 'success' | 'failure' | 'unknown', counted = false): HealthEvent => ({
  type: 'probed',
  probe: { result, reason: result },
  counted,
})

/** A probe that succeeded while an alert fires: a failure, or not known while the run is young. */
const overruled = (result: 'failure' | 'unknown'): HealthEvent => ({
  type: 'probed',
  probe: { result: 'success', reason: 'success' },
  counted: false,
  overruling: { result, reason: 'alert' },
})

/** Plays `events`, each at its time, and gives the last state with all effects in words. */
function play(
  state: HealthState,
  events: readonly (readonly [atMs: number, event: HealthEvent])[],
  over: Partial<HealthSettings> = {},
) {
  const words: string[] = []
  for (const [atMs, event] of events) {
    const next: Step = step(state, event, atMs, { ...settings, ...over })
    state = next.state
    words.push(...next.effects.map((effect) => (effect.type === 'say' ? effect.happening.kind : effect.type)))
  }
  return { state, words }
}

await t.test('failures in the start period of a run that never succeeded do not count', async (t) => {
  const events = [0, 10_000, 20_000, 29_999].map((atMs) => [atMs, probed('failure')] as const)
  const { state, words } = play(initialState(true), [[0, observed(run('a'))], ...events])
  t.match(state, { health: 'starting', failures: 0 })
  t.same(words, ['starting'], 'said once')
  t.match(play(state, [[30_000, probed('failure')]]).state, { health: 'suspect', failures: 1 })
})

await t.test('once a run has succeeded, its failures count at once', async (t) => {
  const { state } = play(initialState(true), [
    [0, observed(run('a'))],
    [1000, probed('success')],
    [2000, probed('failure')],
  ])
  t.match(state, { health: 'suspect', failures: 1 })
})

await t.test('the Engine’s verdict needs no threshold of ours', async (t) => {
  const { words } = play(initialState(true), [
    [0, observed(run('a', -60_000))],
    [0, probed('failure', true)],
  ])
  t.same(words, ['failing', 'remember', 'restarting', 'restart'])
})

await t.test('what is remembered is remembered before the restart goes out', async (t) => {
  const { words, state } = play(initialState(true), [
    [0, observed(run('a', -60_000))],
    ...[1, 2, 3].map((i) => [i * 1000, probed('failure')] as const),
  ])
  t.same(words.slice(-3), ['remember', 'restarting', 'restart'])
  t.match(state.escalation, { restarts: 1 })
})

await t.test('unknown neither counts nor clears a streak', async (t) => {
  const { state, words } = play(initialState(true), [
    [0, observed(run('a', -60_000))],
    [1, probed('failure')],
    [2, probed('failure')],
    ...[3, 4, 5, 6].map((atMs) => [atMs, probed('unknown')] as const),
  ])
  t.match(state, { health: 'unknown', failures: 2 })
  t.notOk(words.includes('restart'))
  t.ok(play(state, [[7, probed('failure')]]).words.includes('restart'))
})

await t.test('a restart that waits does not count, and is announced once', async (t) => {
  const waits: HealthEvent = { type: 'restart-ended', outcome: { outcome: 'waits', why: 'unreachable', message: 'no proxy' } }
  const ill = play(initialState(true), [
    [0, observed(run('a', -60_000))],
    ...[1, 2, 3].map((i) => [i, probed('failure')] as const),
    [4, waits],
    [5, probed('failure')],
    [6, waits],
  ])
  t.equal(ill.state.escalation.restarts, 0)
  t.equal(ill.words.filter((word) => word === 'restart').length, 2)
  t.equal(ill.words.filter((word) => word === 'restarting').length, 1)
  t.equal(ill.words.filter((word) => word === 'not-restarting').length, 1)
})

await t.test('a restart that waits leaves the backoff as it was', async (t) => {
  const before = { restarts: 4, lastRestartMs: -1_000_000, gaveUp: false }
  const ill = play({ ...initialState(true, before), run: run('a', -2_000_000), failures: 2 }, [
    [1, probed('failure')],
    [2, { type: 'restart-ended', outcome: { outcome: 'waits', why: 'unreachable', message: 'no proxy' } }],
  ])
  t.same(ill.state.escalation, before)
  t.ok(play(ill.state, [[3, probed('failure')]]).words.includes('restart'), 'tried again at the next failure')
})

await t.test('a restart whose answer never came counts, and is told of once its run is seen', async (t) => {
  const lost: HealthEvent = {
    type: 'restart-ended',
    outcome: { outcome: 'waits', why: 'unreachable', message: 'socket hang up', mayBeDone: true },
  }
  const ill = play(initialState(true), [
    [0, observed(run('a', -60_000))],
    ...[1, 2, 3].map((i) => [i, probed('failure')] as const),
    [5, lost],
  ])
  t.equal(ill.state.escalation.restarts, 1)
  t.same(play(ill.state, [[10, observed(run('b', 6))]]).words, ['restart-found', 'remember'])
  t.same(play(ill.state, [[10, observed(run('a', -60_000))]]).words, [], 'nothing came of it')
  t.ok(play(ill.state, [[10, observed(run('b', 6, 1))]]).words.includes('new-run'), 'Docker’s own restart policy had it started')
  const well = play(ill.state, [
    [10, observed(run('b', 6))],
    [11, probed('success')],
  ])
  t.same(well.words, ['restart-found', 'remember', 'recovered', 'remember'])
  t.match(well.state, { incident: undefined, escalation: { restarts: 1 } })
  // As a healer remembers that was started anew.
  const anew = initialState(true, ill.state.escalation, ill.state.incident)
  t.same(play(anew, [[10, observed(run('b', 6))]]).words, ['restart-found', 'remember'])
  t.same(play(anew, [[10, observed(run('a', -60_000))]]).words, [])
})

await t.test('what an operator’s restart mended is not credited to the healer', async (t) => {
  const restarted: HealthEvent = { type: 'restart-ended', outcome: { outcome: 'restarted', run: run('b', 5), tookMs: 1 } }
  const ill = play(initialState(true), [
    [0, observed(run('a', -60_000))],
    ...[1, 2, 3].map((i) => [i, probed('failure')] as const),
    [5, restarted],
  ])
  const step1 = step(ill.state, observed(run('c', 50_000)), 50_000, settings)
  const step2 = step(step1.state, probed('success'), 60_000, settings)
  t.match(step2.effects, [{ happening: { kind: 'recovered', restarts: 0, sinceFailureMs: 59_999 } }])
})

await t.test('the Engine’s verdict needs no first success, and arms nothing else', async (t) => {
  const { words } = play(initialState(false), [
    [0, observed(run('a', -60_000))],
    [1, probed('failure', true)],
  ])
  t.ok(words.includes('restart'))
  t.notOk(
    play(initialState(false), [
      [0, observed(run('a', -60_000))],
      ...[1, 2, 3].map((i) => [i, probed('failure')] as const),
    ]).words.includes('restart'),
  )
})

await t.test('a spent budget of the proxy’s is waited on, not hammered', async (t) => {
  const spent: HealthEvent = { type: 'restart-ended', outcome: { outcome: 'waits', why: 'budget', message: 'spent' } }
  const ill = play(initialState(true), [
    [0, observed(run('a', -60_000))],
    ...[1, 2, 3].map((i) => [i, probed('failure')] as const),
    [4, spent],
    [59_000, probed('failure')],
  ])
  t.match(ill.state, { notRestarting: 'budget' })
  t.equal(ill.words.filter((word) => word === 'restart').length, 1)
  t.ok(play(ill.state, [[60_005, probed('failure')]]).words.includes('restart'))
})

await t.test('past restarts weigh until ten healthy minutes have passed', async (t) => {
  const flapping = { ...initialState(true), run: run('a'), escalation: { restarts: 3, lastRestartMs: 0, gaveUp: false } }
  const healthy = play(flapping, [
    [0, probed('success')],
    [599_999, probed('success')],
  ])
  t.equal(healthy.state.escalation.restarts, 3)
  const decayed = play(healthy.state, [[600_000, probed('success')]])
  t.equal(decayed.state.escalation.restarts, 0)
  t.ok(decayed.words.includes('remember'))
})

await t.test('backoff doubles from the interval to five minutes', async (t) => {
  t.same(
    [0, 1, 2, 3, 4, 5, 6, 60].map((restarts) => backoffMs(restarts, 15_000) / 1000),
    [0, 15, 30, 60, 120, 240, 300, 300],
  )
})

await t.test('a container that starts is looked at more often; one under suspicion at its own pace', async (t) => {
  const pace = { intervalMs: 60_000, retryIntervalMs: 10_000 }
  const healthy = play(initialState(true), [
    [0, observed(run('a'))],
    [1, probed('success')],
  ]).state
  t.equal(nextProbeMs(initialState(true), pace), 5000)
  t.equal(nextProbeMs(healthy, pace), 60_000)
  t.equal(nextProbeMs({ ...healthy, health: 'suspect' }, pace), 10_000)
  t.equal(nextProbeMs({ ...healthy, health: 'suspect', succeeded: false }, pace), 60_000)
})

await t.test('what its surroundings object to is said once for each reason, and not after giving up', async (t) => {
  const ill: HealthState = { ...initialState(true), run: run('a', -60_000), failures: 2 }
  const maintenance: Objection = { why: 'maintenance', detail: 'its window ends in 5 min' }
  const first = step(ill, probed('failure'), 1, settings, maintenance)
  t.match(first.state, { health: 'unhealthy', notRestarting: 'maintenance', escalation: { restarts: 0 } })
  t.match(first.effects.at(-1), { happening: { kind: 'not-restarting', why: 'maintenance', detail: 'its window ends in 5 min' } })
  t.same(step(first.state, probed('failure'), 2, settings, maintenance).effects, [])
  const hold = step(first.state, probed('failure'), 3, settings, { why: 'hold', detail: '' })
  t.match(hold.effects, [{ happening: { kind: 'not-restarting', why: 'hold' } }])
  t.ok(
    step(hold.state, probed('failure'), 4, settings).effects.some(({ type }) => type === 'restart'),
    'then it is restarted',
  )
  const gaveUp = { ...ill, escalation: { restarts: 5, lastRestartMs: 0, gaveUp: true } }
  t.match(step(gaveUp, probed('failure'), 1, settings, maintenance).state, { notRestarting: 'gave-up' })
})

await t.test('giving up is not decided on while something forbids a restart anyway', async (t) => {
  const spent = {
    ...initialState(true),
    run: run('a', -60_000),
    failures: 2,
    escalation: { restarts: 5, lastRestartMs: 0, gaveUp: false },
  }
  t.match(step(spent, probed('failure'), 1, settings, { why: 'paused', detail: '' }).state, { escalation: { gaveUp: false } })
  t.match(step(spent, probed('failure'), 1, settings).state, { escalation: { gaveUp: true } })
})

await t.test('a reset ends giving up: the next failure restarts it', async (t) => {
  const gaveUp = {
    ...initialState(true),
    run: run('a', -60_000),
    failures: 9,
    reason: 'failure',
    escalation: { restarts: 5, lastRestartMs: 0, gaveUp: true },
  }
  const { state, words } = play(gaveUp, [
    [1, { type: 'reset' }],
    [2, probed('failure')],
  ])
  t.same(words, ['remember', 'remember', 'restarting', 'restart'])
  t.match(state.escalation, { restarts: 1, gaveUp: false })
})

await t.test('what was known is kept from before the restart until the container is well', async (t) => {
  const failing = play(initialState(true), [
    [0, observed(run('a', -60_000))],
    ...[1, 2, 3].map((i) => [i, probed('failure')] as const),
  ])
  const diagnosis = {
    failures: [1, 2, 3].map((atMs) => ({ atMs, reason: 'failure' })),
    ...{ status: 'running', exitCode: 1, oomKilled: false },
  }
  t.same(failing.state.diagnosis, diagnosis)
  const restarted: HealthEvent = { type: 'restart-ended', outcome: { outcome: 'restarted', run: run('b', 5), tookMs: 1 } }
  const after = play(failing.state, [[5, restarted]])
  t.same(after.state.diagnosis, diagnosis)
  t.equal(play(after.state, [[9, probed('success')]]).state.diagnosis, undefined)
  const long = play(
    initialState(true),
    [[0, observed(run('a', -60_000))], ...Array.from({ length: 50 }, (_, i) => [i, probed('failure')] as const)],
    { dryRun: true },
  )
  t.equal(long.state.lastFailures.length, 5)
})

await t.test('an alert that fires makes successful probes failures, up to a restart', async (t) => {
  const { state, words } = play(initialState(true), [
    [0, observed(run('a', -60_000))],
    [1, probed('success')],
    ...[2, 3, 4].map((atMs) => [atMs, overruled('failure')] as const),
  ])
  t.same(words, ['healthy', 'failing', 'failing', 'failing', 'remember', 'restarting', 'restart'])
  t.match(state, { health: 'unhealthy', reason: 'alert', lastSuccessMs: 1 })
})

await t.test('an alert needs the threshold also where the Engine has counted', async (t) => {
  const event = { ...overruled('failure'), counted: true } as HealthEvent
  const { state } = play(initialState(false), [
    [0, observed(run('a', -60_000))],
    [1, event],
    [2, event],
  ])
  t.match(state, { health: 'suspect', failures: 2 })
})

await t.test('a probe that succeeds under an alert is armed by that, and ends the start period', async (t) => {
  const { state, words } = play(initialState(false), [
    [0, observed(run('a'))],
    [1, overruled('failure')],
  ])
  t.match(state, { armed: true, succeeded: true, health: 'suspect', failures: 1 })
  t.same(words, ['remember', 'failing'])
})

await t.test('an alert beside a probe that fails, or does not know, changes nothing', async (t) => {
  for (const result of ['failure', 'unknown'] as const) {
    const alone = probed(result)
    const beside = { ...alone, overruling: { result: 'failure', reason: 'alert' } } as HealthEvent
    const before = [0, observed(run('a', -60_000))] as const
    t.same(play(initialState(false), [before, [1, beside]]), play(initialState(false), [before, [1, alone]]))
  }
})

await t.test('after a restart an alert that may be of the run before is neither a failure nor a recovery', async (t) => {
  const failing = play(initialState(true), [
    [0, observed(run('a', -60_000))],
    ...[1, 2, 3].map((atMs) => [atMs, overruled('failure')] as const),
  ])
  const restarted: HealthEvent = { type: 'restart-ended', outcome: { outcome: 'restarted', run: run('b', 4), tookMs: 1 } }
  const young = play(failing.state, [
    [4, restarted],
    [5, overruled('unknown')],
    [6, overruled('unknown')],
  ])
  t.same(young.words, ['restarted', 'remember', 'unknown'], 'said once')
  t.match(young.state, { health: 'unknown', failures: 0, incident: { restarts: 1 } })
  t.same(play(young.state, [[7, probed('success')]]).words, ['recovered', 'remember'])
})

// ── Over any history ────────────────────────────────────────────────────────────────────────────────────────────────

const PROBED = {
  success: probed('success'),
  failure: probed('failure'),
  unknown: probed('unknown'),
  alert: overruled('failure'),
  grace: overruled('unknown'),
}
/** What counts of a probe. */
const resultOf = (event: Extract<HealthEvent, { type: 'probed' }>) => (event.overruling ?? event.probe).result

type Move = {
  readonly kind: keyof typeof PROBED | 'docker' | 'someone' | 'stop' | 'reset'
  readonly afterMs: number
  readonly outcome: 'restarted' | 'failed' | 'waits'
  readonly objection: Objection | undefined
}
const move: fc.Arbitrary<Move> = fc.record({
  kind: fc.constantFrom(
    ...(['success', 'failure', 'failure', 'failure', 'alert', 'alert', 'grace', 'unknown'] as const),
    ...(['docker', 'someone', 'stop', 'reset'] as const),
  ),
  afterMs: fc.integer({ min: 0, max: 400_000 }),
  outcome: fc.constantFrom('restarted', 'restarted', 'failed', 'waits'),
  objection: fc.constantFrom<Objection | undefined>(
    ...[undefined, undefined, undefined],
    ...(['tell-only', 'swarm', 'paused', 'maintenance', 'recreate', 'dependency', 'hold'] as const).map((why) => ({
      why,
      detail: '',
    })),
  ),
})

type Moment = {
  readonly state: HealthState
  readonly after: HealthState
  readonly event: HealthEvent
  readonly asked: boolean
  readonly nowMs: number
  readonly objection: Objection | undefined
}

/** Why a failure that is due for a restart led to none, worked out from what was so before it. */
function trueReason({ state, nowMs, objection }: Moment, arms: boolean, used: HealthSettings): NotRestarting | undefined {
  const { restarts, lastRestartMs = Number.NEGATIVE_INFINITY, gaveUp } = state.escalation
  const backoffEndsMs = lastRestartMs + backoffMs(restarts, used.intervalMs)
  const reasons: readonly (readonly [NotRestarting, boolean])[] = [
    ['not-armed', !state.armed && !arms],
    ['gave-up', gaveUp],
    [objection?.why ?? 'hold', objection !== undefined],
    ['gave-up', restarts >= used.maxRestarts],
    ['budget', state.notBeforeMs > nowMs && state.notBeforeMs > backoffEndsMs],
    ['backoff', backoffEndsMs > nowMs],
    ['dry-run', used.dryRun],
  ]
  return reasons.find(([, holds]) => holds)?.[0]
}

/** Plays random moves as the watcher would, answering each restart that the machine asks for. */
function simulate(moves: readonly Move[], over: Partial<HealthSettings>, armed: boolean) {
  const used = { ...settings, ...over }
  let state = initialState(armed)
  let nowMs = 0
  let runs = 0
  let present = run('0')
  let objection: Objection | undefined
  const trail: Moment[] = []
  const feed = (event: HealthEvent): boolean => {
    const before = state
    const next = step(state, event, nowMs, used, objection)
    state = next.state
    const asked = next.effects.some((effect) => effect.type === 'restart')
    trail.push({ state: before, after: state, event, asked, nowMs, objection })
    return asked
  }
  feed(observed(present))
  for (const { kind, afterMs, outcome, objection: given } of moves) {
    nowMs += afterMs
    objection = given
    if (kind === 'reset') {
      feed({ type: 'reset' })
      continue
    }
    if (kind === 'docker' || kind === 'someone') {
      present = run(`${++runs}`, nowMs, kind === 'docker' ? present.restartCount + 1 : 0)
      feed(observed(present))
      continue
    }
    const asked =
      kind === 'stop' ? feed(observed(present, 'exited')) : [feed(observed(present)), feed(PROBED[kind])].some(Boolean)
    if (!asked) continue
    if (outcome === 'restarted') present = run(`${++runs}`, nowMs)
    const ended = {
      restarted: { outcome, run: present, tookMs: 1 },
      failed: { outcome, message: 'no', status: 'exited' },
      waits: { outcome, why: 'unreachable', message: 'no' },
    }[outcome] as Extract<HealthEvent, { type: 'restart-ended' }>['outcome']
    feed({ type: 'restart-ended', outcome: ended })
  }
  return { state, trail, nowMs, present, used }
}

await t.test('over any history', async (t) => {
  const histories = fc.tuple(
    fc.array(move, { maxLength: 80 }),
    fc.record({ dryRun: fc.boolean(), retries: fc.integer({ min: 1, max: 5 }), maxRestarts: fc.integer({ min: 1, max: 6 }) }),
    fc.boolean(),
  )
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(histories, ([moves, over, armed]) => {
        const { state, trail, nowMs, used } = simulate(moves, over, armed)
        for (const moment of trail) {
          const { state: before, after, event, asked, nowMs: atMs } = moment
          if (event.type === 'probed' && resultOf(event) === 'failure' && after.health === 'unhealthy') {
            const reason = trueReason(moment, event.counted || event.overruling !== undefined, used)
            if (asked !== (reason === undefined))
              throw new Error(`a restart was ${asked ? '' : 'not '}asked for, though ${reason}`)
            if (!asked && after.notRestarting !== reason)
              throw new Error(`it is said to be ${after.notRestarting}, and is ${reason}`)
          }
          if (!asked) continue
          if (moment.objection) throw new Error(`a restart was asked for in spite of ${moment.objection.why}`)
          if (used.dryRun) throw new Error('a restart was asked for in a dry run')
          if (!before.armed && !(event.type === 'probed' && event.overruling))
            throw new Error('a restart was asked for before the first success')
          if (before.escalation.gaveUp) throw new Error('a restart was asked for after giving up')
          if (event.type === 'probed' && resultOf(event) !== 'failure')
            throw new Error(`a restart was asked for by ${resultOf(event)}`)
          if (event.type === 'probed' && before.failures + 1 < used.retries)
            throw new Error('a restart was asked for below the threshold')
          if (event.type === 'observed' && !before.incident?.failedToStart)
            throw new Error('a stopped container was to be restarted')
          const waitedMs = atMs - (before.escalation.lastRestartMs ?? Number.NEGATIVE_INFINITY)
          if (before.escalation.restarts > 0 && waitedMs < backoffMs(before.escalation.restarts, used.intervalMs))
            throw new Error('a restart was asked for within the backoff')
          if (before.escalation.restarts >= used.maxRestarts) throw new Error('more restarts than MAX_RESTARTS')
        }
        // Whatever came before, a running container whose probe succeeds is healthy.
        const last = step(step(state, observed(state.run ?? run('x')), nowMs, used).state, probed('success'), nowMs, used)
        if (last.state.health !== 'healthy' || last.state.failures !== 0 || last.state.notRestarting !== undefined)
          throw new Error('it did not come back to healthy')
      }),
      { numRuns: 3000 },
    ),
  )
})
