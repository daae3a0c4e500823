// Node's parser makes requests of all heads that came at once, in up to 64 KiB, before anything can stop it: thousands of them, if they
// are short. Here it is given a few at a time. Knows nothing of what is served.
import type { Socket } from 'node:net'

/** Bytes; the shortest head has 18. */
const MIN_PIECE_BYTES = 256
const [LF, CR] = [0x0a, 0x0d]

/**
 * Once `socket` is destroyed, nothing of what it has read is parsed beyond the piece that is under way. What has no end of a head in it,
 * as most bodies, stays whole. For the event that tells of the connection, after the server's own listener.
 */
export function readInPieces(socket: Socket): void {
  const push = socket.push.bind(socket)
  socket.push = (chunk: Buffer | null) => {
    if (chunk === null) return push(chunk)
    let takesMore = true
    let start = 0
    while (start < chunk.length && !socket.destroyed) {
      const end = endOfHead(chunk, start + MIN_PIECE_BYTES)
      takesMore = push(chunk.subarray(start, end))
      start = end
    }
    return takesMore
  }
  // With a listener beside its own, Node's parser does not read from the system by itself, past `push`. Pieces that waited for a client
  // to take its answer all come at once, destroyed or not, unless they are paused.
  socket.on('data', () => {
    if (socket.destroyed) socket.pause()
  })
}

/** Behind the first empty line from `from` on, or the end of `chunk`; each byte is looked at once. Without its CR it is one to Node 20.18. */
function endOfHead(chunk: Buffer, from: number): number {
  for (let at = chunk.indexOf(LF, from); at >= 0; at = chunk.indexOf(LF, at + 1)) {
    const next = chunk[at + 1] === CR ? at + 2 : at + 1
    if (chunk[next] === LF) return next + 1
  }
  return chunk.length
}
