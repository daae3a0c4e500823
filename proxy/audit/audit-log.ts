// Step 5, record: appends lines to the audit file, chained and sealed. A line written durably is sealed and on the disk before the
// promise resolves. Never drops a line silently: what cannot be written rejects, and the caller refuses what depended on it.
import { open } from 'node:fs/promises'
import { AUDIT_VERSION, type AuditEvent, renderAuditLine, type Stamp } from './audit-line.ts'
import { fingerprint, makeSealKey, signSeal } from './chain.ts'
import { type KeyState, loadKeyState, saveKeyState } from './key-state.ts'
import { type ReadLine, readRawLines } from './read-log.ts'
import { advance, advanceOpen, close, NEW_TAIL, type Tail } from './tail.ts'

export type AuditLog = {
  /** Appends a line; resolves with its sequence number once it is handed to the system. Rejects when it cannot be written. */
  readonly append: (event: AuditEvent) => Promise<number>
  /** As `append`, and resolves only once the line is sealed and on the disk. */
  readonly appendDurably: (event: AuditEvent) => Promise<number>
  /** How far it has come, and which log it is. */
  readonly head: () => { readonly seq: number; readonly fingerprint: string }
  /** Seals what is not sealed yet, and closes. */
  readonly close: () => Promise<void>
}

export type AuditLogOptions = {
  readonly file: string
  /** Where the keys of the seals to come are kept. */
  readonly keyFile: string
  /** Milliseconds since 1970. */
  readonly now: () => number
  /** Hears of every line that the file holds, in order, before anything is written. */
  readonly onLine?: (line: ReadLine) => void
}

/** Lines that nothing has sealed are sealed after this. */
const SEAL_AFTER_MS = 60_000

/** A line to be: what it begins with is known only when its turn comes. */
type Making = (stamp: Stamp) => string

const lineOf =
  (event: AuditEvent): Making =>
  (stamp) =>
    renderAuditLine(stamp, event)

/** Opens `file` for appending, after the last line that it holds. */
export async function openAuditLog({ file, keyFile, now, onLine = () => undefined }: AuditLogOptions): Promise<AuditLog> {
  const handle = await open(file, 'a', 0o640)
  try {
    let tail = await readTail(file, onLine)
    let { size } = await handle.stat()
    const kept = await loadKeyState(keyFile)
    let keys = kept ?? (await makeKeys(tail.seq, keyFile))
    let isSealed = true
    let queue: Promise<unknown> = Promise.resolve()

    const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
      const done = queue.then(work)
      queue = done.catch(() => undefined)
      return done
    }
    /** Appends these as lines, in one piece. */
    const write = async (...making: readonly Making[]): Promise<void> => {
      const { torn, isOpen } = tail
      let next = close(tail)
      const all = torn === undefined ? making : [lineOf({ event: 'torn', bytes: torn.length }), ...making]
      const lines = all.map((make) => {
        const line = make({ v: AUDIT_VERSION, time: new Date(now()).toISOString(), seq: next.seq + 1, prev: next.head })
        next = advance(next, line)
        return line
      })
      const text = `${torn === undefined && !isOpen ? '' : '\n'}${lines.join('\n')}\n`
      try {
        await handle.appendFile(text)
        tail = next
        size += text.length
      } catch (error) {
        // Some of it may be there all the same; what is there is on the record.
        const left = await handle.stat()
        if (left.size !== size) tail = await readTail(file, () => undefined)
        size = left.size
        throw error
      }
    }
    const seal: Making = (stamp) => {
      const { current, next } = keys
      return signSeal(renderAuditLine(stamp, { event: 'seal', key: current.public, next: next.public, sig: '' }), current)
    }
    /** Log first, then the keys: a log that is one seal ahead of its keys is known again at the next start. */
    const forgetUsedKey = async (): Promise<void> => {
      if (tail.sealedBy !== keys.current.public) return
      const left = { seq: tail.seq, current: keys.next, next: makeSealKey() }
      await saveKeyState(keyFile, left)
      keys = left
    }
    const sealNow = async (): Promise<void> => {
      await forgetUsedKey()
      await write(seal)
      await handle.datasync()
      isSealed = true
      await forgetUsedKey()
    }

    const isNew = tail.seq === 0 && keys.seq === 0
    if (isNew || !kept) await write(lineOf({ event: 'log', key: keys.current.public }))
    else if (![tail.sealsNext, tail.sealedBy].includes(keys.current.public)) {
      tail = { ...tail, seq: Math.max(tail.seq, keys.seq) }
      await write(lineOf({ event: 'cut', sealed: keys.seq, key: keys.current.public }))
    }
    await forgetUsedKey()

    const sealing = setInterval(() => {
      if (!isSealed) inTurn(sealNow).catch(() => 'tried again a minute later')
    }, SEAL_AFTER_MS).unref()
    return {
      append: (event) =>
        inTurn(async () => {
          isSealed = false
          await write(lineOf(event))
          return tail.seq
        }),
      appendDurably: (event) => {
        const written = inTurn(async () => {
          await forgetUsedKey()
          await write(lineOf(event), seal)
          await handle.datasync()
          isSealed = true
          return tail.seq - 1
        })
        // Nobody waits for this, but the next line does.
        written.then(() => inTurn(forgetUsedKey)).catch(() => 'told to who wrote, or tried again before the next seal')
        return written
      },
      head: () => ({ seq: tail.seq, fingerprint: fingerprint(tail.firstKey ?? '') }),
      async close() {
        clearInterval(sealing)
        await inTurn(async () => {
          if (!isSealed) await sealNow()
        }).catch(() => 'the lines are there, if not their seal')
        await inTurn(forgetUsedKey).catch(() => 'known again at the next start')
        await handle.close()
      },
    }
  } catch (error) {
    await handle.close()
    throw error
  }
}

/** New keys, for a new log and for one whose keys are lost. */
async function makeKeys(seq: number, keyFile: string): Promise<KeyState> {
  const made = { seq, current: makeSealKey(), next: makeSealKey() }
  await saveKeyState(keyFile, made)
  return made
}

async function readTail(file: string, onLine: (line: ReadLine) => void): Promise<Tail> {
  let tail = NEW_TAIL
  for await (const { text, isWhole } of readRawLines(file)) {
    tail = isWhole ? advance(tail, text, onLine) : advanceOpen(tail, text, onLine)
  }
  return tail
}
