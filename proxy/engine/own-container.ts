// Which container this process is, and which of the Engine's mounts hold its sockets. What is found here is never
// the target of a change.
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { type ContainerId, parseContainerId } from '../policy/target.ts'
import { type Inspected, inspectContainer, type Mount } from './containers.ts'
import type { Engine } from './engine.ts'

/** The id of the container this process runs in, by the mount that the Engine makes for its host name; `undefined` outside. */
export function ownContainerId(mountinfo: string = readMountinfo()): ContainerId | undefined {
  for (const line of mountinfo.split('\n')) {
    const [, , , root = '', mountPoint] = line.split(' ')
    if (mountPoint === '/etc/hostname') return parseContainerId(/\/([0-9a-f]{64})\/hostname$/.exec(root)?.[1])
  }
  return undefined
}

function readMountinfo(): string {
  try {
    return readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return ''
  }
}

/** Tells whether a container is this one, or mounts what holds one of the proxy's sockets. */
export type Protection = (container: Inspected) => boolean

/** Throws `EngineError` when the Engine cannot be asked about this container. */
export async function findProtection(
  engine: Engine,
  ownId: ContainerId | undefined,
  socketPaths: readonly string[],
): Promise<Protection> {
  const own = ownId === undefined ? undefined : await inspectContainer(engine, ownId)
  const sources = own
    ? own.mounts.filter(holdsAny(socketPaths)).map(({ source }) => source)
    : socketPaths.map((path) => dirname(path))
  return ({ id, mounts }) => id === ownId || mounts.some(({ source }) => sources.some((kept) => isWithin(source, kept)))
}

function holdsAny(paths: readonly string[]): (mount: Mount) => boolean {
  return ({ destination }) => paths.some((path) => isWithin(path, destination))
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`)
}
