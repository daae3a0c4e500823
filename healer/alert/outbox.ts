// What is still to be told, and to whom: a queue for each receiver, in order. Pure; who sends it keeps it on the disk.
import type { Alert } from './alert.ts'

export type Outbox = Readonly<Record<string, readonly Alert[]>>

/** So much is kept for one receiver; then the oldest goes. */
export const MAX_QUEUED = 1000

/** A receiver may be called as something is that every object has. */
export const queueOf = (outbox: Outbox, receiver: string): readonly Alert[] =>
  (Object.hasOwn(outbox, receiver) ? outbox[receiver] : undefined) ?? []

/** `dropped`: alerts that nobody will hear of, for the queue is full. */
export function enqueue(outbox: Outbox, receiver: string, alert: Alert): { readonly outbox: Outbox; readonly dropped: number } {
  const queue = [...queueOf(outbox, receiver), alert]
  const dropped = Math.max(0, queue.length - MAX_QUEUED)
  return { outbox: { ...outbox, [receiver]: queue.slice(dropped) }, dropped }
}

/** Those of `alerts` are done with, delivered or not. */
export function dequeue(outbox: Outbox, receiver: string, alerts: readonly Alert[]): Outbox {
  const done = new Set(alerts.map(({ id }) => id))
  return { ...outbox, [receiver]: queueOf(outbox, receiver).filter(({ id }) => !done.has(id)) }
}

const FIRST_PAUSE_MS = 1000
const MAX_PAUSE_MS = 300_000

/** Milliseconds before try number `tries + 1`: doubled each time, to five minutes, and anywhere between half of that and all of it. */
export function pauseMs(tries: number, random: number, askedMs = 0): number {
  const most = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(tries - 1, 20), MAX_PAUSE_MS)
  return Math.max(askedMs, most * (0.5 + random / 2))
}
