// A client's connection that stays: bytes are written as they are and what comes is kept, until the test looks at it.
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Owner } from '../../support/temporary.ts'

export type RawConnection = {
  readonly socket: Socket
  readonly write: (bytes: string | Buffer) => void
  /** All that has come. */
  readonly received: () => Buffer
  /** The other side has ended; `closed`: the connection is gone. */
  readonly state: { ended: boolean; closed: boolean }
}

/** No wait in a test is longer than this. */
const PATIENCE_MS = 60_000

/** Connects to the socket at `path` and writes `bytes`. It does not end by itself when the other side has ended. */
export function openConnection(owner: Owner, path: string, bytes: string | Buffer = ''): RawConnection {
  const socket = connect({ path, allowHalfOpen: true })
  const chunks: Buffer[] = []
  const state = { ended: false, closed: false }
  socket.on('data', (chunk) => chunks.push(chunk)).on('error', () => socket.destroy())
  socket.on('end', () => {
    state.ended = true
  })
  socket.on('close', () => {
    state.closed = true
  })
  owner.teardown(() => socket.destroy())
  const write = (text: string | Buffer) => void socket.write(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
  if (bytes.length > 0) write(bytes)
  return { socket, write, received: () => Buffer.concat(chunks), state }
}

/** Waits until `isSo`, which is looked at again and again; fails, saying `what`, where it does not come to be. */
export async function until(what: string, isSo: () => unknown): Promise<void> {
  const end = Date.now() + PATIENCE_MS
  while (!isSo()) {
    if (Date.now() > end) throw new Error(`it did not come to be: ${what}`)
    await delay(5)
  }
}

/** Waits long enough for what should not happen to have happened. */
export const aWhile = () => delay(150)

/** The head of an answer and what came after it. */
export function splitHead(bytes: Buffer): { readonly head: string; readonly rest: Buffer } {
  const end = bytes.indexOf('\r\n\r\n')
  return end < 0
    ? { head: '', rest: Buffer.alloc(0) }
    : { head: bytes.subarray(0, end).toString('latin1'), rest: bytes.subarray(end + 4) }
}

/** What is in chunks of HTTP, and whether the last of them is there. */
export function readChunks(bytes: Buffer): { readonly body: Buffer; readonly isWhole: boolean } {
  const chunks: Buffer[] = []
  for (let at = 0; ; ) {
    const line = bytes.indexOf('\r\n', at)
    const size = line < 0 ? Number.NaN : Number.parseInt(bytes.subarray(at, line).toString('latin1'), 16)
    if (size === 0) return { body: Buffer.concat(chunks), isWhole: bytes.length >= line + 4 }
    if (!(line + 4 + size <= bytes.length)) return { body: Buffer.concat(chunks), isWhole: false }
    chunks.push(bytes.subarray(line + 2, line + 2 + size))
    at = line + 4 + size
  }
}
