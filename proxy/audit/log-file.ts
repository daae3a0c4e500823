// The files of an audit log: the one that is written to, and those before it, which it was when it had become too long.
// Knows nothing of lines.
import type { Stats } from 'node:fs'
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'

export const DEFAULT_MAX_BYTES = 8 * 1024 ** 2
export const DEFAULT_MAX_FILES = 16

export type LogFile = {
  /** Appends `text`, in latin1. Where it rejects, some of it may be there all the same: see `since`. */
  readonly append: (text: string) => Promise<void>
  /** All that was appended is on the disk when it resolves, under the names that the files have. */
  readonly sync: () => Promise<void>
  /** Bytes in the file. */
  readonly size: () => number
  /**
   * Whether there is what was written to the file, and no more. If there is no file any more, or nothing in it, the next `append` begins
   * another. Rejects where something else stands in its place.
   */
  readonly look: () => Promise<'as written' | 'longer' | 'gone'>
  /** What the file holds beyond `size()`, as after an `append` that rejected; it counts from now on. */
  readonly measure: () => Promise<string>
  /** The file becomes an earlier one, named by its first line; the next `append` begins another. */
  readonly setAside: (firstSeq: number) => Promise<void>
  /** Empties the file. */
  readonly clear: () => Promise<void>
  readonly close: () => Promise<void>
}

/** Opens `file` for appending; it is made where there is none. One that cannot be written now is opened once it can. */
export async function openLogFile(file: string): Promise<LogFile> {
  const openIt = async () => {
    const handle = await open(file, 'a+', 0o640)
    const { ino, dev } = await handle.stat()
    return Object.assign(handle, { ino, dev })
  }
  let handle: (FileHandle & Pick<Stats, 'ino' | 'dev'>) | undefined
  try {
    handle = await openIt()
  } catch (error) {
    const isThere = await stat(file).then(
      (found) => found.isFile(),
      () => false,
    )
    if (!isThere) throw error
  }
  let { size } = await stat(file)
  let isClosed = false
  /** The directory’s word that there is this file is on the disk. */
  let isListed = false
  const opened = async () => {
    if (isClosed) throw new Error(`${file} is closed`)
    handle ??= await openIt()
    return handle
  }
  return {
    async append(text) {
      await (await opened()).appendFile(text, 'latin1')
      size += text.length
    },
    async sync() {
      await (await opened()).datasync()
      if (!isListed) await syncDirectory(file)
      isListed = true
    },
    size: () => size,
    async look() {
      const found = await statIfThere(file)
      // One that could not be opened for writing yet is known by what it held.
      const isOwn = found !== undefined && (handle ? found.ino === handle.ino && found.dev === handle.dev : size > 0)
      if (isOwn && found.size >= Math.max(size, 1)) return found.size > size ? 'longer' : 'as written'
      if (found && found.size > 0) {
        throw new Error(`${file} was replaced, or cut, by another program; move it away, and the log goes on in a new one`)
      }
      await handle?.close()
      handle = undefined
      isListed = false
      size = 0
      return 'gone'
    },
    async measure() {
      const left = await opened()
      const length = (await left.stat()).size - size
      if (length <= 0) return ''
      const { buffer } = await left.read(Buffer.alloc(length), 0, length, size)
      size += length
      return buffer.toString('latin1')
    },
    async setAside(firstSeq) {
      const full = handle
      handle = undefined
      await full?.close()
      // What fails before this leaves the file where it was.
      await rename(file, earlierName(file, firstSeq))
      isListed = false
      size = 0
      await syncDirectory(file)
    },
    async clear() {
      await (await opened()).truncate(0)
      size = 0
    },
    async close() {
      isClosed = true
      await handle?.close()
      handle = undefined
    },
  }
}

async function statIfThere(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** `audit.jsonl` that begins with line 4711 is set aside as `audit-000000004711.jsonl`. */
function earlierName(file: string, firstSeq: number): string {
  const extension = extname(file)
  return join(dirname(file), `${basename(file, extension)}-${String(firstSeq).padStart(12, '0')}${extension}`)
}

/** The files that `file` was before, the oldest first. */
export async function listEarlierFiles(file: string): Promise<readonly string[]> {
  const extension = extname(file)
  const stem = `${basename(file, extension)}-`
  const names = await readdir(dirname(file))
  const isEarlier = (name: string) =>
    name.length === stem.length + 12 + extension.length &&
    name.startsWith(stem) &&
    name.endsWith(extension) &&
    /^\d{12}$/.test(name.slice(stem.length, stem.length + 12))
  return names
    .filter(isEarlier)
    .sort()
    .map((name) => join(dirname(file), name))
}

/** Removes the oldest of the earlier files, but for `keep` of them; what is left, the oldest first. */
export async function dropEarlierFiles(file: string, keep: number): Promise<readonly string[]> {
  const earlier = await listEarlierFiles(file)
  const tooMany = Math.max(0, earlier.length - keep)
  for (const old of earlier.slice(0, tooMany)) await rm(old)
  return earlier.slice(tooMany)
}

/** What was made or renamed is on the disk once its directory is. */
export async function syncDirectory(file: string): Promise<void> {
  const directory = await open(dirname(file), 'r')
  await directory.sync().finally(() => directory.close())
}
