// Proxy and healer as they ship, before an engine, with a receiver of alerts; and what may go wrong between each two of them: as processes of
// this machine, which are killed with it.
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { run } from '../../engine/support/composition.ts'
import { HEALER_POLICY_TEXT } from '../../proxy/support/policies.ts'
import { freePort } from '../../support/free-port.ts'
import { builtProgram, plainNode } from '../../support/programs.ts'
import { createGate, type Gate } from './gate.ts'
import { createPart, type Part, type PartOptions } from './part.ts'
import { type Receiver, startReceiver } from './receiver.ts'

export type AuditLine = Readonly<Record<string, unknown>> & { readonly seq: number; readonly target?: { readonly name: string } }

export type Postern = {
  readonly directory: string
  readonly proxy: Part
  readonly healer: Part
  /** Between proxy and engine. */
  readonly engine: Gate
  /** Between healer and proxy. */
  readonly shared: Gate
  readonly receiver: Receiver
  /** Every line, over all files of the log. */
  readonly audit: () => readonly AuditLine[]
  /** What `postern-proxy audit verify` says; rejects where it finds fault. */
  readonly verify: () => Promise<string>
  readonly healerUrl: string
  readonly end: () => Promise<void>
}

export type PosternOptions = {
  /** Of the healer, on top of what makes it quick. */
  readonly env?: (receiverPort: number) => Readonly<Record<string, string>>
  /** In place of the one in the policy that ships. */
  readonly budget?: string
  /** Of both programs. */
  readonly nodeFlags?: readonly string[]
  readonly partEnv?: Readonly<Record<string, string>>
  readonly proxyArgs?: readonly string[]
  readonly onProcess?: PartOptions['onProcess']
}

/** Failed twice in a row, a second apart, is ill; and what is told is told at once. */
const QUICK = {
  CHECK_INTERVAL: '1',
  REQUEST_TIMEOUT: '1',
  FAILURE_THRESHOLD: '2',
  START_PERIOD: '2',
  ALERT_COOLDOWN: '0',
}
/** Whom the programs run as, where the tests run as root. */
const NOBODY = 65_534
const user = process.getuid?.() === 0 ? { uid: NOBODY, gid: NOBODY } : undefined

/** Starts all of it below `directory`, on the engine at `engineSocket`; resolves once both programs serve. */
export async function startPostern(directory: string, engineSocket: string, options: PosternOptions = {}): Promise<Postern> {
  const { budget, nodeFlags = [], partEnv, onProcess = () => undefined } = options
  const place = (name: string) => join(directory, name)
  for (const name of ['shared', 'audit', 'state']) {
    mkdirSync(place(name))
    chmodSync(place(name), 0o777)
  }
  const engine = await createGate(place('engine.sock'), engineSocket)
  const shared = await createGate(place('healer.sock'), place('shared/proxy.sock'))
  const receiver = await startReceiver()
  const healerPort = await freePort()
  writeFileSync(place('healer.yaml'), policyWith(budget))
  const common = { user, nodeFlags, onProcess }
  const proxy = createPart({
    ...common,
    name: 'proxy',
    args: proxyArgs(place, options.proxyArgs),
    env: { POSTERN_LOG_FORMAT: 'json', ...partEnv },
    serves: /^serving /,
  })
  const healer = createPart({
    ...common,
    name: 'healer',
    args: ['run'],
    env: { ...healerEnv(place, receiver.port, healerPort), ...QUICK, ...options.env?.(receiver.port), ...partEnv },
    serves: /^Health monitor started/,
  })
  const end = async () => {
    await Promise.all([proxy.kill(), healer.kill()])
    await Promise.all([engine.close(), shared.close(), receiver.fail('gone')])
  }
  try {
    await proxy.start()
    await healer.start()
  } catch (error) {
    await end()
    throw error
  }
  return {
    ...{ directory, proxy, healer, engine, shared, receiver, end },
    healerUrl: `http://127.0.0.1:${healerPort}`,
    audit: () => auditFiles(place).flatMap(readLines),
    verify: () => {
      const [command, args] = plainNode(builtProgram('proxy'), 'audit', 'verify', ...auditFiles(place))
      return run(command, args)
    },
  }
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
