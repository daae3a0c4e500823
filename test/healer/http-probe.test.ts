// The HTTP probe against real servers: three results, each with a reason in words.

import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { type HttpProbe, probeHttp } from '../../healer/probe/http.ts'
import { startServer } from './support/bench.ts'

const probe = (port: number, change: Partial<HttpProbe> = {}) =>
  probeHttp({
    kind: 'http',
    address: '127.0.0.1',
    port,
    path: '/health',
    status: [{ min: 200, max: 299 }],
    timeoutMs: 300,
    ...change,
  })

/** A server that sends `bytes` to whoever connects, and nothing more. */
async function rawServer(t: Test, bytes: string, close = true): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.once('data', () => (close ? socket.end(bytes) : socket.write(bytes)))
    t.teardown(() => socket.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

for (const [code, result, reason] of [
  [200, 'success', 'answered 200'],
  [204, 'success', 'answered 204'],
  [301, 'failure', 'answered 301'],
  [404, 'failure', 'answered 404'],
  [503, 'failure', 'answered 503'],
] as const) {
  await t.test(`${code} is a ${result}`, async (t) => {
    const app = await startServer(t)
    app.status(code)
    t.same(await probe(app.port), { result, reason })
  })
}

await t.test('a redirect is not followed', async (t) => {
  const app = await startServer(t)
  app.handler = (_request, response) => response.writeHead(302, { location: '/login' }).end()
  t.same(await probe(app.port), { result: 'failure', reason: 'answered 302 to /login; set healer.path or healer.status' })
  t.equal(app.requests, 1)
})

await t.test('a status that was asked for is a success', async (t) => {
  const app = await startServer(t)
  app.status(401)
  t.match(await probe(app.port, { status: [{ min: 401, max: 401 }] }), { result: 'success' })
})

await t.test('it asks for the path, over a connection of its own each time', async (t) => {
  const app = await startServer(t)
  const seen: unknown[] = []
  const ports = new Set<number | undefined>()
  app.handler = (request, response) => {
    seen.push([request.method, request.url, request.headers.connection])
    ports.add(request.socket.remotePort)
    response.end('ok')
  }
  await probe(app.port, { path: '/live?x=1' })
  await probe(app.port, { path: '/live?x=1' })
  t.same(seen, Array(2).fill(['GET', '/live?x=1', 'close']))
  t.equal(ports.size, 2)
})

await t.test('no answer in time is a failure', async (t) => {
  const app = await startServer(t)
  app.handler = () => undefined
  t.same(await probe(app.port), { result: 'failure', reason: 'no answer within 0.3 s' })
})

await t.test('a body that never ends is a failure, and one that is long is not read to its end', async (t) => {
  const stalls = await rawServer(t, 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', false)
  t.same(await probe(stalls), { result: 'failure', reason: 'answered 200, but its body did not end within 0.3 s' })
  const endless = await startServer(t)
  endless.handler = (_request, response) => {
    const chunk = Buffer.alloc(64 * 1024)
    const more = () => {
      while (!response.destroyed && response.write(chunk));
      if (!response.destroyed) response.once('drain', more)
    }
    more()
  }
  t.same(await probe(endless.port), { result: 'success', reason: 'answered 200' })
})

await t.test('a switch of protocols, and a close without a word, are failures, and end', async (t) => {
  const switches = await rawServer(t, 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n', false)
  t.same(await probe(switches), { result: 'failure', reason: 'answered 101' })
  t.same(await probe(await rawServer(t, '')), { result: 'failure', reason: 'connection closed before the answer was complete' })
  const early = await rawServer(t, 'HTTP/1.1 103 Early Hints\r\n\r\n', false)
  t.same(await probe(early), { result: 'failure', reason: 'no answer within 0.3 s' })
})

await t.test('a broken connection, a refusal and nonsense are failures, each in its words', async (t) => {
  const gone = await startServer(t)
  gone.handler = (request) => request.socket.destroy()
  t.same(await probe(gone.port), { result: 'failure', reason: 'connection closed before the answer was complete' })
  t.match(await probe(await rawServer(t, 'SSH-2.0-OpenSSH\r\n')), { result: 'failure', reason: /^answered what is not HTTP/ })
  t.match(await probe(await rawServer(t, `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`)), { result: 'failure' })
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  t.same(await probe(port), { result: 'failure', reason: 'connection refused' })
})
