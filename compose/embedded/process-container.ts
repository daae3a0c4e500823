// A stand-in for a container: one process, started, watched, stopped and restarted as the Engine would. Nothing is confined.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createInterface } from 'node:readline'
import type { Healthcheck } from './dockerfile.ts'

export type ContainerSpec = {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly image: string
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  /** Where this process runs as root: what the container would run as. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  readonly tcpPorts: readonly number[]
  /** Where it listens; 127.0.0.1, if not given. */
  readonly address?: string | undefined
  readonly mounts: readonly { readonly source: string; readonly destination: string; readonly readOnly: boolean }[]
  readonly network: string
  readonly restart: 'no' | 'unless-stopped'
  readonly stopTimeoutMs: number
  readonly healthcheck?: Healthcheck | undefined
}

export type ContainerState = 'created' | 'running' | 'restarting' | 'exited'

/** Go's zero time, as the Engine writes it for what has not happened. */
const NEVER = '0001-01-01T00:00:00Z'
const RESTART_MIN_MS = 100
const RESTART_MAX_MS = 60_000
/** A run this long was a good one: the next crash is waited on briefly again. */
const GOOD_RUN_MS = 10_000

export class ProcessContainer {
  readonly id: string
  readonly createdAt = new Date()
  readonly #onOutput: (line: string) => void
  readonly #onProcess: (pid: number, event: 'started' | 'ended') => void
  spec: ContainerSpec
  state: ContainerState = 'created'
  startedAt = NEVER
  finishedAt = NEVER
  exitCode = 0
  restartCount = 0
  error = ''
  health: { status: 'starting' | 'healthy' | 'unhealthy'; failingStreak: number } | undefined
  #child: ChildProcess | undefined
  #exited: Promise<void> = Promise.resolve()
  #stopping = false
  #crashes = 0
  #timers = new Set<NodeJS.Timeout>()

  /** `onOutput` gets each line that it writes, `onProcess` the id of each process group that starts or ends. */
  constructor(
    spec: ContainerSpec,
    onOutput: (line: string) => void,
    onProcess: (pid: number, event: 'started' | 'ended') => void = () => undefined,
  ) {
    this.spec = spec
    this.#onOutput = onOutput
    this.#onProcess = onProcess
    this.id = createHash('sha256').update(`${spec.name} ${this.createdAt.getTime()} ${Math.random()}`).digest('hex')
  }

  get pid(): number {
    return this.#child?.pid ?? 0
  }

  /** Starts its process. Rejects, with the state `exited`, where that cannot be done. */
  async start(): Promise<void> {
    if (this.state === 'running') return
    this.#clearTimers()
    this.#stopping = false
    const { command, env, cwd, user } = this.spec
    // A process group of its own: Ctrl-C in the terminal is for whoever started the whole.
    const child = spawn(command[0] ?? '', command.slice(1), {
      env,
      cwd,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(user ?? {}),
    })
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', this.#onOutput)
    try {
      await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
    } catch (error) {
      this.state = 'exited'
      this.exitCode = 127
      this.error = (error as Error).message
      throw error
    }
    this.#onProcess(child.pid ?? 0, 'started')
    this.#child = child
    this.state = 'running'
    this.startedAt = new Date().toISOString()
    this.error = ''
    this.#exited = new Promise((resolve) =>
      child.once('exit', (code, signal) => resolve(this.#onExit(child, code ?? signalCode(signal)))),
    )
    this.#watchHealth(child)
  }

  /** SIGTERM, and SIGKILL when `timeoutMs` have passed. */
  async stop(timeoutMs: number = this.spec.stopTimeoutMs): Promise<void> {
    this.#stopping = true
    this.#clearTimers()
    const child = this.#child
    if (this.state === 'restarting') this.state = 'exited'
    if (!child || this.state !== 'running') return
    child.kill('SIGTERM')
    const timer = setTimeout(() => this.signal('SIGKILL'), timeoutMs)
    await this.#exited
    clearTimeout(timer)
  }

  /** Stops it, if it runs, and starts it. Rejects where it cannot be started again. */
  async restart(timeoutMs?: number): Promise<void> {
    await this.stop(timeoutMs)
    this.restartCount = 0
    this.#crashes = 0
    await this.start()
  }

  /** Sends `signal` to all of its processes. */
  signal(signal: NodeJS.Signals): void {
    if (this.state !== 'running' || this.pid === 0) return
    try {
      process.kill(-this.pid, signal)
    } catch {
      // It has just ended.
    }
  }

  #onExit(child: ChildProcess, code: number): void {
    this.#onProcess(child.pid ?? 0, 'ended')
    if (child !== this.#child) return
    this.#clearTimers()
    this.state = 'exited'
    this.exitCode = code
    this.finishedAt = new Date().toISOString()
    if (this.#stopping || this.spec.restart === 'no') return
    const ranMs = Date.now() - Date.parse(this.startedAt)
    this.#crashes = ranMs > GOOD_RUN_MS ? 0 : this.#crashes + 1
    this.state = 'restarting'
    this.#after(Math.min(RESTART_MIN_MS * 2 ** this.#crashes, RESTART_MAX_MS), () => {
      this.restartCount += 1
      this.start().catch(() => this.#onOutput(`${this.spec.name} cannot be started: ${this.error}`))
    })
  }

  #watchHealth(child: ChildProcess): void {
    const { healthcheck } = this.spec
    if (!healthcheck) return
    this.health = { status: 'starting', failingStreak: 0 }
    const health = this.health
    const startedMs = Date.now()
    const check = async () => {
      const passes = await this.#runCheck(healthcheck)
      if (child !== this.#child || this.state !== 'running') return
      const inStartPeriod = Date.now() - startedMs < healthcheck.startPeriodMs
      if (passes) Object.assign(health, { status: 'healthy', failingStreak: 0 })
      else if (health.status !== 'starting' || !inStartPeriod) {
        health.failingStreak += 1
        if (health.failingStreak >= healthcheck.retries) health.status = 'unhealthy'
      }
      const starting = health.status === 'starting' && inStartPeriod
      this.#after(
        starting ? Math.min(healthcheck.startIntervalMs, healthcheck.intervalMs) : healthcheck.intervalMs,
        () => void check(),
      )
    }
    this.#after(Math.min(healthcheck.startIntervalMs, healthcheck.intervalMs), () => void check())
  }

  #runCheck({ command, timeoutMs }: Healthcheck): Promise<boolean> {
    const { env, cwd, user } = this.spec
    return new Promise((resolve) => {
      spawn(command[0] ?? '', command.slice(1), {
        env,
        cwd,
        stdio: 'ignore',
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        ...(user ?? {}),
      })
        .once('error', () => resolve(false))
        .once('exit', (code) => resolve(code === 0))
    })
  }

  #after(ms: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      act()
    }, ms)
    this.#timers.add(timer)
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}

/** As a shell has it: 128 and the signal's number. */
function signalCode(signal: NodeJS.Signals | null): number {
  return signal === 'SIGKILL' ? 137 : signal === 'SIGTERM' ? 143 : 128
}
