// Node's parser makes requests of all heads that came at once, in up to 64 KiB, before anything can stop it: thousands of them, if they
// are short. Here it is given a few at a time. Knows nothing of what is served.
import type { Socket } from 'node:net'

/** Bytes; the shortest head has 18. */
const MIN_PIECE_BYTES = 256
/** The second is one to the parser of Node 20.18. */
const ENDS_OF_HEAD = ['\n\r\n', '\n\n']

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
      const from = start + MIN_PIECE_BYTES
      const ends = ENDS_OF_HEAD.map((end) => [chunk.indexOf(end, from), end.length] as const).filter(([at]) => at >= 0)
      const end = Math.min(chunk.length, ...ends.map(([at, length]) => at + length))
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
