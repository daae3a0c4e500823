// A unix socket before another, which a test can close, and at which it can hold up what passes: all of it, or restarts alone. It passes
// bytes on as they are.
import { chmodSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'

/** `requests`: a restart is asked for and does not arrive; `answers`: it arrives, and what comes back does not. */
export type Holding = 'requests' | 'answers'

export type Gate = {
  readonly socketPath: string
  /** From now on restarts are held up. Resolves once one is; with `answers` once it has been passed on. */
  readonly hold: (what: Holding) => Promise<void>
  /** What is held goes on, if both of its sides are still there. */
  readonly release: () => void
  /** Nobody gets through: the socket is away, and connections are cut. */
  readonly close: () => Promise<void>
  readonly open: () => Promise<void>
  /** Restarts that were passed on. */
  readonly passed: () => number
}

/** Opens a gate at `socketPath` before `target`. */
export async function createGate(socketPath: string, target: string): Promise<Gate> {
  const sockets = new Set<Socket>()
  let holding: { readonly what: Holding; readonly seen: () => void } | undefined
  let waiting: (() => void)[] = []
  let passed = 0

  /** Passes what comes of `from` to `to`, in order, once `before` lets it. */
  const pass = (from: Socket, to: Socket, before: (chunk: Buffer) => Promise<void>) => {
    let last = Promise.resolve()
    from.on('data', (chunk: Buffer) => {
      last = last.then(async () => {
        await before(chunk)
        if (to.writable) to.write(chunk)
      })
    })
    from.on('close', () => void last.then(() => to.destroy())).on('error', () => from.destroy())
  }
  const held = () => new Promise<void>((resolve) => waiting.push(resolve))
  const server = createServer((client) => {
    const upstream = connect(target)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    }
    let isRestart = false
    pass(client, upstream, async (chunk) => {
      isRestart = /^POST \S*\/restart\b/.test(chunk.toString('latin1'))
      if (!isRestart) return
      if (holding?.what === 'requests') {
        holding.seen()
        await held()
        // Whoever asked has gone, and what was asked for with it.
        if (client.destroyed) return void upstream.destroy()
      }
      passed += 1
      if (holding?.what === 'answers') holding.seen()
    })
    pass(upstream, client, async () => {
      if (isRestart && holding?.what === 'answers') await held()
    })
  })
  const gate: Gate = {
    socketPath,
    hold: (what) =>
      new Promise((resolve) => {
        holding = { what, seen: resolve }
      }),
    release() {
      holding = undefined
      const released = waiting
      waiting = []
      for (const go of released) go()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
    open: () =>
      new Promise((resolve) => {
        rmSync(socketPath, { force: true })
        server.listen(socketPath, () => {
          // The programs run as users of their own.
          chmodSync(socketPath, 0o777)
          resolve()
        })
      }),
    passed: () => passed,
  }
  await gate.open()
  return gate
}
