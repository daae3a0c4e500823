// A program of Postern's that is started, killed and started again: what it wrote in all of its runs, and how each ended.
import { type ChildProcess, spawn } from 'node:child_process'
import type { LogLine } from '../../engine/support/composition.ts'
import { builtProgram, imageFlags, plainNode } from '../../support/programs.ts'

export type Ended = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

export type Part = {
  readonly name: 'proxy' | 'healer'
  /** Resolves once it serves. */
  readonly start: () => Promise<void>
  /** The same, without waiting for it. */
  readonly spawn: () => void
  /** How it ends, once it does. */
  readonly ended: () => Promise<Ended>
  readonly signal: (signal: NodeJS.Signals) => void
  /** With SIGKILL; resolves once it has ended. */
  readonly kill: () => Promise<void>
  /** `undefined`: it does not run. */
  readonly pid: () => number | undefined
  /** What it said in all of its runs. */
  readonly log: () => readonly LogLine[]
  /** What it wrote beside its log. */
  readonly stray: () => string
}

export type PartOptions = {
  readonly name: Part['name']
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** More of them for Node, before those of the image. */
  readonly nodeFlags?: readonly string[]
  /** Where the tests run as root. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** What it says once it serves. */
  readonly serves: RegExp
  /** Told of each process that starts and ends. */
  readonly onProcess?: (pid: number, event: 'started' | 'ended') => void
}

export function createPart({ name, args, env, nodeFlags = [], user, serves, onProcess }: PartOptions): Part {
  const log: LogLine[] = []
  let stray = ''
  let child: ChildProcess | undefined
  let ended: Promise<Ended> = Promise.resolve({ code: null, signal: null })
  const runs = () => child !== undefined && child.exitCode === null && child.signalCode === null
  const spawnOne = () => {
    const started = spawn(...plainNode(...nodeFlags, ...imageFlags(name), builtProgram(name), ...args), {
      env: { PATH: process.env.PATH, ...env },
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      // A process group of its own: Ctrl-C is for whoever started the whole.
      detached: true,
      ...user,
    })
    child = started
    onProcess?.(started.pid ?? 0, 'started')
    let rest = ''
    started.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        if (line.startsWith('{')) log.push(JSON.parse(line))
        else stray += `${line}\n`
      }
    })
    started.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stray += text
    })
    ended = new Promise((resolve, reject) => {
      started.once('error', reject)
      started.once('close', (code, signal) => {
        onProcess?.(started.pid ?? 0, 'ended')
        resolve({ code, signal })
      })
    })
  }
  const part: Part = {
    name,
    spawn: spawnOne,
    async start() {
      const from = log.length
      spawnOne()
      while (!log.slice(from).some(({ msg }) => serves.test(msg))) {
        if (!runs()) throw new Error(`the ${name} ended: ${stray}${log.slice(-5).map(({ msg }) => `\n${msg}`)}`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
    ended: () => ended,
    signal: (signal) => void child?.kill(signal),
    async kill() {
      child?.kill('SIGKILL')
      await ended
    },
    pid: () => (runs() ? child?.pid : undefined),
    log: () => log,
    stray: () => stray,
  }
  return part
}
