// The healer's program as a process of its own, with what it writes; killed when the test ends.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Test } from 'tap'
import { builtProgram, plainNode } from '../../support/programs.ts'

/** `env` comes on top of this process's own. */
export function startHealer(t: Test, args: readonly string[], env: NodeJS.ProcessEnv = {}, nodeFlags: readonly string[] = []) {
  const child = spawn(...plainNode(...nodeFlags, builtProgram('healer'), ...args), {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  t.teardown(() => child.kill('SIGKILL'))
  const output = { text: '' }
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output.text += chunk
    })
  }
  /** Resolves once it has written `words`. */
  const said = async (words: string) => {
    while (!output.text.includes(words)) {
      if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${output.text}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  return { child, output, said, ended: once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]> }
}
