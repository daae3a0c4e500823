// Brings up compose/compose.yaml on the Docker Engine, for tests that look at it from outside as its operator would.
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { freePort } from '../../support/free-port.ts'

const execute = promisify(execFile)

/** Runs a command to its end; its output. Rejects with what it wrote to stderr. */
export async function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
  const { stdout } = await execute(command, args, { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 })
  return stdout
}

export const docker = (...args: readonly string[]) => run('docker', args)

/** What prints a file in a container of ours: their images have no `cat`. */
export const printFile = (path: string) => ['node', '-e', 'process.stdout.write(fs.readFileSync(process.argv[1]))', path]

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }

/** What the composition calls an image that it builds. */
export const imageOf = (name: 'proxy' | 'healer' | 'sample-app') => `postern-${name}:${version}`

export type LogLine = { readonly msg: string; readonly time: string; readonly level: string; readonly event?: string }
export type AuditLine = Readonly<Record<string, unknown>> & { readonly target?: { readonly name: string; readonly id: string } }

export type Composition = {
  readonly ports: { readonly app: number; readonly healer: number; readonly prometheus: number; readonly alertmanager: number }
  /** `docker compose` on this composition. */
  readonly compose: (...args: readonly string[]) => Promise<string>
  readonly logs: (service: string) => Promise<string>
  readonly healerLog: () => Promise<LogLine[]>
  readonly audit: () => Promise<AuditLine[]>
  /** Waits until the healer's log has a line with `words`, after `since` lines. */
  readonly said: (words: string, since?: number) => Promise<LogLine>
  /** A request to the sample app. */
  readonly app: (method: string, path: string) => Promise<Response>
}

const FILE = 'compose/compose.yaml'
const QUICK_START = 'test/engine/support/quick-start.yaml'

/** Settings that make a healing run take seconds instead of a minute. */
const QUICK = { CHECK_INTERVAL: '1', REQUEST_TIMEOUT: '1', START_PERIOD: '5' }

/** Brings up `services` with the healer's settings in `env`, changed by the file `override`, and takes all down when the test ends. */
export async function bringUp(
  t: Test,
  services: readonly string[],
  env: NodeJS.ProcessEnv = {},
  override?: string,
): Promise<Composition> {
  const ports = {
    app: await freePort(),
    healer: await freePort(),
    prometheus: await freePort(),
    alertmanager: await freePort(),
  }
  const { app, healer, prometheus, alertmanager } = ports
  const settings = {
    ...QUICK,
    // With the narrowest confinement that there is: whatever works here works in it.
    POSTERN_SECCOMP: './seccomp',
    ...env,
    // For `ps`, `logs` and `down`; `up` is told the services.
    COMPOSE_PROFILES: 'demo,monitoring',
    ...{ SAMPLE_APP_PORT: `${app}`, HEALER_PORT: `${healer}` },
    ...{ PROMETHEUS_PORT: `${prometheus}`, ALERTMANAGER_PORT: `${alertmanager}` },
  }
  const more = [...((await knowsStartInterval()) ? [QUICK_START] : []), ...(override === undefined ? [] : [override])]
  const files = [FILE, ...more].flatMap((file) => ['-f', file])
  const compose = (...args: readonly string[]) => run('docker', ['compose', ...files, ...args], settings)
  if ((await compose('ps', '-q')) !== '')
    throw new Error('the composition is running; take it down first: docker compose -f compose/compose.yaml down')
  // By the name of the project: the override may be gone by then.
  t.teardown(() => run('docker', ['compose', '-f', FILE, 'down', '--volumes', '--remove-orphans', '--timeout', '1'], settings))
  // `npm test` builds them once for all files, and says so.
  const build = process.env.IMAGES_BUILT === '1' ? [] : ['--build']
  await compose('up', ...build, '--detach', ...services)

  // Not `compose logs`, which writes control sequences between the lines.
  const logs = async (service: string) => docker('logs', (await compose('ps', '--all', '-q', service)).trim())
  const healerLog = async () => parseLines<LogLine>(await logs('healer'))
  return {
    logs,
    ports,
    compose,
    healerLog,
    audit: async () =>
      parseLines<AuditLine>(
        await compose('exec', '-T', '--user', '10001:10001', 'proxy', ...printFile('/var/log/postern/audit.jsonl')),
      ),
    said: (words, since = 0) =>
      waitFor(`the healer to say “${words}”`, async () =>
        (await healerLog()).slice(since).find(({ msg }) => msg.includes(words)),
      ),
    app: (method, path) => fetch(`http://127.0.0.1:${app}${path}`, { method, signal: AbortSignal.timeout(5000) }),
  }
}

/** Engines know it since 25, which is API 1.44. */
async function knowsStartInterval(): Promise<boolean> {
  const [major, minor] = (await docker('version', '--format', '{{.Server.APIVersion}}')).trim().split('.').map(Number)
  return (major ?? 0) > 1 || (minor ?? 0) >= 44
}

function parseLines<T>(text: string): T[] {
  return text.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as T] : []))
}

/** Asks `look` again and again until it gives something; rejects after five minutes, which only bound a failure. */
export async function waitFor<T>(what: string, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + 300_000
  let last: unknown
  while (Date.now() < deadline) {
    try {
      const found = await look()
      if (found) return found
    } catch (error) {
      last = error
    }
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
  throw new Error(`waited in vain for ${what}`, { cause: last })
}

/** What the Engine says of a container. */
export async function inspect(name: string) {
  const [container] = JSON.parse(await docker('inspect', name)) as [
    {
      readonly Id: string
      readonly State: {
        readonly Pid: number
        readonly StartedAt: string
        readonly Status: string
        readonly Health?: { readonly Status: string; readonly FailingStreak: number }
      }
      readonly RestartCount: number
      readonly Mounts: readonly {
        readonly Source: string
        readonly Destination: string
        readonly RW: boolean
        readonly Name?: string
      }[]
      readonly NetworkSettings: { readonly Networks: Readonly<Record<string, unknown>> }
      readonly HostConfig: Readonly<Record<string, unknown>>
      readonly Config: { readonly User: string }
    },
  ]
  return container
}
