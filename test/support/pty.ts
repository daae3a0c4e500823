// A program on a real terminal, made by util-linux's `script`, which not every machine has.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { builtProgram } from './programs.ts'

/** For a test's `skip`. */
export const noPty = /util-linux/.test(spawnSync('script', ['--version'], { encoding: 'utf8' }).stdout ?? '')
  ? false
  : 'util-linux’s script, for a terminal, is not here'

export type OnTerminal = { readonly child: ChildProcess; readonly output: () => string; readonly ended: Promise<number | null> }

/** Runs a command of the shell on a terminal of 80 columns and 24 rows, with nothing of this process's environment but PATH. */
export function startOnTerminal(command: string, env: Readonly<Record<string, string>> = {}): OnTerminal {
  const child = spawn('script', ['--quiet', '--return', '--command', `stty cols 80 rows 24; exec ${command}`, '/dev/null'], {
    env: { PATH: process.env.PATH, TERM: 'xterm-256color', SHELL: '/bin/sh', ...env },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += chunk
  })
  return { child, output: () => text, ended: once(child, 'close').then(([code]) => code as number | null) }
}

/** One of the programs that ship, for the shell. */
export const shellProgram = (name: 'proxy' | 'healer') => `${process.execPath} ${builtProgram(name)}`
