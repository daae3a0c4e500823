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
    // Docker has `…/containers/ID/hostname`, Podman `…/overlay-containers/ID/userdata/hostname`.
    if (mountPoint === '/etc/hostname') return parseContainerId(/\/([0-9a-f]{64})(?:\/userdata)?\/hostname$/.exec(root)?.[1])
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
  engine: Pick<Engine, 'ask'>,
  ownId: ContainerId | undefined,
  socketPaths: readonly string[],
  mountinfo: string = readMountinfo(),
): Promise<Protection> {
  const own = ownId === undefined ? undefined : await inspectContainer(engine, ownId)
  const ownSources = own ? own.mounts.filter(holdsAny(socketPaths)).map(({ source }) => source) : []
  // Who shares another container's network has its host name, too: that one is not this one, and mounts none of the sockets.
  const sources = ownSources.length > 0 ? ownSources : socketPaths.map((path) => dirname(path))
  const roots = ownSources.length > 0 ? [] : mountRoots(socketPaths, mountinfo)
  return ({ id, mounts }) =>
    id === ownId ||
    mounts.some(({ source }) => sources.some((kept) => isWithin(source, kept)) || roots.some((root) => source.endsWith(root)))
}

/** Where on their file systems the mounts begin that hold the sockets; the ends of the paths that the host knows them by. */
function mountRoots(socketPaths: readonly string[], mountinfo: string): readonly string[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [, , , root = '', mountPoint = ''] = line.split(' ')
    const holds = mountPoint.length > 1 && socketPaths.some((path) => isWithin(path, mountPoint))
    return holds && root.length > 1 ? [root] : []
  })
}

function holdsAny(paths: readonly string[]): (mount: Mount) => boolean {
  return ({ destination }) => paths.some((path) => isWithin(path, destination))
}

function isWithin(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`)
}
