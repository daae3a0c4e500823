// Bodies: JSON is understood and written anew, files pass as they come, and what breaks off never looks whole to the Engine.
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import t from 'tap'
import type { Owner } from '../support/temporary.ts'
import { containerId, fakeContainer } from './support/containers.ts'
import { everythingPolicy } from './support/everything.ts'
import { plainRequest } from './support/raw-client.ts'
import { aWhile, openConnection, readChunks, splitHead, until } from './support/raw-connection.ts'
import { DB, HIDDEN, type RunningProxy, startProxy, usualContainers, WEB } from './support/start-proxy.ts'

const SCOPE = [{ labels: { monitored: 'true' } }, { labels: { autoheal: 'true' } }]
const start = (t: Owner, options: Parameters<typeof startProxy>[1] = {}) =>
  startProxy(t, { policyText: everythingPolicy('client', SCOPE), ...options })
const JSON_TYPE = 'Content-Type: application/json'

const posting = (line: string, body: string, ...headers: readonly string[]) =>
  `${plainRequest(line, [JSON_TYPE, `Content-Length: ${Buffer.byteLength(body)}`, ...headers])}${Buffer.from(body).toString('latin1')}`
async function post(proxy: RunningProxy, line: string, body: string, ...headers: readonly string[]) {
  const [answer] = await proxy.talk(posting(line, body, ...headers))
  if (!answer) throw new Error(`no answer to ${line}`)
  return answer
}
/** What changes something, of what arrived. */
const changes = ({ engine }: RunningProxy) => engine.arrived.filter(({ line }) => !line.startsWith('GET '))
const CREATE = 'POST /containers/create?name=new'

t.test('JSON is written anew: each number as it was, nothing that is not in it', async (t) => {
  const proxy = await start(t)
  proxy.engine.answer = ({ line }) => (line.startsWith('POST') ? { status: 201, body: { Id: 'x' } } : undefined)
  const table: readonly (readonly [sent: string, arrives: string])[] = [
    [' { "Image" : "a\\u0062" ,\n"Env":[ ] } ', '{"Image":"ab","Env":[]}'],
    ['{"Memory":9007199254740993,"Cpu":1.0e400,"Zero":-0}', '{"Memory":9007199254740993,"Cpu":1.0e400,"Zero":-0}'],
    ['{"Labels":{"__proto__":"x","constructor":"y"}}', '{"Labels":{"__proto__":"x","constructor":"y"}}'],
    ['{"Labels":{"isLosslessNumber":true,"value":"1,2"}}', '{"Labels":{"isLosslessNumber":true,"value":"1,2"}}'],
    ['{"Cmd":["ü€😀\\u0000\\ud800"]}', '{"Cmd":["ü€😀\\u0000\\ud800"]}'],
    ['[]', '[]'],
  ]
  for (const [sent, arrives] of table) {
    t.equal((await post(proxy, CREATE, sent)).status, 201, sent)
    const { body = '', headers = [] } = changes(proxy).at(-1) ?? {}
    t.equal(Buffer.from(body, 'latin1').toString(), arrives)
    t.ok(headers.includes('content-type: application/json'))
  }
})

t.test('what is no plain JSON object is refused, and none of it arrives', async (t) => {
  const proxy = await start(t)
  const odd = [
    '',
    'null',
    '1',
    '"text"',
    '{',
    '{"a":1}}',
    '{"a":1,}',
    "{'a':1}",
    '{"a":1,"a":2}',
    '{"a":{"b":1,"b":2}}',
    'NaN',
    '{"a":01}',
  ]
  odd.push(
    '{"\\u0061":1,"a":2}',
    '{"__proto__":1,"__proto__":2}',
    `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    `${'{"a":'.repeat(200_000)}`,
  )
  for (const body of odd) {
    const bytes =
      body === '' ? plainRequest(CREATE, [JSON_TYPE, 'Transfer-Encoding: chunked']).concat('0\r\n\r\n') : posting(CREATE, body)
    const [answer] = await proxy.talk(bytes)
    t.equal(answer?.status, 400, body.slice(0, 40))
  }
  t.strictSame(changes(proxy), [])
})

t.test('JSON that is nested deeply is refused or arrives, and is never a fault of the proxy', async (t) => {
  const proxy = await start(t)
  proxy.engine.answer = ({ line }) => (line.startsWith('POST') ? { status: 201, body: {} } : undefined)
  const statuses = new Set<number>()
  for (let depth = 20; depth < 20_000; depth = depth * 2) {
    statuses.add((await post(proxy, CREATE, `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`)).status)
    statuses.add((await post(proxy, CREATE, `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`)).status)
  }
  t.strictSame([...statuses].sort(), [201, 400])
})

t.test('a body of another type, or where there is none to be, is refused', async (t) => {
  const proxy = await start(t)
  const send = (line: string, type: string, body: string) =>
    proxy.talk(`${plainRequest(line, [type, `Content-Length: ${body.length}`])}${body}`)
  const refused: readonly (readonly [line: string, type: string, body: string])[] = [
    [CREATE, 'Content-Type: application/x-www-form-urlencoded', 'a=b'],
    [CREATE, 'Content-Type: multipart/form-data; boundary=x', '{}'],
    [CREATE, 'Content-Type: text/plain; application/json', '{}'],
    [CREATE, 'Content-Type: application/jsonx', '{}'],
    [CREATE, 'X-None: 1', '{}'],
    ['POST /containers/web/restart', JSON_TYPE, '{}'],
    ['POST /containers/web/attach', JSON_TYPE, '{}'],
    ['GET /containers/json', JSON_TYPE, '{}'],
    ['DELETE /containers/web', JSON_TYPE, '{}'],
    ['POST /session', JSON_TYPE, '{}'],
    ['GET /events', JSON_TYPE, '{}'],
  ]
  for (const [line, type, body] of refused) {
    const answers = await send(line, type, `${body}${plainRequest('POST /containers/db/restart')}`.slice(0, body.length))
    t.strictSame(
      answers.map(({ status }) => status),
      [400],
      `${line} ${type}`,
    )
  }
  t.strictSame(changes(proxy), [])
})

t.test('a body is 512 KiB at most, of secrets and configs 2 MiB', async (t) => {
  const proxy = await start(t)
  proxy.engine.answer = ({ line }) => (line.startsWith('POST') ? { status: 201, body: {} } : undefined)
  const ofBytes = (bytes: number) => `{"a":"${'x'.repeat(bytes - 8)}"}`
  for (const [line, kibibytes] of [
    [CREATE, 512],
    ['POST /secrets/create', 2048],
    ['POST /configs/create', 2048],
  ] as const) {
    t.equal((await post(proxy, line, ofBytes(kibibytes * 1024))).status, 201, line)
    t.equal((await post(proxy, line, ofBytes(kibibytes * 1024 + 1))).status, 400, line)
  }
  t.equal(changes(proxy).length, 3)
})

t.test('a body that is shorter than announced, or never comes, or comes too slowly arrives nowhere', async (t) => {
  const limits = { maxConnections: 10, maxUnderWay: 10, headTimeoutMs: 150, idleTimeoutMs: 1000, answerTimeoutMs: 1000 }
  const proxy = await start(t, { limits })
  const announced = (length: number) => plainRequest(CREATE, [JSON_TYPE, `Content-Length: ${length}`])
  for (const bytes of [
    announced(20),
    `${announced(20)}{}`,
    `${plainRequest(CREATE, [JSON_TYPE, 'Transfer-Encoding: chunked'])}2\r\n{}\r\n`,
  ]) {
    const client = openConnection(t, proxy.socketPath, bytes)
    await until('an answer', () => client.state.ended)
    t.match(splitHead(client.received()).head, /^HTTP\/1\.1 408 /)
    const other = openConnection(t, proxy.socketPath, bytes)
    other.socket.end()
    await until('it is over', () => other.state.ended)
  }
  t.strictSame(changes(proxy), [])
})

t.test('what follows a body is the next request or nothing, and reaches the Engine judged or not at all', async (t) => {
  const proxy = await start(t)
  proxy.engine.answer = ({ line }) => (line.startsWith('POST') ? { status: 201, body: {} } : undefined)
  const smuggled = plainRequest('POST /containers/hidden/restart')
  const chunked = plainRequest(CREATE, [JSON_TYPE, 'Transfer-Encoding: chunked'])
  for (const bytes of [
    `${posting(CREATE, '{}')}${smuggled}`,
    `${chunked}2\r\n{}\r\n0\r\n\r\n${smuggled}`,
    `${chunked}2;a="\r\n${smuggled}`,
    `${chunked}2\r\n{}\r\n0\r\nContent-Length: 5\r\nX-Registry-Auth: a\r\n\r\n${smuggled}`,
    `${chunked}2;ext=1\r\n{}\r\n0\r\n\r\n`,
  ])
    openConnection(t, proxy.socketPath, bytes)
  await until('what is whole has arrived', () => changes(proxy).length >= 3)
  for (let rounds = 0; rounds < 3; rounds++) await aWhile()
  for (const { line, headers, body } of changes(proxy)) {
    t.equal(line, 'POST /containers/create?name=new HTTP/1.1')
    t.equal(body, '{}')
    t.notMatch(headers.join('\n'), /transfer-encoding|trailer|registry|ext/i)
  }
})

t.test('a container that a body names is judged, and its whole id arrives in place of its name', async (t) => {
  const proxy = await start(t)
  proxy.engine.answer = ({ line }) => (line.startsWith('POST') ? { status: 200 } : undefined)
  for (const action of ['connect', 'disconnect']) {
    const line = `POST /networks/front/${action}`
    for (const name of ['web', WEB, 'aa11']) {
      t.equal((await post(proxy, line, `{"Force":true,"Container":"${name}"}`)).status, 200)
      t.equal(changes(proxy).at(-1)?.body, `{"Force":true,"Container":"${WEB}"}`)
    }
    const before = changes(proxy).length
    for (const body of [
      '{"container":"web"}',
      '{"CONTAINER":"web"}',
      '{"Container":"web","container":"hidden"}',
      '{"Container":"web","Con\\u0074ainer":"hidden"}',
      '{"Container":"web","Contaıner":"hidden"}',
      '{"Container":"web","ContainerID":"hidden"}',
      '{"Container":["web"]}',
      '{"Container":{"toString":"web"}}',
      '{"__proto__":{"Container":"web"}}',
      '{"Container":"web","__proto__":{"Container":"hidden"}}',
      '{"Container":""}',
      '{"Container":"../hidden"}',
      '{"Container":1}',
      '["web"]',
      '{}',
    ])
      t.equal((await post(proxy, line, body)).status, 400, body)
    t.equal(changes(proxy).length, before)
  }
})

t.test('a hidden container that a body or a query names is one that does not exist, byte for byte', async (t) => {
  const proxy = await start(t)
  const named: readonly ((name: string) => string)[] = [
    (name) => posting('POST /networks/front/connect', `{"Container":"${name}"}`),
    (name) => posting('POST /networks/front/disconnect', `{"Container":"${name}"}`),
    (name) => plainRequest(`POST /commit?container=${name}`),
    (name) => posting(`POST /commit?container=${name}`, '{}'),
  ]
  for (const request of named) {
    const [hidden, missing] = await Promise.all(['hidden', 'absent'].map((name) => proxy.talk(request(name))))
    t.equal(hidden?.[0]?.status, 404)
    t.equal(JSON.stringify(hidden), JSON.stringify(missing).replaceAll('absent', 'hidden'))
    const [byId] = await proxy.talk(request(HIDDEN))
    t.equal(byId?.status, 404)
  }
  t.strictSame(changes(proxy), [])
})

t.test('a commit names one container, which is judged; none or two is refused', async (t) => {
  const proxy = await start(t)
  proxy.engine.answer = ({ line }) => (line.startsWith('POST') ? { status: 201, body: { Id: 'sha256:1' } } : undefined)
  t.equal((await proxy.ask('POST /commit?container=db&repo=x')).status, 201)
  t.equal(changes(proxy).at(-1)?.line, `POST /commit?container=${DB}&repo=x HTTP/1.1`)
  for (const query of [
    '',
    '?repo=x',
    '?container=',
    '?container=web&container=hidden',
    '?Container=web',
    '?container=a%2Fb',
    '?container=web%00',
  ]) {
    const answer = await proxy.ask(`POST /commit${query}`)
    t.ok(answer.status === (/^$|repo/.test(query) ? 404 : 400), query)
    t.notMatch(answer.body, /undefined/)
  }
  t.equal(changes(proxy).length, 1)
})

t.test('files pass as they are, however they are framed', async (t) => {
  const proxy = await start(t)
  const files = randomBytes(700_000)
  for (const framing of ['length', 'chunks']) {
    const chunks: Buffer[] = []
    proxy.engine.takeOver = ({ line }) =>
      line.startsWith('PUT')
        ? (socket, first) => {
            chunks.push(first)
            const length = () => Buffer.concat(chunks).length
            const whole = () => (framing === 'length' ? length() === files.length : readChunks(Buffer.concat(chunks)).isWhole)
            socket.on('data', (bytes: Buffer) => {
              chunks.push(bytes)
              if (whole()) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
            })
          }
        : undefined
    const framed = framing === 'length' ? `Content-Length: ${files.length}` : 'Transfer-Encoding: chunked'
    const client = openConnection(
      t,
      proxy.socketPath,
      plainRequest('PUT /containers/web/archive?path=%2Ftmp', ['Content-Type: text/odd', framed]),
    )
    for (let at = 0; at < files.length; at += 65_000) {
      const part = files.subarray(at, at + 65_000)
      client.write(
        framing === 'length'
          ? part
          : Buffer.concat([Buffer.from(`${part.length.toString(16)};ext="x"\r\n`), part, Buffer.from('\r\n')]),
      )
    }
    if (framing === 'chunks') client.write('0\r\n\r\n')
    await until('the answer', () => splitHead(client.received()).head)
    t.match(splitHead(client.received()).head, /^HTTP\/1\.1 200 /)
    const arrived = Buffer.concat(chunks)
    t.ok((framing === 'length' ? arrived : readChunks(arrived).body).equals(files), framing)
    t.match(proxy.engine.arrived.at(-1), { line: `PUT /containers/${WEB}/archive?path=%2Ftmp HTTP/1.1` })
    t.ok(proxy.engine.arrived.at(-1)?.headers.includes('content-type: application/x-tar'))
    t.ok(proxy.engine.arrived.at(-1)?.headers.includes('connection: close'), 'nothing can follow it')
  }
})

t.test('files that break off do not look whole to the Engine, and an Engine that does not read stops the client', async (t) => {
  for (const framed of ['Content-Length: 9000000', 'Transfer-Encoding: chunked']) {
    const proxy = await start(t)
    const chunks: Buffer[] = []
    const state: { socket?: Socket; closed: boolean } = { closed: false }
    proxy.engine.takeOver = ({ line }) =>
      line.startsWith('PUT')
        ? (socket, first) => {
            state.socket = socket.pause()
            chunks.push(first)
            socket.on('close', () => {
              state.closed = true
            })
          }
        : undefined
    const client = openConnection(t, proxy.socketPath, plainRequest('PUT /containers/web/archive?path=%2Ftmp', [framed]))
    client.write(framed.startsWith('C') ? Buffer.alloc(8_000_000) : `7a1200\r\n${'\0'.repeat(8_000_000)}`)
    await until('the Engine is asked', () => state.socket)
    for (let rounds = 0; rounds < 3; rounds++) await aWhile()
    t.ok(client.socket.writableLength > 6_000_000, 'most of it waits at the client')
    client.socket.destroy()
    state.socket
      ?.on('data', (bytes: Buffer) => chunks.push(bytes))
      .on('end', () => state.socket?.destroy())
      .resume()
    await until('the Engine hears of it', () => state.closed)
    const arrived = Buffer.concat(chunks)
    t.ok(arrived.length < 8_000_000)
    t.notOk(framed.startsWith('T') && readChunks(arrived).isWhole)
    await until('it is recorded', () => proxy.auditLines().length === 2)
    t.match(proxy.auditLines()[1], { event: 'outcome', status: 408, error: /client has gone/ })
  }
})

t.test('an Engine that refuses files before it has read them is heard', async (t) => {
  const proxy = await start(t)
  proxy.engine.takeOver = ({ line }) =>
    line.startsWith('PUT')
      ? (socket) => {
          socket.write('HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}')
          // At once: what it has said is all that there will be.
          socket.end(() => socket.destroy())
        }
      : undefined
  for (let tries = 0; tries < 10; tries++) {
    const client = openConnection(
      t,
      proxy.socketPath,
      plainRequest('PUT /containers/web/archive?path=%2Fno', ['Content-Length: 9000000']),
    )
    client.write(Buffer.alloc(5_000_000))
    await until('the answer, or the end', () => client.received().includes('\r\n\r\n') || client.state.closed)
    t.match(splitHead(client.received()).head, /^HTTP\/1\.1 404 /)
  }
})

t.test('headers that an operation takes arrive as they were sent, for no other, and never in the log', async (t) => {
  const proxy = await start(t, { containers: [...usualContainers(), fakeContainer({ id: containerId('dd44'), name: 'other' })] })
  proxy.engine.answer = ({ line }) => (line.startsWith('POST') ? { status: 200, body: '' } : undefined)
  const secret = Buffer.from('{"password":"hunter2"}').toString('base64')
  await proxy.ask('POST /images/create?fromImage=nginx&tag=1', [
    `X-Registry-Auth: ${secret}`,
    `X-Registry-Config: ${secret}`,
    'X-Other: 1',
  ])
  t.strictSame(
    changes(proxy)
      .at(-1)
      ?.headers.filter((header) => /^x-/i.test(header)),
    [`x-registry-auth: ${secret}`],
  )
  await proxy.ask('POST /containers/web/restart', [`X-Registry-Auth: ${secret}`, 'X-Docker-Expose-Session-Uuid: 1'])
  t.strictSame(
    changes(proxy)
      .at(-1)
      ?.headers.filter((header) => /^x-/i.test(header)),
    [],
  )
  const before = changes(proxy).length
  for (const odd of ['a\x01b', 'a\tb', '\xfc', 'a\r b', 'a\0'])
    t.equal(
      (await proxy.talk(plainRequest('POST /images/create?fromImage=nginx&tag=1', [`X-Registry-Auth: ${odd}`])))[0]?.status,
      400,
      JSON.stringify(odd),
    )
  t.equal(changes(proxy).length, before)
  await proxy.audit.close({ event: 'stop', reason: 'the test is over' })
  t.notMatch(JSON.stringify(proxy.auditLines()), new RegExp(`${secret}|hunter2`))
})
