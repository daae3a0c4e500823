// What the tests of faults wait for, and what they hold each outcome to: restarted as often as said, all of it on the record, told once.
import type { Test } from 'tap'
import { type LogLine, waitFor } from '../../engine/support/composition.ts'
import type { AuditLine, Postern } from './postern.ts'
import type { Stage } from './stage.ts'

export type Following = {
  /** Lines in the healer's log so far. */
  readonly mark: () => number
  /** Waits until the healer says `words`, after `since` lines. */
  readonly said: (words: string, since?: number) => Promise<LogLine>
  /** How often it has said something that begins with `words`. */
  readonly times: (words: string, since?: number) => number
  /** Waits until the receiver took an alert of this event about `name`. */
  readonly told: (name: string, event: string) => Promise<unknown>
  /** The events that the receiver took about `name`, in order; each alert once, however often it came. */
  readonly events: (name: string) => readonly string[]
  /** The restarts of `name` that were let through, and what is on record of their ends. */
  readonly restarts: (name: string) => readonly { readonly line: AuditLine; readonly statuses: readonly unknown[] }[]
}

export function follow({ healer, receiver, audit }: Pick<Postern, 'healer' | 'receiver' | 'audit'>): Following {
  const events = (name: string) => {
    const alerts = new Map(receiver.alerts().map((alert) => [alert.id, alert]))
    return [...alerts.values()].filter(({ container }) => container === name).map(({ event }) => event)
  }
  return {
    mark: () => healer.log().length,
    said: (words, since = 0) =>
      waitFor(`the healer to say “${words}”`, async () =>
        healer
          .log()
          .slice(since)
          .find(({ msg }) => msg.includes(words)),
      ),
    times: (words, since = 0) =>
      healer
        .log()
        .slice(since)
        .filter(({ msg }) => msg.startsWith(words)).length,
    told: (name, event) => waitFor(`${name} ${event} to be told`, async () => events(name).includes(event)),
    events,
    restarts(name) {
      const lines = audit()
      const isRestart = ({ event, operation, target, verdict }: AuditLine) =>
        event === 'decision' && operation === 'ContainerRestart' && verdict === 'allow' && target?.name === name
      const endOf = ({ seq }: AuditLine) => lines.filter(({ event, of }) => event === 'outcome' && of === seq)
      return lines.filter(isRestart).map((line) => ({ line, statuses: endOf(line).map(({ status }) => status) }))
    },
  }
}

/** The first look at every app found it well. */
export async function allWell(stage: Pick<Stage, 'healer' | 'apps'>): Promise<void> {
  await waitFor('all to be well', async () => {
    const well = new Set(stage.healer.log().flatMap(({ msg }) => /^(\S+) — healthy/.exec(msg)?.[1] ?? []))
    return stage.apps.every(({ name }) => well.has(name))
  })
}

/** Both programs wrote nothing but their log, and the chain of the audit log holds. */
export async function checkWhole(t: Test, stage: Pick<Postern, 'proxy' | 'healer' | 'verify'>): Promise<void> {
  t.equal(stage.proxy.stray() + stage.healer.stray(), '', 'nothing was written beside the logs')
  t.match(await stage.verify(), /^\d+ lines, 1 to \d+, [1-9]\d* seals/, 'the chain of the audit log holds')
}
