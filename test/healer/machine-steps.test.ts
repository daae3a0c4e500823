// The health machine, step by step: all that a step changes and all that it asks for, and nothing beside.
import t from 'tap'
import { type Effect, type HealthEvent, type HealthSettings, type RestartOutcome, step } from '../../healer/health/machine.ts'
import type { Objection } from '../../healer/health/objection.ts'
import { type HealthState, NO_ESCALATION, type NotRestarting, type Run } from '../../healer/health/state.ts'

const settings: HealthSettings = { intervalMs: 15_000, retries: 3, startPeriodMs: 30_000, maxRestarts: 5, dryRun: false }
const run = (startedAt: string | undefined, sinceMs = 100_000, restartCount = 2): Run => ({ startedAt, sinceMs, restartCount })
const NOW = 200_000

/** Nothing in it is as at the beginning, so that it shows what a step leaves alone. */
const ILL: HealthState = {
  run: run('a'),
  status: 'running',
  health: 'unhealthy',
  reason: 'was bad',
  failures: 4,
  firstFailureMs: 150_000,
  lastFailures: [{ atMs: 150_000, reason: 'was bad' }],
  lastSuccessMs: 120_000,
  exit: { exitCode: 3, oomKilled: true },
  succeeded: true,
  armed: true,
  healthySinceMs: undefined,
  escalation: { restarts: 1, lastRestartMs: 140_000, gaveUp: false },
  incident: { sinceMs: 130_000, restarts: 2, failedToStart: false, toldFailed: false },
  diagnosis: { failures: [], status: 'running', exitCode: 0, oomKilled: false },
  notRestarting: 'backoff',
  beforeRestart: undefined,
  notBeforeMs: 7,
  toldNeverHealthy: true,
}
const { incident: INCIDENT, escalation: ESCALATION } = ILL
/** Of which a restart was asked for, and nothing is known yet. */
const ASKED = INCIDENT && { ...INCIDENT, asked: 'a' }
const WELL: HealthState = {
  ...ILL,
  ...{ health: 'healthy', reason: 'fine', failures: 0, firstFailureMs: undefined, lastFailures: [], healthySinceMs: 160_000 },
  ...{ escalation: NO_ESCALATION, incident: undefined, diagnosis: undefined, notRestarting: undefined, toldNeverHealthy: false },
}

const say = (kind: string, more: object = {}) => ({ type: 'say', happening: { kind, ...more } })
const REMEMBER = { type: 'remember' }
const RESTART = { type: 'restart' }
const observed = (of: Run, status = 'running'): HealthEvent => ({
  ...{ type: 'observed', run: of, status },
  ...{ exitCode: 3, oomKilled: true },
})
const probed = (result: 'success' | 'failure' | 'unknown', reason: string = result, counted = false): HealthEvent => ({
  type: 'probed',
  probe: { result, reason },
  counted,
})
const ended = (outcome: RestartOutcome): HealthEvent => ({ type: 'restart-ended', outcome })

const NEW_RUN: Partial<HealthState> = {
  ...{ health: 'starting', reason: 'started anew', failures: 0, firstFailureMs: undefined, lastFailures: [], succeeded: false },
  ...{ healthySinceMs: undefined, notRestarting: undefined },
}
const FAILED_ONCE = { failures: 5, reason: 'failure', lastFailures: [...ILL.lastFailures, { atMs: NOW, reason: 'failure' }] }
const GONE = { health: 'unknown', healthySinceMs: undefined, notRestarting: undefined } as const
const DIAGNOSIS = { failures: FAILED_ONCE.lastFailures, status: 'running', exitCode: 3, oomKilled: true }
const restarted = { restarts: 2, lastRestartMs: NOW, gaveUp: false }
const notStarted = { ...ILL, status: 'exited', incident: INCIDENT && { ...INCIDENT, failedToStart: true } }
const stopped = (status: string) => say('not-running', { status, exitCode: 3, oomKilled: true })
const held = (why: NotRestarting, failures: number, detail: string) => say('not-restarting', { why, failures, detail })

type Row = readonly [
  what: string,
  before: HealthState,
  event: HealthEvent,
  after: Partial<HealthState>,
  effects: readonly object[],
  over?: Partial<HealthSettings>,
  objection?: Objection,
]

const looks: readonly Row[] = [
  ['the same run, as it was', ILL, observed(run('a')), {}, []],
  [
    'a container that is seen for the first time',
    { ...ILL, run: undefined, status: 'unknown' },
    observed(run('a')),
    { status: 'running', run: run('a') },
    [],
  ],
  [
    'a run that began with our restart, and is known now',
    { ...ILL, run: run(undefined) },
    observed(run('b')),
    { run: run('b') },
    [],
  ],
  [
    'a run that Docker began',
    ILL,
    observed(run('b', NOW, 3)),
    { ...NEW_RUN, run: run('b', NOW, 3), incident: INCIDENT && { ...INCIDENT, restarts: 0 } },
    [REMEMBER, say('new-run', { by: 'docker' })],
  ],
  [
    'a run that somebody began, by which past restarts weigh nothing',
    { ...notStarted, status: 'running' },
    observed(run('b', NOW, 2)),
    {
      ...NEW_RUN,
      run: run('b', NOW, 2),
      status: 'running',
      escalation: NO_ESCALATION,
      notBeforeMs: 0,
      incident: INCIDENT && { ...INCIDENT, restarts: 0 },
    },
    [REMEMBER, say('new-run', { by: 'someone' }), REMEMBER],
  ],
  [
    'a new run of what was well',
    WELL,
    observed(run('b', NOW, 3)),
    { ...NEW_RUN, run: run('b', NOW, 3) },
    [say('new-run', { by: 'docker' })],
  ],
  [
    'what was paused, and runs again',
    { ...ILL, status: 'paused' },
    observed(run('a')),
    { status: 'running', health: 'starting', reason: 'running again' },
    [],
  ],
  ['what is paused', ILL, observed(run('a'), 'paused'), { ...GONE, status: 'paused', reason: 'paused' }, [stopped('paused')]],
  ['what is paused still', { ...ILL, status: 'paused' }, observed(run('a'), 'paused'), { ...GONE, reason: 'paused' }, []],
  [
    'what somebody stopped',
    ILL,
    observed(run('a'), 'exited'),
    { ...GONE, status: 'exited', reason: 'exited' },
    [stopped('exited')],
  ],
  [
    'what a restart could not start, and is dead',
    notStarted,
    observed(run('a'), 'dead'),
    { ...GONE, status: 'dead', reason: 'dead' },
    [stopped('dead')],
  ],
  [
    'what a restart could not start',
    { ...notStarted, status: 'running' },
    observed(run('a'), 'exited'),
    {
      ...{ status: 'exited', health: 'unhealthy', reason: 'a restart could not start it again', escalation: restarted },
      ...{ diagnosis: { ...DIAGNOSIS, failures: ILL.lastFailures, status: 'exited' } },
      incident: ASKED && { ...ASKED, failedToStart: true },
      beforeRestart: { escalation: ESCALATION, incident: notStarted.incident },
    },
    [
      stopped('exited'),
      REMEMBER,
      say('restarting', { failures: 4, diagnosis: { ...DIAGNOSIS, failures: ILL.lastFailures, status: 'exited' } }),
      RESTART,
    ],
  ],
]

const SUCCEEDED = { ...WELL, reason: 'success', lastSuccessMs: NOW, escalation: ESCALATION, healthySinceMs: NOW }
const successes: readonly Row[] = [
  [
    'a success after restarts',
    ILL,
    probed('success'),
    SUCCEEDED,
    [say('recovered', { restarts: 2, afterMs: 100_000, sinceFailureMs: 70_000 }), REMEMBER],
  ],
  [
    'a success on a run that nobody has seen',
    { ...ILL, run: undefined },
    probed('success'),
    { ...SUCCEEDED, run: undefined },
    [say('recovered', { restarts: 2, afterMs: 0, sinceFailureMs: 70_000 }), REMEMBER],
  ],
  [
    'a success after failures',
    { ...ILL, incident: undefined },
    probed('success'),
    SUCCEEDED,
    [say('healed-itself', { failures: 4, afterMs: 50_000 })],
  ],
  [
    'a success after failures of old',
    { ...ILL, incident: undefined, firstFailureMs: undefined },
    probed('success'),
    SUCCEEDED,
    [say('healed-itself', { failures: 4, afterMs: 0 })],
  ],
  [
    'a first success',
    { ...WELL, health: 'starting', healthySinceMs: undefined, armed: false },
    probed('success'),
    { ...SUCCEEDED, escalation: NO_ESCALATION },
    [say('healthy', { reason: 'success' }), REMEMBER],
  ],
  [
    'a success like the one before',
    WELL,
    probed('success'),
    { ...SUCCEEDED, escalation: NO_ESCALATION, healthySinceMs: 160_000 },
    [],
  ],
  [
    'a success ten minutes long',
    { ...WELL, escalation: ESCALATION, healthySinceMs: NOW - 600_000 },
    probed('success'),
    { reason: 'success', lastSuccessMs: NOW, escalation: NO_ESCALATION },
    [REMEMBER],
  ],
  [
    'a success not quite as long',
    { ...WELL, escalation: ESCALATION, healthySinceMs: NOW - 599_999 },
    probed('success'),
    { reason: 'success', lastSuccessMs: NOW },
    [],
  ],
  ['a probe that does not know', ILL, probed('unknown'), { ...GONE, reason: 'unknown' }, [say('unknown', { reason: 'unknown' })]],
  ['the same again', { ...ILL, ...GONE, reason: 'unknown' }, probed('unknown'), {}, []],
  [
    'another reason',
    { ...ILL, ...GONE, reason: 'no port' },
    probed('unknown'),
    { reason: 'unknown' },
    [say('unknown', { reason: 'unknown' })],
  ],
]

const overruled: HealthEvent = { ...probed('success'), overruling: { result: 'unknown', reason: 'an alert' } } as HealthEvent
const doubts: readonly Row[] = [
  [
    'a probe that does not know, of what is ill for the same reason',
    { ...ILL, reason: 'unknown' },
    probed('unknown'),
    GONE,
    [say('unknown', { reason: 'unknown' })],
  ],
  [
    'a first success that an alert overrules',
    { ...ILL, armed: false, succeeded: false },
    overruled,
    { ...GONE, reason: 'an alert', armed: true, succeeded: true, toldNeverHealthy: false },
    [REMEMBER, say('unknown', { reason: 'an alert' })],
  ],
]

const young = { ...ILL, succeeded: false, run: run('a', NOW - 29_999) }
const failures: readonly Row[] = [
  [
    'a failure there, of what was ill for the same reason',
    { ...young, reason: 'failure' },
    probed('failure'),
    { health: 'starting' },
    [say('starting', { reason: 'failure' })],
  ],
  [
    'a failure in the start period',
    young,
    probed('failure'),
    { health: 'starting', reason: 'failure' },
    [say('starting', { reason: 'failure' })],
  ],
  ['the same again there', { ...young, health: 'starting', reason: 'failure' }, probed('failure'), {}, []],
  [
    'another failure there',
    { ...young, health: 'starting' },
    probed('failure'),
    { reason: 'failure' },
    [say('starting', { reason: 'failure' })],
  ],
  [
    'a failure of a run that nobody has seen',
    { ...young, run: undefined },
    probed('failure'),
    { health: 'starting', reason: 'failure' },
    [say('starting', { reason: 'failure' })],
  ],
  [
    'a first failure',
    WELL,
    probed('failure'),
    {
      health: 'suspect',
      reason: 'failure',
      failures: 1,
      firstFailureMs: NOW,
      lastFailures: [{ atMs: NOW, reason: 'failure' }],
      healthySinceMs: undefined,
    },
    [say('failing', { failures: 1, threshold: 3, reason: 'failure' })],
  ],
  [
    'a failure that the Engine has counted, which arms as well',
    { ...WELL, armed: false },
    probed('failure', 'failure', true),
    {
      ...{
        health: 'unhealthy',
        reason: 'failure',
        failures: 1,
        firstFailureMs: NOW,
        lastFailures: [{ atMs: NOW, reason: 'failure' }],
      },
      ...{ healthySinceMs: undefined, armed: true, escalation: { restarts: 1, lastRestartMs: NOW, gaveUp: false } },
      ...{ incident: { sinceMs: NOW, restarts: 0, failedToStart: false, toldFailed: false, asked: 'a' } },
      ...{
        beforeRestart: { escalation: NO_ESCALATION, incident: undefined },
        diagnosis: { ...DIAGNOSIS, failures: [{ atMs: NOW, reason: 'failure' }] },
      },
    },
    [
      say('failing', { failures: 1, threshold: 1, reason: 'failure' }),
      REMEMBER,
      say('restarting', { failures: 1, diagnosis: { ...DIAGNOSIS, failures: [{ atMs: NOW, reason: 'failure' }] } }),
      RESTART,
    ],
  ],
  [
    'a failure past the threshold, for another reason',
    ILL,
    probed('failure'),
    {
      ...FAILED_ONCE,
      escalation: restarted,
      diagnosis: DIAGNOSIS,
      incident: ASKED,
      beforeRestart: { escalation: ESCALATION, incident: INCIDENT },
    },
    [
      say('failing', { failures: 5, threshold: 3, reason: 'failure' }),
      REMEMBER,
      say('restarting', { failures: 5, diagnosis: DIAGNOSIS }),
      RESTART,
    ],
  ],
  ...(['budget', 'refused', 'gone', 'unreachable'] as const).map(
    (notRestarting): Row => [
      `a failure while a restart that was told of waits: ${notRestarting}`,
      { ...ILL, notRestarting, reason: 'failure' },
      probed('failure'),
      {
        ...FAILED_ONCE,
        escalation: restarted,
        diagnosis: DIAGNOSIS,
        incident: ASKED,
        beforeRestart: { escalation: ESCALATION, incident: INCIDENT },
      },
      [REMEMBER, RESTART],
    ],
  ),
]

/** The next failure is due for a restart, and it has failed for this reason before. */
const DUE: HealthState = { ...ILL, reason: 'failure', notRestarting: undefined }
const UNARMED = { ...DUE, armed: false, toldNeverHealthy: false }
const refusals: readonly Row[] = [
  [
    'never healthy',
    UNARMED,
    probed('failure'),
    { ...FAILED_ONCE, notRestarting: 'not-armed', toldNeverHealthy: true },
    [say('never-healthy', { reason: 'failure' })],
  ],
  [
    'never healthy, and told',
    { ...UNARMED, toldNeverHealthy: true },
    probed('failure'),
    { ...FAILED_ONCE, notRestarting: 'not-armed' },
    [],
  ],
  [
    'given up',
    { ...DUE, escalation: { ...ESCALATION, gaveUp: true } },
    probed('failure'),
    { ...FAILED_ONCE, notRestarting: 'gave-up' },
    [],
  ],
  [
    'an objection',
    DUE,
    probed('failure'),
    { ...FAILED_ONCE, notRestarting: 'paused' },
    [held('paused', 5, 'by hand')],
    {},
    { why: 'paused', detail: 'by hand' },
  ],
  [
    'the same objection again',
    { ...DUE, notRestarting: 'paused' },
    probed('failure'),
    FAILED_ONCE,
    [],
    {},
    { why: 'paused', detail: 'by hand' },
  ],
  [
    'as many restarts as may be',
    { ...DUE, escalation: { ...ESCALATION, restarts: 5 } },
    probed('failure'),
    { ...FAILED_ONCE, notRestarting: 'gave-up', escalation: { ...ESCALATION, restarts: 5, gaveUp: true } },
    [say('gave-up', { restarts: 5, reason: 'failure' }), REMEMBER],
  ],
  [
    'the last restart not long ago',
    { ...DUE, escalation: { ...ESCALATION, lastRestartMs: NOW - 14_000 } },
    probed('failure'),
    { ...FAILED_ONCE, notRestarting: 'backoff' },
    [held('backoff', 5, 'the next restart is possible in 1 s')],
  ],
  [
    'a spent budget',
    { ...DUE, notBeforeMs: NOW + 2000 },
    probed('failure'),
    { ...FAILED_ONCE, notRestarting: 'budget' },
    [held('budget', 5, 'the next restart is possible in 2 s')],
  ],
  [
    'a spent budget, and a backoff that ends with it',
    { ...DUE, notBeforeMs: NOW + 1000, escalation: { ...ESCALATION, lastRestartMs: NOW - 14_000 } },
    probed('failure'),
    { ...FAILED_ONCE, notRestarting: 'backoff' },
    [held('backoff', 5, 'the next restart is possible in 1 s')],
  ],
  [
    'a dry run',
    DUE,
    probed('failure'),
    { ...FAILED_ONCE, notRestarting: 'dry-run' },
    [held('dry-run', 5, 'DRY_RUN is set')],
    { dryRun: true },
  ],
]

const asked: HealthState = { ...ILL, beforeRestart: { escalation: NO_ESCALATION, incident: undefined }, notRestarting: undefined }
const opened = (sinceMs: number) => ({ sinceMs, restarts: 0, failedToStart: false, toldFailed: false })
const failed = (status: string, message = 'no such mount') => ended({ outcome: 'failed', message, status })
const toldFailed = (attempt: number, first: boolean) =>
  say('restart-failed', { message: 'no such mount', attempt, maxRestarts: 5, first })
const outcomes: readonly Row[] = [
  [
    'it was restarted',
    asked,
    ended({ outcome: 'restarted', run: run('b', NOW), tookMs: 900 }),
    {
      ...NEW_RUN,
      run: run('b', NOW),
      incident: INCIDENT && { ...INCIDENT, restarts: 3 },
      escalation: { ...ESCALATION, lastRestartMs: NOW },
    },
    [say('restarted', { failures: 4, tookMs: 900, reason: 'was bad' }), REMEMBER],
  ],
  [
    'it was restarted, and was exited before',
    { ...notStarted, firstFailureMs: undefined, incident: undefined },
    ended({ outcome: 'restarted', run: run(undefined, NOW), tookMs: 900 }),
    {
      ...NEW_RUN,
      run: run(undefined, NOW),
      status: 'running',
      incident: { ...opened(NOW), restarts: 1 },
      escalation: { ...ESCALATION, lastRestartMs: NOW },
    },
    [say('restarted', { failures: 4, tookMs: 900, reason: 'was bad' }), REMEMBER],
  ],
  [
    'it could not be started again',
    { ...asked, health: 'suspect' },
    failed('exited'),
    {
      status: 'exited',
      health: 'unhealthy',
      escalation: { ...ESCALATION, lastRestartMs: NOW },
      incident: INCIDENT && { ...INCIDENT, failedToStart: true, toldFailed: true },
    },
    [toldFailed(1, true), REMEMBER],
  ],
  [
    'it failed otherwise, again',
    { ...asked, incident: INCIDENT && { ...INCIDENT, toldFailed: true }, notRestarting: 'budget' },
    failed('running'),
    { escalation: { ...ESCALATION, lastRestartMs: NOW }, notRestarting: undefined },
    [toldFailed(1, false), REMEMBER],
  ],
  [
    'it failed, and nothing was open',
    { ...asked, incident: undefined },
    failed('running'),
    { escalation: { ...ESCALATION, lastRestartMs: NOW }, incident: { ...opened(150_000), toldFailed: true } },
    [toldFailed(1, true), REMEMBER],
  ],
  [
    'the budget is spent',
    asked,
    ended({ outcome: 'waits', why: 'budget', message: 'spent' }),
    { ...asked.beforeRestart, notBeforeMs: NOW + 60_000, notRestarting: 'budget' },
    [REMEMBER, held('budget', 4, 'spent')],
  ],
  [
    'the proxy cannot be reached, as before',
    { ...asked, notRestarting: 'unreachable' },
    ended({ outcome: 'waits', why: 'unreachable', message: 'no' }),
    { ...asked.beforeRestart },
    [REMEMBER],
  ],
  [
    'somebody wants it tried again',
    { ...asked, escalation: { restarts: 5, lastRestartMs: NOW, gaveUp: true }, notRestarting: 'gave-up' },
    { type: 'reset' },
    { escalation: NO_ESCALATION, beforeRestart: undefined, notBeforeMs: 0, notRestarting: undefined },
    [REMEMBER],
  ],
]

for (const [what, before, event, after, effects, over, objection] of [
  ...looks,
  ...successes,
  ...doubts,
  ...failures,
  ...refusals,
  ...outcomes,
]) {
  await t.test(what, async (t) => {
    const given = structuredClone(before)
    const next: { readonly state: HealthState; readonly effects: readonly Effect[] } = step(
      before,
      event,
      NOW,
      { ...settings, ...over },
      objection,
    )
    t.same(next.state, { ...before, ...after })
    t.same(next.effects, effects)
    t.same(before, given, 'what was is left as it was')
  })
}

await t.test('a decay keeps what weighs nothing the very same', async (t) => {
  t.equal(step(WELL, probed('success'), NOW + 1_000_000, settings).effects.length, 0, 'so nothing is remembered without need')
})
