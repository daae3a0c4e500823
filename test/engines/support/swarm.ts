// A swarm of two Engines, each in namespaces of its own, with a cable between them and nothing else: nothing can be pulled, and nobody
// outside can join.
import { readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { run } from '../../engine/support/composition.ts'
import { type RunningEngine, startEngine } from './engines.ts'

export type Swarm = {
  readonly manager: RunningEngine
  readonly worker: RunningEngine
  /** What the images of the composition are called here, before `-proxy` and the others. */
  readonly images: string
  readonly version: string
  /** Deploys the stack `name` from a file, with variables of the environment. */
  readonly deploy: (name: string, file: string, env?: NodeJS.ProcessEnv) => Promise<void>
}

const ADDRESSES = ['10.123.0.1', '10.123.0.2'] as const
const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }

export async function startSwarm(t: Test): Promise<Swarm> {
  const images = `postern-swarm-${process.pid}`
  const archive = await buildImages(t, images)
  const engines = [1, 2].map(() => startEngine(t, 'Docker Engine 26.1', archive))
  const [manager, worker] = await Promise.all(engines)
  if (!manager || !worker) throw new Error('there are no two Engines')
  await connect(manager, worker)
  await manager.docker('swarm', 'init', '--advertise-addr', ADDRESSES[0], '--default-addr-pool', '10.124.0.0/16')
  const token = (await manager.docker('swarm', 'join-token', '--quiet', 'worker')).trim()
  await worker.docker('swarm', 'join', '--advertise-addr', ADDRESSES[1], '--token', token, `${ADDRESSES[0]}:2377`)
  const host = `unix://${manager.socketPath}`
  return {
    manager,
    worker,
    images,
    version,
    deploy: async (name, file, env = {}) => {
      // Nobody is asked what the newest version of an image is.
      const args = ['stack', 'deploy', '--detach=true', '--resolve-image', 'never', '--compose-file', file, name]
      await run('docker', ['--host', host, ...args], { POSTERN_IMAGES: images, ...env })
    },
  }
}

/** The images of this tree, as one archive; the machine's own Engine, which builds them, keeps none of their names. */
async function buildImages(t: Test, images: string): Promise<string> {
  const names = ['proxy', 'healer', 'sample-app'].map((target) => ({ target, name: `${images}-${target}:${version}` }))
  const archive = join(tmpdir(), `${images}.tar`)
  t.teardown(async () => {
    rmSync(archive, { force: true })
    await run('docker', ['rmi', ...names.map(({ name }) => name)]).catch(() => undefined)
  })
  for (const { target, name } of names)
    await run('docker', ['build', '--file', 'compose/Dockerfile', '--target', target, '--tag', name, '.'])
  await run('docker', ['save', '--output', archive, ...names.map(({ name }) => name)])
  return archive
}

/** Lays a cable between the networks of the two. */
async function connect(manager: RunningEngine, worker: RunningEngine): Promise<void> {
  const inNetworkOf = (engine: RunningEngine, ...args: readonly string[]) =>
    run('nsenter', ['--target', String(engine.pid), '--net', 'ip', ...args])
  await inNetworkOf(manager, 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', String(worker.pid))
  for (const [index, engine] of [manager, worker].entries()) {
    await inNetworkOf(engine, 'addr', 'add', `${ADDRESSES[index]}/24`, 'dev', 'cable')
    await inNetworkOf(engine, 'link', 'set', 'cable', 'up')
  }
}
