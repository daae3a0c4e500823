// Step 5, record: appends lines to the audit file. A line written durably is on the disk before the promise resolves.
// Never drops a line silently: what cannot be written rejects, and the caller refuses what depended on it.
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { AUDIT_VERSION, type AuditEvent, renderAuditLine } from './audit-line.ts'

export type AuditLog = {
  /** Appends a line; resolves with its sequence number once it is handed to the system. Rejects when it cannot be written. */
  readonly append: (event: AuditEvent) => Promise<number>
  /** As `append`, and resolves only once the line is on the disk. */
  readonly appendDurably: (event: AuditEvent) => Promise<number>
  readonly close: () => Promise<void>
}

/** Opens `file` for appending, after the last line that it holds. `now` gives milliseconds since 1970. */
export async function openAuditLog(file: string, now: () => number): Promise<AuditLog> {
  let seq = 0
  for await (const line of readAuditLines(file)) seq = Math.max(seq, line.seq)
  const handle = await open(file, 'a', 0o640)
  // A crash, or a disk that fills in mid-line, leaves half a line; the next one must not be glued to it.
  let isTorn = await endsTorn(file, handle)
  let queue: Promise<unknown> = Promise.resolve()

  const write = (event: AuditEvent, durably: boolean): Promise<number> => {
    const written = queue.then(async () => {
      const line = renderAuditLine({ v: AUDIT_VERSION, time: new Date(now()).toISOString(), seq: seq + 1 }, event)
      const ending = isTorn ? '\n' : ''
      isTorn = true
      await handle.appendFile(`${ending}${line}\n`)
      isTorn = false
      seq += 1
      if (durably) await handle.datasync()
      return seq
    })
    queue = written.catch(() => undefined)
    return written
  }
  return {
    append: (event) => write(event, false),
    appendDurably: (event) => write(event, true),
    async close() {
      await queue
      await handle.datasync()
      await handle.close()
    },
  }
}

export type ReadLine = { readonly seq: number; readonly time: string } & Readonly<Record<string, unknown>>

/** The lines of `file` in order; what is no line of an audit log is passed over, and a missing file is an empty one. */
export async function* readAuditLines(file: string): AsyncGenerator<ReadLine> {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })
  try {
    for await (const text of lines) {
      const line = parseLine(text)
      if (line) yield line
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function parseLine(text: string): ReadLine | undefined {
  try {
    const line: unknown = JSON.parse(text)
    const { seq, time } = (line ?? {}) as Record<string, unknown>
    return typeof seq === 'number' && typeof time === 'string' ? (line as ReadLine) : undefined
  } catch {
    return undefined
  }
}

/** Whether the file's last line has no end. */
async function endsTorn(file: string, handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat()
  if (size === 0) return false
  const reader = await open(file, 'r')
  try {
    const { buffer } = await reader.read(Buffer.alloc(1), 0, 1, size - 1)
    return buffer[0] !== 0x0a
  } finally {
    await reader.close()
  }
}
