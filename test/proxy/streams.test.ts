// Answers that go on: byte for byte as the Engine sends them, at the pace of who reads them, and never looking whole where they are not.
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import type { Owner } from '../support/temporary.ts'
import { everythingPolicy } from './support/everything.ts'
import { plainRequest } from './support/raw-client.ts'
import { aWhile, openConnection, type RawConnection, readChunks, splitHead, until } from './support/raw-connection.ts'
import { type RunningProxy, startProxy, WEB } from './support/start-proxy.ts'

const SCOPE = [{ labels: { monitored: 'true' } }, { labels: { autoheal: 'true' } }]
const start = (t: Owner, options: Parameters<typeof startProxy>[1] = {}) =>
  startProxy(t, { policyText: everythingPolicy('client', SCOPE), ...options })
const LOGS = plainRequest('GET /containers/web/logs?stdout=1&follow=1')
const TYPE = 'Content-Type: application/vnd.docker.raw-stream'

/** The Engine's end of the last stream. */
function speak({ engine }: RunningProxy, head: string, isMeant = (line: string) => /\/(logs|export|events|archive)/.test(line)) {
  const state: { socket?: Socket; ended: boolean } = { ended: false }
  engine.takeOver = ({ line }) =>
    isMeant(line)
      ? (socket) => {
          state.socket = socket
          socket.on('data', () => undefined)
          socket.on('end', () => {
            state.ended = true
            socket.end()
          })
          socket.write(head)
        }
      : undefined
  return state
}
const CHUNKED = `HTTP/1.1 200 OK\r\n${TYPE}\r\nTransfer-Encoding: chunked\r\nX-Secret: hunter2\r\nSet-Cookie: a=b\r\n\r\n`
const headOf = (connection: RawConnection) => splitHead(connection.received()).head
const bodyOf = (connection: RawConnection) => readChunks(splitHead(connection.received()).rest)
const chunk = (bytes: Buffer) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])

t.test('any bytes in any pieces come as they are, and of the headers those that clients need', async (t) => {
  const proxy = await start(t)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ minLength: 1, maxLength: 5000 }), { maxLength: 20 }), async (pieces) => {
      const engine = speak(proxy, CHUNKED)
      const client = openConnection(t, proxy.socketPath, LOGS)
      await until('the head', () => headOf(client))
      for (const piece of pieces) engine.socket?.write(chunk(Buffer.from(piece)))
      engine.socket?.write('0\r\n\r\n')
      await until('the end', () => bodyOf(client).isWhole)
      client.socket.destroy()
      return bodyOf(client).body.equals(Buffer.concat(pieces)) && !/hunter2|cookie/i.test(headOf(client))
    }),
    { numRuns: 40 },
  )
})

t.test('the head comes at once, and a stream that says nothing is not timed out', async (t) => {
  const limits = { maxConnections: 10, maxUnderWay: 1, headTimeoutMs: 1000, idleTimeoutMs: 1000, answerTimeoutMs: 1000 }
  const proxy = await start(t, { limits })
  const engine = speak(proxy, CHUNKED)
  const client = openConnection(t, proxy.socketPath, plainRequest('GET /containers/web/logs?stdout=1'))
  await until('the head', () => headOf(client))
  t.match(headOf(client), /^HTTP\/1\.1 200 OK\r\ncontent-type: application\/vnd\.docker\.raw-stream\r\n/)
  t.match((await proxy.ask('GET /_ping')).status, 200, 'one that goes on does not count as under way')
  await new Promise((resolve) => setTimeout(resolve, 1500))
  engine.socket?.write('5\r\nhello\r\n0\r\n\r\n')
  await until('the end', () => bodyOf(client).isWhole)
  t.equal(bodyOf(client).body.toString(), 'hello')
})

t.test('a client that does not read stops the Engine, and gets all of it later', async (t) => {
  const proxy = await start(t)
  const engine = speak(proxy, CHUNKED)
  const client = openConnection(t, proxy.socketPath, LOGS)
  await until('the head', () => headOf(client))
  client.socket.pause()
  const much = randomBytes(8_000_000)
  const before = process.memoryUsage().arrayBuffers
  engine.socket?.write(chunk(much))
  for (let rounds = 0; rounds < 4; rounds++) await aWhile()
  t.ok((engine.socket?.writableLength ?? 0) > 6_000_000, 'most of it waits at the Engine')
  t.ok(process.memoryUsage().arrayBuffers - before < 24_000_000)
  engine.socket?.write('0\r\n\r\n')
  client.socket.resume()
  await until('the end', () => client.received().length > 8_000_000 && bodyOf(client).isWhole)
  t.ok(bodyOf(client).body.equals(much))
})

t.test('once a client is gone, so is its connection to the Engine, and that is no error', async (t) => {
  const proxy = await start(t)
  const engine = speak(proxy, CHUNKED)
  const client = openConnection(t, proxy.socketPath, LOGS)
  await until('the head', () => headOf(client))
  engine.socket?.write('5\r\nhello\r\n')
  await until('a word', () => bodyOf(client).body.length === 5)
  client.socket.destroy()
  await until('the Engine hears of it', () => engine.ended)
  await until('it is recorded', () => proxy.auditLines().length > 0)
  t.match(proxy.auditLines(), [
    { event: 'decision', operation: 'ContainerLogs', verdict: 'allow', status: 200, bytes: 5, target: { id: WEB } },
  ])
  t.equal(proxy.auditLines()[0]?.error, undefined)
})

t.test('a client that goes before the Engine answers is recorded as gone, not as a fault of the Engine', async (t) => {
  const proxy = await start(t)
  const engine = speak(proxy, '')
  const client = openConnection(t, proxy.socketPath, LOGS)
  await until('the Engine is asked', () => engine.socket)
  client.socket.destroy()
  await until('the Engine hears of it', () => engine.ended)
  await until('it is recorded', () => proxy.auditLines().length > 0)
  t.match(proxy.auditLines(), [{ event: 'decision', operation: 'ContainerLogs', status: 408, error: /client has gone/ }])
})

t.test('where the Engine breaks off, the answer has no clean end, and the log says why', async (t) => {
  const heads = [CHUNKED, `HTTP/1.1 200 OK\r\n${TYPE}\r\nContent-Length: 1000\r\n\r\n`]
  for (const head of heads) {
    const proxy = await start(t)
    const engine = speak(proxy, head)
    const client = openConnection(t, proxy.socketPath, LOGS)
    await until('the head', () => headOf(client))
    engine.socket?.write(head === CHUNKED ? '5\r\nhello\r\n' : 'hello')
    await until('a word', () => bodyOf(client).body.toString() === 'hello')
    engine.socket?.destroy()
    await until('the end', () => client.state.ended || client.state.closed)
    t.notOk(bodyOf(client).isWhole)
    await until('it is recorded', () => proxy.auditLines().length > 0)
    t.match(proxy.auditLines(), [{ status: 200, bytes: 5, error: /^it broke off: / }])
    t.type(proxy.auditLines()[0]?.ms, 'number')
  }
})

t.test('an answer that the Engine ends by hanging up ends', async (t) => {
  const proxy = await start(t)
  const engine = speak(proxy, `HTTP/1.1 200 OK\r\n${TYPE}\r\n\r\nall of it`)
  const client = openConnection(t, proxy.socketPath, plainRequest('POST /containers/web/attach?logs=1&stdout=1'))
  proxy.engine.takeOver = ({ line }) =>
    line.includes('/attach') ? (socket) => socket.end(`HTTP/1.1 200 OK\r\n${TYPE}\r\n\r\nall of it`) : undefined
  await until('the end', () => bodyOf(client).isWhole)
  t.equal(bodyOf(client).body.toString(), 'all of it')
  t.equal(engine.socket, undefined)
})

t.test('an Engine that hands over where nobody asked is an answer that cannot be read', async (t) => {
  const proxy = await start(t)
  const engine = speak(proxy, 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nsecret')
  const client = openConnection(t, proxy.socketPath, LOGS)
  await until('an answer', () => headOf(client))
  t.match(headOf(client), /^HTTP\/1\.1 502 /)
  t.notMatch(client.received().toString(), /secret/)
  await until('it is closed', () => engine.ended)
})

t.test('a look at a file tells its stat in a header, and nothing else', async (t) => {
  const proxy = await start(t)
  const stat = Buffer.from('{"name":"passwd","size":1}').toString('base64')
  speak(proxy, `HTTP/1.1 200 OK\r\nX-Docker-Container-Path-Stat: ${stat}\r\nX-Other: 1\r\nContent-Length: 1234\r\n\r\n`)
  const client = openConnection(t, proxy.socketPath, plainRequest('HEAD /containers/web/archive?path=%2Fetc%2Fpasswd'))
  await until('the head', () => headOf(client))
  t.match(headOf(client), new RegExp(`x-docker-container-path-stat: ${stat}`))
  t.notMatch(headOf(client), /x-other/i)
  t.equal(proxy.engine.lines().at(-1), `HEAD /containers/${WEB}/archive?path=%2Fetc%2Fpasswd HTTP/1.1`)
})
