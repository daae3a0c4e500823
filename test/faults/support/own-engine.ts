// A Docker Engine to be killed: in the namespaces that this process is in, which are of the tests' own. With containers that answer 200 to a
// probe for as long as a file is there, which each makes when it starts.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { run } from '../../engine/support/composition.ts'
import { type EngineProgram, importBusybox } from '../../engine/support/second-engine.ts'

export type OwnEngine = {
  readonly socketPath: string
  readonly docker: (...args: readonly string[]) => Promise<string>
  readonly start: () => Promise<void>
  /** With SIGKILL; what watches its containers lives on. */
  readonly kill: () => Promise<void>
  readonly createApp: (name: string, options?: AppOptions) => Promise<EngineApp>
}

export type AppOptions = {
  readonly labels?: Readonly<Record<string, string>>
  /** For `docker run`. */
  readonly options?: readonly string[]
  /** In the place of the web server alone. */
  readonly script?: string
}

export type EngineApp = {
  readonly name: string
  /** Fails from now on, until it is started anew. */
  readonly fail: () => void
  readonly isWell: () => boolean
  /** How often it was started, by whomever. */
  readonly starts: () => number
  /** Puts a file where its script can see it. */
  readonly tell: (word: string) => void
  readonly address: () => Promise<string>
  readonly inspect: () => Promise<{ readonly Status: string; readonly OOMKilled: boolean; readonly ExitCode: number }>
}

export const SERVE = '/bin/busybox httpd -f -p 8080 -h /www'

export function ownEngine({ file, path }: EngineProgram, directory: string, cgroup: string, busybox: string): OwnEngine {
  const at = (name: string) => join(directory, name)
  const socketPath = at('d.sock')
  let child: ChildProcess | undefined
  let image: string | undefined
  const docker = (...args: readonly string[]) => run('docker', ['-H', `unix://${socketPath}`, ...args])
  const answers = () =>
    docker('version').then(
      () => true,
      () => false,
    )
  return {
    socketPath,
    docker,
    async start() {
      writeFileSync(at('daemon.json'), '{}')
      const flags = [
        ...[
          '-H',
          `unix://${socketPath}`,
          '--config-file',
          at('daemon.json'),
          '--data-root',
          at('data'),
          '--exec-root',
          at('exec'),
        ],
        ...[
          '--pidfile',
          at('pid'),
          '--iptables=false',
          '--ip6tables=false',
          '--storage-driver=vfs',
          '--live-restore',
          '--cgroup-parent',
          cgroup,
        ],
      ]
      const log = openSync(at('engine.log'), 'a')
      rmSync(at('pid'), { force: true })
      child = spawn(file, flags, { env: { PATH: path }, stdio: ['ignore', log, log] })
      while (!(await answers())) {
        if (child.exitCode !== null)
          throw new Error(`the Engine has ended: ${readFileSync(at('engine.log'), 'utf8').split('\n').slice(-4).join('\n')}`)
        await delay(100)
      }
    },
    async kill() {
      const engine = child
      if (!engine) return
      const ended = new Promise((resolve) => engine.once('exit', resolve))
      engine.kill('SIGKILL')
      await ended
    },
    async createApp(name, { labels = {}, options = [], script = `exec ${SERVE}` } = {}) {
      image ??= await importBusybox({ docker }, directory, busybox)
      const place = at(`apps/${name}`)
      mkdirSync(place, { recursive: true })
      const labelled = Object.entries({ monitored: 'true', 'healer.port': '8080', 'healer.path': '/health', ...labels })
      await docker(
        ...['run', '--detach', '--name', name, '--stop-signal=KILL', '--volume', `${place}:/www`],
        ...labelled.flatMap(([label, value]) => ['--label', `${label}=${value}`]),
        ...[...options, image, '/bin/busybox', 'sh', '-c', `echo ok > /www/health; echo 1 >> /www/starts; ${script}`],
      )
      const inspect = async () => JSON.parse(await docker('inspect', name))[0]
      return {
        name,
        fail: () => rmSync(join(place, 'health')),
        isWell: () => existsSync(join(place, 'health')),
        starts: () => readFileSync(join(place, 'starts'), 'utf8').trim().split('\n').length,
        tell: (word) => writeFileSync(join(place, word), ''),
        address: async () => (await inspect()).NetworkSettings.Networks.bridge.IPAddress,
        inspect: async () => (await inspect()).State,
      }
    },
  }
}

/** What only namespaces of one's own allow: a loopback interface, an empty /run. */
export function prepareNamespaces(): void {
  execFileSync('ip', ['link', 'set', 'lo', 'up'])
  execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run'])
}
