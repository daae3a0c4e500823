// What a suggested policy shows of each JSON answer: identity and state, what hardly any client can do without. Never what may hold a
// secret (environment, commands, mounts, labels as a whole), but where an answer is bytes that nobody can cut; whoever reads more than this adds it to the policy by hand.
import { answerFields, type FieldTree } from '../request/answer-fields.ts'
import { isCut, type Operation, type OperationId } from '../request/catalogue.ts'

/** Fields with what is below them; `all` is the field's whole value. */
export type ShowTree = Map<string, ShowTree | 'all'>

type Fields = readonly (string | { readonly [name: string]: Fields })[]

const SWARM_OBJECT: Fields = ['ID', 'CreatedAt', 'UpdatedAt', { Spec: ['Name'] }]
const VOLUME: Fields = ['Name', 'Driver', 'Scope', 'CreatedAt']
const NETWORK: Fields = ['Id', 'Name', 'Driver', 'Scope', 'Created']
const NODE: Fields = ['ID', { Description: ['Hostname'] }, { Status: ['State'] }, { Spec: ['Role', 'Availability'] }]
const TASK: Fields = ['ID', 'Name', 'ServiceID', 'NodeID', 'DesiredState', { Status: ['State', 'Timestamp'] }]

const DEFAULTS: Partial<Record<OperationId, Fields>> = {
  SystemAuth: ['Status'],
  SystemEvents: ['Type', 'Action', { Actor: ['ID'] }, 'scope', 'time', 'timeNano'],
  SystemVersion: ['Version', 'ApiVersion', 'MinAPIVersion', 'Os', 'Arch'],
  SystemInfo: [
    'ServerVersion',
    'OSType',
    'Architecture',
    'Containers',
    'ContainersRunning',
    'ContainersPaused',
    'ContainersStopped',
  ],
  SystemDataUsage: ['LayersSize', 'BuilderSize'],
  ContainerList: ['Id', 'Names', 'State', 'Status'],
  ContainerInspect: ['Id', 'Name', 'RestartCount', { State: ['Status', 'StartedAt', 'ExitCode', { Health: ['Status'] }] }],
  ContainerTop: ['Titles'],
  ContainerChanges: ['Kind'],
  ContainerStats: ['id', 'name', 'read', 'cpu_stats', 'precpu_stats', 'memory_stats', 'pids_stats', 'networks', 'blkio_stats'],
  ContainerWait: ['StatusCode'],
  ContainerUpdate: ['Warnings'],
  ContainerCreate: ['Id', 'Warnings'],
  ContainerExec: ['Id'],
  ExecInspect: ['ID', 'Running', 'ExitCode', 'ContainerID', 'Pid'],
  ImageList: ['Id', 'RepoTags', 'Created', 'Size'],
  ImageInspect: ['Id', 'RepoTags', 'Created', 'Size', 'Architecture', 'Os'],
  ImageHistory: ['Id', 'Created', 'Size'],
  ImageAttestations: ['PredicateType'],
  ImageSearch: ['name', 'is_official', 'star_count'],
  ImageCommit: ['Id'],
  ImageDelete: ['Untagged', 'Deleted'],
  ImagePrune: ['ImagesDeleted', 'SpaceReclaimed'],
  BuildPrune: ['CachesDeleted', 'SpaceReclaimed'],
  DistributionInspect: [{ Descriptor: ['mediaType', 'digest', 'size'] }],
  NetworkList: NETWORK,
  NetworkInspect: NETWORK,
  NetworkCreate: ['Id', 'Warning'],
  NetworkPrune: ['NetworksDeleted'],
  VolumeList: [{ Volumes: VOLUME }],
  VolumeInspect: VOLUME,
  VolumeCreate: VOLUME,
  VolumePrune: ['VolumesDeleted', 'SpaceReclaimed'],
  PluginList: ['Id', 'Name', 'Enabled'],
  PluginInspect: ['Id', 'Name', 'Enabled'],
  GetPluginPrivileges: ['Name', 'Description', 'Value'],
  SwarmInspect: ['ID', 'CreatedAt', 'UpdatedAt'],
  SwarmUnlockkey: ['UnlockKey'],
  ServiceCreate: ['ID', 'Warnings'],
  ServiceUpdate: ['Warnings'],
  SecretCreate: ['ID'],
  ConfigCreate: ['ID'],
  NodeList: NODE,
  NodeInspect: NODE,
  ServiceList: SWARM_OBJECT,
  ServiceInspect: SWARM_OBJECT,
  TaskList: TASK,
  TaskInspect: TASK,
  SecretList: SWARM_OBJECT,
  SecretInspect: SWARM_OBJECT,
  ConfigList: SWARM_OBJECT,
  ConfigInspect: SWARM_OBJECT,
  CheckpointList: ['Name'],
}

/** A tree of one's own, or `all` where nothing can be cut; `undefined` for an operation that shows nothing. */
export function defaultShow(operation: Operation): ShowTree | 'all' | undefined {
  const { id, answer } = operation
  if (answer === 'stream' || answer === 'hijack' || id === 'SwarmInit') return 'all'
  return isCut(operation) ? treeOf(DEFAULTS[id] ?? []) : undefined
}

function treeOf(fields: Fields): ShowTree {
  return new Map(
    fields.flatMap((field): (readonly [string, ShowTree | 'all'])[] =>
      typeof field === 'string' ? [[field, 'all']] : Object.entries(field).map(([name, below]) => [name, treeOf(below)] as const),
    ),
  )
}

/**
 * Adds to `show` what the filter `name` of `operation` tells of when it has this value: a policy allows a filter on what is shown
 * alone. Where the answer is not known so far down, or `value` names no label, it is the whole that is known.
 */
export function showFiltered(show: ShowTree | 'all', operation: Operation, name: string, value: string): void {
  const type = operation.query.filters
  const field = typeof type === 'object' ? type[name] : undefined
  if (field === undefined || show === 'all') return
  const parts = field.split('.').map((part) => (part === '*' ? (value.split('=', 1)[0] ?? '') : part))
  let known: FieldTree | undefined = answerFields(operation.id)
  let at = show
  for (const [i, part] of parts.entries()) {
    const below: FieldTree | undefined = known?.get(part) ?? known?.get('*')
    const isLast = i === parts.length - 1 || !reachesInto(below, parts[i + 1] ?? '')
    const there = at.get(part)
    if (there === 'all') return
    if (isLast) {
      at.set(part, 'all')
      return
    }
    const next: ShowTree = there ?? new Map()
    at.set(part, next)
    at = next
    known = below
  }
}

/** Whether a policy can name `part` below here. */
function reachesInto(tree: FieldTree | undefined, part: string): boolean {
  return part !== '' && tree !== undefined && (tree.has(part) || tree.has('*'))
}
