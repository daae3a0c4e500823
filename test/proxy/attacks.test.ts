// Attacks by class, a section each, under the policy that ships and under a wide one that allows what can be served. Raw bytes on the
// client's socket; what counts is what arrived at the Engine, and what of the Engine's answer comes back.
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import t, { type Test } from 'tap'
import { CATALOGUE, type Operation } from '../../proxy/request/catalogue.ts'
import { containerId, fakeContainer, inspectBody, listElement, SECRET } from './support/containers.ts'
import { requestOf } from './support/deciding.ts'
import type { Arrived, Reply } from './support/fake-engine.ts'
import { HEALER_POLICY_TEXT, policyOf, policyText } from './support/policies.ts'
import { preparePlace, startServing } from './support/proxy-process.ts'
import { ask, plainRequest } from './support/raw-client.ts'
import { DB, HIDDEN, type ProxyOptions, type RunningProxy, startProxy, usualContainers, WEB } from './support/start-proxy.ts'

const WIDE = `version: 1
client: healer
scope: [{ labels: { monitored: "true" } }, { labels: { autoheal: "true" } }]
allow_root_equivalent: [CheckpointDelete, CheckpointList, ImageTag, PluginDelete, PluginEnable, SwarmInspect, SwarmLeave]
allow: {
  SystemPing: {}, SystemPingHead: {}, SystemInfo: { show: [ServerVersion] },
  SystemDataUsage: { query: { type: [image] }, show: [LayersSize, Containers: [Names]] },
  ContainerList: { query: { all: [true], filters: [label, status, network, publish, volume] }, show: [
    Id, Names, State, Labels: [tier, app.*], Ports: [PublicPort], Mounts: [Type], NetworkSettings: [Networks: ["*": [IPAddress]]]] },
  ContainerInspect: { query: { size: [true] }, show: [Id, Name, State: [Status]] }, ContainerChanges: { show: [Kind] },
  ContainerTop: { query: { ps_args: ["-o *"] }, show: [Titles] }, ContainerKill: { query: { signal: [SIGHUP] } },
  ContainerStop: { query: { t: 0..60, signal: [SIGTERM, "SIGUSR*"] } }, ContainerRename: { query: { name: ["web-*"] } },
  ContainerStart: {}, ContainerRestart: {}, ContainerPause: {}, ContainerUnpause: {},
  ContainerResize: { query: { h: [24], w: 1..80 } }, ContainerDelete: { query: { force: [true], v: [false] } },
  CheckpointList: { show: [Name] }, CheckpointDelete: {},
  ImageList: { query: { all: [false], filters: [label] }, show: [Id, Labels: [tier]] }, ImageHistory: { show: [Size] },
  ImageInspect: { show: [Id, Config: [User]] }, ImageDelete: { query: { force: [false] }, show: [Untagged] },
  ImagePrune: { query: { filters: [label] }, show: [ImagesDeleted] }, ImageTag: { query: { repo: [team/app], tag: ["v*"] } },
  BuildPrune: { query: { all: [false] }, show: [SpaceReclaimed] },
  NetworkList: { query: { filters: [name] }, show: [Name] }, NetworkDelete: {},
  NetworkInspect: { query: { scope: [local] }, show: [Name, IPAM: [Driver]] },
  VolumeList: { show: [Volumes: [Name]] }, VolumeInspect: { show: [Name] }, VolumeDelete: { query: { force: [true] } },
  PluginInspect: { show: [Id, Settings: [Args]] }, PluginEnable: { query: { timeout: 0..30 } }, PluginDelete: {},
  SwarmInspect: { show: [ID] }, SwarmLeave: {}, NodeList: { show: [ID] }, SecretInspect: { show: [ID, Spec: [Name]] } }
`
const wide = policyOf(WIDE)
/** The same by a container's name, which it can lose, and which no client may then give. */
const BY_NAME = WIDE.replace(/scope: .*/, 'scope: [{ names: [web] }]').replace(/ContainerRename: .*/, '')
const words = (text: string) => text.trim().split(/[ \n]+/)
const split = (text: string) => text.trim().split(/\s*\|\s*/)

/** A request for every operation of the wide policy but the list and the ping, as the proxy would write it itself. */
const LEGAL =
  split(`HEAD /_ping | GET /info | GET /system/df?type=image | GET /containers/web/json?size=1 | GET /containers/web/changes
  | GET /containers/web/top?ps_args=-o%20pid%2Ccmd | POST /containers/web/kill?signal=SIGHUP | POST /containers/web/start
  | POST /containers/web/stop?t=5&signal=SIGUSR1 | POST /containers/web/rename?name=web-2 | POST /containers/web/resize?h=24&w=80
  | POST /containers/web/restart | POST /containers/web/pause | POST /containers/web/unpause | DELETE /containers/web?force=1&v=0
  | GET /containers/web/checkpoints | DELETE /containers/web/checkpoints/one | GET /images/json?all=0 | GET /images/app/history
  | GET /images/localhost:5000/team/app:1.2/json | DELETE /images/team/app?force=0 | POST /images/prune?filters=%7B%22label%22%3A%5B%22tmp%22%5D%7D | POST /build/prune?all=0
  | POST /images/app/tag?repo=team%2Fapp&tag=v1 | GET /networks | GET /networks/front?scope=local | DELETE /networks/front
  | GET /volumes | GET /volumes/data | DELETE /volumes/data?force=1 | GET /plugins/vieux/sshfs:latest/json | GET /swarm
  | POST /plugins/vieux/sshfs:latest/enable?timeout=5 | DELETE /plugins/vieux/sshfs:latest | POST /swarm/leave | GET /nodes
  | GET /secrets/one`)
const OF_CONTAINER = LEGAL.filter((line) => line.includes('/containers/web'))
const CHANGES = OF_CONTAINER.filter((line) => !line.startsWith('GET'))

/** What the proxy asks of its own accord before it forwards. */
const LIST = 'GET /containers/json?all=1 HTTP/1.1'
const inspectOf = (id: string) => `GET /containers/${id}/json HTTP/1.1`
/** As `line` has to go out: about the container's whole id. */
const forwarded = (line: string) => `${line.replace('/containers/web', `/containers/${WEB}`)} HTTP/1.1`

/** Does whatever it is asked, and says the secret to all that is not about containers. */
function obliging({ line }: Arrived): Reply | undefined {
  if (/^GET \/(version|_ping|containers\/json\S*|containers\/[^/]+\/json) /.test(line)) return undefined
  return line.startsWith('HEAD') ? { status: 200 } : { status: 200, body: { Secret: SECRET } }
}

async function start(t: Test, policyText = WIDE, options: ProxyOptions = {}): Promise<RunningProxy> {
  const proxy = await startProxy(t, { policyText, ...options })
  proxy.engine.answer = obliging
  return proxy
}

/** A plain request. The answer to a HEAD is known to be whole only by the end of its connection. */
const written = (line: string, headers: readonly string[] = []) =>
  plainRequest(line, line.startsWith('HEAD') ? [...headers, 'Connection: close'] : headers)
const plainly = (lines: readonly string[]) => lines.map((line) => written(line))

/** What arrives for `line`, until it is answered. */
async function arrivals(proxy: RunningProxy, line: string, headers?: readonly string[]): Promise<readonly string[]> {
  const from = proxy.engine.lines().length
  await proxy.talk(written(line, headers))
  return proxy.engine.lines().slice(from)
}

/** Each of `attacks`, on a connection of its own, is answered by a refusal or not at all, and nothing of it arrives. */
async function nothingArrives(t: Test, attacks: readonly string[], policies = [WIDE]): Promise<void> {
  for (const policy of policies) {
    const proxy = await start(t, policy)
    await proxy.ask('GET /v1.45/_ping') // the Engine's versions are known from here on
    const from = proxy.engine.lines().length
    for (const bytes of attacks) {
      const statuses = (await proxy.talk(bytes)).map(({ status }) => status)
      const arrived = proxy.engine.lines().slice(from)
      t.ok(arrived.length === 0 && statuses.every((status) => status >= 400), JSON.stringify([bytes.slice(0, 80), statuses]))
    }
    // This takes as many steps as any that came before it, so all of those have had their turn.
    await proxy.ask('POST /containers/db/restart')
    t.same(proxy.engine.lines().slice(from), [LIST, inspectOf(DB), `POST /containers/${DB}/restart HTTP/1.1`])
  }
}
const BOTH = [HEALER_POLICY_TEXT, WIDE]

const lineOf = ({ method, path }: Operation) =>
  `${method} /${path
    .join('/')
    .replace('{container}', 'web')
    .replace(/\{\w+\}/g, 'thing')}`
const EVERY_OPERATION = CATALOGUE.map(lineOf)
const SMUGGLED = plainRequest('POST /containers/db/stop') + plainRequest('POST /containers/db/restart')

/** Writes `pieces` one after the other, each once the one before has left; all that comes until the proxy hangs up. */
function converse(socketPath: string, pieces: Iterable<string>): Promise<string> {
  return new Promise((resolve, reject) => {
    let received = ''
    const socket = connect(socketPath, async () => {
      for (const piece of pieces) {
        await new Promise((left) => socket.write(piece, 'latin1', left))
        await new Promise((turned) => setImmediate(turned))
      }
    })
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text
    })
    socket.on('close', () => resolve(received)).on('error', reject)
  })
}

t.test('what is allowed goes out once, with no header or body but the proxy’s own', async (t) => {
  const proxy = await start(t)
  const headers = words(`X-Registry-Auth:e30= Authorization:Basic X-HTTP-Method-Override:DELETE X-Original-URL:/containers/create
    Trailer:X-A HTTP2-Settings:AAMAAABk Content-Type:application/x-www-form-urlencoded Content-Length:0 Proxy-Connection:upgrade`)
  for (const line of LEGAL) {
    const arrived = (await arrivals(proxy, line, headers)).filter((asked) => asked !== LIST && asked !== inspectOf(WEB))
    t.same(arrived, [forwarded(line)], line)
  }
  t.equal(LEGAL.length, wide.allow.size - 2, 'it is a request for each')
  const sent = proxy.engine.arrived.flatMap(({ headers, body }) => [...headers, body]).map((text) => text.toLowerCase())
  const own = ['', 'accept: application/json', 'connection: close', 'connection: keep-alive', 'content-length: 0', 'host: engine']
  t.same([...new Set(sent)].sort(), own)
})

// Class: a read that is not harmless.
t.test('a read that leaks or runs something is refused, however harmless its method', async (t) => {
  const reads = CATALOGUE.filter(({ id, kind }) => kind === 'reads' && !wide.allow.has(id) && id !== 'SystemVersion')
  const values = ['-eo%20pid', '-efx', '-EF', '-o', '--sort=-rss', ''].map((args) => `GET /containers/web/top?ps_args=${args}`)
  await nothingArrives(t, plainly([...reads.map(lineOf), ...values]), BOTH)
})

// Class: half-anchored or method-blind rules; HEAD is no GET and GET no HEAD.
t.test('a path is allowed for its own method alone, with nothing before or after it', async (t) => {
  const plain = LEGAL.map((line) => line.replace(/\?.*/, ''))
  const methods = words('GET HEAD POST PUT DELETE PATCH OPTIONS TRACE PROPFIND get')
  const others = plain.flatMap((line) => methods.map((method) => line.replace(/^\S+/, method)))
  // To delete `/images/app/json` is to delete the image `app/json`, in the Engine as well.
  const wrong = others.filter((line) => ![...plain, 'GET /_ping'].includes(line) && !/^DELETE \/(images|plugins)/.test(line))
  const ofContainer = plain.filter((line) => line.includes('/containers/web'))
  const longer = words('/archive /attach/ws /exec /start').flatMap((end) => ofContainer.map((line) => line + end))
  const below = words('/x /containers /archive').flatMap((begin) => ofContainer.map((line) => line.replace(' ', ` ${begin}`)))
  await nothingArrives(t, plainly([...wrong, ...longer, ...below]))
  await nothingArrives(t, plainly(['HEAD /_ping']), [HEALER_POLICY_TEXT])
})

// Class: names that route elsewhere.
t.test('a name of several segments is one name or refused, and never leads to another operation', async (t) => {
  const stray =
    split(`/images/a/../../containers/x/json | /images/a/..%2f..%2fcontainers/x/json | /images/a/./b/json | /images/../info
    | /images/a//b/json | /images/-a/json | /images/a/.b/json | /images/:a/json | /images/a/@/json | /images/a%3Ab/json | /images/a b/json
    | /images/a\\b/json | /images/http://evil/a/json | /images/a/~b/json | /images/${'a'.repeat(256)}/json | /images/${'a/'.repeat(600)}json
    | /images/${'a'.repeat(17_000)}/json | /plugins/a/../b/json | /networks/a/b | /networks/a:b | /volumes/a/b | /secrets/a@b
    | /containers/a/b/json | /containers/web:1/json | /containers/web@1/json | /containers/other/alias/json | /containers/w*/json`)
  await nothingArrives(t, plainly(stray.flatMap((path) => [`GET ${path}`, `GET /v1.45${path}`])), BOTH)
  const plain = split(`GET /images/a/containers/x/json | GET /images/v1.45/containers/json/json | GET /images/json/json
    | GET /images/search/json | GET /images/localhost:5000/a@sha256:${HIDDEN}/json | GET /images/a:b@c:d/json | GET /images/a/json/history
    | GET /images/${'a'.repeat(255)}/json | GET /images/${'a/'.repeat(490)}a/json | DELETE /images/search | DELETE /images/a/get
    | POST /plugins/pull/enable | POST /plugins/a/disable/enable | GET /plugins/privileges/json | DELETE /networks/prune`)
  const proxy = await start(t)
  for (const line of plain) t.same(await arrivals(proxy, line), [`${line} HTTP/1.1`], line.slice(0, 80))
})

// Classes: encodings, odd paths, versions, request targets.
t.test('of all ways to write a target only the plain one is taken', async (t) => {
  const code = (text: string) => `%${text.charCodeAt(text.length - 1).toString(16)}`
  const begins =
    words(`/ /. /x/.. /v1 /v1.44. /v01.44 /v1.044 /v9.99 /v1.23 /v1.57 /v1.46 /V1.44 /v1.44/v1.44 http://docker unix:// //docker
    docker:2375 * \\ ?`)
  const ends = words('%00 \t % %2525 / // /. /.. ;x #x \\ + * \xff')
  const spellings = (path: string) => [
    path.replace(/^\/./, (first) => `/${code(first)}`),
    path.replace(/.$/, code),
    path.replace(/\/(?=[^/]*$)/, '%2f'),
    path.replace(/\/(?=[^/]*$)/, '/%2e%2e/'),
    ...[...begins.map((begin) => begin + path), ...ends.map((end) => path + end)],
  ]
  const lines = LEGAL.flatMap((line) => {
    const [, method, path = '', query] = /^(\S+) ([^?]+)(.*)$/.exec(line) ?? []
    return spellings(path).map((spelled) => `${method} ${spelled}${query}`)
  })
  await nothingArrives(t, plainly(lines))
})

// Class: query.
const renameTo = (value: string) => `POST /containers/web/rename?name=${value}`
t.test('a text goes out encoded anew, if it is plainly written and listed', async (t) => {
  const refused =
    words(`web-+ web-%00 web-%0d%0aX web-%7f web-%C2%85 web-%ff web-%c0%af web-%ed%a0%80 web-% web-%zz web-# web-\xe9 db WEB-1
    web-1&name=web-2 web-1&name=db web-1;name=db web-1&Name=db web-1&name%00=db web-1& web-1&t %20web-1 xweb-1 %EF%BD%97eb-1 web%E2%80%90
    web-${'a'.repeat(1021)} web-${'%20'.repeat(5000)}`)
  await nothingArrives(t, plainly(['', ...refused].map(renameTo)), BOTH)
  const proxy = await start(t)
  const taken = ['', ...words("%26t%3D1 %23%3F %252F %2B%20 %C3%A9%F0%9F%98%80 '()*!~ *"), '%E2%82%AC'.repeat(1020)]
  for (const line of taken.map((end) => renameTo(`web-${end}`))) t.equal((await arrivals(proxy, line)).at(-1), forwarded(line))
  t.equal(
    (await arrivals(proxy, renameTo('web-/?:@,$'))).at(-1),
    forwarded(renameTo('web-%2F%3F%3A%40%2C%24')),
    'whatever it had',
  )
})

// Class: policy that fails open.
t.test('what a rule does not say of the query is refused', async (t) => {
  const unlisted = CATALOGUE.flatMap((operation) => {
    const rule = wide.allow.get(operation.id)
    const types = Object.entries(operation.query).filter(([key]) => rule && !rule.query.has(key))
    return types.map(([key, type]) => `${lineOf(operation)}?${key}=${typeof type === 'object' ? '%7B%7D' : '1'}`)
  })
  const values = words('stop?t=61 stop?t=-1 stop?signal=SIGKILL stop?signal=sigterm kill?signal= kill?signal=9 resize?h=25')
  await nothingArrives(t, plainly([...unlisted, ...values.map((end) => `POST /containers/web/${end}`)]))
})

for (const [what, lines] of [
  ['an absent signal is SIGKILL', ['POST /containers/web/kill']],
  ['absent columns are all, with what each process was given', ['GET /containers/web/top']],
  ['an absent tag is `latest`', ['POST /images/app/tag?repo=team%2Fapp']],
  ['absent filters prune all', ['POST /images/prune']],
  [
    'empty filters prune all',
    ['{}', '{"label":[]}', '{"label":{}}'].map((json) => `POST /images/prune?filters=${encodeURIComponent(json)}`),
  ],
] as const) {
  t.test(`what is not said is judged by what it means: ${what}`, (t) => nothingArrives(t, plainly(lines)))
}

// Class: body before query.
t.test('no operation of the catalogue takes a body of any kind', async (t) => {
  const attacks = EVERY_OPERATION.flatMap((line) => [
    `${written(line, ['Content-Type: application/x-www-form-urlencoded', 'Content-Length: 4'])}t=60`,
    `${written(line, ['Content-Type: application/json', 'Content-Length: 7'])}{"t":1}`,
    `${written(line, ['Transfer-Encoding: chunked'])}4\r\nt=60\r\n0\r\n\r\n`,
  ])
  await nothingArrives(t, attacks)
})

// Classes: JSON keys; oracles by `filters`.
const filtered = (json: string) => `GET /containers/json?filters=${encodeURIComponent(json)}`
t.test('filters go out as they were judged, each key once, and on shown labels alone', async (t) => {
  const refused =
    words(`{"Label":["tier"]} {"\u017ftatus":["running"]} {"label\\u0020":["tier"]} {"label\\u0000":["tier"]} {"__proto__":["a"]}
    {"label":["secret"]} {"label":{"secret":true}} {"label":{"secret=1":true}} {"label":["Tier"]} {"label":["tier","secret=1"]}
    {"label":["tier"],"label":["secret"]} {"label":["tier"],"l\\u0061bel":["secret"]} {"label":["=tier"]} {"label":[""]} {"label":["*"]}
    {"label":{"__proto__":true}} {"label":{"tier":false}} {"label":{"tier":{"x":true}}} {"label":"tier"} {"label!":["tier"]}
    {"before":["hidden"]} {"since":["hidden"]} {"health":["healthy"]} {"label":["tier",]} {},{} [{}]`)
  await nothingArrives(t, plainly(['\ufeff{}', ...refused].map(filtered)))
  const taken: readonly (readonly [json: string, arrives: object])[] = [
    ['{"status":["running"],"status":["exited"]}', { status: ['exited'] }],
    ['{"label":["tier"],"l\\u0061bel":{"tier=b":true,"tier=b":true}}', { label: ['tier=b'] }],
    ['{"label":["tier=&filters={}#","app.x=\\ud800"]}', { label: ['tier=&filters={}#', 'app.x=\ud800'] }],
    ['{"label":[],"status":{}}', { label: [], status: [] }],
  ]
  const proxy = await start(t)
  for (const [json, arrives] of taken) {
    const [line = ''] = await arrivals(proxy, filtered(json))
    t.same(JSON.parse(decodeURIComponent(/filters=(\S+)/.exec(line)?.[1] ?? 'null')), arrives, json)
  }
})
for (const [what, json] of [
  ['the name of a volume, where the type of a mount is shown', '{"volume":["/srv/hidden"]}'],
  // The Engine takes the beginning of a network's id for its name.
  ['the id of a network, where its name is shown', '{"network":["4f"]}'],
  ['the protocol of a port, where its number is shown', '{"publish":["80/udp"]}'],
  // The Engine finds none by the beginning of an id that a hidden container's id has as well.
  ['hidden ids, where those in scope are shown', '{"id":["aa"]}'],
] as const) {
  t.test(`no filter tells of ${what}`, (t) => nothingArrives(t, plainly([filtered(json)])))
}

// Class: framing, and pipelining.
t.test('what follows a HEAD at once is dropped, and the one answer has no body', async (t) => {
  for (const first of ['HEAD /_ping', 'HEAD /containers/web/json', 'HEAD /_ping?x=1']) {
    const proxy = await start(t)
    t.match(await converse(proxy.socketPath, [plainRequest(first) + SMUGGLED]), /^HTTP\/1\.1 (?:[^\r]+\r\n)+\r\n$/, first)
    t.same(proxy.engine.lines(), first === 'HEAD /_ping' ? ['HEAD /_ping HTTP/1.1'] : [])
  }
})
const HIDING: readonly (readonly [what: string, headers: readonly string[]])[] = [
  ['a body', [`Content-Length: ${SMUGGLED.length}`]],
  ['a body of a page in a browser', ['Origin: null', `Content-Length: ${SMUGGLED.length}`]],
  ['a body of another protocol', ['Upgrade: tcp', `Content-Length: ${SMUGGLED.length}`]],
  ['what follows an upgrade', ['Connection: Upgrade', 'Upgrade: tcp']],
]
for (const [what, headers] of HIDING) {
  t.test(`${what} is no request, and ends the connection`, async (t) => {
    const bytes = plainRequest('POST /containers/web/stop', headers) + SMUGGLED
    await nothingArrives(t, [bytes], BOTH)
    const [answer] = await (await start(t)).talk(bytes)
    t.match(answer?.headers.join().toLowerCase(), 'connection: close')
  })
}

// Class: upgrades, the preface of HTTP/2, tunnels.
t.test('no operation of the catalogue upgrades its connection, and none is a tunnel', async (t) => {
  const h2c = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA']
  const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'
  const attacks = EVERY_OPERATION.flatMap((line) => [
    written(line, ['upgrade: websocket']),
    plainRequest(line.replace(/^\S+/, 'CONNECT')) + SMUGGLED,
    plainRequest(line.replace(/^HEAD/, 'GET'), ['Connection: Upgrade', 'Upgrade: tcp']) + SMUGGLED,
    plainRequest(line.replace(/^HEAD/, 'GET'), h2c) + preface,
  ])
  await nothingArrives(t, [...attacks, preface, preface + SMUGGLED])
})
for (const [what, before] of [
  ['at once', ''],
  ['behind a request', plainRequest('GET /_ping')],
] as const) {
  t.test(`a tunnel asked for ${what} by a client that hangs up does not end the program`, async (t) => {
    const place = await preparePlace(t)
    await startServing(t, place)
    const hungUp = new Promise<unknown>((resolve) => {
      const bytes = before + plainRequest('CONNECT docker:2375')
      const socket = connect(place.client, () => socket.write(bytes, () => socket.destroy())).once('close', resolve)
    })
    // What stands before it is answered once there is nobody to take the answer.
    place.engine.answer = () => hungUp.then(() => undefined)
    await hungUp
    for (let i = 1; i <= 5; i++) t.equal(await ask(place.client, 'GET /_ping').then(({ body }) => body, String), 'OK')
  })
}

// Class: headers.
t.test('a header that means something else is refused on all that changes a container', async (t) => {
  const headers =
    split(`Origin: null | Sec-Fetch-Site: none | Connection: close, content-length | Connection: Keep-Alive, TE | Connection:
    | Expect: 100-continue | Transfer-Encoding: | Transfer-Encoding: gzip, chunked | Content-Length: 00 | Content-Length: 0x0 | Host: other
    | HOST: | Origin : null`)
  const attacks = CHANGES.flatMap((line) => headers.map((header) => written(line, [header])))
  await nothingArrives(t, attacks, BOTH)
})

// Class: sizes and time.
t.test('a legal request a byte at a time goes out once, as if it had come whole', async (t) => {
  for (const line of ['POST /v1.45/containers/web/restart', 'GET /v1.45/containers/web/json']) {
    for (const policy of BOTH) {
      const proxy = await start(t, policy)
      t.match(await converse(proxy.socketPath, plainRequest(line, ['Connection: close'])), /^HTTP\/1\.1 20[04] /, line)
      const arrived = proxy.engine.lines().filter((asked) => asked.includes('/v1.45/'))
      t.same(arrived, [forwarded(line)])
    }
  }
})

// Class: time of check, time of use.
t.test('a name that moves to another container after the list takes no change with it', async (t) => {
  for (const [policy, keepsScope] of [
    [WIDE, true],
    [BY_NAME, false],
  ] as const) {
    for (const line of CHANGES.filter((each) => keepsScope || !each.includes('/rename'))) {
      const proxy = await start(t, policy)
      proxy.engine.answer = (request) => {
        const [web, , hidden] = proxy.engine.containers
        if (web && hidden && request.line === inspectOf(WEB)) [web.name, hidden.name] = ['moved', 'web']
        return obliging(request)
      }
      t.same(await arrivals(proxy, line), [LIST, inspectOf(WEB), ...(keepsScope ? [forwarded(line)] : [])], line)
    }
  }
})

// Class: oracles, by names, ids, the beginnings of ids, and links.
t.test('for every operation a hidden container is asked about, and answered, as one that is not there', async (t) => {
  const hidden = (start: string, name: string) => fakeContainer({ id: containerId(start), name, labels: {} })
  const linked = hidden('f1', 'linked')
  const containers = [...usualContainers(), hidden('e1', 'twin'), hidden('e2', 'twin'), linked, hidden('f2', 'aa11')]
  const proxy = await start(t, WIDE, { containers })
  proxy.engine.answer = (request) => {
    if (request.line !== LIST) return obliging(request)
    // A link gives a container a name below that of another, which puts it in no scope and leads to it by no path.
    const namesOf = ({ id, name }: { id: string; name: string }) => [id === linked.id ? '/db/db' : '/linked/alias', `/${name}`]
    return { status: 200, body: containers.map((each) => ({ ...listElement(each), Names: namesOf(each) })) }
  }
  const about = async (line: string, ref: string) => {
    const from = proxy.engine.lines().length
    const answer = JSON.stringify(await proxy.ask(line.replace('/web', `/${ref}`))).replaceAll(ref, 'REF')
    return { answer, arrived: proxy.engine.lines().slice(from) }
  }
  for (const line of OF_CONTAINER) {
    for (const ref of ['hidden', HIDDEN, HIDDEN.slice(0, 12), 'twin', 'linked', 'alias', linked.id, 'f']) {
      t.same(await about(line, ref), await about(line, 'x'.repeat(ref.length)), `${line} of ${ref}`)
    }
    t.equal((await about(line, 'aa11')).arrived.at(-1), forwarded(line), 'a hidden name hides no beginning of an id')
  }
})

// Class: leaks.
const shapes: readonly unknown[] = [SECRET, [SECRET], [[SECRET]], { x: SECRET }, [{ x: SECRET }], [[{ x: SECRET }, SECRET]]]
const oddBodies = [
  ...[
    ...shapes,
    { [SECRET]: 1 },
    null,
    5,
    '',
    `{"__proto__":{"Id":"${SECRET}"},"toJSON":"${SECRET}"}`,
    `{"Id":1,"x":"${SECRET}"`,
  ],
  `${'['.repeat(50_000)}"${SECRET}"${']'.repeat(50_000)}`,
]
const oddReplies: readonly Reply[] = [
  ...[204, 301, 400, 401, 403, 404, 409, 500, 501, 503].map((status) => ({
    status,
    headers: [`X-Secret: ${SECRET}`],
    ...(status === 204 ? {} : { body: { message: `${SECRET}: conflict with the container /${SECRET}` } }),
  })),
  `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n${SECRET}`,
  `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\nContent-Length: 29\r\n\r\n{"Id":"${SECRET}"}`,
  `HTTP/1.1 200 ${SECRET}\r\nX-Secret: ${SECRET}\r\nContent-Length: 9\r\n\r\n{"Id":`,
  SECRET,
]
t.test('whatever the Engine answers, or gives as its reason, nothing is shown but the fields that are named', async (t) => {
  const proxy = await start(t)
  for (const line of LEGAL.filter((each) => !each.startsWith('HEAD'))) {
    const show = wide.allow.get(requestOf(line).operation.id)?.show ?? []
    // Of these something below is shown, and they are something else.
    const inPart = show === 'all' ? [] : show.filter(({ fields }) => fields !== 'all').map(({ name }) => name)
    const traps = shapes.map((shape) => Object.fromEntries(inPart.map((name) => [name, shape])))
    const bodies = [...oddBodies, ...traps, ...traps.map((trap) => [trap])].map((body) => ({ status: 200, body }))
    for (const reply of [...bodies, ...oddReplies]) {
      proxy.engine.answer = (request) => (request.line === forwarded(line) ? reply : obliging(request))
      t.notMatch(JSON.stringify(await proxy.ask(line)), SECRET, `${line}: ${JSON.stringify(reply).slice(0, 80)}`)
    }
  }
})

// Class: log forging.
t.test('whatever is asked, the audit log tells of each request in lines of ASCII, in order', async (t) => {
  const forged = '{"v":1,"seq":1,"verdict":"allow"}'
  const lines = [
    ...[
      `GET /x\u2028${forged}`,
      'GET /x\u009b2J\u0085',
      `GET /${'x'.repeat(15_000)}`,
      'GET /x\\n"},{"',
      `GET /x?${'%0a'.repeat(4000)}`,
    ],
    ...[
      renameTo(`web-%0A${forged}`),
      renameTo('web-%E2%80%A8%E2%80%AE%F0%9F%98%80'),
      filtered('{"label":["app.\u2028=\u202e"]}'),
    ],
  ]
  const raw = [`\x1b[2J\n${forged}\n\n`, `${forged}\r\n\r\n`, 'GET /\rx HTTP/1.1\r\n\r\n']
  const proxy = await start(t)
  for (const bytes of [...plainly(lines), ...raw]) await proxy.talk(Buffer.from(bytes, 'utf8'))
  await proxy.audit.close()
  const recorded = readFileSync(proxy.auditFile, 'utf8').split('\n').slice(0, -1)
  for (const line of recorded) t.match(line, /^\{[\x20-\x7e]{1,8192}\}$/)
  const seqs = recorded.map((line) => JSON.parse(line).seq)
  t.same(
    seqs,
    [...seqs.keys()].map((i) => i + 1),
  )
  t.equal(proxy.decisions(), lines.length + raw.length)
})

// Class: the healer turned hostile.
t.test('the proxy, and what shares its sockets, is changed by no operation and under no name', async (t) => {
  const own = fakeContainer({ id: containerId('0e11'), name: 'proxy' })
  const sharing = fakeContainer({
    id: containerId('0f11'),
    name: 'sharing',
    mounts: [{ Source: '/srv/volume', Destination: '/x' }],
  })
  const proxy = await start(t, WIDE, { ownId: containerId('0e11'), containers: [...usualContainers(), own, sharing] })
  const body = { ...inspectBody(own), Mounts: [{ Source: '/srv/volume', Destination: dirname(proxy.socketPath) }] }
  proxy.engine.answer = (request) => (request.line === inspectOf(own.id) ? { status: 200, body } : obliging(request))
  const asked = [LIST, inspectOf(own.id), inspectOf(sharing.id)]
  for (const line of CHANGES) {
    for (const ref of ['proxy', own.id, '0e', 'sharing', sharing.id, '0f1']) {
      const arrived = await arrivals(proxy, line.replace('/web', `/${ref}`))
      t.ok(arrived.length > 0 && arrived.every((each) => asked.includes(each)), `${line} of ${ref}: ${arrived}`)
    }
  }
})
t.test('requests of one moment share one budget, also while the Engine is asked for its versions', async (t) => {
  const proxy = await start(t, policyText(['SystemPing: {}', 'NetworkDelete: { budget: { client: 1 per 1h } }']))
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  proxy.engine.answer = async (request) => {
    if (request.line.startsWith('GET /version')) await released
    return obliging(request)
  }
  const answers = Array.from({ length: 3 }, () => proxy.ask('DELETE /v1.45/networks/front'))
  await proxy.ask('GET /_ping') // by its answer the three before it have been read
  release()
  const statuses = (await Promise.all(answers)).map(({ status }) => status)
  t.same(statuses.sort(), [200, 429, 429])
  t.equal(proxy.engine.lines().filter((line) => line.startsWith('DELETE')).length, 1)
})
t.test('a container has no new budget by a new name', async (t) => {
  const rules = ['ContainerRename: { query: { name: ["web-*"] } }', 'ContainerRestart: { budget: { container: 1 per 10m } }']
  const proxy = await start(t, policyText(rules))
  proxy.engine.answer = (request) => {
    const name = /rename\?name=(\S+)/.exec(request.line)?.[1]
    for (const container of proxy.engine.containers) if (name && container.id === WEB) container.name = name
    return obliging(request)
  }
  for (const line of [`POST /containers/${WEB}/restart`, renameTo('web-2'), `POST /containers/${WEB}/restart`])
    await proxy.ask(line)
  t.equal(proxy.engine.lines().filter((line) => line.includes('/restart ')).length, 1)
})
