// Requests as fast as they are answered, by wrk, from the other core.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { found, onCore } from './machine.ts'

export type Load = {
  readonly url: string
  readonly connections: number
  readonly seconds: number
}

export type Loaded = {
  readonly perSecond: number
  /** Milliseconds that 99 of 100 answers took at most. */
  readonly p99Ms: number
  /** Answers whose status was neither 2xx nor 3xx, of all. */
  readonly failed: number
  readonly total: number
}

/** Loads `url`. Throws where connections broke: what was measured then is something else. */
export async function load({ url, connections, seconds }: Load): Promise<Loaded> {
  const wrk = found('wrk')
  if (wrk === undefined) throw new Error('wrk is not installed: apt-get install wrk')
  const args = ['--threads', '1', '--connections', String(connections), '--duration', `${seconds}s`, '--latency', url]
  const [program = '', ...words] = [...onCore('other'), wrk, ...args]
  const { stdout } = await promisify(execFile)(program, words)
  return readWrk(stdout)
}

const UNIT_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000 }

/** What wrk 4 prints. */
export function readWrk(text: string): Loaded {
  const broken = /^\s*Socket errors: (.*)$/m.exec(text)?.[1]
  if (broken !== undefined && /[1-9]/.test(broken)) throw new Error(`connections broke under load: ${broken}`)
  const [, p99 = '', unit = ''] = /^\s+99%\s+([\d.]+)(us|ms|s|m)$/m.exec(text) ?? []
  const perSecond = Number(/^Requests\/sec:\s+([\d.]+)$/m.exec(text)?.[1])
  const total = Number(/^\s+(\d+) requests in /m.exec(text)?.[1])
  const failed = Number(/^\s+Non-2xx or 3xx responses: (\d+)$/m.exec(text)?.[1] ?? 0)
  const p99Ms = Number(p99) * (UNIT_MS[unit] ?? Number.NaN)
  if (![perSecond, total, p99Ms].every(Number.isFinite)) throw new Error(`wrk said something else:\n${text}`)
  return { perSecond, p99Ms, failed, total }
}
