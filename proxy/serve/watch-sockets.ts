// Whether the sockets that are listened on are still there under their names: one that was removed, or put somewhere else, is found by no
// client any more, though whoever listens on it notices nothing.
import { statSync } from 'node:fs'
import { LOOK_EVERY_MS } from './watch-files.ts'

export type SocketWatch = {
  /** Resolves with a sentence once one is gone. */
  readonly removed: Promise<string>
  readonly stop: () => void
}

/** Watches the sockets that are at `paths` now. */
export function watchSockets(paths: readonly string[]): SocketWatch {
  const inodes = paths.map(inodeAt)
  let timer: NodeJS.Timeout | undefined
  const removed = new Promise<string>((resolve) => {
    timer = setInterval(() => {
      const gone = paths.find((path, i) => inodeAt(path) !== inodes[i])
      if (gone !== undefined) resolve(`the socket ${gone} was removed from under the proxy`)
    }, LOOK_EVERY_MS).unref()
  })
  return { removed, stop: () => clearInterval(timer) }
}

/** `undefined`: nobody finds a socket there, for whatever reason. */
function inodeAt(path: string): number | undefined {
  try {
    return statSync(path).ino
  } catch {
    return undefined
  }
}
