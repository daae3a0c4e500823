// A file system that fails or dies at a chosen step: the functions of `node:fs/promises` that change something, counted and replaced for as
// long as some work takes. One work at a time in a process.
import files, { type FileHandle } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { basename } from 'node:path'

/** From the step `from`, and for `steps` of them (for ever: as if the process were killed), nothing works. */
export type Fault = {
  readonly from: number
  readonly steps: number
  /** How much of the first of them is done all the same. */
  readonly done: 'nothing' | 'half' | 'all'
  /** Only of these files; the others work. */
  readonly only?: string
}

export const NO_FAULT: Fault = { from: Number.POSITIVE_INFINITY, steps: 0, done: 'nothing' }

/** Nothing here loses power, so syncing is only counted. */
const NOTHING = async () => undefined

/** What was done, in order: `rename audit.jsonl`. */
export type Steps = readonly string[]

/** Does `work` on files with this fault, and resolves with the steps that it took. */
export async function withFault(fault: Fault, work: () => Promise<void>): Promise<Steps> {
  const steps: string[] = []
  const handles = new Set<FileHandle>()
  const { open, rename, rm } = files

  const step = async <T>(
    what: string,
    whole: () => Promise<T>,
    half: () => Promise<unknown> = async () => undefined,
  ): Promise<T> => {
    const at = steps.push(what) - 1
    if (at < fault.from || at >= fault.from + fault.steps || !what.includes(fault.only ?? '')) return whole()
    if (at === fault.from && fault.done === 'half') await half()
    if (at === fault.from && fault.done === 'all') await whole()
    throw Object.assign(new Error(`EIO: i/o error, ${what}`), { code: 'EIO' })
  }
  const watched = (handle: FileHandle, name: string): FileHandle => {
    const own = { appendFile: handle.appendFile, writeFile: handle.writeFile }
    const halfOf = (text: unknown) => String(text).slice(0, String(text).length / 2)
    return Object.assign(handle, {
      appendFile: (text: string, encoding: BufferEncoding) =>
        step(
          `append ${name}`,
          () => own.appendFile.call(handle, text, encoding),
          () => own.appendFile.call(handle, halfOf(text), encoding),
        ),
      writeFile: (text: string) =>
        step(
          `write ${name}`,
          () => own.writeFile.call(handle, text),
          () => own.writeFile.call(handle, halfOf(text)),
        ),
      sync: () => step(`sync ${name}`, NOTHING),
      datasync: () => step(`sync ${name}`, NOTHING),
    })
  }
  Object.assign(files, {
    open: async (path: string, ...how: []) => {
      const handle = await step(`open ${basename(path)}`, () => open(path, ...how))
      handles.add(handle)
      return watched(handle, basename(path))
    },
    rename: (from: string, to: string) => step(`rename ${basename(from)} ${basename(to)}`, () => rename(from, to)),
    rm: (path: string, ...how: []) => step(`rm ${basename(path)}`, () => rm(path, ...how)),
  } satisfies Partial<Record<keyof typeof files, unknown>>)
  syncBuiltinESMExports()
  try {
    await work()
  } finally {
    Object.assign(files, { open, rename, rm })
    syncBuiltinESMExports()
    for (const handle of handles) await handle.close().catch(() => 'it is')
  }
  return steps
}
