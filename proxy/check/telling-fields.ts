// The fields of the Engine's answers that tell more than they seem to: secrets, commands, paths of the host. Pure.
import { fieldsBelow, matchesName } from '../policy/name-pattern.ts'
import type { Show } from '../policy/policy.ts'
import type { OperationId } from '../request/catalogue.ts'

/** Of what is shown: the entry of `show` that a person would have to change (empty: `show: all`), and what it tells. */
export type Telling = { readonly entry: readonly string[]; readonly tells: readonly string[] }

const ENV = 'the environment, where passwords and tokens are kept'
const COMMAND = 'command lines, which may hold passwords'
const MOUNTS = 'which directories of the host are mounted'
const PATHS = 'paths of the host'
const LABELS = 'the labels of compose that hold paths of the host'
const OPTIONS = 'options of drivers, which may hold passwords'
const BUILDS = 'the commands of builds, with the arguments given to them'
const COUNTS = 'how many containers there are, outside the scope as well'
const SPEC = 'what services run with: environment, commands, mounts'

const COMPOSE = 'com.docker.compose.project.'
const IN_LABELS = ['working_dir', 'config_files', 'environment_file'].map((name) => `${COMPOSE}${name}`)
const labelsIn = (...path: readonly string[]) => IN_LABELS.map((label) => [[...path, label], LABELS] as const)
const all = (tells: string, ...paths: readonly string[]) => paths.map((path) => [path.split('.'), tells] as const)

type Fields = readonly (readonly [path: readonly string[], tells: string])[]

const VOLUME = [...all(OPTIONS, 'Options.*'), ...all(PATHS, 'Mountpoint')]
const PLUGIN = [...all(ENV, 'Settings.Env', 'Config.Env.*'), ...all(COMMAND, 'Settings.Args')]
const SERVICE = all(SPEC, 'Spec.TaskTemplate.ContainerSpec', 'PreviousSpec.TaskTemplate')
const TASK = all(SPEC, 'Spec.ContainerSpec.Env', 'Spec.ContainerSpec.Args', 'Spec.ContainerSpec.Mounts')
const CONFIG = all('the contents of configs, which often hold passwords', 'Spec.Data')

/** Of bytes there is nothing but the whole. */
const PRINTED = all('whatever a container prints, which may hold passwords', '*')
const FILES = all('every file that is asked for, those that hold secrets too', '*')

/** Each path goes as deep as it tells: of `Mounts`, what lies inside the container is no secret; `*` is any name. */
export const TELLING_FIELDS: Partial<Record<OperationId, Fields>> = {
  ContainerList: [...all(COMMAND, 'Command'), ...all(MOUNTS, 'Mounts.Source'), ...labelsIn('Labels')],
  ContainerInspect: [
    ...all(ENV, 'Config.Env'),
    ...all(COMMAND, 'Path', 'Args', 'Config.Cmd', 'Config.Entrypoint', 'Config.Healthcheck.Test'),
    ...all('what the health check printed', 'State.Health.Log.Output'),
    ...all(MOUNTS, 'Mounts.Source', 'HostConfig.Binds', 'HostConfig.Mounts.Source'),
    ...all(PATHS, 'State.Error', 'LogPath', 'ResolvConfPath', 'HostnamePath', 'HostsPath', 'GraphDriver.Data.*'),
    ...all('options of the log driver, which may hold a token', 'HostConfig.LogConfig.Config.*'),
    ...labelsIn('Config', 'Labels'),
  ],
  ContainerLogs: PRINTED,
  ServiceLogs: PRINTED,
  TaskLogs: PRINTED,
  ContainerArchive: FILES,
  ContainerExport: FILES,
  ImageGet: FILES,
  ImageGetAll: FILES,
  SystemEvents: labelsIn('Actor', 'Attributes'),
  ExecInspect: all(COMMAND, 'ProcessConfig.arguments'),
  SystemAuth: all('a token of the registry’s', 'IdentityToken'),
  VolumeCreate: VOLUME,
  ContainerTop: all(COMMAND, 'Processes'),
  ImageInspect: all(ENV, 'Config.Env', 'ContainerConfig.Env'),
  ImageHistory: all(BUILDS, 'CreatedBy'),
  SystemInfo: all(COUNTS, 'Containers', 'ContainersRunning', 'ContainersPaused', 'ContainersStopped'),
  SystemDataUsage: [
    ...all(COMMAND, 'Containers.Command', 'ContainersUsage.Items'),
    ...all(MOUNTS, 'Containers.Mounts', 'ContainersUsage.Items'),
    ...all(LABELS, 'Containers.Labels', 'ContainersUsage.Items'),
    ...all(OPTIONS, 'Volumes.Options', 'VolumesUsage.Items'),
    ...all(PATHS, 'Volumes.Mountpoint', 'VolumesUsage.Items'),
    ...all(BUILDS, 'BuildCache.Description', 'BuildCacheUsage.Items'),
  ],
  VolumeList: VOLUME.map(([path, tells]) => [['Volumes', ...path], tells]),
  VolumeInspect: VOLUME,
  PluginList: PLUGIN,
  PluginInspect: PLUGIN,
  ServiceList: SERVICE,
  ServiceInspect: SERVICE,
  TaskList: TASK,
  TaskInspect: TASK,
  ConfigList: CONFIG,
  ConfigInspect: CONFIG,
}

/** What `show` tells of the answer to `operation`, for each of its entries that tells anything. */
export function tellingFields(operation: OperationId, show: Show): readonly Telling[] {
  const told = new Map<string, { entry: readonly string[]; tells: Set<string> }>()
  for (const [path, tells] of TELLING_FIELDS[operation] ?? []) {
    for (const entry of entriesShowing(show, path)) {
      const key = JSON.stringify(entry)
      const known = told.get(key) ?? { entry, tells: new Set<string>() }
      told.set(key, known)
      known.tells.add(tells)
    }
  }
  return [...told.values()].map(({ entry, tells }) => ({ entry, tells: [...tells] }))
}

/** The entries of `show` by which the field at `path` is shown, whole. */
function entriesShowing(show: Show, path: readonly string[], above: readonly string[] = []): readonly (readonly string[])[] {
  if (show === 'all') return [above]
  const [name, ...below] = path
  if (name === undefined) return []
  return show
    .filter((field) => name === '*' || matchesName(field.name, name))
    .flatMap((field) => entriesShowing(field.fields, below, [...above, field.name]))
}

/** Entries of `show` that narrow nothing, because another beside them shows the same field whole. */
export function widenedFields(show: Show, above: readonly string[] = []): readonly (readonly string[])[] {
  if (show === 'all') return []
  return show.flatMap(({ name, fields }) => {
    if (fields === 'all') return []
    const entry = [...above, name]
    return fieldsBelow(show, name) === 'all' ? [entry] : widenedFields(fields, entry)
  })
}
