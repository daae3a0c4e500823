// Programs that a benchmark starts and ends, and the directory that they share.
import type { ChildProcess } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

/** A program that is up. */
export type Started = { readonly pid: number; readonly end: () => Promise<void> }

export type Stage = {
  readonly directory: string
  /** Writes `text` into a file of that name; its path. */
  readonly file: (name: string, text: string) => string
  /** Ends `child` with the suite, or before. */
  readonly keep: (child: ChildProcess) => Started
  readonly atEnd: (end: () => unknown) => void
}

/** Runs `suite` and ends what it has started, last first. */
export async function onStage<T>(suite: (stage: Stage) => Promise<T>): Promise<T> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-bench-'))
  // For programs that run as another user.
  chmodSync(directory, 0o777)
  const ends: (() => unknown)[] = [() => rmSync(directory, { recursive: true, force: true })]
  const stage: Stage = {
    directory,
    file(name, text) {
      const path = join(directory, name)
      writeFileSync(path, text)
      return path
    },
    atEnd: (end) => void ends.unshift(end),
    keep(child) {
      if (child.pid === undefined) throw new Error(`${child.spawnargs.join(' ')} could not be started`)
      const closed = new Promise<void>((resolve) => child.once('close', () => resolve()))
      const end = async () => {
        child.kill('SIGTERM')
        const killing = setTimeout(() => child.kill('SIGKILL'), 10_000)
        await closed
        clearTimeout(killing)
      }
      stage.atEnd(end)
      return { pid: child.pid, end }
    },
  }
  try {
    return await suite(stage)
  } finally {
    for (const end of ends) await end()
  }
}

/** Resolves once something listens at `address`: the path of a unix socket, or a port of 127.0.0.1. */
export async function untilListening(address: string | number): Promise<void> {
  for (let tries = 0; tries < 5000; tries++) {
    const listens = await new Promise<boolean>((resolve) => {
      const socket = typeof address === 'number' ? connect(address, '127.0.0.1') : connect(address)
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (listens) return
    await delay(4)
  }
  throw new Error(`nothing listens at ${address}`)
}
