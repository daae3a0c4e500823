// The HTTP probe against real servers: three results, each with a reason in words.
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer as createHttpsServer } from 'node:https'
import { join } from 'node:path'
import t from 'tap'
import { type HttpProbe, probeHttp } from '../../healer/probe/http.ts'
import { pattern } from '../../healer/settings/pattern.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { startServer } from './support/bench.ts'
import { CA_FILE, closedPort, httpProbe, listen, readCertificate, saying } from './support/probed.ts'

/** The result and its words. */
async function probe(port: number, change: Partial<HttpProbe> = {}) {
  const { result, reason } = await probeHttp(httpProbe(port, change))
  return { result, reason }
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
    t.same(await probeHttp(httpProbe(app.port)), { result, reason, httpStatus: code })
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
  t.same(await probe(app.port, { timeoutMs: 300 }), { result: 'failure', reason: 'no answer within 0.3 s' })
})

await t.test('a body that never ends is a failure, and one that is long is not read to its end', async (t) => {
  const stalls = await saying(t, 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc', false)
  t.same(await probe(stalls, { timeoutMs: 1000 }), {
    result: 'failure',
    reason: 'answered 200, but its body did not end within 1 s',
  })
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
  const switches = await saying(t, 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n', false)
  t.same(await probe(switches), { result: 'failure', reason: 'answered 101' })
  t.same(await probe(await saying(t, '')), { result: 'failure', reason: 'connection closed before the answer was complete' })
  const early = await saying(t, 'HTTP/1.1 103 Early Hints\r\n\r\n', false)
  t.same(await probe(early, { timeoutMs: 300 }), { result: 'failure', reason: 'no answer within 0.3 s' })
})

await t.test('a broken connection, a refusal and nonsense are failures, each in its words', async (t) => {
  const gone = await startServer(t)
  gone.handler = (request) => request.socket.destroy()
  t.same(await probe(gone.port), { result: 'failure', reason: 'connection closed before the answer was complete' })
  t.match(await probe(await saying(t, 'SSH-2.0-OpenSSH\r\n')), { result: 'failure', reason: /^answered what is not HTTP/ })
  t.match(await probe(await saying(t, `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(20_000)}\r\n\r\n`)), { result: 'failure' })
  t.same(await probe(await closedPort()), { result: 'failure', reason: 'connection refused' })
})

await t.test('it asks by the method, with the headers and by the name it was given', async (t) => {
  const app = await startServer(t)
  let seen: unknown
  app.handler = ({ method, headers }, response) => {
    seen = { method, host: headers.host, agent: headers['user-agent'], token: headers['x-token'], accept: headers.accept }
    response.end()
  }
  const headers = new Map([
    ['x-token', 'abc'],
    ['user-agent', 'somebody'],
  ])
  t.match(await probe(app.port, { method: 'HEAD', headers, hostname: 'web.test' }), { result: 'success' })
  t.same(seen, { method: 'HEAD', host: 'web.test', agent: 'somebody', token: 'abc', accept: '*/*' })
  await probe(app.port)
  t.same(seen, { method: 'GET', host: `127.0.0.1:${app.port}`, agent: 'postern-healer', token: undefined, accept: '*/*' })
  await probe(app.port, { method: 'POST' })
  t.match(seen, { method: 'POST' })
})

await t.test('a request that cannot be written is the healer’s own fault', async (t) => {
  t.match(await probe(9, { path: '/a b' }), { result: 'unknown', reason: /^the healer cannot ask: / })
})

await t.test('the body has to hold what was asked for', async (t) => {
  const app = await startServer(t)
  let body = '{"status":"ok"}'
  app.handler = (_request, response) => response.writeHead(body === '' ? 500 : 200).end(body)
  const matches = pattern.parse('"status":\\s*"(ok|warm)"')
  t.match(await probe(app.port, { contains: '"ok"', matches }), { result: 'success', reason: 'answered 200' })
  body = '{"status":"degraded"}'
  t.same(await probe(app.port, { contains: '"ok"' }), {
    result: 'failure',
    reason: 'answered 200, but its body does not contain “"ok"”',
  })
  t.same(await probe(app.port, { matches }), {
    result: 'failure',
    reason: 'answered 200, but its body does not match “"status":\\s*"(ok|warm)"”',
  })
  body = ''
  t.same(await probe(app.port, { contains: '"ok"' }), { result: 'failure', reason: 'answered 500' }, 'the status comes first')
})

await t.test('of a long body the beginning is searched', async (t) => {
  const app = await startServer(t)
  app.handler = (_request, response) => response.end(`begin${' '.repeat(70_000)}end`)
  t.match(await probe(app.port, { contains: 'begin' }), { result: 'success' })
  const reason = 'answered 200, but the first 64 KiB of its body do not contain “end”'
  t.same(await probe(app.port, { contains: 'end' }), { result: 'failure', reason })
})

/** Half a terabyte, one word for each page of memory that there might be. */
const ENDLESS = process.platform === 'linux' ? '/proc/self/pagemap' : '/dev/zero'

await t.test('over TLS', async (t) => {
  const serve = (certificate: ReturnType<typeof readCertificate>) =>
    listen(
      t,
      createHttpsServer(certificate, (_request, response) => response.end('ok')),
    )
  const port = await serve(readCertificate())
  const expired = await serve(readCertificate('expired'))
  const plain = await startServer(t)
  const junk = join(temporaryDirectory(t), 'junk.pem')
  writeFileSync(junk, '-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n')
  const large = join(temporaryDirectory(t), 'large.pem')
  writeFileSync(large, readFileSync(CA_FILE, 'utf8') + '\n'.repeat(1024 * 1024))
  const own = { scheme: 'https', hostname: 'web.test', caFile: CA_FILE } as const
  for (const [what, at, change, result, reason] of [
    ['an authority of one’s own', port, own, 'success', 'answered 200'],
    ['no verification', expired, { tlsVerify: false }, 'success', 'answered 200'],
    [
      'an authority that nobody knows',
      port,
      { caFile: undefined },
      'failure',
      'its certificate is signed by nobody known here; set healer.ca_file, or healer.tls_verify=false',
    ],
    [
      'another name',
      port,
      { hostname: 'other.test' },
      'failure',
      'its certificate is for another name; set healer.hostname to one that it is for',
    ],
    [
      'no name, for an address has no certificate',
      port,
      { hostname: undefined },
      'failure',
      'its certificate is for another name; set healer.hostname to one that it is for',
    ],
    ['a certificate that has expired', expired, {}, 'failure', 'its certificate has expired'],
    ['a server without TLS', plain.port, {}, 'failure', /^answered what is not TLS \(\w+\)$/],
    [
      'a file of authorities that is not there',
      port,
      { caFile: '/none/ca.pem' },
      'unknown',
      "healer.ca_file is “/none/ca.pem”, which the healer cannot read: ENOENT; mount it into the healer's container",
    ],
    [
      'a file that holds no certificate',
      port,
      { caFile: junk },
      'unknown',
      `healer.ca_file is “${junk}”, which holds no certificate`,
    ],
    [
      'a file that has no end',
      port,
      { caFile: '/dev/zero' },
      'unknown',
      'healer.ca_file is “/dev/zero”, which holds no certificate',
    ],
    [
      'a file that has no end, and says that it is empty',
      port,
      { caFile: ENDLESS },
      'unknown',
      `healer.ca_file is “${ENDLESS}”, which holds no certificate`,
    ],
    [
      'a file that is too large, whatever it holds',
      port,
      { caFile: large },
      'unknown',
      `healer.ca_file is “${large}”, which holds no certificate`,
    ],
  ] as const)
    await t.test(what, async (t) => {
      t.match(await probe(at, { ...own, ...change }), { result, reason })
    })
})

await t.test('the name goes into TLS, and without one none does', async (t) => {
  const names: unknown[] = []
  const server = createHttpsServer(readCertificate(), (_request, response) => response.end('ok'))
  server.on('secureConnection', (socket) => names.push(socket.servername))
  const port = await listen(t, server)
  for (const hostname of ['web.test', undefined]) await probe(port, { scheme: 'https', hostname, tlsVerify: false })
  t.same(names, ['web.test', false])
})
