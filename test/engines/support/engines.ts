// Starts engines for tests, each below a directory and in namespaces of its own, with one image in it; all of it goes when the test ends.
// Never touches the machine's own Engine, but for the copy of the image.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Test } from 'tap'
import { run } from '../../engine/support/composition.ts'

export const IMAGE = 'node:24-bookworm-slim'

export type EngineKind = {
  readonly start: 'docker' | 'rootless-docker' | 'podman' | 'rootless-podman'
  /** What its `/version` has to tell, so that docs/engines.md does not speak of another. */
  readonly version: string
  readonly api: string
  /** The daemon's program; `running`: the one that the machine's own Engine is. */
  readonly dockerd?: string
}

/** By the name of its row in docs/engines.md. */
export const ENGINES = {
  'Docker Engine 26.1': { start: 'docker', version: '26.1', api: '1.45', dockerd: 'running' },
  'Docker Engine 20.10': { start: 'docker', version: '20.10', api: '1.41', dockerd: '/usr/sbin/dockerd' },
  'Docker Engine 20.10, rootless': { start: 'rootless-docker', version: '20.10', api: '1.41', dockerd: '/usr/sbin/dockerd' },
  'Podman 4.3': { start: 'podman', version: '4.3', api: '1.41' },
  'Podman 4.3, rootless': { start: 'rootless-podman', version: '4.3', api: '1.41' },
} as const satisfies Readonly<Record<string, EngineKind>>

export type EngineName = keyof typeof ENGINES

export type RunningEngine = {
  readonly kind: EngineKind
  /** Of a process in its network. */
  readonly pid: number
  readonly socketPath: string
  /** Seen at the same path by this process and by the engine, and belongs to its root. */
  readonly directory: string
  /** Docker's client, on this engine. */
  readonly docker: (...args: readonly string[]) => Promise<string>
  /** The body of the engine's own answer, from JSON. */
  readonly ask: (path: string) => Promise<unknown>
}

const SCRIPT = new URL('./start-engine.sh', import.meta.url).pathname
const NAMESPACES = ['--net', '--mount', '--pid', '--ipc', '--mount-proc', '--fork', '--kill-child']

/** Removes the cgroups whose names hold one of the arguments, and those above them that are empty then. */
const REMOVE_CGROUPS = `
for name in "$@"; do find /sys/fs/cgroup -depth -type d -path "*$name*" -exec rmdir {} +; done
rmdir /sys/fs/cgroup{,/*}/{postern-engines,libpod_parent/conmon,libpod_parent}`

/** With the images of `archive` in it; without one, with the machine's own copy of `IMAGE`. */
export async function startEngine(t: Test, name: EngineName, archive?: string): Promise<RunningEngine> {
  const kind: EngineKind = ENGINES[name]
  const directory = mkdtempSync(join(tmpdir(), 'pe-'))
  chmodSync(directory, 0o755)
  const socketPath = join(directory, 'engine.sock')
  const { dockerd, path } = findDaemon(kind)
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'unshare', ...NAMESPACES, 'bash', SCRIPT, kind.start, directory, dockerd],
    {
      env: { PATH: path },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  const ended = once(child, 'close')
  let written = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (written += text))
  const engine: RunningEngine = {
    kind,
    pid: child.pid ?? 0,
    socketPath,
    directory,
    docker: (...args) => run('docker', ['--host', `unix://${socketPath}`, ...args]),
    ask: (asked) => askEngine(socketPath, asked),
  }
  t.teardown(async () => {
    const containers = await engine.docker('ps', '--all', '--quiet', '--no-trunc').catch(() => '')
    child.kill('SIGKILL')
    await ended
    rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
    // What is not there is no trouble.
    const names = [basename(directory), ...containers.split('\n').filter((id) => id !== '')]
    await run('bash', ['-c', REMOVE_CGROUPS, 'sh', ...names]).catch(() => undefined)
  })
  await untilAnswered(
    engine,
    () => child.exitCode,
    () => written,
  )
  // As the socket units of Docker and of Podman have it.
  chmodSync(socketPath, 0o660)
  if (archive !== undefined) await engine.docker('load', '--quiet', '--input', archive)
  else
    await run('bash', ['-c', 'set -o pipefail; docker save "$1" | docker --host "$2" load', 'sh', IMAGE, `unix://${socketPath}`])
  return engine
}

/** The daemon's program, and the path on which it finds the others that it needs. */
function findDaemon({ dockerd = '' }: EngineKind): { dockerd: string; path: string } {
  const path = process.env.PATH ?? ''
  if (dockerd !== 'running') return { dockerd, path }
  const pid = readFileSync('/var/run/docker.pid', 'utf8').trim()
  const program = readlinkSync(`/proc/${pid}/exe`)
  return { dockerd: program, path: `${dirname(program)}:${join(dirname(program), '../bin')}:${path}` }
}

async function untilAnswered(engine: RunningEngine, exitCode: () => number | null, written: () => string): Promise<void> {
  for (let tries = 0; tries < 300; tries++) {
    const answered = await engine.ask('/version').then(
      () => true,
      () => false,
    )
    if (answered) return
    if (exitCode() !== null) break
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`${engine.kind.start} does not answer; is all installed that docs/engines.md names? It wrote: ${written()}`)
}

function askEngine(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    request({ socketPath, path, agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => (body += text))
      response.on('end', () => {
        try {
          resolve(JSON.parse(body))
        } catch (error) {
          reject(error)
        }
      })
    })
      .on('error', reject)
      .end()
  })
}
