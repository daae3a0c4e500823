// Listening on a unix socket, and removing a stale one that is in the way.
import { lstat, unlink } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect } from 'node:net'

/**
 * Listens on a unix socket at `path`; its mode is the process's umask's to bound. A stale socket is removed; one that answers is an error.
 */
export async function listen(server: Server, path: string): Promise<void> {
  try {
    await listenOn(server, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    await removeStaleSocket(path)
    await listenOn(server, path)
  }
}

function listenOn(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

/** Removes the socket at `path` if nobody listens on it any more; anything else there is an error. */
async function removeStaleSocket(path: string): Promise<void> {
  if (!(await lstat(path)).isSocket()) throw new Error(`${path} is a file that is no socket; it is left alone`)
  const refusal = await connectionError(path)
  if (refusal === undefined) throw new Error(`${path} is in use: another process answers on it`)
  if (refusal !== 'ECONNREFUSED') throw new Error(`${path} is in use, or cannot be tried: ${refusal}`)
  await unlink(path)
}

/** Why nobody can connect to the socket at `path`; `undefined` if one can. */
function connectionError(path: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
  })
}
