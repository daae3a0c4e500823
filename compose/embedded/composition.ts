// Runs compose/compose.yaml without Docker: proxy, healer and sample app are the very same programs, as plain processes,
// over an embedded engine on a unix socket. For trying and testing: nothing is confined.
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { type Mount, type Project, readProject, type Service } from './compose-file.ts'
import { createEngineServer } from './engine-api.ts'
import { ProcessContainer } from './process-container.ts'

export type CompositionOptions = {
  /** Variables for compose.yaml and for services that name them, as a shell's environment is for `docker compose`. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Each line that a service writes. */
  readonly onLine: (service: string, line: string) => void
}

export type Composition = {
  /** Where the services that publish a port answer. */
  readonly urls: Readonly<Record<string, string>>
  /** Services of compose.yaml that take Docker. */
  readonly notRun: readonly string[]
  readonly containers: readonly ProcessContainer[]
  /** Where everything of this run lies; gone after `stop`. */
  readonly directory: string
  readonly engineSocket: string
  /** Stops every process and removes every file of it. */
  readonly stop: () => Promise<void>
}

/** It cannot be started; the message says what to do. */
export class StartError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'StartError'
  }
}

const ROOT = join(import.meta.dirname, '../..')
const isRoot = process.geteuid?.() === 0
const ENGINE_MOUNT = '/var/run/docker.sock'
const HEALTHY_WITHIN_MS = 30_000
const STOP_TIMEOUT_MS = 3000

/** Starts it; `dist/` must have been built. Throws `StartError`. */
export async function startComposition({ env, onLine }: CompositionOptions): Promise<Composition> {
  // What the services write is read here, so it is JSON whatever a person would like.
  const project = readProject(join(ROOT, 'compose/compose.yaml'), { ...env, LOG_FORMAT: 'json' })
  for (const { name, port } of project.services) if (port) await refuseTakenPort(name, port)

  const directory = mkdtempSync(join(tmpdir(), 'postern-'))
  // As root, services run as users of their own, who must get in.
  if (isRoot) chmodSync(directory, 0o755)
  const { place, specs } = prepare(directory, project, env)
  const undertaker = spawn(process.execPath, ['--import=tsx', join(import.meta.dirname, 'undertaker.ts'), directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'inherit'],
  })
  const buried = new Promise<void>((resolve) => undertaker.once('exit', () => resolve()))
  const onProcess = (pid: number, event: 'started' | 'ended') =>
    void undertaker.stdin.write(`${event === 'started' ? '+' : '-'}${pid}\n`)
  const containers = specs.map(({ service, spec }) => new ProcessContainer(spec, (line) => onLine(service, line), onProcess))
  const server = createEngineServer(() => containers)
  await new Promise<void>((resolve) => server.listen(place.engineSocket, resolve))
  chmodSync(place.engineSocket, 0o600)
  place.handOver(place.engineSocket, 'proxy')

  const stop = async () => {
    await Promise.all(containers.map((container) => container.stop(STOP_TIMEOUT_MS)))
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    undertaker.stdin.end()
    await buried
  }
  try {
    await startInOrder(project.services, containers)
  } catch (error) {
    await stop()
    throw error
  }
  const published = project.services.flatMap(({ name, port }) => (port ? [[name, `http://localhost:${port.host}`] as const] : []))
  return {
    urls: Object.fromEntries(published),
    notRun: project.notRun,
    containers,
    directory,
    engineSocket: place.engineSocket,
    stop,
  }
}

/** Lays out the run's directory; where that fails, nothing of it stays. */
function prepare(directory: string, project: Project, env: CompositionOptions['env']) {
  try {
    const place = createPlace(directory, project)
    return { place, specs: project.services.map((service) => ({ service: service.name, spec: place.specOf(service, env) })) }
  } catch (error) {
    rmSync(directory, { recursive: true, force: true })
    throw error
  }
}

async function refuseTakenPort(service: string, { host, variable }: NonNullable<Service['port']>): Promise<void> {
  if (!(await answers(host))) return
  throw new StartError(
    [
      `Port ${host}, for ${service}, is taken: perhaps by another \`npm start\`, or by the composition on Docker`,
      `(\`docker compose -f compose/compose.yaml ps\`). Stop what listens there, or choose another port: ${variable}=${host + 10} npm start`,
    ].join('\n'),
  )
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Providers first; a service that others depend on is waited for until it is healthy, where it can say so. */
async function startInOrder(services: readonly Service[], containers: readonly ProcessContainer[]): Promise<void> {
  const started = new Set<string>()
  const startOne = async (service: Service) => {
    if (started.has(service.name)) return
    started.add(service.name)
    for (const provider of services.filter(({ name }) => service.dependsOn.includes(name))) {
      await startOne(provider)
      await untilHealthy(containerOf(provider))
    }
    await containerOf(service).start()
  }
  const containerOf = (service: Service): ProcessContainer => {
    const container = containers[services.indexOf(service)]
    if (!container) throw new Error(`${service.name} has no container`)
    return container
  }
  for (const service of services) await startOne(service)
}

async function untilHealthy(container: ProcessContainer): Promise<void> {
  const deadline = Date.now() + HEALTHY_WITHIN_MS
  while (container.health !== undefined && container.health.status !== 'healthy') {
    if (Date.now() > deadline) throw new StartError(`${container.spec.name} did not become healthy; its last lines say why`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** Where on this machine a service finds what its container would have at the paths of the image. */
function createPlace(directory: string, project: Project) {
  const engineSocket = join(directory, 'engine.sock')
  const node = isRoot ? nodeForEveryone(directory) : process.execPath
  const users = new Map(project.services.map((service) => [service.name, isRoot ? userOf(service) : undefined]))

  const handOver = (path: string, service: string) => {
    const user = users.get(service)
    if (user) chownSync(path, user.uid, user.gid)
  }
  const sourceOf = ({ source, target, kind }: Mount): string => {
    if (target === ENGINE_MOUNT) return engineSocket
    return kind === 'bind' ? source : join(directory, source)
  }
  const specOf = (service: Service, env: CompositionOptions['env']) => {
    const { image, mounts, port } = service
    for (const mount of mounts) {
      if (mount.kind !== 'volume' || mount.readOnly) continue
      mkdirSync(sourceOf(mount), { mode: 0o750 })
      handOver(sourceOf(mount), service.name)
      // As the image has it: what is made in the directory of the sockets belongs to the group that may use them.
      const group = project.services.find(({ groups }) => groups.length > 0)?.groups[0]
      const user = users.get(service.name)
      if (user && group !== undefined && mount.source === 'sockets') chownSync(sourceOf(mount), user.uid, group)
      if (mount.source === 'sockets') chmodSync(sourceOf(mount), 0o2750)
    }
    const program = join(directory, basename(image.program))
    copyFileSync(join(ROOT, 'dist', basename(image.program)), program)
    chmodSync(program, 0o644)
    const ofImage = [[image.program, program] as const, ['/policies', join(ROOT, 'policies')] as const]
    // What is mounted hides what the image has there.
    const paths = [...mounts.map((mount) => [mount.target, sourceOf(mount)] as const), ...ofImage]
    const local = (text: string) =>
      paths.reduce(
        (replaced, [inImage, here]) =>
          replaced.replaceAll(new RegExp(`(?<![\\w/])${inImage}(?=/|@|$)|(?<=//)${inImage}(?=/|@|$)`, 'g'), here),
        text,
      )
    const variables = Object.fromEntries(
      Object.entries({ ...image.env, ...service.env }).map(([name, value]) => [name, local(value)]),
    )
    const commandOf = (command: readonly string[]) => command.map((word, i) => (i === 0 && word === 'node' ? node : local(word)))
    return {
      name: service.containerName,
      labels: service.labels,
      image: service.imageName,
      command: commandOf(image.command),
      env: { ...surroundings(env), ...variables, ...(port ? portVariables(image.env, port) : {}) },
      cwd: directory,
      user: users.get(service.name),
      tcpPorts: port && image.tcpPorts.includes(port.container) ? [port.host] : image.tcpPorts,
      mounts: mounts.map((mount) => ({ source: sourceOf(mount), destination: mount.target, readOnly: mount.readOnly })),
      network: `${project.name}_default`,
      restart: service.restart,
      stopTimeoutMs: 10_000,
      healthcheck: image.healthcheck && { ...image.healthcheck, command: commandOf(image.healthcheck.command) },
    }
  }
  return { engineSocket, specOf, handOver }
}

/** What a process needs of the machine, and nothing else of the environment it is started from. */
function surroundings(env: CompositionOptions['env']): Record<string, string> {
  const names = ['PATH', 'TMPDIR', 'NODE_EXTRA_CA_CERTS']
  return Object.fromEntries(names.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}

/** Without networks of their own, services listen at the published port, on the loopback address alone: `X_PORT` and `X_HOST`. */
function portVariables(imageEnv: Readonly<Record<string, string>>, port: NonNullable<Service['port']>): Record<string, string> {
  const names = Object.keys(imageEnv).filter((name) => /(^|_)PORT$/.test(name) && imageEnv[name] === String(port.container))
  return Object.fromEntries(
    names.flatMap((name) => [
      [name, String(port.host)],
      [name.replace(/PORT$/, 'HOST'), '127.0.0.1'],
    ]),
  )
}

/** Started as root, services run as the users of their images; a process has one group here, so the shared one comes first. */
function userOf({ image, groups }: Service): { uid: number; gid: number } {
  const [uid = 0, gid = 0] = (image.user ?? image.env.POSTERN_USER ?? '').split(':').map(Number)
  if (!(uid > 0 && gid > 0)) throw new StartError('an image without a user of its own cannot be run as root')
  return { uid, gid: groups[0] ?? gid }
}

/** A Node that other users may execute: this one, or a copy where it lies in a closed directory. */
function nodeForEveryone(directory: string): string {
  const works = spawnSync(process.execPath, ['--version'], { uid: 10001, gid: 10001 }).status === 0
  if (works) return process.execPath
  const copy = join(directory, 'node')
  copyFileSync(process.execPath, copy)
  chmodSync(copy, 0o755)
  return copy
}
