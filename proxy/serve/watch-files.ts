// Looks at files again and again, and tells when one of them has changed, however it was replaced. Never reads them.
import { unwatchFile, watchFile } from 'node:fs'

/** How often a file is looked at: file systems tell of changes unreliably, under mounts and through links not at all. */
export const LOOK_EVERY_MS = 1000

/** Calls `changed` once `settleMs` have passed since the last change that was seen. Ends with what is returned. */
export function watchFiles(files: readonly string[], settleMs: number, changed: () => void): () => void {
  let settling: NodeJS.Timeout | undefined
  const seen = () => {
    clearTimeout(settling)
    settling = setTimeout(changed, settleMs)
  }
  for (const file of files) watchFile(file, { interval: LOOK_EVERY_MS, persistent: false }, seen)
  return () => {
    for (const file of files) unwatchFile(file, seen)
    clearTimeout(settling)
  }
}
