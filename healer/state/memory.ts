// What outlives the healer, in one small file: which probes have succeeded before, what past restarts weigh, the incident that is
// open, and who is paused. On the healer's monotonic clock in memory, as times of day in the file.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Logger } from 'pino'
import * as z from 'zod'
import type { ContainerSummary } from '../docker/docker.ts'
import { type Escalation, type Incident, NO_ESCALATION } from '../health/state.ts'
import type { Clock } from '../loop/clock.ts'
import { createStateWriter, loadState } from './state-file.ts'
import { toMonotonicMs, toPastMs, toWallTime } from './times.ts'

export type Remembered = {
  readonly armed: boolean
  readonly escalation: Escalation
  /** The incident that is open. */
  readonly incident?: Incident | undefined
  /** No restarts before this; `Infinity`: before it is resumed. */
  readonly pausedUntilMs?: number | undefined
}

export type Memory = {
  readonly recall: (container: ContainerSummary) => Remembered
  /** Resolves once it is on the disk, or once it was said in the log that it is not. */
  readonly remember: (container: ContainerSummary, remembered: Remembered) => Promise<void>
  /** These are all the containers that there are now: they are not forgotten for others. */
  readonly listed: (names: readonly string[]) => void
}

const VERSION = 2
const FOREVER = 'forever'

const incidentSchema = z.strictObject({
  since: z.iso.datetime(),
  restarts: z.int().min(0),
  failedToStart: z.boolean(),
  toldFailed: z.boolean(),
  /** RFC 3339, as the Engine has it. */
  asked: z.string().optional(),
})
const entrySchema = z.strictObject({
  id: z.string(),
  /** What was armed: a digest of the image and the container's own settings. */
  armedFor: z.string().optional(),
  restarts: z.int().min(0),
  /** RFC 3339, as every time here. */
  lastRestartAt: z.iso.datetime().optional(),
  gaveUp: z.boolean(),
  incident: incidentSchema.optional(),
  pausedUntil: z.union([z.iso.datetime(), z.literal(FOREVER)]).optional(),
})
/** Version 1 had neither incidents nor pauses, and is otherwise the same. */
const fileSchema = z.strictObject({ version: z.literal([1, VERSION]), containers: z.record(z.string(), entrySchema) })
const FORMAT = {
  schema: fileSchema,
  version: VERSION,
  whenSetAside: 'no container is paused any more, and every probe must succeed once before its container is restarted',
}
type Entry = z.infer<typeof entrySchema>

/**
 * The most containers that are remembered. Of more, those are forgotten first that are not there and have no pause, no incident and were not
 * given up on: whoever can start many containers must not end any of that. The longest unchanged of them first; then of all others.
 */
export const MAX_ENTRIES = 2000

/** Opens the memory in `directory`. A file that cannot be understood is set aside. Rejects where `saveFirst` does. */
export async function openMemory(directory: string, clock: Clock, log: Logger): Promise<Memory> {
  const file = join(directory, 'healer.json')
  const stored = await loadState(file, FORMAT, log)
  const entries = new Map(Object.entries(stored?.containers ?? {}))
  let present: ReadonlySet<string> = new Set()
  const content = () => ({ version: VERSION, containers: Object.fromEntries(entries) })
  const { saveFirst, saveSoon } = createStateWriter(file, content, log)
  await saveFirst()
  const isNeeded = ([name, entry]: readonly [string, Entry]) =>
    present.has(name) || entry.gaveUp || entry.incident !== undefined || recallPause(entry, clock).pausedUntilMs !== undefined
  const forgetExcess = () => {
    const all = [...entries]
    const inOrder = [...all.filter((each) => !isNeeded(each)), ...all.filter(isNeeded)]
    for (const [name] of inOrder.slice(0, entries.size - MAX_ENTRIES)) entries.delete(name)
  }
  return {
    recall(container) {
      const entry = entries.get(container.name)
      return {
        armed: entry?.armedFor === fingerprint(container),
        ...recallRun(entry, container.id, clock),
        ...recallPause(entry, clock),
      }
    },
    remember(container, remembered) {
      entries.delete(container.name)
      entries.set(container.name, toEntry(container, remembered, clock))
      if (entries.size > MAX_ENTRIES) forgetExcess()
      return saveSoon()
    },
    listed(names) {
      present = new Set(names)
    },
  }
}

function toEntry(container: ContainerSummary, { armed, escalation, incident, pausedUntilMs }: Remembered, clock: Clock): Entry {
  const { restarts, lastRestartMs, gaveUp } = escalation
  return {
    id: container.id,
    ...(armed ? { armedFor: fingerprint(container) } : {}),
    restarts,
    ...(lastRestartMs === undefined ? {} : { lastRestartAt: toWallTime(lastRestartMs, clock) }),
    gaveUp,
    ...(incident ? { incident: toStored(incident, clock) } : {}),
    ...(pausedUntilMs === undefined
      ? {}
      : { pausedUntil: pausedUntilMs === Number.POSITIVE_INFINITY ? FOREVER : toWallTime(pausedUntilMs, clock) }),
  }
}

function toStored({ sinceMs, ...rest }: Incident, clock: Clock): Entry['incident'] {
  return { since: toWallTime(sinceMs, clock), ...rest }
}

/** Past restarts weigh on the very container they were made of, and its incident is its own; a recreated one starts anew. */
function recallRun(entry: Entry | undefined, id: string, clock: Clock): Pick<Remembered, 'escalation' | 'incident'> {
  if (entry?.id !== id) return { escalation: NO_ESCALATION }
  const { restarts, lastRestartAt, gaveUp, incident } = entry
  const lastRestartMs = lastRestartAt === undefined ? undefined : toPastMs(lastRestartAt, clock)
  const escalation = restarts > 0 || gaveUp ? { restarts, lastRestartMs, gaveUp } : NO_ESCALATION
  if (!incident) return { escalation }
  const { since, ...rest } = incident
  return { escalation, incident: { sinceMs: toPastMs(since, clock), ...rest } }
}

/** A pause goes by the name, so that a container can be recreated during it. One that is over is none. */
function recallPause(entry: Entry | undefined, clock: Clock): Pick<Remembered, 'pausedUntilMs'> {
  if (entry?.pausedUntil === undefined) return {}
  const pausedUntilMs = entry.pausedUntil === FOREVER ? Number.POSITIVE_INFINITY : toMonotonicMs(entry.pausedUntil, clock)
  return pausedUntilMs > clock.monotonicMs() ? { pausedUntilMs } : {}
}

/** A container remade from the same image with the same settings is the same program. */
function fingerprint({ imageId, labels }: ContainerSummary): string {
  const settings = Object.entries(labels).filter(
    ([label]) => label.startsWith('healer.') || label === 'monitored' || label === 'autoheal',
  )
  const text = JSON.stringify([imageId, settings.sort(([a], [b]) => (a < b ? -1 : 1))])
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
