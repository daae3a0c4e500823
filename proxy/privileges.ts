// How the proxy comes to run without privileges: started as root, it executes itself anew, through util-linux's setpriv,
// as a user of its own with the group of the Engine's socket and no capability, before it does anything else; what serves, also without what Node
// need not have. The process that reads requests has never held a privilege.
import { readFileSync, statSync } from 'node:fs'
import { resolve } from 'node:path'

/** The user and group to run as; numbers, as the image has them. */
export type User = { readonly uid: number; readonly gid: number }

const SETPRIV = '/usr/bin/setpriv'
/** One more is −1 to the kernel, which leaves an id as it is. */
const MAX_ID = 2 ** 32 - 2
/** The bit of CAP_SETPCAP, which emptying the bounding set takes. */
const CAP_SETPCAP = 1n << 8n

/** `UID:GID`, neither of them root's. */
export function parseUser(text: string): User {
  const [uid = 0, gid = 0] = (/^([1-9]\d*):([1-9]\d*)$/.exec(text) ?? []).slice(1).map(Number)
  const isId = (id: number) => id > 0 && id <= MAX_ID
  if (!isId(uid) || !isId(gid)) throw new Error(`“${text}” is not UID:GID, two numbers above 0 such as 10001:10001`)
  return { uid, gid }
}

/**
 * Returns at once where there is nothing to drop (no root). As root it does not return: this process becomes
 * the same program as `user`, in the group of `engineSocket`; where `writable` is given, as `nodePermissions` has it. Throws where that cannot
 * be done.
 */
export function dropPrivileges(user: User | undefined, engineSocket: string, writable?: readonly string[]): void {
  if (process.geteuid?.() !== 0) return
  if (!user) throw new Error('started as root: name the user to run as with --user UID:GID, or start as that user')
  const { execve } = process as { execve?: (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never }
  if (!execve)
    throw new Error(
      `started as root: Node ${process.versions.node} cannot become another user (22.15 or 24 can); start as that user`,
    )
  const flags = writable === undefined ? [] : nodePermissions(writable)
  execve(SETPRIV, setprivArguments(user, statSync(engineSocket).gid, hasCapability(CAP_SETPCAP), flags), process.env)
}

/**
 * Node's own confinement: it starts no process and no thread, loads no code that was compiled elsewhere, and writes files below the directories
 * `writable` alone. It may read what its user can: policies and certificates are wherever they were named.
 */
export function nodePermissions(writable: readonly string[]): readonly string[] {
  // By `*`, since Node takes the name of what is not there for a file's.
  const paths = new Set(writable.map((directory) => resolve(directory, '*')))
  return ['--permission', '--allow-fs-read=*', ...[...paths].map((path) => `--allow-fs-write=${path}`)]
}

/** What setpriv is called with: the user, its groups, no capability in any set, and this very program again, with `flags` for Node. */
export function setprivArguments(
  { uid, gid }: User,
  socketGid: number,
  canEmptyBounding: boolean,
  flags: readonly string[] = [],
): readonly string[] {
  return [
    'setpriv',
    `--reuid=${uid}`,
    `--regid=${gid}`,
    `--groups=${socketGid}`,
    '--inh-caps=-all',
    '--ambient-caps=-all',
    ...(canEmptyBounding ? ['--bounding-set=-all'] : []),
    '--no-new-privs',
    process.execPath,
    ...flags,
    ...process.execArgv,
    ...process.argv.slice(1),
  ]
}

/** Throws if this process holds a capability, in any set but the bounding one. To be called before the first request is read. */
export function assertUnprivileged(status: string = readStatus()): void {
  for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) {
    const value = new RegExp(`^${set}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1]
    if (value !== undefined && BigInt(`0x${value}`) !== 0n) {
      throw new Error(`this process holds capabilities (${set} ${value}); start it as root with --user, or as a user without any`)
    }
  }
}

function hasCapability(bit: bigint): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readStatus())?.[1]
  return effective !== undefined && (BigInt(`0x${effective}`) & bit) !== 0n
}

/** `/proc/self/status`; empty where the system has no such file. */
function readStatus(): string {
  try {
    return readFileSync('/proc/self/status', 'utf8')
  } catch {
    return ''
  }
}
