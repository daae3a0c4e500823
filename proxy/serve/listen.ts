// Listening on a unix socket, and removing a stale one that is in the way.
import { lstat, stat, unlink } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'

/**
 * Listens on a unix socket at `path`; its mode is the process's umask's to bound. A stale socket is removed; one that answers is an error.
 * Where nothing can be made there, it rejects with a sentence that says what to do.
 */
export async function listen(server: Server, path: string): Promise<void> {
  try {
    await listenOn(server, path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES') throw new Error(`${path}: ${await whyDenied(dirname(path))}`, { cause: error })
    if (code !== 'EADDRINUSE') throw error
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

/** Node says of a directory that is not there, too, that permission is denied. */
async function whyDenied(directory: string): Promise<string> {
  const trouble = await stat(directory).then(
    () => undefined,
    ({ code }: NodeJS.ErrnoException) => code,
  )
  return trouble === 'ENOENT'
    ? `there is no directory ${directory}; make it, for the user that the proxy runs as, or mount a volume there`
    : `the user that the proxy runs as may not make a socket in ${directory}; give that user the directory, or name another`
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
