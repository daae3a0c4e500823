// An Engine that does not answer, or not wholly, holds no request for ever, and slow changes hold no read.
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { connectEngine } from '../../proxy/engine/engine.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { containerId, fakeContainer } from './support/containers.ts'
import { startProxy } from './support/start-proxy.ts'

/** An Engine that does with each connection what `answer` does, bytes by hand. */
async function engineThat(t: Test, answer: (write: (bytes: string) => void, end: () => void) => void) {
  const socketPath = join(temporaryDirectory(t), 'engine.sock')
  const tried: boolean[] = []
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.once('data', () =>
      answer(
        (bytes) => socket.write(bytes),
        () => socket.destroy(),
      ),
    )
  })
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  const engine = connectEngine(socketPath, (reached) => tried.push(reached))
  t.teardown(async () => {
    await engine.close()
    server.close()
  })
  return { engine, tried, ask: (timeoutMs = 200) => engine.ask({ method: 'GET', path: '/x', isRead: true, timeoutMs }) }
}

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n'

const neverDone: readonly (readonly [what: string, answer: (write: (bytes: string) => void) => void])[] = [
  ['says nothing', () => undefined],
  ['begins a head', (write) => write('HTTP/1.1 200 OK\r\nX-A')],
  ['ends with the head', (write) => write(`${HEAD}Content-Length: 10\r\n\r\n`)],
  ['begins a body', (write) => write(`${HEAD}Content-Length: 10\r\n\r\n[1`)],
  [
    'drips its body without end',
    (write) => {
      write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`)
      setInterval(() => write('1\r\n[\r\n'), 20).unref()
    },
  ],
  [
    'asks to continue without end',
    (write) => {
      setInterval(() => write('HTTP/1.1 100 Continue\r\n\r\n'), 20).unref()
    },
  ],
]

for (const [what, answer] of neverDone) {
  t.test(`an Engine that ${what} is given up in time`, async (t) => {
    const { ask, tried } = await engineThat(t, answer)
    await t.rejects(ask(), { name: 'EngineError', kind: /^(timeout|answer)$/ })
    t.notOk(tried.includes(false), 'it was reached')
  })
}

const nonsense: readonly (readonly [what: string, bytes: string])[] = [
  ['nothing', ''],
  ['another protocol', 'SSH-2.0-OpenSSH\r\n'],
  ['an endless status line', `HTTP/1.1 200 ${'a'.repeat(100_000)}`],
  ['100 KB of headers', `${HEAD}${`X-A: ${'a'.repeat(1000)}\r\n`.repeat(100)}\r\n`],
  ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\nroot shell'],
  ['a length that is too long', `${HEAD}Content-Length: 10\r\n\r\n[]`],
  ['a length that is no number', `${HEAD}Content-Length: ten\r\n\r\n[]`],
  ['a broken chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\nxyz\r\n`],
  ['5 MB', `${HEAD}Content-Length: 5000000\r\n\r\n${'x'.repeat(5_000_000)}`],
]

for (const [what, bytes] of nonsense) {
  t.test(`an Engine that answers ${what} and hangs up is an answer that cannot be read`, async (t) => {
    const { ask } = await engineThat(t, (write, end) => {
      write(bytes)
      setTimeout(end, 50)
    })
    await t.rejects(ask(2000), { name: 'EngineError', kind: 'answer' })
  })
}

t.test('a socket that nobody answers on, and one that is not there, are told as such', async (t) => {
  const { engine, ask, tried } = await engineThat(t, () => undefined)
  await engine.close()
  await t.rejects(ask())
  const nowhere = connectEngine(join(temporaryDirectory(t), 'none.sock'), (reached) => tried.push(reached))
  await t.rejects(nowhere.ask({ method: 'GET', path: '/x', isRead: true, timeoutMs: 200 }), {
    name: 'EngineError',
    kind: 'unreachable',
    message: /^the Engine does not answer at .*none\.sock: ENOENT$/,
  })
  t.equal(tried.at(-1), false)
})

t.test('while restarts hang, reads are served', async (t) => {
  const proxy = await startProxy(t, { policyText: MANY })
  const held: (() => void)[] = []
  proxy.engine.containers = Array.from({ length: 30 }, (_, i) =>
    fakeContainer({ id: containerId(String(100 + i)), name: `c${i}` }),
  )
  proxy.engine.answer = ({ line }) =>
    line.startsWith('POST') ? new Promise((resolve) => held.push(() => resolve({ status: 204 }))) : undefined
  const restarts = Array.from({ length: 30 }, (_, i) => proxy.ask(`POST /containers/c${i}/restart`))
  while (held.length < 30) await new Promise((resolve) => setTimeout(resolve, 10))
  t.equal((await proxy.ask('GET /containers/json')).status, 200)
  t.equal((await proxy.ask('GET /containers/c3/json')).status, 200)
  t.equal((await proxy.ask('POST /containers/c3/restart')).status, 409, 'one at a time for each')
  for (const release of held) release()
  for (const { status } of await Promise.all(restarts)) t.equal(status, 204)
})
const MANY = `version: 1
client: healer
scope: [{ labels: { monitored: "true" } }]
allow:
  ContainerList: { show: [Id] }
  ContainerInspect: { show: [Id] }
  ContainerRestart: {}
`

t.test('a version that the Engine does not have is refused, and the Engine asked for its versions once', async (t) => {
  const proxy = await startProxy(t)
  t.match(await proxy.ask('GET /v1.46/containers/json'), {
    status: 400,
    body: JSON.stringify({ message: 'the API version 1.46 is not one that the Engine has: 1.24 to 1.45' }),
  })
  t.equal((await proxy.ask('GET /v1.45/containers/json')).status, 200)
  t.equal((await proxy.ask('GET /v1.24/_ping')).status, 200)
  t.same(proxy.engine.lines(), ['GET /version HTTP/1.1', 'GET /v1.45/containers/json HTTP/1.1', 'GET /v1.24/_ping HTTP/1.1'])
  t.match(proxy.auditLines()[0], { rule: 'request.version', status: 400, operation: 'ContainerList' })
})

t.test('an Engine that is replaced by a newer one is asked again after a while', async (t) => {
  const proxy = await startProxy(t)
  t.equal((await proxy.ask('GET /v1.46/_ping')).status, 400)
  proxy.engine.answer = ({ line }) =>
    line.startsWith('GET /version') ? { status: 200, body: { ApiVersion: '1.50', MinAPIVersion: '1.40' } } : undefined
  proxy.clock.nowMs += 61_000
  t.equal((await proxy.ask('GET /v1.46/_ping')).status, 200)
  t.equal((await proxy.ask('GET /v1.39/_ping')).status, 400)
})

t.test('an Engine that does not tell its versions is an answer that cannot be read', async (t) => {
  const proxy = await startProxy(t)
  for (const body of [
    '',
    'null',
    '[]',
    { ApiVersion: '2.0', MinAPIVersion: '1.24' },
    { ApiVersion: 1.45, MinAPIVersion: '1.24' },
  ]) {
    proxy.engine.answer = ({ line }) => (line.startsWith('GET /version') ? { status: 200, body } : undefined)
    t.equal((await proxy.ask('GET /v1.45/_ping')).status, 502)
  }
  t.equal((await proxy.ask('GET /_ping')).status, 200, 'which only a request for a version needs')
})
