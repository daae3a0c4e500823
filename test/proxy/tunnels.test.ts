// Connections that the Engine hands over: what goes in on one side comes out on the other, and whatever ends, ends both.
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import t from 'tap'
import type { Owner } from '../support/temporary.ts'
import { containerId, fakeContainer } from './support/containers.ts'
import { everythingPolicy } from './support/everything.ts'
import type { Conversation } from './support/fake-engine.ts'
import { ask, plainRequest } from './support/raw-client.ts'
import { aWhile, openConnection, type RawConnection, splitHead, until } from './support/raw-connection.ts'
import { type RunningProxy, startProxy, WEB } from './support/start-proxy.ts'

const SCOPE = [{ labels: { monitored: 'true' } }]
const start = (t: Owner, options: Parameters<typeof startProxy>[1] = {}) =>
  startProxy(t, { policyText: everythingPolicy('client', SCOPE), ...options })

const upgrade = (line: string, protocol = 'tcp', ...more: readonly string[]) =>
  plainRequest(line, [`Upgrade: ${protocol}`, 'Connection: Upgrade', ...more])
const ATTACH = 'POST /containers/web/attach?stream=1&stdin=1&stdout=1'
const HANDED_OVER =
  'HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n'

/** The Engine's ends of tunnels, and what came in on the last. */
function handOver({ engine }: RunningProxy, greeting = '', isMeant = (line: string) => / \S*\/(attach|start)\b/.test(line)) {
  const ends: Socket[] = []
  const chunks: Buffer[] = []
  const state = { ended: false, closed: 0 }
  const conversation: Conversation = (socket, first) => {
    ends.push(socket)
    chunks.push(first)
    socket.on('data', (chunk: Buffer) => chunks.push(chunk))
    socket.on('end', () => {
      state.ended = true
    })
    socket.on('close', () => state.closed++)
    socket.write(`${HANDED_OVER}${greeting}`)
  }
  engine.takeOver = ({ line }) => (isMeant(line) ? conversation : undefined)
  return { end: () => ends.at(-1), ends, received: () => Buffer.concat(chunks), state }
}

const headOf = (connection: RawConnection) => splitHead(connection.received()).head
const afterHead = (connection: RawConnection) => splitHead(connection.received()).rest
const handedOver = (connection: RawConnection) => until('the head of the answer', () => headOf(connection))

t.test('an attach is handed over: bytes go both ways as they are, and the head tells nothing more than it needs', async (t) => {
  const proxy = await start(t)
  const engine = handOver(proxy, 'first words')
  const [there, back] = [randomBytes(300_000), randomBytes(300_000)]
  const client = openConnection(t, proxy.socketPath, upgrade(ATTACH))
  await handedOver(client)
  t.equal(
    headOf(client),
    [
      'HTTP/1.1 101 Switching Protocols',
      'content-type: application/vnd.docker.raw-stream',
      'upgrade: tcp',
      'connection: Upgrade',
    ].join('\r\n'),
  )
  for (let at = 0; at < there.length; at += 7919) client.write(there.subarray(at, at + 7919))
  for (let at = 0; at < back.length; at += 4093) engine.end()?.write(back.subarray(at, at + 4093))
  await until('all bytes are there', () => engine.received().length >= there.length)
  await until('all bytes are back', () => afterHead(client).length >= back.length + 11)
  t.ok(engine.received().equals(there))
  t.ok(afterHead(client).equals(Buffer.concat([Buffer.from('first words'), back])))
  t.match(proxy.engine.arrived.at(-1), {
    line: `POST /containers/${WEB}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1`,
    headers: ['host: docker', 'connection: Upgrade', 'upgrade: tcp', 'content-length: 0'],
  })
})

t.test('what a client says before the Engine has handed over waits, and arrives after the head', async (t) => {
  const proxy = await start(t)
  const engine = handOver(proxy)
  const client = openConnection(t, proxy.socketPath, `${upgrade(ATTACH)}said `)
  client.write('too early')
  await until('it arrives', () => engine.received().toString() === 'said too early')
  t.equal(headOf(client).split('\r\n')[0], 'HTTP/1.1 101 Switching Protocols')
})

t.test('a client that ends its side goes on reading; what the Engine says after that comes', async (t) => {
  const proxy = await start(t)
  const engine = handOver(proxy)
  const client = openConnection(t, proxy.socketPath, upgrade(ATTACH))
  await handedOver(client)
  client.socket.end('the last line')
  await until('the Engine sees the end', () => engine.state.ended)
  t.equal(engine.received().toString(), 'the last line')
  t.notOk(client.state.ended)
  engine.end()?.end('the answer')
  await until('the client sees the end', () => client.state.ended)
  t.equal(afterHead(client).toString(), 'the answer')
})

t.test('what the Engine says before it ends comes whole, however slowly it is read', async (t) => {
  const proxy = await start(t)
  const engine = handOver(proxy)
  const client = openConnection(t, proxy.socketPath, upgrade(ATTACH))
  await handedOver(client)
  client.socket.pause()
  const much = randomBytes(2_000_000)
  engine.end()?.end(much)
  await until('the proxy stops reading', () => (engine.end()?.bytesWritten ?? 0) > 200_000)
  client.socket.resume()
  await until('the client sees the end', () => client.state.ended)
  t.ok(afterHead(client).equals(much))
})

t.test('a client that does not read makes the proxy stop reading, and the other way round', async (t) => {
  const proxy = await start(t)
  const engine = handOver(proxy)
  const client = openConnection(t, proxy.socketPath, upgrade(ATTACH))
  await handedOver(client)
  client.socket.pause()
  engine.end()?.pause()
  const much = Buffer.alloc(8_000_000)
  engine.end()?.write(much)
  client.write(much)
  for (let rounds = 0; rounds < 5; rounds++) await aWhile()
  t.ok((engine.end()?.writableLength ?? 0) > 6_000_000, 'most of it waits at the Engine')
  t.ok(client.socket.writableLength > 6_000_000, 'and at the client')
})

t.test('once a client is gone, so is its connection to the Engine', async (t) => {
  const proxy = await start(t)
  const engine = handOver(proxy)
  const client = openConnection(t, proxy.socketPath, upgrade(ATTACH))
  await handedOver(client)
  engine.end()?.write('unread')
  client.socket.destroy()
  await until('the Engine hears of it', () => engine.state.ended)
  engine.end()?.write('is there anybody?')
  await until('the connection is gone', () => engine.state.closed === 1)
})

t.test(
  'a client that goes is not taken for one that only reads: where the Engine stays silent too, the connection ends',
  async (t) => {
    const proxy = await start(t)
    const engine = handOver(proxy)
    const [reader, other] = [0, 0].map(() => openConnection(t, proxy.socketPath))
    if (!reader || !other) throw new Error('two clients')
    for (const client of [reader, other]) {
      client.write(upgrade(ATTACH))
      await handedOver(client)
    }
    const [toReader, toOther] = engine.ends
    reader.socket.end()
    other.socket.destroy()
    await until('the connection of the one that went is gone', () => {
      // Writing nothing is how to hear of it without a word.
      if (!toOther?.destroyed) toOther?.write('')
      return toOther?.destroyed
    })
    t.notOk(reader.state.ended)
    toReader?.write('for those who wait')
    await until('the reader reads', () => afterHead(reader).toString() === 'for those who wait')
  },
)

t.test('an exec gets its body and then what is typed, in however many packets they come', async (t) => {
  for (const size of [1, 7, 1000]) {
    const proxy = await start(t)
    const engine = handOver(proxy)
    proxy.engine.answer = ({ line }) => (/\/exec /.test(line) ? { status: 201, body: { Id: 'e'.repeat(64) } } : undefined)
    const json = '{"AttachStdin":true,"Cmd":["cat"]}'
    const prepared = ['Content-Type: application/json', `Content-Length: ${json.length}`]
    const [made] = await proxy.talk(`${plainRequest('POST /containers/web/exec', prepared)}${json}`)
    t.match(made, { status: 201 })
    const body = '{ "Detach": false, "Tty": false }'
    const line = `POST /exec/${'e'.repeat(64)}/start`
    const bytes = `${upgrade(line, 'tcp', 'Content-Type: application/json', `Content-Length: ${body.length}`)}${body}typed at once`
    const client = openConnection(t, proxy.socketPath)
    for (let at = 0; at < bytes.length; at += size) {
      client.write(bytes.slice(at, at + size))
      await new Promise((resolve) => setImmediate(resolve))
    }
    await until('all has arrived', () => engine.received().toString().endsWith('typed at once'))
    t.equal(engine.received().toString(), '{"Detach":false,"Tty":false}typed at once', `${size} bytes at a time`)
    t.ok(proxy.engine.arrived.at(-1)?.headers.includes('content-length: 28'))
  }
})

t.test('where the Engine does not hand over, the client gets an answer, and nothing that it said arrives', async (t) => {
  const words = { 404: 404, 409: 409, 500: 500, 200: 502 }
  for (const [given, expected] of Object.entries(words)) {
    const proxy = await start(t)
    const chunks: Buffer[] = []
    proxy.engine.takeOver = ({ line }) =>
      line.includes('/attach')
        ? (socket, first) => {
            chunks.push(first)
            socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => socket.end())
            socket.write(
              `HTTP/1.1 ${given} Word\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n{"message":"hunter2!"}`,
            )
          }
        : undefined
    const client = openConnection(t, proxy.socketPath, `${upgrade(ATTACH)}rm -rf /\n`)
    await until('the answer', () => client.state.ended)
    t.match(headOf(client), new RegExp(`^HTTP/1\\.1 ${expected} .*connection: close$`, 's'), `for ${given}`)
    t.notMatch(afterHead(client).toString(), /hunter2/)
    t.equal(Buffer.concat(chunks).toString(), '', `for ${given}`)
    t.match(proxy.auditLines().at(-1), { event: 'outcome', status: expected })
  }
})

t.test('an Engine that breaks off while it answers is an answer that cannot be read, not a fault of the proxy', async (t) => {
  const proxy = await start(t)
  proxy.engine.takeOver = ({ line }) =>
    line.includes('/attach')
      ? (socket) => socket.end('HTTP/1.1 404 Word\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"message')
      : undefined
  const client = openConnection(t, proxy.socketPath, upgrade(ATTACH))
  await until('the answer', () => client.state.ended)
  t.match(headOf(client), /^HTTP\/1\.1 404 /)
  t.match(proxy.auditLines().at(-1), { event: 'outcome', status: 404 })
})

t.test('a connection that was idle between requests stays when it has become a tunnel', async (t) => {
  const limits = { maxConnections: 10, maxUnderWay: 10, headTimeoutMs: 1000, idleTimeoutMs: 1000, answerTimeoutMs: 1000 }
  const proxy = await start(t, { limits })
  const engine = handOver(proxy)
  const client = openConnection(t, proxy.socketPath, plainRequest('GET /_ping'))
  await until('the first answer', () => client.received().toString().endsWith('OK'))
  const before = client.received().length
  client.write(upgrade(ATTACH))
  await until('the head', () => client.received().subarray(before).includes('101'))
  await new Promise((resolve) => setTimeout(resolve, 1500))
  engine.end()?.write('still here')
  await until('it is', () => client.received().toString().endsWith('still here'))
  t.notOk(client.state.ended)
})

t.test('tunnels that are asked for and dropped leave nothing behind', async (t) => {
  const containers = Array.from({ length: 20 }, (_, i) => fakeContainer({ id: containerId(`ab${10 + i}`), name: `c${i}` }))
  const proxy = await start(t, { containers })
  const engine = handOver(proxy)
  for (let round = 0; round < 5; round++) {
    const clients = containers.map(({ name }) => openConnection(t, proxy.socketPath, upgrade(ATTACH.replace('web', name))))
    await Promise.all(clients.map((client, i) => (i % 2 ? handedOver(client) : undefined)))
    for (const { socket } of clients) socket.destroy()
  }
  await until('what was handed over has ended', () => {
    for (const end of engine.ends) if (!end.destroyed) end.write('')
    return engine.ends.every((end) => end.destroyed)
  })
  t.ok(engine.ends.length >= 50, `${engine.ends.length} were handed over`)
  const count = (event: string) => proxy.auditLines().filter((line) => line.event === event && line.verdict !== 'deny').length
  await until('each has its outcome', () => count('outcome') === count('decision'))
  t.ok(count('outcome') >= engine.ends.length)
  t.equal((await ask(proxy.socketPath, 'GET /_ping')).status, 200)
})
