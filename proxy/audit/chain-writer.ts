// Writes lines one after the other, each with the hash of the one before, and seals them. One caller at a time: `audit-log` sees to that.
import { AUDIT_VERSION, type AuditEvent, renderAuditLine, type Stamp } from './audit-line.ts'
import { hashLine, makeSealKey, signSeal } from './chain.ts'
import { type KeyState, loadKeyState, saveKeyState } from './key-state.ts'
import type { LogEnd } from './log-end.ts'
import type { LogFile } from './log-file.ts'
import { absorb, advance, type Tail } from './tail.ts'

export type ChainWriter = {
  readonly tail: () => Tail
  /** The first line of the file that is written to; `undefined` where it has none yet. */
  readonly firstSeq: () => number | undefined
  /** Appends these as lines, in one piece; first, if the file has none, one that says which log it goes on with. */
  readonly write: (...events: readonly Writing[]) => Promise<void>
  /** Appends a seal, if the last line is none; it is on the disk when this resolves, and its secret forgotten. */
  readonly seal: () => Promise<void>
  /** Forgets the secret of the last seal. Until that has worked, nothing can be sealed; lines that are no seal need not wait for it. */
  readonly forgetUsedKey: () => Promise<void>
  /** Seals the file and sets it aside; the next line begins another. */
  readonly setAside: () => Promise<void>
}

/** What to write: something that happened, or a seal of all so far. */
export type Writing = AuditEvent | 'seal'

export type ChainWriterOptions = LogEnd & {
  readonly logFile: LogFile
  readonly keyFile: string
  readonly keys: KeyState
  /** Milliseconds since 1970. */
  readonly now: () => number
}

export function createChainWriter({ logFile, keyFile, now, ...begun }: ChainWriterOptions): ChainWriter {
  let { tail, firstSeq, keys } = begun

  const render = (stamp: Stamp, writing: Writing): string => {
    if (writing !== 'seal') return renderAuditLine(stamp, writing)
    const { current, next } = keys
    return signSeal(renderAuditLine(stamp, { event: 'seal', key: current.public, next: next.public, sig: '' }), current)
  }
  const append = async (writings: readonly Writing[]): Promise<void> => {
    const before = tail
    let next = before
    const lines = writings.map((writing) => {
      const stamp = { v: AUDIT_VERSION, time: new Date(now()).toISOString(), seq: next.seq + 1, prev: next.head } as const
      const line = render(stamp, writing)
      next = advance(next, line)
      return line
    })
    try {
      await logFile.append(`${before.isOpen && logFile.size() > 0 ? '\n' : ''}${lines.join('\n')}\n`)
      tail = next
    } catch (error) {
      // Some of it may be there all the same; what is there is on the record.
      tail = absorb(before, await logFile.measure())
      // Nothing but the last newline may be lacking, and the next line brings that.
      if (tail.head !== next.head) throw error
    } finally {
      if (tail.seq > before.seq) firstSeq ??= before.seq + 1
    }
  }
  /** Log first, then the keys: a log that is one seal ahead of its keys is known again at the next start. */
  const forget = async (): Promise<void> => {
    if (tail.sealedBy !== keys.current.public) return
    const left = { seq: tail.seq, current: keys.next, next: makeSealKey() }
    await saveKeyState(keyFile, left)
    keys = left
  }
  let forgetting: Promise<void> | undefined
  /** Lines may be written meanwhile, but no seal. */
  const forgetUsedKey = (): Promise<void> => {
    forgetting ??= forget().finally(() => {
      forgetting = undefined
    })
    return forgetting
  }
  /** Others may have had their hands on the file since the last line: what they took away is missed by who verifies the log. */
  const look = async (): Promise<void> => {
    const found = await logFile.look()
    if (found === 'longer') {
      const { sealsNext } = tail
      tail = absorb(tail, await logFile.measure())
      // A second proxy, started by mistake, has sealed with the keys that are kept, and left others.
      if (tail.sealsNext !== sealsNext) {
        await forgetting?.catch(() => 'told to who waits for it')
        keys = (await loadKeyState(keyFile)) ?? keys
      }
    } else if (found === 'gone' && firstSeq !== undefined) {
      const { torn: _, isOpen: __, ...ended } = tail
      tail = ended
      firstSeq = undefined
    }
  }
  const write = async (...writings: readonly Writing[]): Promise<void> => {
    await look()
    if (writings.includes('seal')) await forgetUsedKey()
    const { torn } = tail
    const repair: Writing[] = torn === undefined ? [] : [{ event: 'torn', bytes: torn.length, sha256: hashLine(torn) }]
    const isBeginning = writings.some((writing) => writing !== 'seal' && (writing.event === 'log' || writing.event === 'cut'))
    const begin: Writing[] = firstSeq === undefined && !isBeginning ? [{ event: 'continued', key: keys.current.public }] : []
    await append([...repair, ...begin, ...writings])
    if (writings.includes('seal')) await logFile.sync()
  }
  const seal = async (): Promise<void> => {
    if (!tail.isSealed) await write('seal')
    await forgetUsedKey()
  }
  return {
    tail: () => tail,
    firstSeq: () => firstSeq,
    write,
    seal,
    forgetUsedKey,
    async setAside() {
      await look()
      if (logFile.size() === 0) return
      await seal()
      // Where this fails, the next look tells which file it is: two of one name would be one.
      await logFile.setAside(firstSeq ?? tail.seq)
      firstSeq = undefined
    },
  }
}
