// What outlives the healer, in one small file: which probes have succeeded before, and what past restarts weigh.
import { createHash } from 'node:crypto'
import { readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import type { Logger } from 'pino'
import writeFileAtomic from 'write-file-atomic'
import { z } from 'zod'
import type { ContainerSummary } from '../docker/docker.ts'
import { type Escalation, NO_ESCALATION } from '../health/state.ts'
import type { Clock } from '../loop/clock.ts'

export type Remembered = { readonly armed: boolean; readonly escalation: Escalation }

export type Memory = {
  readonly recall: (container: ContainerSummary) => Remembered
  /** Resolves once it is on the disk, or once it was said in the log that it is not. */
  readonly remember: (container: ContainerSummary, remembered: Remembered) => Promise<void>
}

const entrySchema = z.object({
  id: z.string(),
  /** What was armed: a digest of the image and the container's own settings. */
  armedFor: z.string().optional(),
  restarts: z.int().min(0),
  /** RFC 3339. */
  lastRestartAt: z.iso.datetime().optional(),
  gaveUp: z.boolean(),
})
const fileSchema = z.object({ version: z.literal(1), containers: z.record(z.string(), entrySchema) })
type Entry = z.infer<typeof entrySchema>

/** The most containers that are remembered; the longest unchanged are forgotten first. */
const MAX_ENTRIES = 2000

/** Opens the memory in `directory`. A file that cannot be understood is set aside. Rejects where the directory cannot be written. */
export async function openMemory(directory: string, clock: Clock, log: Logger): Promise<Memory> {
  const file = join(directory, 'healer.json')
  const entries = await load(file, log)
  const save = () =>
    writeFileAtomic(file, `${JSON.stringify({ version: 1, containers: Object.fromEntries(entries) }, null, 1)}\n`, {
      mode: 0o640,
    })
  await save()

  let queued: Promise<void> | undefined
  let writing: Promise<void> = Promise.resolve()
  /** Many changes in one turn make one write. */
  const saveSoon = (): Promise<void> => {
    queued ??= writing.then(async () => {
      queued = undefined
      writing = save().catch((error: unknown) =>
        log.error({ err: error }, `${file} cannot be written; after a restart the healer would not know what it knows now`),
      )
      await writing
    })
    return queued
  }
  return {
    recall(container) {
      const entry = entries.get(container.name)
      return { armed: entry?.armedFor === fingerprint(container), escalation: recallEscalation(entry, container.id, clock) }
    },
    remember(container, { armed, escalation }) {
      entries.delete(container.name)
      entries.set(container.name, {
        id: container.id,
        ...(armed ? { armedFor: fingerprint(container) } : {}),
        restarts: escalation.restarts,
        ...(escalation.lastRestartMs === undefined ? {} : { lastRestartAt: toWallTime(escalation.lastRestartMs, clock) }),
        gaveUp: escalation.gaveUp,
      })
      for (const name of [...entries.keys()].slice(0, Math.max(0, entries.size - MAX_ENTRIES))) entries.delete(name)
      return saveSoon()
    },
  }
}

async function load(file: string, log: Logger): Promise<Map<string, Entry>> {
  try {
    const { containers } = fileSchema.parse(JSON.parse(await readFile(file, 'utf8')))
    return new Map(Object.entries(containers))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map()
    if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error
    const aside = `${file}.damaged`
    await rename(file, aside)
    log.error(
      `${file} cannot be understood and was set aside as ${aside}; every probe must succeed once before its container is restarted`,
    )
    return new Map()
  }
}

/** Past restarts weigh on the very container they were made of; a recreated one starts anew. */
function recallEscalation(entry: Entry | undefined, id: string, clock: Clock): Escalation {
  if (entry?.id !== id) return NO_ESCALATION
  const { restarts, lastRestartAt, gaveUp } = entry
  if (restarts === 0 && !gaveUp) return NO_ESCALATION
  const agoMs = lastRestartAt === undefined ? undefined : Math.max(0, clock.wallMs() - Date.parse(lastRestartAt))
  return { restarts, lastRestartMs: agoMs === undefined ? undefined : clock.monotonicMs() - agoMs, gaveUp }
}

function toWallTime(monotonicMs: number, clock: Clock): string {
  return new Date(clock.wallMs() - (clock.monotonicMs() - monotonicMs)).toISOString()
}

/** A container remade from the same image with the same settings is the same program. */
function fingerprint({ imageId, labels }: ContainerSummary): string {
  const settings = Object.entries(labels).filter(
    ([label]) => label.startsWith('healer.') || label === 'monitored' || label === 'autoheal',
  )
  const text = JSON.stringify([imageId, settings.sort(([a], [b]) => (a < b ? -1 : 1))])
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
