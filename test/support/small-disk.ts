// A real file system of a few pages, to be filled, emptied and made read-only. Mounting one takes root.
import { execFileSync } from 'node:child_process'
import { appendFileSync, chmodSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Owner, temporaryDirectory } from './temporary.ts'

export type SmallDisk = {
  readonly directory: string
  /** Takes all that is left, but for the rest of the page that each file ends in. */
  readonly fill: () => void
  /** Gives that back. */
  readonly empty: () => void
  /** Fails where a file is open for writing. */
  readonly remount: (how: 'ro' | 'rw') => void
}

/** The unit in which it is filled. */
export const PAGE_BYTES = 4096

/** Why none can be mounted here; `false` where it can. With REQUIRE_ENGINE=1 root has to be able to. */
export function whyNoSmallDisk(): string | false {
  if (process.getuid?.() !== 0) return 'it takes root to mount a small file system'
  const ends: (() => unknown)[] = []
  try {
    mountSmallDisk({ teardown: (end) => ends.unshift(end) })
    return false
  } catch (error) {
    if (process.env.REQUIRE_ENGINE === '1') throw error
    return `no small file system can be mounted here: ${(error as Error).message}`
  } finally {
    for (const end of ends) end()
  }
}

/** Mounts a new one, which everybody may write to; it is gone when the test is over. */
export function mountSmallDisk(owner: Owner): SmallDisk {
  const above = temporaryDirectory(owner)
  chmodSync(above, 0o755)
  const directory = join(above, 'disk')
  const filler = join(directory, 'filler')
  mkdirSync(directory)
  run('mount', '-t', 'tmpfs', '-o', `size=${16 * PAGE_BYTES},mode=0777`, 'tmpfs', directory)
  // Lazily: a program that was killed a moment ago may hold it still.
  owner.teardown(() => run('umount', '--lazy', directory))
  return {
    directory,
    fill() {
      try {
        for (;;) appendFileSync(filler, Buffer.alloc(PAGE_BYTES))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
      }
    },
    empty: () => rmSync(filler, { force: true }),
    remount: (how) => run('mount', '-o', `remount,${how}`, directory),
  }
}

function run(command: string, ...args: readonly string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
