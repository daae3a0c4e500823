// The proxy's program as a process of its own. Where the tests run as root, it is started as nobody: it refuses to serve as root.
import { type ChildProcess, spawn } from 'node:child_process'
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { builtProgram } from '../../support/programs.ts'
import { type Owner, temporaryDirectory } from '../../support/temporary.ts'
import { type FakeEngine, startFakeEngine } from './fake-engine.ts'
import { HEALER_POLICY_FILE } from './policies.ts'
import { ask } from './raw-client.ts'
import { usualContainers } from './start-proxy.ts'

const ROOT = new URL('../../../', import.meta.url).pathname
const NOBODY = 65_534

export const runsAsRoot = process.getuid?.() === 0

export type Run = { readonly code: number | null; readonly stdout: string; readonly stderr: string }
export type RunningProgram = { readonly child: ChildProcess; readonly ended: Promise<Run> }

export type RunOptions = {
  readonly asRoot?: boolean
  readonly env?: Readonly<Record<string, string>>
  readonly nodeFlags?: readonly string[]
  /** The group to start it in, where the tests run as root. */
  readonly group?: number
}

/**
 * Starts `postern-proxy` with these arguments and nothing of this process's environment but PATH. Through `env -i`, since tap
 * adds to the environment of every child, and its addition writes files of its own when the child ends.
 */
export function startProgram(
  owner: Owner,
  args: readonly string[],
  { asRoot = false, env = {}, nodeFlags = [], group = NOBODY }: RunOptions = {},
): RunningProgram {
  const variables = Object.entries({ PATH: process.env.PATH ?? '', ...env }).map(([name, value]) => `${name}=${value}`)
  const program = [process.execPath, ...nodeFlags, builtProgram('proxy')]
  const child = spawn('env', ['-i', ...variables, ...program, ...args], {
    cwd: ROOT,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(runsAsRoot && !asRoot ? { uid: NOBODY, gid: group } : {}),
  })
  owner.teardown(() => child.kill('SIGKILL'))
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (text: Buffer) => {
    stdout += text
  })
  child.stderr.on('data', (text: Buffer) => {
    stderr += text
  })
  const ended = new Promise<Run>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, stdout, stderr }))
  })
  return { child, ended }
}

/** Runs it to its end. */
export function runProgram(owner: Owner, args: readonly string[], options?: RunOptions): Promise<Run> {
  return startProgram(owner, args, options).ended
}

/** What a proxy on this machine would have: an Engine, a policy, and a directory for sockets and log that it may write. */
export type Place = {
  readonly engine: FakeEngine
  readonly directory: string
  readonly client: string
  readonly metrics: string
  readonly audit: string
  readonly args: readonly string[]
}

export async function preparePlace(owner: Owner, policyFile = HEALER_POLICY_FILE): Promise<Place> {
  const engine = await startFakeEngine(owner, usualContainers())
  const above = temporaryDirectory(owner)
  const directory = join(above, 'run')
  mkdirSync(directory)
  chmodSync(directory, 0o777)
  chmodSync(above, 0o755)
  chmodSync(engine.socketPath, 0o777)
  chmodSync(join(engine.socketPath, '..'), 0o755)
  const [client, metrics, audit] = ['client.sock', 'metrics.sock', 'audit.jsonl'].map((name) => join(directory, name))
  if (!client || !metrics || !audit) throw new Error('three paths')
  const args = [
    'serve',
    `${policyFile}@unix://${client}`,
    ...['--engine', `unix://${engine.socketPath}`, '--audit', audit, '--metrics', `unix://${metrics}`],
  ]
  return { engine, directory, client, metrics, audit, args }
}

/** Starts serving, and resolves once the metrics socket, which comes last, answers. */
export async function startServing(owner: Owner, place: Place, options?: RunOptions): Promise<RunningProgram> {
  const program = startProgram(owner, place.args, options)
  const over = program.ended.then(({ code, stderr }) => {
    throw new Error(`it ended with ${code}: ${stderr}`)
  })
  over.catch(() => 'told below, if it is before it serves')
  await Promise.race([over, untilAnswered(place.metrics)])
  return program
}

export async function untilAnswered(socketPath: string): Promise<void> {
  for (let tries = 0; tries < 10_000; tries++) {
    const answered = await ask(socketPath, 'GET /metrics').then(
      () => true,
      () => false,
    )
    if (answered) return
    await delay(20)
  }
  throw new Error(`nothing answers on ${socketPath}`)
}
