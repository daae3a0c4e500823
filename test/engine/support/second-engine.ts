// An Engine of the tests' own beside the one that runs: its sockets, data and processes in a directory of its own, without a network.
// It is the same program as the one that runs, or the one in PATH.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, openSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { run } from './composition.ts'

export type EngineProgram = { readonly file: string; readonly path: string }

/** Why there can be none here, or the program. */
export function findEngineProgram(): EngineProgram | string {
  if (process.getuid?.() !== 0) return 'only root can start an Engine'
  const path = process.env.PATH ?? ''
  const running = runningEngine()
  if (running) return running
  const directory = path.split(':').find((each) => existsSync(join(each, 'dockerd')))
  return directory === undefined ? 'there is no dockerd' : { file: join(directory, 'dockerd'), path }
}

function runningEngine(): EngineProgram | undefined {
  try {
    const pid = readFileSync('/var/run/docker.pid', 'utf8').trim()
    const file = readlinkSync(`/proc/${pid}/exe`)
    const path = /(?:^|\0)PATH=([^\0]*)/.exec(readFileSync(`/proc/${pid}/environ`, 'utf8'))?.[1]
    return file.endsWith('/dockerd') && existsSync(file) && path !== undefined ? { file, path } : undefined
  } catch {
    return undefined
  }
}

export type Answered = { readonly status: number; readonly body: string }

export type SecondEngine = {
  readonly socketPath: string
  /** The command line client, to this Engine. */
  readonly docker: (...args: readonly string[]) => Promise<string>
  /** A request as it is, however long the Engine takes. */
  readonly ask: (method: string, path: string, headers?: Readonly<Record<string, string>>) => Promise<Answered>
  /** Starts it with these flags, and resolves once it listens. */
  readonly start: (...flags: readonly string[]) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Its socket is for the group `gid`. */
export function secondEngine({ file, path }: EngineProgram, directory: string, gid: number): SecondEngine {
  const socketPath = join(directory, 'engine.sock')
  const at = (name: string) => join(directory, name)
  let child: ChildProcess | undefined
  const ask: SecondEngine['ask'] = (method, target, headers = {}) =>
    new Promise((resolve, reject) => {
      const asked = request({ socketPath, method, path: target, headers, agent: false }, (response) => {
        let body = ''
        response.setEncoding('utf8').on('data', (text: string) => {
          body += text
        })
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      })
      asked.on('error', reject)
      asked.end()
    })
  return {
    socketPath,
    docker: (...args) => run('docker', ['-H', `unix://${socketPath}`, ...args]),
    ask,
    async start(...flags) {
      writeFileSync(at('daemon.json'), '{}')
      const own = [
        '--config-file',
        at('daemon.json'),
        '--data-root',
        at('data'),
        '--exec-root',
        at('exec'),
        '--pidfile',
        at('pid'),
      ]
      const alone = ['--bridge=none', '--iptables=false', '--ip6tables=false', '--storage-driver=vfs', `--group=${gid}`]
      const log = openSync(at('engine.log'), 'a')
      // In a network of its own: without a bridge, an Engine takes away the one that it finds, which is another's.
      child = spawn(
        'unshare',
        ['--net', 'env', '-u', 'NODE_OPTIONS', `PATH=${path}`, file, '-H', `unix://${socketPath}`, ...own, ...alone, ...flags],
        {
          stdio: ['ignore', log, log],
        },
      )
      const answers = () => ask('GET', '/_ping').then(Boolean, () => false)
      while (!(await answers())) {
        if (child.exitCode !== null)
          throw new Error(`the Engine has ended: ${readFileSync(at('engine.log'), 'utf8').slice(-2000)}`)
        await delay(100)
      }
    },
    async stop() {
      const engine = child
      if (engine === undefined || engine.exitCode !== null) return
      const ended = new Promise((resolve) => engine.once('exit', resolve))
      engine.kill('SIGTERM')
      await ended
    },
  }
}

/** A busybox that needs no libraries, as Debian's busybox-static is; `undefined` where this machine has none. */
export const BUSYBOX = ['/bin/busybox', '/usr/bin/busybox'].find((file) => existsSync(file))

/** Makes an image of nothing but `busybox`; its name. */
export async function importBusybox(
  { docker }: Pick<SecondEngine, 'docker'>,
  directory: string,
  busybox: string,
): Promise<string> {
  const [root, archive, name] = [join(directory, 'image'), join(directory, 'image.tar'), 'busybox:postern']
  mkdirSync(join(root, 'bin'), { recursive: true })
  copyFileSync(busybox, join(root, 'bin/busybox'))
  execFileSync('tar', ['-C', root, '-cf', archive, '.'])
  await docker('import', archive, name)
  return name
}
