// A small file of state: written as a whole or not at all, read strictly. What cannot be understood is set aside and said,
// never believed in part, never overwritten.
import { open, readFile, rename, rm } from 'node:fs/promises'
import type { Logger } from 'pino'
import * as z from 'zod'

export type StateFormat<T> = {
  readonly schema: z.ZodType<T>
  /** The newest version that is known here. */
  readonly version: number
  /** What it means that the file was set aside, for the log. */
  readonly whenSetAside: string
}

/** What `file` holds; `undefined` where there is none, or where it was set aside. Rejects where it cannot be read. */
export async function loadState<T>(file: string, format: StateFormat<T>, log: Logger): Promise<T | undefined> {
  // Of a healer that was killed while it wrote. What cannot be removed does no harm, and goes with the next write.
  await rm(unfinished(file), { force: true }).catch(() => undefined)
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (text === undefined) return undefined
  const json = parseJson(text)
  const parsed = format.schema.safeParse(json)
  if (parsed.success) return parsed.data
  const isNewer = z.object({ version: z.int().min(format.version + 1) }).safeParse(json).success
  const aside = `${file}.${isNewer ? 'newer' : 'damaged'}`
  await rename(file, aside)
  log.error(
    `${file} ${isNewer ? 'was written by a newer healer' : 'cannot be understood'} and was set aside as ${aside}; ${format.whenSetAside}`,
  )
  return undefined
}

export type StateWriter = {
  /**
   * Writes now, before the first `saveSoon`. Rejects where that fails, for the directory may be the wrong one; not where the disk is full or
   * read-only, which is said in the log: a healer that runs copes with that, so one that starts does.
   */
  readonly saveFirst: () => Promise<void>
  /** Many changes in one turn make one write. Resolves once it is on the disk, or once it was said in the log that it is not. */
  readonly saveSoon: () => Promise<void>
  /** Resolves once nothing is left of what was to be saved soon. */
  readonly written: () => Promise<void>
}

/** Of a disk that is as it should be another time. */
const PASSING = ['ENOSPC', 'EDQUOT', 'EROFS']

/** `content`: what the file is to hold, asked at each write. */
export function createStateWriter(file: string, content: () => object, log: Logger): StateWriter {
  const save = () => replaceWhole(file, `${JSON.stringify(content(), null, 1)}\n`)
  const sayUnwritten = (error: unknown) =>
    log.error({ err: error }, `${file} cannot be written; after a restart the healer would not know what it knows now`)
  const saveFirst = () =>
    save().catch((error: NodeJS.ErrnoException) => {
      if (!PASSING.includes(error.code ?? '')) throw error
      sayUnwritten(error)
    })
  let queued: Promise<void> | undefined
  let writing: Promise<void> = Promise.resolve()
  const saveSoon = (): Promise<void> => {
    queued ??= writing.then(async () => {
      queued = undefined
      writing = save().catch(sayUnwritten)
      await writing
    })
    return queued
  }
  return { saveFirst, saveSoon, written: () => queued ?? writing }
}

/** `undefined`: it is no JSON. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** By hand: the packages for this handle signals of the whole process, and sync by a call that Node's permissions refuse. */
async function replaceWhole(file: string, text: string): Promise<void> {
  const handle = await open(unfinished(file), 'w', 0o640)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(unfinished(file), file)
}

const unfinished = (file: string) => `${file}.new`
