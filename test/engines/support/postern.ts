// Postern on an engine, each part in a container as compose/compose.yaml has it: the proxy as root for its start only and without a
// network, the healer without anything. Their programs are those of this tree.
import { chmodSync, copyFileSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type LogLine, run, waitFor } from '../../engine/support/composition.ts'
import { HEALER_POLICY_FILE } from '../../proxy/support/policies.ts'
import { ask, type RawAnswer } from '../../proxy/support/raw-client.ts'
import { builtProgram, plainNode } from '../../support/programs.ts'
import { IMAGE, type RunningEngine } from './engines.ts'

export type AuditLine = Readonly<Record<string, unknown>> & { readonly target?: { readonly name: string } }

export type Postern = {
  readonly engine: RunningEngine
  /** What comes back for one request, such as `GET /_ping`, at the healer's socket. */
  readonly ask: (line: string) => Promise<RawAnswer>
  readonly audit: () => readonly AuditLine[]
  /** `postern-proxy` with these arguments, outside of any container; what it prints. */
  readonly proxy: (...args: readonly string[]) => Promise<string>
  readonly auditFile: string
}

/** Opted in, both: neither may be restarted all the same. */
const PARTS = ['--label', 'monitored=true', '--cap-drop', 'ALL', '--read-only', '--security-opt', 'no-new-privileges:true']
const ENVIRONMENT = {
  POSTERN_USER: '10001:10001',
  POSTERN_SERVE: '/etc/postern/healer.yaml@unix:///run/postern/healer.sock',
  POSTERN_METRICS: 'unix:///run/postern/metrics.sock',
  POSTERN_AUDIT: '/var/log/postern/audit.jsonl',
}

/** Docker's client reads the file; Podman would take what it sends for a path. */
function confinedBy({ kind }: RunningEngine, profile: string): readonly string[] {
  return kind.start.endsWith('docker') ? ['--security-opt', `seccomp=compose/seccomp/${profile}.json`] : []
}

/** Starts the proxy as `proxy`. */
export async function startPostern(engine: RunningEngine): Promise<Postern> {
  const place = (name: string) => join(engine.directory, name)
  for (const name of ['programs', 'policy', 'volumes']) mkdirSync(place(name))
  copyFileSync(HEALER_POLICY_FILE, place('policy/healer.yaml'))
  for (const program of ['proxy', 'healer'] as const) {
    copyFileSync(builtProgram(program), place(`programs/${program}.mjs`))
    chmodSync(place(`programs/${program}.mjs`), 0o644)
  }
  if (engine.kind.start.startsWith('rootless')) await run('chown', ['-R', '--reference', place('tmp'), place('volumes')])
  await makeVolumes(engine)
  await engine.docker(
    ...['run', '--detach', '--name', 'proxy', ...PARTS, ...confinedBy(engine, 'proxy'), '--network', 'none'],
    ...['SETUID', 'SETGID', 'SETPCAP'].flatMap((capability) => ['--cap-add', capability]),
    ...variables(ENVIRONMENT),
    ...mounts(engine, {
      'engine.sock': '/var/run/docker.sock',
      policy: '/etc/postern:ro',
      'volumes/sockets': '/run/postern',
      'volumes/audit': '/var/log/postern',
      'programs/proxy.mjs': '/app/proxy.mjs:ro',
    }),
    ...[IMAGE, 'node', '--max-old-space-size=64', '/app/proxy.mjs', 'serve'],
  )
  const socket = place('volumes/sockets/healer.sock')
  const auditFile = place('volumes/audit/audit.jsonl')
  await waitFor('the proxy to serve', async () => (await ask(socket, 'GET /_ping')).status === 200)
  return {
    engine,
    ask: (line) => ask(socket, line),
    audit: () => parseLines<AuditLine>(readFileSync(auditFile, 'utf8')),
    auditFile,
    proxy: (...args) => {
      const [command, given] = plainNode(builtProgram('proxy'), ...args)
      return run(command, given)
    },
  }
}

/** Starts the healer as `healer`, quick. */
export async function startHealer(engine: RunningEngine): Promise<{ readonly log: () => Promise<readonly LogLine[]> }> {
  await engine.docker(
    ...[
      'run',
      '--detach',
      '--name',
      'healer',
      ...PARTS,
      ...confinedBy(engine, 'with-network'),
      '--user',
      '10002:10002',
      '--group-add',
      '10000',
      '--tmpfs',
      '/tmp',
    ],
    ...variables({ DOCKER_HOST: 'unix:///run/postern/healer.sock', STATE_DIR: '/tmp' }),
    ...variables({ CHECK_INTERVAL: '1', REQUEST_TIMEOUT: '5', START_PERIOD: '5' }),
    ...mounts(engine, { 'volumes/sockets': '/run/postern:ro', 'programs/healer.mjs': '/app/healer.mjs:ro' }),
    ...[IMAGE, 'node', '/app/healer.mjs', 'run'],
  )
  return {
    log: async () => parseLines<LogLine>(await engine.docker('logs', 'healer')),
  }
}

/** With the owners and modes that the image gives to its volumes; by the engine, since a rootless one has ids of its own. */
async function makeVolumes(engine: RunningEngine): Promise<void> {
  const script =
    'cd /volumes && mkdir sockets audit && chown 10001:10000 sockets && chmod 2750 sockets && chown 10001:10001 audit && chmod 750 audit'
  await engine.docker('run', '--rm', ...mounts(engine, { volumes: '/volumes' }), IMAGE, 'sh', '-c', script)
}

function mounts({ directory }: RunningEngine, places: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(places).flatMap(([source, target]) => ['--volume', `${join(directory, source)}:${target}`])
}

function variables(values: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(values).flatMap(([name, value]) => ['--env', `${name}=${value}`])
}

/** One JSON object per line. */
function parseLines<T>(text: string): readonly T[] {
  return text.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as T] : []))
}
