// The machine the benchmark runs on: what is found on it, which core a program runs on, and how much time it took there. Linux only.
import { type ChildProcess, type SpawnOptions, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

/** What is measured runs on the first core; who asks, and who answers, on the second. */
export type Core = 'measured' | 'other'
const CORES: Readonly<Record<Core, string>> = { measured: '0', other: '1' }

/** The words before a command that hold it to one core. */
export const onCore = (core: Core): readonly string[] => ['taskset', '--cpu-list', CORES[core]]

/** Starts `command` on one core; it ends with `close`. */
export function startOn(core: Core, command: readonly string[], options: SpawnOptions = {}): ChildProcess {
  const [program = '', ...args] = [...onCore(core), ...command]
  return spawn(program, args, { stdio: ['ignore', 'ignore', 'inherit'], ...options })
}

/** Where `program` is, among what is installed; `undefined`: it is not. */
export function found(program: string): string | undefined {
  const paths = ['/usr/local/sbin', '/usr/sbin', '/sbin', ...(process.env.PATH ?? '').split(':')]
  const { status, stdout } = spawnSync('which', [program], { env: { PATH: paths.join(':') }, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : undefined
}

/** Time that the process, with all its threads, has had on a processor, in milliseconds; to 10 ms. */
export function cpuMs(pid: number): number {
  // Fields 14 and 15, counted from behind the name, which may hold anything. Source: proc_pid_stat(5); ticks are 10 ms on Linux.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

/** What the process holds in memory, in bytes. */
export function residentBytes(pid: number): number {
  const [, kilobytes = ''] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) * 1024
}

/** The machine in words, for whoever reads the numbers. */
export function describeMachine(): string {
  const [first] = cpus()
  return `${cpus().length} × ${first?.model ?? 'unknown processor'}, ${Math.round(totalmem() / 1024 ** 3)} GB, Linux ${release()}, Node ${process.version}`
}
