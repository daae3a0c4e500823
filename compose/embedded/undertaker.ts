// Cleans up after whoever started it, however that one ended: when its standard input closes, it kills the process groups
// that are still under way and removes the directory it was given.
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'

const [, , directory] = process.argv
const groups = new Set<number>()

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => 'the end of the input is the only order')

createInterface({ input: process.stdin })
  // `+123`: group 123 was started; `-123`: it has ended.
  .on('line', (line) => (line.startsWith('+') ? groups.add(Number(line.slice(1))) : groups.delete(Number(line.slice(1)))))
  .on('close', () => {
    for (const group of groups) {
      try {
        process.kill(-group, 'SIGKILL')
      } catch {
        // It has ended already.
      }
    }
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true })
  })
