// The closed list of Engine API operations that a policy can name, as data. What is not in it does not exist.
// Never decides anything: whether an operation is allowed is the policy's to say.

/** What an operation does: `root` amounts to root on the host, for whoever may ask for it with values of their choice. */
export type OperationKind = 'reads' | 'writes' | 'root'

/**
 * What the Engine answers with: JSON, which a policy cuts down; nothing; the fixed text of a ping; JSON objects one after the other,
 * each of which a policy cuts down, or bytes, until one side ends them, however long that takes; or a connection taken over from HTTP.
 */
export type AnswerKind = 'json' | 'nothing' | 'ping' | 'objects' | 'stream' | 'hijack'

/** What a body holds, where an operation takes one; `member`: JSON that names a container, to be made one of a network or none. */
export type BodyKind = 'json' | 'member' | 'tar'

/** By what a request says which container it is about: a segment of its path, the exec in its path, a key of its query, or its body. */
export type ContainerBy = 'path' | 'exec' | 'query' | 'body'

/** What a hijacked connection is upgraded to. */
export type Protocol = 'tcp' | 'h2c'

/**
 * The filters that a list takes, each with the field of the answer that it tells of: a filter on what is not shown would be an
 * oracle. `*` in a field is the name before the `=` in the filter's value.
 */
export type Filters = Readonly<Record<string, string>>

/**
 * How a query value is written: `true|false|1|0`; a decimal integer of at most nine digits; any text; a path without `..`; the name or
 * id of a container, which the scope judges; Docker's JSON filters.
 */
export type QueryType = 'boolean' | 'integer' | 'text' | 'path' | 'container' | Filters

type Query = Readonly<Record<string, QueryType>>

export type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE'

type Row = readonly [
  id: string,
  /** `{…}` is one segment that names an object of that kind; an image's or plugin's name may be several. */
  request: `${Method} /${string}`,
  kind: OperationKind,
  answer: AnswerKind,
  query?: Query,
  body?: BodyKind,
]

const keys = (type: 'boolean' | 'integer' | 'text' | 'path', names: string): Query =>
  Object.fromEntries(names.split(' ').map((name) => [name, type]))
/** `filter:Field.Below …` */
const filters = (pairs: string): Filters => Object.fromEntries(pairs.split(' ').map((pair) => pair.split(':')))

// Left out for good: `limit`, `before` and `since`, which tell of containers outside the scope; `id`, whose prefixes are ambiguous
// for those as well; `name`, which matches the names that others give by links; `ancestor`, which tells of images below the one
// that is shown.
const CONTAINER_FILTERS = filters(
  'annotation:HostConfig.Annotations.* exited:Status expose:Ports health:Status label:Labels.* ' +
    'network:NetworkSettings publish:Ports status:State volume:Mounts',
)
const EVENT_FILTERS = filters(
  'config:Actor container:Actor daemon:Actor event:Action image:Actor label:Actor.Attributes.* network:Actor node:Actor ' +
    'plugin:Actor scope:scope secret:Actor service:Actor type:Type volume:Actor',
)
const IMAGE_FILTERS = filters('until:Created dangling:RepoTags reference:RepoTags label:Labels.*')
const SEARCH_FILTERS = filters('is-automated:is_automated is-official:is_official stars:star_count')
const NETWORK_FILTERS = filters('driver:Driver id:Id label:Labels.* name:Name scope:Scope type:Name')
const VOLUME_FILTERS = filters('dangling:Volumes driver:Volumes.Driver label:Volumes.Labels.* name:Volumes.Name')
const PLUGIN_FILTERS = filters('capability:Config.Interface enabled:Enabled')
const NODE_FILTERS = filters(
  'id:ID label:Description.Engine.Labels.* membership:Spec.Membership name:Description.Hostname node.label:Spec.Labels.* role:Spec.Role',
)
const SERVICE_FILTERS = filters('id:ID label:Spec.Labels.* mode:Spec.Mode name:Spec.Name')
const TASK_FILTERS = filters('desired-state:DesiredState id:ID name:Name')
const SECRET_FILTERS = filters('id:ID label:Spec.Labels.* name:Spec.Name names:Spec.Name')
const CONFIG_FILTERS = filters('id:ID label:Spec.Labels.* name:Spec.Name')
/** What a prune tells is what it deleted. */
const pruneFilters = (names: string, deleted: string): Filters =>
  Object.fromEntries(names.split(' ').map((name) => [name, deleted]))
const BUILD_FILTERS = pruneFilters('description id inuse parent private shared type until', 'CachesDeleted')

const ATTACH = { ...keys('boolean', 'logs stream stdin stdout stderr'), detachKeys: 'text' } as const
const SERVICE_LOGS: Query = { ...keys('boolean', 'details follow stdout stderr timestamps'), since: 'text', tail: 'text' }
const SIZE = keys('integer', 'h w')
const IMAGE_LIST: Query = { ...keys('boolean', 'all digests shared-size manifests identity'), filters: IMAGE_FILTERS }
const IMAGE_BUILD: Query = {
  ...keys('boolean', 'q nocache rm forcerm squash'),
  ...keys('integer', 'memory memswap cpushares cpuperiod cpuquota shmsize'),
  ...keys(
    'text',
    'dockerfile t extrahosts remote cachefrom pull cpusetcpus buildargs labels networkmode platform target outputs',
  ),
  ...keys('text', 'version session buildid'),
}
const BUILD_PRUNE: Query = {
  ...keys('boolean', 'all'),
  ...keys('integer', 'keep-storage reserved-space max-used-space min-free-space'),
  filters: BUILD_FILTERS,
}
const SWARM_UPDATE: Query = {
  ...keys('boolean', 'rotateWorkerToken rotateManagerToken rotateManagerUnlockKey'),
  version: 'integer',
}

/**
 * Source: the Engine API's descriptions, versions 1.24 to 1.56. Each id is the newest `operationId`, or ours where there is none.
 * Left out: `GET /plugins/{name}` of 1.24, which no later Engine has; `stream` of the prunes; `/debug/…`, the daemon's own memory.
 */
const OPERATIONS = [
  ['SystemPing', 'GET /_ping', 'reads', 'ping'],
  ['SystemPingHead', 'HEAD /_ping', 'reads', 'ping'],
  ['SystemVersion', 'GET /version', 'reads', 'json'],
  ['SystemInfo', 'GET /info', 'reads', 'json'],
  ['SystemDataUsage', 'GET /system/df', 'reads', 'json', { type: 'text', verbose: 'boolean' }],
  ['SystemEvents', 'GET /events', 'reads', 'objects', { since: 'text', until: 'text', filters: EVENT_FILTERS }],
  ['SystemAuth', 'POST /auth', 'root', 'json', {}, 'json'],

  ['ContainerList', 'GET /containers/json', 'reads', 'json', { all: 'boolean', size: 'boolean', filters: CONTAINER_FILTERS }],
  ['ContainerInspect', 'GET /containers/{container}/json', 'reads', 'json', { size: 'boolean' }],
  ['ContainerTop', 'GET /containers/{container}/top', 'reads', 'json', { ps_args: 'text' }],
  ['ContainerChanges', 'GET /containers/{container}/changes', 'reads', 'json'],
  ['ContainerLogs', 'GET /containers/{container}/logs', 'reads', 'stream', { ...SERVICE_LOGS, until: 'text' }],
  ['ContainerStats', 'GET /containers/{container}/stats', 'reads', 'objects', { stream: 'boolean', 'one-shot': 'boolean' }],
  ['ContainerExport', 'GET /containers/{container}/export', 'reads', 'stream'],
  ['ContainerArchive', 'GET /containers/{container}/archive', 'reads', 'stream', { path: 'path' }],
  ['ContainerArchiveInfo', 'HEAD /containers/{container}/archive', 'reads', 'stream', { path: 'path' }],
  ['ContainerWait', 'POST /containers/{container}/wait', 'reads', 'objects', { condition: 'text' }],
  ['ContainerStart', 'POST /containers/{container}/start', 'writes', 'nothing', { detachKeys: 'text' }],
  ['ContainerStop', 'POST /containers/{container}/stop', 'writes', 'nothing', { t: 'integer', signal: 'text' }],
  ['ContainerRestart', 'POST /containers/{container}/restart', 'writes', 'nothing', { t: 'integer', signal: 'text' }],
  ['ContainerKill', 'POST /containers/{container}/kill', 'writes', 'nothing', { signal: 'text' }],
  ['ContainerPause', 'POST /containers/{container}/pause', 'writes', 'nothing'],
  ['ContainerUnpause', 'POST /containers/{container}/unpause', 'writes', 'nothing'],
  ['ContainerRename', 'POST /containers/{container}/rename', 'writes', 'nothing', { name: 'text' }],
  ['ContainerResize', 'POST /containers/{container}/resize', 'writes', 'nothing', SIZE],
  ['ContainerUpdate', 'POST /containers/{container}/update', 'writes', 'json', {}, 'json'],
  ['ContainerDelete', 'DELETE /containers/{container}', 'writes', 'nothing', { v: 'boolean', force: 'boolean', link: 'boolean' }],
  [
    'ContainerPrune',
    'POST /containers/prune',
    'writes',
    'json',
    { filters: pruneFilters('label label! until', 'ContainersDeleted') },
  ],
  ['ContainerCreate', 'POST /containers/create', 'root', 'json', { name: 'text', platform: 'text' }, 'json'],
  ['ContainerExec', 'POST /containers/{container}/exec', 'root', 'json', {}, 'json'],
  ['ContainerAttach', 'POST /containers/{container}/attach', 'root', 'hijack', ATTACH],
  ['ContainerAttachWebsocket', 'GET /containers/{container}/attach/ws', 'root', 'hijack', ATTACH],
  [
    'PutContainerArchive',
    'PUT /containers/{container}/archive',
    'root',
    'nothing',
    { ...keys('path', 'path'), ...keys('text', 'noOverwriteDirNonDir copyUIDGID') },
    'tar',
  ],
  ['ExecInspect', 'GET /exec/{exec}/json', 'reads', 'json'],
  ['ExecResize', 'POST /exec/{exec}/resize', 'writes', 'nothing', SIZE],
  ['ExecStart', 'POST /exec/{exec}/start', 'root', 'hijack', {}, 'json'],
  // No description has the checkpoints, which experimental Engines keep in directories of the host.
  ['CheckpointList', 'GET /containers/{container}/checkpoints', 'root', 'json', { dir: 'text' }],
  ['CheckpointCreate', 'POST /containers/{container}/checkpoints', 'root', 'nothing', {}, 'json'],
  ['CheckpointDelete', 'DELETE /containers/{container}/checkpoints/{checkpoint}', 'root', 'nothing', { dir: 'text' }],

  // A name can be that of any registry, to which the Engine then connects from the host's own network.
  // To replace what an image's name means is to choose what runs next under that name, with whatever it is given.
  ['ImageList', 'GET /images/json', 'reads', 'json', IMAGE_LIST],
  ['ImageInspect', 'GET /images/{image}/json', 'reads', 'json', { manifests: 'boolean', platform: 'text' }],
  ['ImageHistory', 'GET /images/{image}/history', 'reads', 'json', { platform: 'text' }],
  [
    'ImageAttestations',
    'GET /images/{image}/attestations',
    'reads',
    'json',
    { platform: 'text', type: 'text', statement: 'boolean' },
  ],
  ['ImageSearch', 'GET /images/search', 'root', 'json', { term: 'text', limit: 'integer', filters: SEARCH_FILTERS }],
  ['ImageGet', 'GET /images/{image}/get', 'reads', 'stream', { platform: 'text' }],
  ['ImageGetAll', 'GET /images/get', 'reads', 'stream', { names: 'text', platform: 'text' }],
  ['ImagePush', 'POST /images/{image}/push', 'root', 'stream', { tag: 'text', platform: 'text' }],
  ['ImageDelete', 'DELETE /images/{image}', 'writes', 'json', { force: 'boolean', noprune: 'boolean', platforms: 'text' }],
  [
    'ImagePrune',
    'POST /images/prune',
    'writes',
    'json',
    { filters: pruneFilters('dangling label label! until', 'ImagesDeleted') },
  ],
  ['ImageTag', 'POST /images/{image}/tag', 'root', 'nothing', { repo: 'text', tag: 'text' }],
  [
    'ImageCreate',
    'POST /images/create',
    'root',
    'stream',
    keys('text', 'fromImage fromSrc repo tag message changes platform'),
    'tar',
  ],
  ['ImageLoad', 'POST /images/load', 'root', 'stream', { quiet: 'boolean', platform: 'text' }, 'tar'],
  [
    'ImageCommit',
    'POST /commit',
    'root',
    'json',
    { container: 'container', ...keys('text', 'repo tag comment author changes'), pause: 'boolean' },
    'json',
  ],
  ['ImageBuild', 'POST /build', 'root', 'stream', IMAGE_BUILD, 'tar'],
  ['BuildPrune', 'POST /build/prune', 'writes', 'json', BUILD_PRUNE],
  ['BuildCancel', 'POST /build/cancel', 'writes', 'nothing', { id: 'text' }], // in no description
  ['DistributionInspect', 'GET /distribution/{image}/json', 'root', 'json'],

  ['NetworkList', 'GET /networks', 'reads', 'json', { filters: NETWORK_FILTERS }],
  ['NetworkInspect', 'GET /networks/{network}', 'reads', 'json', { verbose: 'boolean', scope: 'text' }],
  ['NetworkCreate', 'POST /networks/create', 'writes', 'json', {}, 'json'],
  ['NetworkConnect', 'POST /networks/{network}/connect', 'writes', 'nothing', {}, 'member'],
  ['NetworkDisconnect', 'POST /networks/{network}/disconnect', 'writes', 'nothing', {}, 'member'],
  ['NetworkDelete', 'DELETE /networks/{network}', 'writes', 'nothing'],
  ['NetworkPrune', 'POST /networks/prune', 'writes', 'json', { filters: pruneFilters('label label! until', 'NetworksDeleted') }],

  ['VolumeList', 'GET /volumes', 'reads', 'json', { filters: VOLUME_FILTERS }],
  ['VolumeInspect', 'GET /volumes/{volume}', 'reads', 'json'],
  ['VolumeCreate', 'POST /volumes/create', 'root', 'json', {}, 'json'], // a volume can be any directory of the host
  ['VolumeUpdate', 'PUT /volumes/{volume}', 'writes', 'nothing', { version: 'integer' }, 'json'],
  ['VolumeDelete', 'DELETE /volumes/{volume}', 'writes', 'nothing', { force: 'boolean' }],
  ['VolumePrune', 'POST /volumes/prune', 'writes', 'json', { filters: pruneFilters('all label label!', 'VolumesDeleted') }],

  // A plugin runs as root on the host, or guards it.
  ['PluginList', 'GET /plugins', 'reads', 'json', { filters: PLUGIN_FILTERS }],
  ['PluginInspect', 'GET /plugins/{plugin}/json', 'reads', 'json'],
  ['GetPluginPrivileges', 'GET /plugins/privileges', 'root', 'json', { remote: 'text' }],
  ['PluginPull', 'POST /plugins/pull', 'root', 'stream', { remote: 'text', name: 'text' }, 'json'],
  ['PluginCreate', 'POST /plugins/create', 'root', 'nothing', { name: 'text' }, 'tar'],
  ['PluginEnable', 'POST /plugins/{plugin}/enable', 'root', 'nothing', { timeout: 'integer' }],
  ['PluginDisable', 'POST /plugins/{plugin}/disable', 'root', 'nothing', { force: 'boolean' }],
  ['PluginUpgrade', 'POST /plugins/{plugin}/upgrade', 'root', 'stream', { remote: 'text' }, 'json'],
  ['PluginSet', 'POST /plugins/{plugin}/set', 'root', 'nothing', {}, 'json'],
  ['PluginPush', 'POST /plugins/{plugin}/push', 'root', 'stream'],
  ['PluginDelete', 'DELETE /plugins/{plugin}', 'root', 'nothing', { force: 'boolean' }],

  // The swarm's tokens and keys make other hosts join it, and a service is a container with what mounts it likes, on any of them.
  ['SwarmInspect', 'GET /swarm', 'root', 'json'],
  ['SwarmUnlockkey', 'GET /swarm/unlockkey', 'root', 'json'],
  ['SwarmInit', 'POST /swarm/init', 'root', 'json', {}, 'json'],
  ['SwarmJoin', 'POST /swarm/join', 'root', 'nothing', {}, 'json'],
  ['SwarmLeave', 'POST /swarm/leave', 'root', 'nothing', { force: 'boolean' }],
  ['SwarmUpdate', 'POST /swarm/update', 'root', 'nothing', SWARM_UPDATE, 'json'],
  ['SwarmUnlock', 'POST /swarm/unlock', 'root', 'nothing', {}, 'json'],
  ['NodeList', 'GET /nodes', 'reads', 'json', { filters: NODE_FILTERS }],
  ['NodeInspect', 'GET /nodes/{node}', 'reads', 'json'],
  ['NodeUpdate', 'POST /nodes/{node}/update', 'root', 'nothing', { version: 'integer' }, 'json'],
  ['NodeDelete', 'DELETE /nodes/{node}', 'root', 'nothing', { force: 'boolean' }],
  ['ServiceList', 'GET /services', 'reads', 'json', { status: 'boolean', filters: SERVICE_FILTERS }],
  ['ServiceInspect', 'GET /services/{service}', 'reads', 'json', { insertDefaults: 'boolean' }],
  ['ServiceLogs', 'GET /services/{service}/logs', 'reads', 'stream', SERVICE_LOGS],
  ['ServiceCreate', 'POST /services/create', 'root', 'json', {}, 'json'],
  [
    'ServiceUpdate',
    'POST /services/{service}/update',
    'root',
    'json',
    { ...keys('text', 'registryAuthFrom rollback'), version: 'integer' },
    'json',
  ],
  ['ServiceDelete', 'DELETE /services/{service}', 'writes', 'nothing'],
  ['TaskList', 'GET /tasks', 'reads', 'json', { filters: TASK_FILTERS }],
  ['TaskInspect', 'GET /tasks/{task}', 'reads', 'json'],
  ['TaskLogs', 'GET /tasks/{task}/logs', 'reads', 'stream', SERVICE_LOGS],
  ['SecretList', 'GET /secrets', 'reads', 'json', { filters: SECRET_FILTERS }],
  ['SecretInspect', 'GET /secrets/{secret}', 'reads', 'json'],
  ['SecretCreate', 'POST /secrets/create', 'writes', 'json', {}, 'json'],
  ['SecretUpdate', 'POST /secrets/{secret}/update', 'writes', 'nothing', { version: 'integer' }, 'json'],
  ['SecretDelete', 'DELETE /secrets/{secret}', 'writes', 'nothing'],
  ['ConfigList', 'GET /configs', 'reads', 'json', { filters: CONFIG_FILTERS }],
  ['ConfigInspect', 'GET /configs/{config}', 'reads', 'json'],
  ['ConfigCreate', 'POST /configs/create', 'writes', 'json', {}, 'json'],
  ['ConfigUpdate', 'POST /configs/{config}/update', 'writes', 'nothing', { version: 'integer' }, 'json'],
  ['ConfigDelete', 'DELETE /configs/{config}', 'writes', 'nothing'],

  ['Session', 'POST /session', 'root', 'hijack'],
  ['Grpc', 'POST /grpc', 'root', 'hijack'], // in no description
] as const satisfies readonly Row[]

export type OperationId = (typeof OPERATIONS)[number][0]

/**
 * Headers that mean something to the Engine, beside those of HTTP: credentials for registries, and what a builder's session offers. Of
 * all others, none is passed on.
 */
const HEADERS: Partial<Record<OperationId, readonly string[]>> = {
  ImageCreate: ['x-registry-auth'],
  ImagePush: ['x-registry-auth'],
  ImageBuild: ['x-registry-config'],
  DistributionInspect: ['x-registry-auth'],
  GetPluginPrivileges: ['x-registry-auth'],
  PluginPull: ['x-registry-auth'],
  PluginUpgrade: ['x-registry-auth'],
  PluginPush: ['x-registry-auth'],
  ServiceCreate: ['x-registry-auth'],
  ServiceUpdate: ['x-registry-auth'],
  Session: ['uuid', 'name', 'sharedkey', 'grpc-method'].map((name) => `x-docker-expose-session-${name}`),
}

/** An operation as the rest of the proxy knows it. */
export type Operation = {
  readonly id: OperationId
  readonly method: Method
  /** The path below the version, in segments. `{…}` stands for one that names an object; an image or a plugin may take several. */
  readonly path: readonly string[]
  readonly kind: OperationKind
  readonly answer: AnswerKind
  readonly query: Query
  readonly body?: BodyKind
  /** By what it names its container; absent where it is about none. */
  readonly containerBy?: ContainerBy
  /** In lower case. */
  readonly headers: readonly string[]
  /** Of one that is hijacked. */
  readonly protocol?: Protocol
}

export const CATALOGUE: readonly Operation[] = OPERATIONS.map((row): Operation => {
  const [id, request, kind, answer, query = {}, body]: Row & { readonly 0: OperationId } = row
  const [method = '', path = ''] = request.split(' ')
  const segments = path.slice(1).split('/')
  const containerBy = containerByOf(segments, query, body)
  return {
    ...{ id, method: method as Method, path: segments, kind, answer, query, headers: HEADERS[id] ?? [] },
    ...(body === undefined ? {} : { body }),
    ...(containerBy === undefined ? {} : { containerBy }),
    ...(answer === 'hijack' ? { protocol: segments.length === 1 ? 'h2c' : 'tcp' } : {}),
  }
})

function containerByOf(path: readonly string[], query: Query, body: BodyKind | undefined): ContainerBy | undefined {
  if (path.includes('{container}')) return 'path'
  if (path.includes('{exec}')) return 'exec'
  if (Object.values(query).includes('container')) return 'query'
  return body === 'member' ? 'body' : undefined
}

/**
 * What an absent query key stands for, where that is more than a policy that lists values for it seems to allow. `undefined`:
 * everything there is.
 */
export const MEANT_WHEN_ABSENT: Partial<Record<OperationId, Readonly<Record<string, string | undefined>>>> = {
  ContainerKill: { signal: 'SIGKILL' },
  ContainerTop: { ps_args: '-ef' },
  ImageTag: { tag: 'latest' },
  ImagePrune: { filters: undefined },
  BuildPrune: { filters: undefined },
  NetworkPrune: { filters: undefined },
  VolumePrune: { filters: undefined },
}

/** The operation named `id`. */
export function operationOf(id: OperationId): Operation {
  const operation = CATALOGUE.find((candidate) => candidate.id === id)
  if (!operation) throw new Error(`${id} is not in the catalogue`)
  return operation
}

/** The operation is about one container. */
export function hasContainer({ containerBy }: Operation): boolean {
  return containerBy !== undefined
}

/** Its answer, or its body, is passed on while it comes, for however long that takes. */
export function isOpenEnded({ answer, body }: Operation): boolean {
  return answer === 'objects' || answer === 'stream' || answer === 'hijack' || body === 'tar'
}

/** What it answers with can be cut to fields. */
export function isCut({ answer }: Operation): boolean {
  return answer === 'json' || answer === 'objects'
}

/** Reads a container's files as they are: a part of Postern would tell the keys of the audit log. */
export function readsFiles({ id }: Operation): boolean {
  return id === 'ContainerArchive' || id === 'ContainerArchiveInfo' || id === 'ContainerExport'
}

/** Why this proxy cannot pass an operation on, whatever a policy says; `undefined` where it can. */
export function whyNotServed({ id }: Operation): string | undefined {
  if (id === 'ContainerPrune') return 'removes containers whatever the scope'
  if (id === 'ContainerAttachWebsocket') return 'speaks websocket, as browsers do; ContainerAttach does the same'
  return undefined
}

/** API versions a request may name, `v1.24` to `v1.56`. */
export const API_MINOR_MIN = 24
export const API_MINOR_MAX = 56
