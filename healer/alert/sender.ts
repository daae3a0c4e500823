// Sends one receiver what is queued for it: in order, some at a time, again and again until it is taken or never will be. No receiver waits
// for another.
import type { Logger } from 'pino'
import type { Clock } from '../loop/clock.ts'
import type { Alert } from './alert.ts'
import type { Deliver, Delivery } from './deliver.ts'
import { pauseMs } from './outbox.ts'
import { RESEND_MS, type Receiver } from './receiver.ts'

export type SenderOptions = {
  readonly receiver: Receiver
  readonly clock: Clock
  readonly log: Logger
  readonly deliver: Deliver
  /** From 0 to 1. */
  readonly random: () => number
  readonly queue: () => readonly Alert[]
  /** What lasts and was told, to be told again to who forgets. */
  readonly lasting: () => readonly Alert[]
  /** These are done with. Resolves once that is on the disk. */
  readonly done: (alerts: readonly Alert[]) => Promise<void>
  readonly count: (outcome: AlertOutcome, alerts: number) => void
}

/** `failed`: a try that is repeated. `dropped`: nobody will hear of it. */
export type AlertOutcome = 'delivered' | 'failed' | 'dropped'

export type Sender = {
  /** Sends until `signal` aborts, then tries once more what is left. Never rejects. */
  readonly run: (signal: AbortSignal) => Promise<void>
  /** There is something to send. */
  readonly wake: () => void
}

/** What happens within this is told in one request, where the receiver takes several. */
export const GROUP_WAIT_MS = 3000
const IDLE_MS = 3_600_000

export function createSender(options: SenderOptions): Sender {
  const { receiver, clock, log, queue, done, count } = options
  let waking = new AbortController()
  let tries = 0
  let sentMs = Number.NEGATIVE_INFINITY
  /** As it was said last. */
  let trouble: string | undefined
  /** A batch that is refused is sent one by one: one of it may be to blame. */
  let oneByOne = 0

  const send = async (alerts: readonly Alert[]): Promise<Delivery> => {
    sentMs = clock.monotonicMs()
    const delivery = await attempt(alerts)
    if (delivery.outcome === 'later' && trouble !== delivery.answer) {
      log.error(
        { receiver: receiver.name },
        `${receiver.name} could not be told: ${delivery.answer}; it is tried again until it is`,
      )
      trouble = delivery.answer
    }
    if (delivery.outcome === 'delivered') {
      if (trouble !== undefined) log.info({ receiver: receiver.name }, `${receiver.name} answers again`)
      trouble = undefined
    }
    return delivery
  }
  /** What cannot even be put into a request must not end the sending of all else. */
  const attempt = async (alerts: readonly Alert[]): Promise<Delivery> => {
    try {
      return await options.deliver(receiver.request(alerts, clock.wallMs()))
    } catch (error) {
      return { outcome: 'never', answer: `no request could be made of it (${(error as Error).name})` }
    }
  }

  /** Sends the head of the queue once; the pause before the next, in milliseconds. */
  const sendOnce = async (): Promise<number> => {
    const batch = queue().slice(0, oneByOne > 0 ? 1 : receiver.maxBatch)
    const delivery = await send(batch)
    if (delivery.outcome === 'later') {
      tries += 1
      count('failed', batch.length)
      return pauseMs(tries, options.random(), delivery.afterMs)
    }
    tries = 0
    if (delivery.outcome === 'never' && batch.length > 1) {
      oneByOne = batch.length
      return 0
    }
    oneByOne = Math.max(0, oneByOne - 1)
    tell(batch, delivery)
    await done(batch)
    return 0
  }
  const tell = (batch: readonly Alert[], delivery: Delivery) => {
    const what = batch.map(({ container, event }) => `${container} ${event}`).join(', ')
    const fields = { receiver: receiver.name, containers: batch.map(({ container }) => container) }
    if (delivery.outcome === 'delivered') {
      log.info(fields, `${receiver.name} was told: ${what}`)
      return count('delivered', batch.length)
    }
    log.error(
      fields,
      `${receiver.name} will never take this, and nobody was told there: ${what}; ${delivery.answer}; check its settings`,
    )
    count('dropped', batch.length)
  }
  const resend = async () => {
    const lasting = options.lasting()
    for (let i = 0; i < lasting.length; i += receiver.maxBatch) {
      const { outcome, answer } = await send(lasting.slice(i, i + receiver.maxBatch))
      if (outcome !== 'never' || trouble === answer) continue
      log.error(
        { receiver: receiver.name },
        `${receiver.name} will not be told again of what lasts: ${answer}; check its settings`,
      )
      trouble = answer
    }
  }
  const rest = async (ms: number, signal: AbortSignal, isWakeable: boolean) => {
    if (isWakeable && waking.signal.aborted) waking = new AbortController()
    await clock.sleep(ms, isWakeable ? AbortSignal.any([signal, waking.signal]) : signal)
  }

  return {
    wake: () => waking.abort(),
    async run(signal) {
      while (!signal.aborted) {
        if (queue().length === 0) {
          if (receiver.resends && clock.monotonicMs() - sentMs >= RESEND_MS) await resend()
          const had = queue().length
          if (had === 0) await rest(receiver.resends ? RESEND_MS : IDLE_MS, signal, true)
          if (queue().length > 0 && !signal.aborted) await rest(GROUP_WAIT_MS, signal, false)
          continue
        }
        const waitMs = await sendOnce()
        if (waitMs > 0) await rest(waitMs, signal, false)
      }
      // Who is being waited for is not asked once more.
      if (queue().length > 0 && tries === 0) await sendOnce()
      const left = queue().length
      if (left > 0) log.warn({ receiver: receiver.name }, `${receiver.name} is told of ${left} more after the next start`)
    },
  }
}
