// Step 5, record: the audit log, as those who record see it. A line written durably is sealed and on the disk before the promise
// resolves. Never drops a line silently: what cannot be written rejects, and the caller refuses what depended on it.
import type { AuditEvent, DecisionEvent } from './audit-line.ts'
import { fingerprint, makeSealKey } from './chain.ts'
import { type ChainWriter, createChainWriter, type Writing } from './chain-writer.ts'
import { type KeyState, loadKeyState, saveKeyState } from './key-state.ts'
import { isBeginningOfLog, type LogEndOptions, readFingerprintKey, readLogEnd } from './log-end.ts'
import { DEFAULT_MAX_BYTES, DEFAULT_MAX_FILES, dropEarlierFiles, type LogFile, openLogFile } from './log-file.ts'
import { createRepeats } from './repeats.ts'
import { NEW_TAIL } from './tail.ts'

export type AuditLog = {
  /**
   * Appends a line; resolves with the sequence number of the log's last line once it is handed to the system. A decision like an
   * earlier one is counted instead, and told of within an hour. Rejects when the line cannot be written; it is then told of later.
   */
  readonly append: (event: AuditEvent) => Promise<number>
  /** Appends a line, and resolves with its number only once it is sealed and on the disk. One that cannot be is not told of later. */
  readonly appendDurably: (event: AuditEvent) => Promise<number>
  /** How far it has come, and what it is known by: the first key of the oldest file that is kept. */
  readonly head: () => { readonly seq: number; readonly fingerprint: string }
  /** Tells of what was counted, writes `last`, seals, and closes. */
  readonly close: (last?: AuditEvent) => Promise<void>
}

/** `onLine` hears of what is there before anything is written. */
export type AuditLogOptions = LogEndOptions & {
  /** Where the keys of the seals to come are kept. */
  readonly keyFile: string
  /** The file is set aside when it is longer than `maxBytes`; so many are kept, that one and those before it, at least two. */
  readonly maxBytes?: number
  readonly maxFiles?: number
  /** Hears of what could not be written where nobody waited for it. */
  readonly onError?: (error: unknown) => void
}

/** Lines that nothing has sealed are sealed after this, and what was counted is looked at. */
const SETTLE_AFTER_MS = 60_000

/** Opens `file` for appending, after the last line that it, or the one before it, holds. Rejects where that cannot be, or it is no log. */
export async function openAuditLog(options: AuditLogOptions): Promise<AuditLog> {
  const { file, now, maxBytes = DEFAULT_MAX_BYTES, maxFiles = DEFAULT_MAX_FILES, onError = () => undefined } = options
  const logFile = await openLogFile(file)
  let chain: ChainWriter
  let knownBy: string | undefined
  try {
    chain = await goOn(options, logFile)
    knownBy = await readFingerprintKey(file)
  } catch (error) {
    await logFile.close()
    throw error
  }
  await chain.forgetUsedKey().catch(onError)

  let queue: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = queue.then(work)
    queue = done.catch(() => undefined)
    return done
  }
  /** What has happened, and is to be written before anything else. */
  const owed: AuditEvent[] = []
  const writeOwed = async (): Promise<void> => {
    for (let [first] = owed; first; [first] = owed) {
      await chain.write(first)
      owed.shift()
    }
  }
  const write = async (...writings: readonly Writing[]): Promise<number> => {
    const before = chain.firstSeq()
    if (logFile.size() >= maxBytes) {
      await chain.setAside()
      // What cannot be dropped now is dropped the next time; the line can be written.
      await dropEarlierFiles(file, maxFiles - 1).catch(onError)
    }
    await writeOwed()
    if (writings.length > 0) await chain.write(...writings)
    const { seq } = chain.tail()
    // The oldest file may be another one now.
    if (chain.firstSeq() !== before) knownBy = (await readFingerprintKey(file).catch(onError)) ?? knownBy
    return seq
  }
  const repeats = createRepeats(now)
  const writeDecision = (decision: DecisionEvent): Promise<number> =>
    inTurn(() => write(decision)).catch((error: unknown) => {
      repeats.putBack(decision)
      throw error
    })
  const tellOfRepeats = async (all: boolean): Promise<void> => {
    const told = await Promise.allSettled(repeats.due(all).map(writeDecision))
    for (const result of told) if (result.status === 'rejected') throw result.reason
  }
  const seal = async (): Promise<void> => {
    await writeOwed()
    await chain.seal()
  }
  const settle = async (): Promise<void> => {
    await tellOfRepeats(false)
    await inTurn(seal)
  }
  const settling = setInterval(() => settle().catch(onError), SETTLE_AFTER_MS).unref()

  return {
    async append(event) {
      if (event.event !== 'decision') {
        return inTurn(() => {
          owed.push(event)
          return write()
        })
      }
      const first = repeats.take(event)
      return first ? writeDecision(first) : chain.tail().seq
    },
    appendDurably: (event) => {
      const written = inTurn(async () => (await write(event, 'seal')) - 1)
      // Nobody waits for this, but the next seal does.
      written.then(chain.forgetUsedKey).catch(() => 'told to who wrote, or tried again before the next seal')
      return written
    },
    head: () => ({ seq: chain.tail().seq, fingerprint: fingerprint(knownBy ?? '') }),
    async close(last) {
      clearInterval(settling)
      await tellOfRepeats(true).catch(onError)
      await (last ? inTurn(() => write(last, 'seal')) : inTurn(seal)).catch(onError)
      await inTurn(chain.forgetUsedKey).catch(onError)
      await logFile.close()
    },
  }
}

/** Finds where the log has come to, and says in it where something is missing. */
async function goOn(options: AuditLogOptions, logFile: LogFile): Promise<ChainWriter> {
  const { file, keyFile, now } = options
  let end = await readLogEnd(options)
  if (end.tail.seq === 0 && end.tail.torn !== undefined) {
    if (!isBeginningOfLog(end.tail.torn)) throw new Error(`${file} is no audit log; name another file, or move it away`)
    await logFile.clear()
    end = { tail: NEW_TAIL, firstSeq: undefined }
  }
  const kept = await loadKeyState(keyFile)
  const keys = kept ?? (await makeKeys(end.tail.seq, keyFile))
  const key = keys.current.public
  const isNew = !kept || (end.tail.seq === 0 && keys.seq === 0)
  const isCut = !isNew && ![end.tail.sealsNext, end.tail.sealedBy].includes(key)
  if (isCut) end = { ...end, tail: { ...end.tail, seq: Math.max(end.tail.seq, keys.seq) } }

  const chain = createChainWriter({ logFile, keyFile, keys, now, ...end })
  if (isNew) await chain.write({ event: 'log', key })
  if (isCut) await chain.write({ event: 'cut', sealed: keys.seq, key })
  return chain
}

/** New keys, for a new log and for one whose keys are lost. */
async function makeKeys(seq: number, keyFile: string): Promise<KeyState> {
  const made = { seq, current: makeSealKey(), next: makeSealKey() }
  await saveKeyState(keyFile, made)
  return made
}
