// What the programs hold while a soak runs: memory, open files, and the disk. Linux only.
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { residentBytes } from '../bench/machine.ts'
import type { Part } from '../faults/support/part.ts'

export type Usage = { readonly megabytes: number; readonly handles: number }

/** `undefined`: it does not run, or has just ended. */
export function usageOf(part: Part): Usage | undefined {
  const pid = part.pid()
  if (pid === undefined) return undefined
  try {
    return { megabytes: residentBytes(pid) / 1024 ** 2, handles: readdirSync(`/proc/${pid}/fd`).length }
  } catch {
    return undefined
  }
}

export type Kept = { readonly files: number; readonly kilobytes: number }

/** What lies in a directory. */
export function keptIn(directory: string): Kept {
  const sizes = readdirSync(directory).map((name) => statSync(join(directory, name), { throwIfNoEntry: false })?.size ?? 0)
  return { files: sizes.length, kilobytes: sizes.reduce((sum, size) => sum + size, 0) / 1024 }
}
