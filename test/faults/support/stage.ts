// The programs as they ship, on the embedded engine, with apps to heal and a receiver of alerts; and what may go wrong between each two of
// them. All of it runs as processes of this machine, and is gone afterwards, however that comes.
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngineServer } from '../../../compose/embedded/engine-api.ts'
import { run } from '../../engine/support/composition.ts'
import { HEALER_POLICY_TEXT } from '../../proxy/support/policies.ts'
import { freePort } from '../../support/free-port.ts'
import { builtProgram, plainNode } from '../../support/programs.ts'
import { type App, createApp } from './app.ts'
import { createGate, type Gate } from './gate.ts'
import { createPart, type Part } from './part.ts'
import { type Receiver, startReceiver } from './receiver.ts'

export type AuditLine = Readonly<Record<string, unknown>> & { readonly seq: number; readonly target?: { readonly name: string } }

export type Stage = {
  readonly directory: string
  readonly proxy: Part
  readonly healer: Part
  /** Between proxy and engine. */
  readonly engine: Gate
  /** Between healer and proxy. */
  readonly shared: Gate
  readonly receiver: Receiver
  readonly app: (name: string) => App
  readonly apps: readonly App[]
  /** Every line, over all files of the log. */
  readonly audit: () => readonly AuditLine[]
  /** What `postern-proxy audit verify` says; rejects where it finds fault. */
  readonly verify: () => Promise<string>
  readonly healerUrl: string
  readonly end: () => Promise<void>
}

export type StageOptions = {
  readonly apps: readonly {
    readonly name: string
    readonly labels?: Readonly<Record<string, string>>
    readonly incurable?: boolean
  }[]
  /** Of the healer, on top of what makes it quick. */
  readonly env?: Readonly<Record<string, string>>
  /** In place of the one in the policy that ships. */
  readonly budget?: string
  /** Of both programs. */
  readonly nodeFlags?: readonly string[]
  readonly partEnv?: Readonly<Record<string, string>>
  readonly proxyArgs?: readonly string[]
}

/** Failed twice in a row, a second apart, is ill; and what is told is told at once. */
export const QUICK = {
  CHECK_INTERVAL: '1',
  REQUEST_TIMEOUT: '1',
  FAILURE_THRESHOLD: '2',
  START_PERIOD: '2',
  ALERT_COOLDOWN: '0',
}
/** Whom the programs run as, where the tests run as root. */
const NOBODY = 65_534
const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : undefined
const UNDERTAKER = new URL('../../../compose/embedded/undertaker.ts', import.meta.url).pathname

/** Starts all of it; resolves once the healer has looked at every app. */
export async function startStage(options: StageOptions): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'postern-'))
  chmodSync(directory, 0o755)
  const place = (name: string) => join(directory, name)
  for (const name of ['shared', 'audit', 'state', 'apps']) mkdirSync(place(name))
  for (const name of ['shared', 'audit', 'state']) chmodSync(place(name), 0o777)
  const bury = startUndertaker(directory)
  const port = await freePort()
  const apps = options.apps.map((app, number) =>
    createApp({ ...app, port, number, directory: place('apps'), onProcess: bury.onProcess }),
  )
  const byName = new Map(apps.map((app) => [app.name, app]))
  for (let i = 0; i < apps.length; i += 50) await Promise.all(apps.slice(i, i + 50).map(({ container }) => container.start()))

  const server = createEngineServer(() => apps.map(({ container }) => container))
  await new Promise<void>((resolve) => server.listen(place('e.sock'), resolve))
  const engine = await createGate(place('engine.sock'), place('e.sock'))
  const shared = await createGate(place('healer.sock'), place('shared/proxy.sock'))
  const receiver = await startReceiver()
  const healerPort = await freePort()
  writeFileSync(place('healer.yaml'), policyWith(options.budget))
  const common = { user, nodeFlags: options.nodeFlags ?? [], onProcess: bury.onProcess }
  const proxy = createPart({
    ...common,
    name: 'proxy',
    args: proxyArgs(place, options.proxyArgs),
    env: { POSTERN_LOG_FORMAT: 'json', ...options.partEnv },
    serves: /^serving /,
  })
  const healer = createPart({
    ...common,
    name: 'healer',
    args: ['run'],
    env: { ...healerEnv(place, receiver.port, healerPort), ...QUICK, ...options.env, ...options.partEnv },
    serves: /^Health monitor started/,
  })
  const end = async () => {
    await Promise.all([proxy.kill(), healer.kill()])
    await Promise.all([engine.close(), shared.close(), receiver.fail('gone'), close(server)])
    await Promise.all(apps.map(({ container }) => container.stop(0)))
    await bury.end()
  }
  try {
    await proxy.start()
    await healer.start()
  } catch (error) {
    await end()
    throw error
  }
  return {
    ...{ directory, proxy, healer, engine, shared, receiver, apps, end },
    healerUrl: `http://127.0.0.1:${healerPort}`,
    app(name) {
      const found = byName.get(name)
      if (!found) throw new Error(`there is no ${name}`)
      return found
    },
    audit: () => auditFiles(place).flatMap(readLines),
    verify: () => run(...plain('proxy', 'audit', 'verify', ...auditFiles(place))),
  }
}

const plain = (name: 'proxy', ...args: string[]): [string, string[]] => {
  const [command, words] = plainNode(builtProgram(name), ...args)
  return [command, [...words]]
}

const proxyArgs = (place: (name: string) => string, more: readonly string[] = []) => [
  ...['serve', `${place('healer.yaml')}@unix://${place('shared/proxy.sock')}`, '--engine', `unix://${place('engine.sock')}`],
  ...['--audit', place('audit/audit.jsonl'), '--metrics', `unix://${place('shared/metrics.sock')}`, ...more],
]

const healerEnv = (place: (name: string) => string, receiver: number, port: number) => ({
  DOCKER_HOST: `unix://${place('healer.sock')}`,
  STATE_DIR: place('state'),
  HEALER_PORT: String(port),
  HEALER_HOST: '127.0.0.1',
  WEBHOOK_URL: `http://127.0.0.1:${receiver}/hook`,
  SLACK_WEBHOOK_URL: `http://127.0.0.1:${receiver}/slack`,
  LOG_FORMAT: 'json',
})

function policyWith(budget: string | undefined): string {
  if (budget === undefined) return HEALER_POLICY_TEXT
  const text = HEALER_POLICY_TEXT.replace(/budget: \{[^}]*\}/, `budget: ${budget}`)
  if (text === HEALER_POLICY_TEXT) throw new Error('the policy that ships has no budget to replace')
  return text
}

/** The oldest first. */
function auditFiles(place: (name: string) => string): readonly string[] {
  const names = readdirSync(place('audit')).filter((name) => name.endsWith('.jsonl'))
  const earlier = names.filter((name) => name !== 'audit.jsonl').sort()
  return [...earlier, 'audit.jsonl'].map((name) => place(`audit/${name}`))
}

/** Without a line that is being written. */
const readLines = (file: string): readonly AuditLine[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => (line.endsWith('}') ? [JSON.parse(line)] : []))

/** Ends what is left of processes and removes `directory`, however this process ends. */
function startUndertaker(directory: string) {
  const undertaker = spawn(process.execPath, ['--import=tsx', UNDERTAKER, directory], {
    env: { PATH: process.env.PATH },
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const buried = new Promise<void>((resolve) => undertaker.once('exit', () => resolve()))
  return {
    onProcess: (pid: number, event: 'started' | 'ended') =>
      void undertaker.stdin.write(`${event === 'started' ? '+' : '-'}${pid}\n`),
    async end() {
      undertaker.stdin.end()
      await buried
    },
  }
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
