// Keeps the incidents and the outbox, both in one file, so that what happened and what is to be told of it are never apart; and sets the senders
// to work. Nothing that a receiver does reaches the healer's loop.
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { ContainerSummary } from '../docker/docker.ts'
import type { Happening } from '../health/happening.ts'
import type { Diagnosis, HealthState } from '../health/state.ts'
import type { Clock } from '../loop/clock.ts'
import { createStateWriter, loadState } from '../state/state-file.ts'
import type { Alert } from './alert.ts'
import { alertStateSchema, VERSION } from './alert-state.ts'
import type { Deliver } from './deliver.ts'
import { type Book, EMPTY_BOOK, forgetOthers, type Incident, type Noted, note, remind, type Telling } from './incidents.ts'
import { dequeue, enqueue, MAX_QUEUED, type Outbox, queueOf } from './outbox.ts'
import type { Receiver } from './receiver.ts'
import { type AlertOutcome, createSender } from './sender.ts'

export type NotifierOptions = {
  readonly receivers: readonly Receiver[]
  readonly stateDir: string
  readonly cooldownMs: number
  readonly reminderMs: number
  readonly clock: Clock
  readonly log: Logger
  readonly deliver: Deliver
  /** From 0 to 1. */
  readonly random: () => number
  readonly count: (receiver: string, outcome: AlertOutcome, alerts: number) => void
}

export type Notifier = {
  /** Resolves once what is to be told of it is on the disk. Never rejects. */
  readonly happened: (container: ContainerSummary, happening: Happening, state: HealthState) => Promise<void>
  /** These are all the containers that there are: what is open of any other has ended. */
  readonly listed: (names: readonly string[]) => Promise<void>
  /** Sends and reminds until `signal` aborts and every sender has come to rest. */
  readonly run: (signal: AbortSignal) => Promise<void>
  readonly view: () => AlertView
}

export type AlertView = {
  /** The oldest first. */
  readonly incidents: readonly Incident[]
  /** For each receiver how many alerts wait, and how long the oldest has. */
  readonly outbox: readonly { readonly receiver: string; readonly waiting: number; readonly waitedMs: number }[]
}

const REMIND_EVERY_MS = 15_000
const FORMAT = {
  schema: alertStateSchema,
  version: VERSION,
  whenSetAside: 'open incidents are forgotten, and what was not told yet is not told',
}

/** Rejects where `saveFirst` does. */
export async function openNotifier(options: NotifierOptions): Promise<Notifier> {
  const { receivers, clock, log } = options
  const telling: Telling = {
    cooldownMs: options.cooldownMs,
    reminderMs: options.reminderMs,
    listeners: (event, container) =>
      receivers.filter((each) => each.events.includes(event) && each.isFor(container)).map(({ name }) => name),
  }
  const file = join(options.stateDir, 'alerts.json')
  const found = await loadState(file, FORMAT, log)
  let book: Book = found ? { incidents: found.incidents, cooldowns: found.cooldowns } : EMPTY_BOOK
  let outbox = keepKnown(found?.outbox ?? {}, receivers, log)
  const writer = createStateWriter(file, () => ({ version: VERSION, ...book, outbox }), log)
  await writer.saveFirst()
  const save = writer.saveSoon

  const senders = new Map(
    receivers.map((receiver) => {
      const sender = createSender({
        ...{ receiver, clock, log, deliver: options.deliver, random: options.random },
        queue: () => queueOf(outbox, receiver.name),
        lasting: () =>
          book.incidents.flatMap(({ endedMs, told, toldTo }) =>
            told && endedMs === undefined && toldTo.includes(receiver.name) ? [told] : [],
          ),
        done(alerts) {
          outbox = dequeue(outbox, receiver.name, alerts)
          return save()
        },
        count: (outcome, alerts) => options.count(receiver.name, outcome, alerts),
      })
      return [receiver.name, sender]
    }),
  )
  const send = (alert: Alert, to: string) => {
    const { outbox: next, dropped } = enqueue(outbox, to, alert)
    outbox = next
    if (dropped > 0) {
      log.error(
        { receiver: to },
        `${to} has ${MAX_QUEUED} alerts waiting already: the oldest is dropped, and nobody is told of it there`,
      )
      options.count(to, 'dropped', dropped)
    }
    senders.get(to)?.wake()
  }
  const take = async ({ book: next, sent }: Noted): Promise<void> => {
    if (next === book) return
    book = next
    for (const { alert, to } of sent) for (const name of to) send(alert, name)
    await save()
  }

  return {
    happened(container, happening, state) {
      const { firstFailureMs } = state
      const failingSinceMs = firstFailureMs === undefined ? undefined : toWallMs(firstFailureMs, clock)
      const subject = { name: container.name, id: container.id, failingSinceMs, diagnosis: diagnose(state, clock) }
      return take(note(book, subject, happening, clock.wallMs(), telling))
    },
    listed: (names) => take(forgetOthers(book, names, clock.wallMs(), telling)),
    async run(signal) {
      const sending = [...senders.values()].map((sender) => sender.run(signal))
      while (!signal.aborted) {
        await take(remind(book, clock.wallMs(), telling))
        await clock.sleep(REMIND_EVERY_MS, signal)
      }
      await Promise.all(sending)
    },
    view: () => ({
      incidents: book.incidents,
      outbox: receivers.map(({ name }) => {
        const queue = queueOf(outbox, name)
        const [oldest] = queue
        return { receiver: name, waiting: queue.length, waitedMs: oldest ? Math.max(0, clock.wallMs() - oldest.atMs) : 0 }
      }),
    }),
  }
}

const toWallMs = (monotonicMs: number, clock: Clock) => Math.round(clock.wallMs() - (clock.monotonicMs() - monotonicMs))

/** What is known of its illness, at times of day; `undefined`: it is not ill. */
function diagnose(state: HealthState, clock: Clock): Diagnosis | undefined {
  const { lastFailures: failures, status, exit } = state
  const known = state.diagnosis ?? (failures.length > 0 ? { failures, status, ...exit } : undefined)
  return known && { ...known, failures: known.failures.map(({ atMs, reason }) => ({ atMs: toWallMs(atMs, clock), reason })) }
}

/** A receiver that is not set any more is told nothing. */
function keepKnown(outbox: Outbox, receivers: readonly Receiver[], log: Logger): Outbox {
  const known = new Set(receivers.map(({ name }) => name))
  const isKnown = ([name, queue]: readonly [string, readonly Alert[]]) => {
    if (!known.has(name) && queue.length > 0)
      log.warn(`${name} is not among the receivers any more; ${queue.length} alerts for it are dropped`)
    return known.has(name)
  }
  return Object.fromEntries(Object.entries(outbox).filter(isKnown))
}
