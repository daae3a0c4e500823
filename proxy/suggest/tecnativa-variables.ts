// The variables of Tecnativa/docker-socket-proxy, and of linuxserver/socket-proxy, which has the same: what each opened. Pure.
// Where versions differ, what a variable names is opened, and what came along with it goes by the stricter version.
import { nearest } from '../policy/nearest.ts'
import { CATALOGUE, type Operation, type OperationId } from '../request/catalogue.ts'

/** Each variable that was set, by its name. */
export type TecnativaSettings = ReadonlyMap<string, boolean>

/** A section of the API is the first word of its paths: `CONTAINERS` is `/containers…`, `PING` is `/_ping`. */
const sectionOf = ({ path }: Operation) => (path[0] ?? '').replace('_', '').toUpperCase()
const SECTIONS = [...new Set(CATALOGUE.map(sectionOf))]

/** Open unless they are set to 0. */
const OPEN_BY_DEFAULT = ['EVENTS', 'PING', 'VERSION']

/** Methods beside GET and HEAD. Older versions opened all of them by POST. */
const METHODS = ['POST', 'DELETE', 'PUT', 'PATCH']

/** Operations that are opened by a variable of their own, with the section closed. */
const NAMED: Readonly<Record<string, readonly OperationId[]>> = {
  ALLOW_START: ['ContainerStart'],
  ALLOW_STOP: ['ContainerStop'],
  ALLOW_RESTARTS: ['ContainerRestart', 'ContainerStop'],
  ALLOW_PAUSE: ['ContainerPause'],
  ALLOW_UNPAUSE: ['ContainerUnpause'],
}

/** Operations that newer versions keep closed in an open section. Older ones opened them with it, and a kill with the restarts. */
const HELD_BACK: Readonly<Record<string, readonly OperationId[]>> = {
  ALLOW_KILL: ['ContainerKill'],
  ALLOW_EXEC: ['ContainerExec'],
  ALLOW_ATTACH: ['ContainerAttach', 'ContainerAttachWebsocket'],
  ALLOW_ARCHIVE: ['ContainerArchive', 'ContainerArchiveInfo', 'PutContainerArchive'],
  ALLOW_EXPORT: ['ContainerExport'],
  ALLOW_LOGS: ['ContainerLogs'],
  ALLOW_DELETE: ['ContainerDelete'],
}

/** Variables that say nothing of access. */
const NOT_ACCESS = ['BIND_CONFIG', 'DISABLE_IPV6', 'LOG_LEVEL', 'SOCKET_PATH', 'TZ']

const SWITCHES = [...SECTIONS, ...METHODS, ...Object.keys(NAMED), ...Object.keys(HELD_BACK)]

const VALUES: Readonly<Record<string, boolean>> = {
  ...{ '1': true, true: true, yes: true, on: true },
  ...{ '0': false, false: false, no: false, off: false },
}

/** Reads `CONTAINERS=1 POST=0 …`, in one text or several. Throws a sentence where a variable or its value is none. */
export function parseTecnativa(texts: readonly string[]): TecnativaSettings {
  const settings = new Map<string, boolean>()
  for (const setting of texts.flatMap((text) => text.split(/\s+/)).filter((text) => text !== '')) {
    const [, name = '', value = ''] = /^([^=]+)=(.*)$/s.exec(setting) ?? []
    if (name === '') throw new Error(`“${setting}” is not VARIABLE=VALUE, such as CONTAINERS=1`)
    if (NOT_ACCESS.includes(name)) continue
    if (!SWITCHES.includes(name)) throw new Error(`${name}: no variable of that proxy; ${didYouMean(name)}`)
    if (settings.has(name)) throw new Error(`${name}: given twice; keep one`)
    const isOn = Object.hasOwn(VALUES, value.toLowerCase()) ? VALUES[value.toLowerCase()] : undefined
    if (isOn === undefined) throw new Error(`${name}: “${value}” is neither 1 nor 0`)
    settings.set(name, isOn)
  }
  return settings
}

function didYouMean(name: string): string {
  const near = nearest(name.toUpperCase(), SWITCHES)
  return near === undefined ? `expected ${[...SWITCHES].sort().join(', ')}` : `did you mean ${near}?`
}

export type Opened = {
  readonly operations: readonly Operation[]
  /** What an older or a newer version opened as well, by the settings that would take it in here. */
  readonly inOtherVersions: ReadonlyMap<string, readonly Operation[]>
}

/** The operations that these settings opened, in the order of the catalogue. */
export function openedBy(settings: TecnativaSettings): Opened {
  const isOn = (name: string) => settings.get(name) ?? OPEN_BY_DEFAULT.includes(name)
  const inOtherVersions = new Map<string, Operation[]>()
  const operations = CATALOGUE.filter((operation) => {
    const { id, method } = operation
    if (Object.entries(NAMED).some(([name, ids]) => isOn(name) && ids.includes(id))) return true
    const isWithRestarts = id === 'ContainerKill' && isOn('ALLOW_RESTARTS')
    const isRead = method === 'GET' || method === 'HEAD'
    if (!isWithRestarts && !(isOn(sectionOf(operation)) && (isRead || isOn('POST') || isOn(method)))) return false
    const lacking = [
      ...Object.entries(HELD_BACK).flatMap(([name, ids]) => (ids.includes(id) ? [name] : [])),
      ...(isRead || isWithRestarts ? [] : [method]),
    ].filter((name) => !isOn(name))
    const missing = lacking.map((name) => `${name}=1`).join(' ')
    // What was set to 0 was meant to be closed, and is not worth a word.
    if (missing !== '' && lacking.every((name) => !settings.has(name)))
      inOtherVersions.set(missing, [...(inOtherVersions.get(missing) ?? []), operation])
    return missing === ''
  })
  return { operations, inOtherVersions }
}
