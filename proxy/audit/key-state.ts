// The keys of the seals that are still to come: one file, replaced whole. A key that was used is not in it any more.
import { open, readFile, rename } from 'node:fs/promises'
import * as z from 'zod'
import type { SealKey } from './chain.ts'
import { syncDirectory } from './log-file.ts'

const keySchema = z.strictObject({ public: z.string(), secret: z.string() })
const stateSchema = z.strictObject({ v: z.literal(1), seq: z.int().min(0), current: keySchema, next: keySchema })

export type KeyState = {
  /** The sequence number of the last seal; 0 where there is none. */
  readonly seq: number
  /** Signs the next seal, which names the public part of `next`. */
  readonly current: SealKey
  readonly next: SealKey
}

/** The state in `file`; `undefined` where there is no such file. Throws where it cannot be read or is something else. */
export async function loadKeyState(file: string): Promise<KeyState | undefined> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return undefined
    // Node's own words name no file. Mounted alone, it could not be replaced either.
    if (code === 'EISDIR')
      throw new Error(
        `${file} is a directory, as Docker makes one where a file is mounted that is not there; remove it, and mount the directory that it is in`,
        { cause: error },
      )
    throw error
  }
  const parsed = stateSchema.safeParse(parseJson(text))
  if (!parsed.success) throw new Error(`${file} holds no keys of an audit log; move it away to begin with new ones`)
  return parsed.data
}

/** On the disk before it resolves; its owner alone may read it. */
export async function saveKeyState(file: string, state: KeyState): Promise<void> {
  // By hand: the packages for this handle signals of the whole process.
  const handle = await open(`${file}.new`, 'w', 0o600)
  try {
    await handle.writeFile(`${JSON.stringify({ v: 1, ...state })}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${file}.new`, file)
  await syncDirectory(file)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
