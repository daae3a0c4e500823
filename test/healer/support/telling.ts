// Receivers for tests of telling: what each was sent, in order, and how it answers.
import { pino } from 'pino'
import type { Test } from 'tap'
import { ALERT_EVENTS, type Alert } from '../../../healer/alert/alert.ts'
import type { Delivery } from '../../../healer/alert/deliver.ts'
import { type Notifier, openNotifier } from '../../../healer/alert/notifier.ts'
import type { AlertRequest, Receiver } from '../../../healer/alert/receiver.ts'
import type { Happening } from '../../../healer/health/happening.ts'
import { initialState } from '../../../healer/health/state.ts'
import { temporaryDirectory } from '../../support/temporary.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'
import { createFakeDocker } from './fake-docker.ts'

/** A receiver that takes the alerts themselves for its request. */
export const plainReceiver = (name: string, change: Partial<Receiver> = {}): Receiver => ({
  name,
  events: ALERT_EVENTS.filter((event) => event !== 'opened'),
  isFor: () => true,
  maxBatch: 20,
  resends: false,
  request: (alerts) => ({ url: `http://${name}.test/`, headers: {}, body: JSON.stringify(alerts) }),
  ...change,
})

export type Telling = {
  readonly clock: FakeClock
  readonly notifier: Notifier
  /** What receiver `name` took, as `container event`. */
  readonly took: (name?: string) => string[]
  readonly alerts: (name?: string) => Alert[]
  /** Tries, taken or not. */
  readonly tries: (name?: string) => number
  readonly log: string[]
  readonly counts: string[]
  readonly happen: (name: string, ...happenings: readonly Happening[]) => Promise<void>
  readonly stop: () => Promise<void>
}

export type TellingOptions = {
  readonly receivers?: readonly Receiver[]
  readonly stateDir?: string
  readonly cooldownMs?: number
  readonly reminderMs?: number
  readonly answer?: (name: string, alerts: readonly Alert[], tries: number) => Delivery | Promise<Delivery>
  readonly clock?: FakeClock
}

const DELIVERED: Delivery = { outcome: 'delivered', answer: 'it answered 200' }

/** A notifier on a clock that stands still; stopped when the test ends. */
export async function startTelling(t: Test, options: TellingOptions = {}): Promise<Telling> {
  const { receivers = [plainReceiver('ops')], clock = createFakeClock(), answer = () => DELIVERED } = options
  const docker = createFakeDocker(clock)
  const taken = new Map<string, Alert[]>()
  const tried = new Map<string, number>()
  const log: string[] = []
  const counts: string[] = []
  const deliver = async ({ url, body }: AlertRequest) => {
    const name = new URL(url).hostname.replace('.test', '')
    const alerts = JSON.parse(body) as Alert[]
    tried.set(name, (tried.get(name) ?? 0) + 1)
    const delivery = await answer(name, alerts, tried.get(name) ?? 0)
    if (delivery.outcome === 'delivered') taken.set(name, [...(taken.get(name) ?? []), ...alerts])
    return delivery
  }
  const notifier = await openNotifier({
    receivers,
    stateDir: options.stateDir ?? temporaryDirectory(t),
    cooldownMs: options.cooldownMs ?? 0,
    reminderMs: options.reminderMs ?? 0,
    ...{ clock, deliver, random: () => 1 },
    log: pino({}, { write: (line: string) => void log.push(JSON.parse(line).msg) }),
    count: (receiver, outcome, alerts) => counts.push(`${receiver} ${outcome} ${alerts}`),
  })
  const stopping = new AbortController()
  const running = notifier.run(stopping.signal)
  const stop = async () => {
    stopping.abort()
    await running
  }
  t.teardown(stop)
  await clock.settled(receivers.length + 1)
  const containers = new Map<string, ReturnType<typeof docker.add>>()
  const alerts = (name = 'ops') => taken.get(name) ?? []
  return {
    ...{ clock, notifier, log, counts, stop, alerts },
    took: (name) => alerts(name).map(({ container, event }) => `${container} ${event}`),
    tries: (name = 'ops') => tried.get(name) ?? 0,
    async happen(name, ...happenings) {
      const container = containers.get(name) ?? docker.add(name)
      containers.set(name, container)
      for (const happening of happenings) await notifier.happened(container.summary, happening, initialState(true))
    },
  }
}

export const FAILING: Happening = { kind: 'failing', failures: 3, threshold: 3, reason: 'answered 503' }
export const RESTARTED: Happening = { kind: 'restarted', failures: 3, tookMs: 500, reason: 'answered 503' }
export const RECOVERED: Happening = { kind: 'recovered', restarts: 1, afterMs: 5000, sinceFailureMs: 45_000 }
export const GAVE_UP: Happening = { kind: 'gave-up', restarts: 5, reason: 'answered 503' }
export const held = (why: Extract<Happening, { kind: 'not-restarting' }>['why']): Happening => ({
  ...{ kind: 'not-restarting', why, failures: 3, detail: 'for a reason' },
})
