// `postern-healer test-alert`: one alert to each receiver, and its end, so that nothing stays open; and what each answered.

import type { Verdicts } from '../terminal.ts'
import type { Alert } from './alert.ts'
import type { Deliver, Delivery } from './deliver.ts'
import type { Receiver } from './receiver.ts'

export type TestedReceiver = { readonly receiver: string } & Pick<Delivery, 'outcome' | 'answer'>

/** Sends to all at once; the end is sent to who took the beginning. Never rejects. */
export function testReceivers(
  receivers: readonly Receiver[],
  deliver: Deliver,
  nowMs: number,
): Promise<readonly TestedReceiver[]> {
  return Promise.all(
    receivers.map(async (receiver) => {
      const began = await deliver(receiver.request([testAlert(nowMs, false)], nowMs))
      const last = began.outcome === 'delivered' ? await deliver(receiver.request([testAlert(nowMs, true)], nowMs)) : began
      return { receiver: receiver.name, outcome: last.outcome, answer: last.answer }
    }),
  )
}

function testAlert(nowMs: number, resolved: boolean): Alert {
  const incident = `postern/test/${nowMs}`
  return {
    id: `${incident}/${resolved ? 2 : 1}`,
    incident,
    event: resolved ? 'recovered' : 'restarted',
    severity: 'info',
    container: 'postern-test',
    message: resolved
      ? 'The test of Postern’s alerts is over.'
      : 'This is a test of Postern’s alerts. Nothing is ill, and nothing was restarted.',
    atMs: nowMs,
    sinceMs: nowMs,
    resolved,
  }
}

export const TESTED_VERDICTS: Verdicts = { good: /(?<=^\S+ +)told(?=: )/gm, bad: /(?<=^\S+ +)NOT told(?=: )/gm }

/** For people; ends with a line feed. */
export function renderTested(tested: readonly TestedReceiver[]): string {
  if (tested.length === 0) return 'No receiver of alerts is set; docs/alerts.md says how.\n'
  const width = Math.max(...tested.map(({ receiver }) => receiver.length))
  const lines = tested.map(
    ({ receiver, outcome, answer }) => `${receiver.padEnd(width)}  ${outcome === 'delivered' ? 'told' : 'NOT told'}: ${answer}\n`,
  )
  return lines.join('')
}
