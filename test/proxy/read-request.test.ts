// What is read as which operation, and what is refused by which rule: the table of accepted and refused requests.
// Nothing here touches a socket; what reaches the Engine is in the attack tests.
import t from 'tap'
import type { ApiRequest } from '../../proxy/request/api-request.ts'
import { type RequestHead, readRequest } from '../../proxy/request/read-request.ts'

const ID = 'a'.repeat(64)

function head(line: string, rawHeaders: readonly string[] = ['Host', 'docker']): RequestHead {
  const space = line.indexOf(' ')
  return { method: line.slice(0, space), target: line.slice(space + 1), rawHeaders }
}

const accepted: readonly (readonly [line: string, operation: string, container?: string | undefined, version?: string])[] = [
  ['GET /_ping', 'SystemPing'],
  ['GET /v1.24/_ping', 'SystemPing', undefined, '1.24'],
  ['GET /version', 'SystemVersion'],
  ['GET /v1.55/version', 'SystemVersion', undefined, '1.55'],
  ['GET /containers/json', 'ContainerList'],
  ['GET /v1.45/containers/json', 'ContainerList', undefined, '1.45'],
  ['GET /containers/web/json', 'ContainerInspect', 'web'],
  ['GET /containers/web_1.a-b/json', 'ContainerInspect', 'web_1.a-b'],
  [`GET /v1.45/containers/${ID}/json`, 'ContainerInspect', ID, '1.45'],
  ['GET /containers/json/json', 'ContainerInspect', 'json'],
  ['GET /containers/v1.45/json', 'ContainerInspect', 'v1.45'],
  ['POST /containers/web/restart', 'ContainerRestart', 'web'],
  ['POST /v1.40/containers/restart/restart', 'ContainerRestart', 'restart', '1.40'],
  [`GET /containers/${'a'.repeat(255)}/json`, 'ContainerInspect', 'a'.repeat(255)],
  ['GET /_ping?', 'SystemPing'],
  [`GET /images/${'a'.repeat(255)}/${'b'.repeat(255)}/${'c'.repeat(255)}/${'d'.repeat(243)}/json`, 'ImageInspect'],
  ['HEAD /_ping', 'SystemPingHead'],
  ['GET /v1.56/info', 'SystemInfo', undefined, '1.56'],
  // each by its own name, however harmless the method looks
  ['GET /containers/web/attach/ws', 'ContainerAttachWebsocket', 'web'],
  ['GET /containers/web/archive', 'ContainerArchive', 'web'],
  ['HEAD /containers/web/archive', 'ContainerArchiveInfo', 'web'],
  ['GET /containers/web/export', 'ContainerExport', 'web'],
  ['GET /containers/web/logs', 'ContainerLogs', 'web'],
  ['GET /containers/web/top', 'ContainerTop', 'web'],
  ['DELETE /containers/prune', 'ContainerDelete', 'prune'],
  ['POST /containers/prune', 'ContainerPrune'],
  ['POST /containers/create', 'ContainerCreate'],
  ['POST /build', 'ImageBuild'],
  ['POST /build/cancel', 'BuildCancel'],
  ['POST /session', 'Session'],
  ['POST /grpc', 'Grpc'],
]

t.test('a request of the catalogue is read as its operation, container and version', async (t) => {
  for (const [line, operation, container, version] of accepted) {
    const request = readRequest(head(line))
    if ('verdict' in request) {
      t.fail(`${line} is refused: ${request.reason}`)
      continue
    }
    t.equal(request.operation.id, operation, line)
    t.equal(request.container, container, `${line}: its container`)
    t.equal(request.version, version, `${line}: its version`)
    t.equal(request.query.size, 0, `${line}: no query`)
    const said = [...(container === undefined ? [] : ['container']), ...(version === undefined ? [] : ['version'])]
    t.same(Object.keys(request).sort(), ['headers', 'names', 'operation', 'query', 'upgrade', ...said].sort(), `${line}: no more`)
  }
})

const named: readonly (readonly [line: string, operation: string, names: Record<string, string>])[] = [
  ['GET /images/nginx/json', 'ImageInspect', { image: 'nginx' }],
  ['GET /images/localhost:5000/team/web:1.2/json', 'ImageInspect', { image: 'localhost:5000/team/web:1.2' }],
  [`GET /images/team/web@sha256:${ID}/json`, 'ImageInspect', { image: `team/web@sha256:${ID}` }],
  ['GET /images/json/json', 'ImageInspect', { image: 'json' }],
  ['GET /images/search', 'ImageSearch', {}],
  ['GET /images/search/json', 'ImageInspect', { image: 'search' }],
  ['GET /images/a/json/history', 'ImageHistory', { image: 'a/json' }],
  ['DELETE /images/a/json', 'ImageDelete', { image: 'a/json' }],
  ['POST /images/localhost:5000/a/push', 'ImagePush', { image: 'localhost:5000/a' }],
  ['GET /plugins/vieux/sshfs:latest/json', 'PluginInspect', { plugin: 'vieux/sshfs:latest' }],
  ['GET /plugins/privileges', 'GetPluginPrivileges', {}],
  ['GET /networks/front', 'NetworkInspect', { network: 'front' }],
  ['POST /networks/prune/connect', 'NetworkConnect', { network: 'prune' }],
  ['GET /distribution/a/b/json', 'DistributionInspect', { image: 'a/b' }],
  ['DELETE /containers/web/checkpoints/one', 'CheckpointDelete', { checkpoint: 'one' }],
]

t.test('an object is named by one segment, an image or a plugin by as many as its name has', async (t) => {
  for (const [line, operation, names] of named) {
    const request = readRequest(head(line))
    if ('verdict' in request) {
      t.fail(`${line} is refused: ${request.reason}`)
      continue
    }
    t.same([request.operation.id, Object.fromEntries(request.names)], [operation, names], line)
  }
})

const refusedLines: readonly (readonly [line: string, rule: string, status: number])[] = [
  // half-anchored and method-blind rules
  ['PUT /containers/web/restart/archive', 'operation.unknown', 403],
  ['POST /containers/web/restart/archive', 'operation.unknown', 403],
  ['DELETE /containers/web/restart', 'operation.unknown', 403],
  ['GET /containers/web/restart', 'operation.unknown', 403],
  ['POST /containers/web/json', 'operation.unknown', 403],
  ['HEAD /containers/json', 'operation.unknown', 403],
  ['OPTIONS /containers/json', 'operation.unknown', 403],
  ['get /containers/json', 'operation.unknown', 403],
  ['POST /x/containers/web/restart', 'operation.unknown', 403],
  ['GET /containers/JSON', 'operation.unknown', 403],
  ['GET /Containers/json', 'operation.unknown', 403],
  // names that route elsewhere
  ['GET /containers/a/b/json', 'operation.unknown', 403],
  ['POST /containers/a/b/restart', 'operation.unknown', 403],
  ['GET /networks/a/b', 'operation.unknown', 403],
  ['GET /volumes/a:b', 'request.path', 400],
  ['GET /images/-a/json', 'request.path', 400],
  ['GET /images/a/.b/json', 'request.path', 400],
  ['GET /images/a/_b/json', 'request.path', 400],
  ['DELETE /images', 'operation.unknown', 403],
  ['DELETE /containers/web/checkpoints/.one', 'request.path', 400],
  ['POST /containers/.hidden/restart', 'request.path', 400],
  ['POST /containers/-web/restart', 'request.path', 400],
  ['POST /containers/_web/restart', 'request.path', 400],
  ['POST /containers/.../restart', 'request.path', 400],
  [`POST /containers/${'a'.repeat(256)}/restart`, 'request.path', 400],
  // encodings
  ['GET /containers/web/%61rchive', 'request.target', 400],
  ['GET /containers/%77eb/json', 'request.target', 400],
  ['GET /containers%2fweb/json', 'request.target', 400],
  ['GET /containers/web%2f..%2fdb/json', 'request.target', 400],
  ['GET /containers/%2e%2e/json', 'request.target', 400],
  ['GET /containers/web%00/json', 'request.target', 400],
  ['GET /containers/json%3Fall=1', 'request.target', 400],
  ['GET /containers/w\u00e9b/json', 'request.target', 400],
  // odd paths
  ['GET //containers/json', 'request.target', 400],
  ['GET /containers//json', 'request.target', 400],
  ['GET /./containers/json', 'request.target', 400],
  ['GET /containers/web/./json', 'request.target', 400],
  ['GET /images/../containers/json', 'request.target', 400],
  ['GET /containers/..', 'request.target', 400],
  ['GET /containers/json/', 'request.target', 400],
  ['GET /containers\\json', 'request.target', 400],
  ['GET /containers/json;x', 'request.target', 400],
  ['GET /containers/json#x', 'request.target', 400],
  ['GET /containers/json\t', 'request.target', 400],
  ['GET /containers/json\n', 'request.target', 400],
  ['GET /containers/web:latest/json', 'request.path', 400],
  ['GET /containers/web@1/json', 'request.path', 400],
  ['GET /containers/web+db/json', 'request.target', 400],
  ['GET /', 'request.target', 400],
  ['GET ', 'request.target', 400],
  ['GET ?all=1', 'request.target', 400],
  [`GET /${'a/'.repeat(600)}a`, 'request.target', 400],
  [`GET /images/${'a'.repeat(255)}/${'b'.repeat(255)}/${'c'.repeat(255)}/${'d'.repeat(244)}/json`, 'request.target', 400],
  // request targets in another form
  ['GET http://docker/containers/json', 'request.target', 400],
  ['GET unix:///containers/json', 'request.target', 400],
  ['GET docker:2375', 'request.target', 400],
  ['CONNECT docker:2375', 'request.target', 400],
  ['OPTIONS *', 'request.target', 400],
  ['PRI *', 'request.target', 400],
  // versions
  ['GET /v1/containers/json', 'request.version', 400],
  ['GET /v1.44./containers/json', 'request.version', 400],
  ['GET /v1.044/containers/json', 'request.version', 400],
  ['GET /v01.44/containers/json', 'request.version', 400],
  ['GET /v1.4/containers/json', 'request.version', 400],
  ['GET /v1.23/containers/json', 'request.version', 400],
  ['GET /v1.57/containers/json', 'request.version', 400],
  ['GET /v1.100/containers/json', 'request.version', 400],
  ['GET /v9.99/containers/json', 'request.version', 400],
  ['GET /v1.45.0/containers/json', 'request.version', 400],
  ['GET /v1.4e1/containers/json', 'request.version', 400],
  ['GET /v9v1.45/containers/json', 'request.version', 400],
  ['GET /V1.45/containers/json', 'operation.unknown', 403],
  ['GET /av1.45/containers/json', 'operation.unknown', 403],
  ['GET /v1.45', 'operation.unknown', 403],
  ['GET /v1.45/v1.45/containers/json', 'operation.unknown', 403],
]

t.test('any other request line is refused, and the rule says why', async (t) => {
  for (const [line, rule, status] of refusedLines) {
    t.match(readRequest(head(line)), { verdict: 'deny', rule, status }, JSON.stringify(line.slice(0, 60)))
  }
})

t.test('what no operation is says which operations there are on its path', async (t) => {
  const unknown = 'the request is no operation of the Engine API that a policy can name'
  const archive = 'GET is ContainerArchive, HEAD is ContainerArchiveInfo, PUT is PutContainerArchive'
  for (const [line, hint] of [
    ['GET /x', ''],
    ['GET /v1.45', ''],
    ['GET /containers/web/elsewhere', ''],
    ['POST /containers/web/archive', `; on this path ${archive}`],
    ['DELETE /containers/json/json', '; on this path GET is ContainerInspect'],
  ] as const)
    t.strictSame(readRequest(head(line)), { verdict: 'deny', status: 403, rule: 'operation.unknown', reason: unknown + hint })
})

const refusedHeaders: readonly (readonly [what: string, rawHeaders: readonly string[], rule: string, status: number])[] = [
  ['a page in a browser', ['Origin', 'http://evil.example'], 'request.browser', 403],
  ['a page without an origin', ['oRiGiN', 'null'], 'request.browser', 403],
  ['a browser’s fetch', ['Sec-Fetch-Mode', 'no-cors'], 'request.browser', 403],
  ['a web socket', ['Sec-WebSocket-Key', 'eA=='], 'request.browser', 403],
  ['an upgrade to a stream', ['Connection', 'Upgrade', 'Upgrade', 'tcp'], 'request.upgrade', 403],
  ['an upgrade to h2c', ['Upgrade', 'h2c'], 'request.upgrade', 403],
  ['an upgrade to nothing', ['Upgrade', ''], 'request.upgrade', 403],
  ['a space before the colon', ['Origin ', 'null'], 'request.header', 400],
  ['a name that is none', ['', 'x'], 'request.header', 400],
  ['a name with a letter of another alphabet', ['\u017fec-x', 'x'], 'request.header', 400],
  ['two Host', ['Host', 'a', 'host', 'b'], 'request.header', 400],
  ['two Connection', ['Connection', 'close', 'CONNECTION', 'close'], 'request.header', 400],
  ['two Content-Length', ['Content-Length', '0', 'content-length', '0'], 'request.header', 400],
  ['two Transfer-Encoding', ['Transfer-Encoding', 'chunked', 'transfer-encoding', 'chunked'], 'request.header', 400],
  ['two Upgrade', ['Upgrade', 'tcp', 'upgrade', 'tcp'], 'request.header', 400],
  ['two Content-Type', ['Content-Type', 'a/b', 'content-type', 'a/b'], 'request.header', 400],
  ['Connection that names a header', ['Connection', 'close, authorization'], 'request.header', 400],
  ['Connection: upgrade alone', ['Connection', 'upgrade'], 'request.header', 400],
  ['Expect', ['Expect', '100-continue'], 'request.header', 400],
  ['a body', ['Content-Length', '2'], 'request.body', 400],
  ['a length that is no number', ['Content-Length', '+0'], 'request.body', 400],
  ['a length in another base', ['Content-Length', '0x0'], 'request.body', 400],
  ['an empty length', ['Content-Length', ''], 'request.body', 400],
  ['a chunked body', ['Transfer-Encoding', 'chunked'], 'request.body', 400],
  ['a body in another coding', ['transfer-encoding', 'identity'], 'request.body', 400],
]

t.test('a header that would mean something to the Engine, or comes from a browser, is refused on every operation', async (t) => {
  for (const line of ['GET /containers/json', 'POST /containers/web/restart']) {
    for (const [what, rawHeaders, rule, status] of refusedHeaders) {
      t.match(readRequest(head(line, rawHeaders)), { verdict: 'deny', rule, status }, `${line}: ${what}`)
    }
  }
})

t.test('harmless headers are taken and leave no trace', async (t) => {
  const rawHeaders = [
    'Host',
    'x',
    'X-Registry-Auth',
    'e30=',
    'Authorization',
    'Basic x',
    'Content-Length',
    '0',
    'Connection',
    'Close',
  ]
  const plain = readRequest(head('GET /containers/json', []))
  t.strictSame(readRequest(head('GET /containers/json', rawHeaders)), plain)
  for (const connection of ['keep-alive', 'Keep-Alive', ' close '])
    t.strictSame(readRequest(head('GET /containers/json', ['Connection', connection])), plain, connection)
})

type Beyond = Pick<ApiRequest, 'headers' | 'upgrade' | 'announced'>
const nothing = { headers: new Map(), upgrade: false }
const JSON_BODY = ['Content-Type', 'application/json'] as const
const TO_TCP = ['Connection', 'Upgrade', 'Upgrade', 'tcp'] as const
const no = (rule: string, reason: string) => ({ verdict: 'deny', status: rule === 'request.upgrade' ? 403 : 400, rule, reason })
const taken = (name: string, ...values: readonly string[]) => ({ ...nothing, headers: new Map([[name, values]]) })
const unprintable = no('request.header', 'ImagePush takes only printable ASCII in its headers')
const noType = no('request.body', 'ContainerCreate takes a body of content-type application/json')

/** A body, an upgrade and headers of the operation's own: what is taken of them, or why nothing is. */
const beyondTheLine: readonly (readonly [line: string, rawHeaders: readonly string[], is: Beyond | ReturnType<typeof no>])[] = [
  ['POST /containers/create', [], nothing],
  ['POST /containers/create', ['Content-Length', '0'], nothing],
  ['POST /containers/create', [...JSON_BODY, 'Content-Length', '12'], { ...nothing, announced: { bytes: 12 } }],
  ['POST /containers/create', [...JSON_BODY, 'Transfer-Encoding', 'chunked'], { ...nothing, announced: {} }],
  [
    'POST /containers/create',
    ['Content-Type', 'Application/JSON ; charset=utf-8', 'Content-Length', '2'],
    { ...nothing, announced: { bytes: 2 } },
  ],
  ['POST /containers/create', ['Content-Length', '2'], noType],
  ['POST /containers/create', ['Content-Type', 'text/plain', 'Content-Length', '2'], noType],
  ['POST /containers/create', ['Content-Type', 'application/jsonp', 'Transfer-Encoding', 'chunked'], noType],
  ['POST /networks/front/connect', [...JSON_BODY, 'Content-Length', '2'], { ...nothing, announced: { bytes: 2 } }],
  ['POST /build', ['Content-Length', '512'], { ...nothing, announced: { bytes: 512 } }],
  ['POST /build', ['Content-Type', 'application/x-tar', 'Transfer-Encoding', 'chunked'], { ...nothing, announced: {} }],
  [
    'POST /containers/web/restart',
    [...JSON_BODY, 'Content-Length', '2'],
    no('request.body', 'the request has a body, and ContainerRestart takes none'),
  ],
  ['POST /containers/web/attach', [], nothing],
  ['POST /containers/web/attach', TO_TCP, { ...nothing, upgrade: true }],
  ['POST /session', ['Connection', 'Upgrade', 'Upgrade', 'h2c'], { ...nothing, upgrade: true }],
  ['POST /session', TO_TCP, no('request.upgrade', 'Session upgrades only to h2c')],
  [
    'POST /containers/web/attach',
    ['Connection', 'Upgrade', 'Upgrade', 'h2c'],
    no('request.upgrade', 'ContainerAttach upgrades only to tcp'),
  ],
  ['POST /containers/web/attach', ['Upgrade', 'tcp'], no('request.upgrade', 'ContainerAttach upgrades only to tcp')],
  [
    'POST /containers/web/attach',
    ['Connection', 'close', 'Upgrade', 'tcp'],
    no('request.upgrade', 'ContainerAttach upgrades only to tcp'),
  ],
  ['GET /containers/json', TO_TCP, no('request.upgrade', 'ContainerList does not upgrade its connection')],
  [
    'POST /exec/abc/start',
    [...TO_TCP, ...JSON_BODY, 'Content-Length', '2'],
    { ...nothing, upgrade: true, announced: { bytes: 2 } },
  ],
  [
    'POST /exec/abc/start',
    [...TO_TCP, ...JSON_BODY, 'Transfer-Encoding', 'chunked'],
    no('request.body', 'a body in chunks cannot stand before an upgrade'),
  ],
  ['POST /exec/abc/start', [...JSON_BODY, 'Transfer-Encoding', 'chunked'], { ...nothing, announced: {} }],
  ['POST /images/web/push', ['X-Registry-Auth', 'e30='], taken('x-registry-auth', 'e30=')],
  ['POST /images/web/push', ['X-Registry-Auth', ' ~'], taken('x-registry-auth', ' ~')],
  ['POST /images/web/push', ['X-Registry-Auth', ''], taken('x-registry-auth', '')],
  ['POST /images/web/push', ['X-Registry-Auth', 'a', 'x-registry-auth', 'b'], taken('x-registry-auth', 'a', 'b')],
  ['POST /images/web/push', ['X-Registry-Config', 'e30='], nothing],
  ['POST /images/web/push', ['X-Registry-Auth', 'a\tb'], unprintable],
  ['POST /images/web/push', ['X-Registry-Auth', '\u00e9a'], unprintable],
  ['POST /images/web/push', ['X-Registry-Auth', 'a\x7f'], unprintable],
  ['POST /images/web/push', ['X-Registry-Auth', 'a', 'X-Registry-Auth', '\n'], unprintable],
]

t.test('a body, an upgrade and further headers are taken from whom the operation takes them, and refused else', async (t) => {
  for (const [line, rawHeaders, is] of beyondTheLine) {
    const request = readRequest(head(line, rawHeaders))
    if ('verdict' in request) {
      t.strictSame(request, is, `${line}: ${rawHeaders.join(' ')}`)
      continue
    }
    const { headers, upgrade, announced } = request
    t.strictSame({ headers, upgrade, ...(announced ? { announced } : {}) }, is, `${line}: ${rawHeaders.join(' ')}`)
  }
})

t.test('a container that a query names is the container of the request', async (t) => {
  const request = readRequest(head('POST /commit?container=web&repo=a'))
  if ('verdict' in request) throw new Error(request.reason)
  t.strictSame([request.container, [...request.query.keys()]], ['web', ['repo']])
})

t.test('of a request whose query is refused nothing is left but why', async (t) => {
  const reason = 'query: ContainerList takes all, size, filters, not “limit”'
  t.strictSame(readRequest(head('GET /containers/json?limit=1')), { verdict: 'deny', status: 400, rule: 'request.query', reason })
})
