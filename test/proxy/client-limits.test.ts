// What a client may send, how slowly, and how much at once. The times are options of the server; here they are short.
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { messageOf, plainRequest } from './support/raw-client.ts'
import { type RunningProxy, startProxy } from './support/start-proxy.ts'

const LIMITS = { maxConnections: 4, maxUnderWay: 256, headTimeoutMs: 60_000, idleTimeoutMs: 60_000, answerTimeoutMs: 60_000 }
/** With one time that is short, where it is what is seen; a slow machine never comes up against the others. */
const start = (t: Test, short: Partial<typeof LIMITS> = {}) => startProxy(t, { limits: { ...LIMITS, ...short } })

/** A connection that was made, and what became of it. */
type Held = { readonly socket: Socket; readonly closed: Promise<string> }

function hold(t: Test, { socketPath }: RunningProxy): Held {
  const socket = connect(socketPath)
  let received = ''
  socket.setEncoding('latin1')
  socket.on('data', (text: string) => {
    received += text
  })
  socket.on('error', () => 'closed')
  t.teardown(() => socket.destroy())
  return { socket, closed: new Promise((resolve) => socket.once('close', () => resolve(received))) }
}

t.test('a connection that never sends anything is closed without a word, and leaves no line', async (t) => {
  const proxy = await start(t, { headTimeoutMs: 300 })
  t.equal(await hold(t, proxy).closed, '')
  t.same(proxy.auditLines(), [])
})

t.test('a head that comes a byte at a time is answered with 408, recorded, and the connection closed', async (t) => {
  const proxy = await start(t, { headTimeoutMs: 300 })
  const { socket, closed } = hold(t, proxy)
  socket.write('GET /')
  const dripping = setInterval(() => socket.write('x'), 20)
  t.teardown(() => clearInterval(dripping))
  t.match(await closed, /^HTTP\/1\.1 408 Request Timeout\r\n.*\r\n\r\n\{"message":"the request did not come in time"\}$/s)
  t.match(proxy.auditLines(), [{ verdict: 'deny', rule: 'request.timeout', status: 408, method: '', path: '' }])
  t.same(proxy.engine.lines(), [])
})

t.test('a body that never ends is answered at its head and not waited for', async (t) => {
  const proxy = await start(t)
  const [answer] = await proxy.talk(plainRequest('POST /containers/web/restart', ['Content-Length: 1000000']))
  t.match(answer, { status: 400 })
  t.same(proxy.engine.lines(), [])
})

const JSON_TYPE = 'Content-Type: application/json'
t.test('a client that writes its body once it has been refused finds the connection open, and then closed', async (t) => {
  const proxy = await start(t)
  const socket = connect({ path: proxy.socketPath, allowHalfOpen: true }).setEncoding('latin1')
  const ended = once(socket, 'end')
  socket.write(plainRequest('POST /containers/web/exec', [JSON_TYPE, 'Content-Length: 2']))
  const [answer] = await once(socket, 'data')
  t.match(answer, /^HTTP\/1\.1 403 Forbidden\r\n.*is not allowed to healer.*"\}$/s)
  await delay(100)
  socket.end('{}')
  await t.resolves(ended, 'its end, and no error')
  t.same(proxy.engine.lines(), [])
})

t.test('one that goes on writing after it has been refused is closed all the same', async (t) => {
  const proxy = await start(t)
  const { socket, closed } = hold(t, proxy)
  socket.write(plainRequest('POST /containers/web/exec', [JSON_TYPE, 'Content-Length: 1000000000000']))
  const writing = setInterval(() => socket.write('x'.repeat(1000)), 5)
  t.teardown(() => clearInterval(writing))
  t.match(await closed, /^HTTP\/1\.1 403 Forbidden\r\n/)
  t.same(proxy.engine.lines(), [])
})

t.test('a connection that stays idle after its request is closed', async (t) => {
  const proxy = await start(t, { idleTimeoutMs: 300 })
  const { socket, closed } = hold(t, proxy)
  socket.write(plainRequest('GET /_ping'))
  t.match(await closed, /^HTTP\/1\.1 200 OK\r\n/)
  t.equal(proxy.auditLines().length, 1)
})

t.test('a client that does not take its answer is cut off', async (t) => {
  const proxy = await startProxy(t, { limits: { ...LIMITS, answerTimeoutMs: 300 }, policyText: BIG })
  proxy.engine.answer = ({ line }) =>
    line.startsWith('GET /version') ? { status: 200, body: { Version: 'x'.repeat(4_000_000) } } : undefined
  const { socket, closed } = hold(t, proxy)
  socket.pause()
  socket.write(plainRequest('GET /version'))
  while (!proxy.engine.lines().some((line) => line.startsWith('GET /version'))) await delay(5)
  await delay(1500)
  socket.resume()
  t.ok((await closed).length < 4_000_000, 'the answer is not whole')
  t.equal((await proxy.ask('GET /_ping')).status, 200, 'others are served')
})
const BIG = `version: 1
client: healer
scope: [{ labels: { monitored: "true" } }]
allow:
  SystemPing: {}
  SystemVersion: { show: all }
`

t.test('one connection more than may be is closed at once, counted, and the others stay', async (t) => {
  const proxy = await startProxy(t, { limits: LIMITS })
  const held = Array.from({ length: LIMITS.maxConnections }, () => hold(t, proxy))
  await Promise.all(held.map(({ socket }) => new Promise((resolve) => socket.once('connect', resolve))))
  t.equal(await hold(t, proxy).closed, '')
  t.match(await proxy.metrics(), 'postern_proxy_dropped_connections_total{client="healer"} 1')
  for (const { socket } of held) socket.write(plainRequest('GET /_ping', ['Connection: close']))
  for (const { closed } of held) t.match(await closed, /^HTTP\/1\.1 200 OK/)
  t.equal((await proxy.ask('GET /_ping')).status, 200, 'and there is room again')
})

/** Waits until so many requests have been decided on, and closes the log, so that it tells of all that was counted. */
async function allRecorded(proxy: RunningProxy, requests: number): Promise<void> {
  const decided = async () => {
    const counts = (await proxy.metrics()).matchAll(/^postern_proxy_request_duration_seconds_count\S* (\d+)$/gm)
    return [...counts].reduce((total, [, count]) => total + Number(count), 0)
  }
  while ((await decided()) < requests) await delay(20)
  await proxy.audit.close()
}

t.test('requests whose connections are gone still count as under way, and are bounded', async (t) => {
  const proxy = await startProxy(t)
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  proxy.engine.answer = async () => {
    await released
    return { status: 200, body: 'OK' }
  }
  for (let i = 0; i < 400; i++) {
    const { socket } = hold(t, proxy)
    await new Promise((resolve) => socket.write(plainRequest('GET /_ping'), resolve))
    await delay(2)
    socket.destroy()
  }
  release()
  t.match(await proxy.metrics(), /postern_proxy_dropped_connections_total\{client="healer"\} 1\d\d$/m)
  await allRecorded(proxy, 256)
  t.equal(proxy.decisions(), 256, 'each that was taken up is on the record')
  t.ok(proxy.engine.lines().length <= 256)
})

const many = (count: number, header: string): readonly string[] => Array(count).fill(header)
const UPGRADE = ['Connection: Upgrade', 'Upgrade: h2c']
const malformed: readonly (readonly [what: string, bytes: string, status: number, rule: string, method: string])[] = [
  ['bytes that are no request', '\x16\x03\x01\x02\0\x01\r\n\r\n', 400, 'request.framing', ''],
  ['a request line without an end', `GET ${'/'.repeat(20_000)}`, 431, 'request.header', ''],
  ['20 KB of headers', plainRequest('GET /_ping', [`X-A: ${'a'.repeat(20_480)}`]), 431, 'request.header', ''],
  ['128 headers', plainRequest('GET /_ping', many(127, 'X-A: b')), 400, 'request.header', 'GET'],
  [
    'an upgrade with 128 headers',
    plainRequest('POST /session', [...UPGRADE, ...many(125, 'X-A: b')]),
    400,
    'request.header',
    'POST',
  ],
  ['no Host', 'GET /_ping HTTP/1.1\r\n\r\n', 400, 'request.header', 'GET'],
  ['a tunnel', 'CONNECT docker:2375 HTTP/1.1\r\nHost: docker\r\n\r\n', 400, 'request.target', 'CONNECT'],
  ['a tunnel to a path', 'CONNECT /containers/json HTTP/1.1\r\nHost: docker\r\n\r\n', 400, 'request.target', 'CONNECT'],
  ['two lengths', plainRequest('GET /_ping', ['Content-Length: 0', 'Content-Length: 1']), 400, 'request.framing', ''],
  ['a promise of a body', plainRequest('GET /_ping', ['Expect: 100-continue']), 400, 'request.header', 'GET'],
  ['an unknown expectation', plainRequest('GET /_ping', ['Expect: miracles']), 400, 'request.header', 'GET'],
]

for (const [what, bytes, status, rule, method] of malformed) {
  t.test(`${what} is refused in the Engine’s own shape, recorded, and the connection closed`, async (t) => {
    const proxy = await start(t)
    const answers = await proxy.talk(bytes, 2)
    t.match(answers, [{ status }])
    t.equal(answers.length, 1)
    t.ok(messageOf(answers[0] ?? { body: '', headers: [], status: 0, statusLine: '' }).length > 10)
    t.ok(answers[0]?.headers.some((header) => header.toLowerCase() === 'connection: close'))
    t.match(proxy.auditLines(), [{ event: 'decision', verdict: 'deny', rule, status, method }])
    t.match(await proxy.metrics(), `rule="${rule}"} 1`)
  })
}

t.test('127 headers are taken', async (t) => {
  const proxy = await start(t)
  t.match(await proxy.talk(plainRequest('GET /_ping', many(126, 'X-A: b'))), [{ status: 200 }])
})

t.test('a client that asks for a tunnel and hangs up breaks nothing', async (t) => {
  const proxy = await start(t)
  for (let i = 0; i < 50; i++) {
    const { socket, closed } = hold(t, proxy)
    socket.end('CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n')
    socket.destroy()
    await closed
  }
  t.equal((await proxy.ask('GET /_ping')).status, 200)
})

t.test('a good request with garbage after it is answered, and the connection closed', async (t) => {
  const proxy = await start(t)
  for (const after of ['\0\0\0\0', 'GET / HTTP/9.9\r\n\r\n', 'ZZ\r\n']) {
    const answers = await proxy.talk(`${plainRequest('GET /_ping')}${after}`, 2)
    t.match(answers, [{ status: 200, body: 'OK' }], JSON.stringify(after))
    t.equal(answers.length, 1)
  }
})

t.test('while its first request waits, a client that writes ahead without end is cut off', async (t) => {
  const proxy = await startProxy(t)
  let release = (): void => undefined
  proxy.engine.answer = ({ line }) =>
    line.startsWith('POST') ? new Promise((resolve) => (release = () => resolve({ status: 204 }))) : undefined
  const { socket, closed } = hold(t, proxy)
  socket.write(plainRequest('POST /containers/web/restart'))
  while (!proxy.engine.lines().some((line) => line.startsWith('POST'))) await delay(5)
  const ahead = plainRequest('GET /_ping').repeat(1000)
  const writing = setInterval(() => socket.write(ahead), 1)
  t.equal(await closed, '', 'without an answer')
  clearInterval(writing)
  release()
  while (!proxy.auditLines().some(({ event }) => event === 'outcome')) await delay(5)
  t.match(
    proxy.auditLines(),
    [{ operation: 'ContainerRestart' }, { event: 'outcome', status: 204 }],
    'what went out is on the record',
  )
})

t.test('a read whose client has gone before its turn came is not forwarded', async (t) => {
  const proxy = await startProxy(t)
  const held: (() => void)[] = []
  proxy.engine.answer = () => new Promise((resolve) => held.push(() => resolve({ status: 200, body: 'OK' })))
  const patient = Array.from({ length: 4 }, () => proxy.ask('GET /_ping'))
  while (held.length < 4) await delay(5)
  const gone = Array.from({ length: 10 }, () => hold(t, proxy))
  for (const { socket } of gone) socket.write(plainRequest('GET /_ping'))
  await delay(50)
  for (const { socket } of gone) socket.destroy()
  await delay(50)
  for (const release of held) release()
  await Promise.all(patient)
  await allRecorded(proxy, 14)
  t.equal(proxy.engine.lines().length, 4)
  t.equal(proxy.decisions('request.timeout'), 10)
})
