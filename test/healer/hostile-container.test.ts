// A container that wants to harm the healer: by what it answers to a probe, by its labels and its name, and over the network that it shares
// with the healer. docs/threat-model.md has a row for each; what every probe keeps to is in probe-contract.test.ts.
import { once } from 'node:events'
import { connect, createServer as createTcpServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import { connectDocker } from '../../healer/docker/dockerode.ts'
import { probeGrpc } from '../../healer/probe/grpc.ts'
import { type HttpProbe, probeHttp } from '../../healer/probe/http.ts'
import { readEnvironment } from '../../healer/settings/environment.ts'
import { readLabels } from '../../healer/settings/labels.ts'
import { freePort } from '../support/free-port.ts'
import { imageFlags } from '../support/programs.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { startServer } from './support/bench.ts'
import { serveDocker } from './support/docker-api.ts'
import { createFakeClock } from './support/fake-clock.ts'
import { createFakeDocker } from './support/fake-docker.ts'
import { grpcProbe, httpProbe, rawServer, saying } from './support/probed.ts'
import { startHealer } from './support/program.ts'
import { startStatusPage } from './support/status-page.ts'

/** A server that begins with `first` and then says `again` without end, to whoever has sent something. */
const endlessly = (t: Test, first: string | Buffer, again: Buffer) =>
  rawServer(t, (socket) =>
    socket.once('data', () => {
      socket.write(first)
      const more = () => {
        while (!socket.destroyed && socket.write(again));
        if (!socket.destroyed) socket.once('drain', more)
      }
      more()
    }),
  )

const probe = async (port: number, change: Partial<HttpProbe> = {}) => {
  const { result, reason } = await probeHttp(httpProbe(port, change))
  return { result, reason }
}

const OK = 'HTTP/1.1 200 OK\r\n'
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`

for (const [what, first, again, words] of [
  ['interim answers', '', 'HTTP/1.1 100 Continue\r\n\r\n', 'no answer'],
  ['interim answers with large heads', '', `HTTP/1.1 103 Early Hints\r\nlink: ${'x'.repeat(15_000)}\r\n\r\n`, 'no answer'],
  ['empty lines', '', '\r\n', 'no answer'],
  ['the digits of a chunk’s length', CHUNKED, '0', 'answered 200, but its body did not end'],
] as const) {
  await t.test(`${what} without end are read to a bound, not until the time is up`, async (t) => {
    const port = await endlessly(t, first, Buffer.from(again.repeat(2 + Math.ceil(20_000 / again.length))))
    t.same(await probe(port), { result: 'failure', reason: `${words} within 1 MiB` })
  })
}

/** https://www.rfc-editor.org/rfc/rfc9113#name-frame-format */
function frame(type: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

for (const [what, again] of [
  ['frames of no kind', frame(0x77, 0)],
  ['priorities', frame(2, 3, Buffer.from([0, 0, 0, 1, 5]))],
  ['alternative services', frame(10, 0, Buffer.from([0, 1, 65, 66]))],
] as const) {
  await t.test(`over gRPC, ${what} without end are read to a bound, not until the time is up`, async (t) => {
    const port = await endlessly(t, frame(4, 0), Buffer.concat(Array(1000).fill(again)))
    const { result, reason } = await probeGrpc(grpcProbe(port))
    // Newer versions of Node have a bound of their own on some of them, and come to it first.
    const bounds = ['no answer within 1 MiB', 'answered what is not HTTP/2 (ERR_HTTP2_ERROR)']
    t.ok(result === 'failure' && bounds.includes(reason), `${result}: ${reason}`)
  })
}

for (const [what, answer, result, reason] of [
  ['a header of 20 KB', `${OK}x: ${'a'.repeat(20_000)}\r\n\r\n`, 'failure', /HPE_HEADER_OVERFLOW/],
  ['headers that are 1 MB together', `${OK}${'a: b\r\n'.repeat(170_000)}\r\n`, 'failure', /HPE_HEADER_OVERFLOW/],
  ['trailers that are 1 MB together', `${CHUNKED}0\r\n${'a: b\r\n'.repeat(170_000)}\r\n`, 'failure', /HPE_HEADER_OVERFLOW/],
  ['an extension of a chunk of 60 KB', `${CHUNKED}1;${'a'.repeat(60_000)}`, 'failure', /HPE_CHUNK_EXTENSIONS_OVERFLOW/],
  ['two lengths', `${OK}content-length: 2\r\ncontent-length: 3\r\n\r\nokk`, 'failure', /HPE_UNEXPECTED_CONTENT_LENGTH/],
  ['a length and chunks', `${OK}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 'failure', /not HTTP/],
  ['a second answer behind the first', `${OK}content-length: 0\r\n\r\nHTTP/1.1 503 No\r\n\r\n`, 'success', /^answered 200$/],
  ['a reason that is a terminal’s', 'HTTP/1.1 503 \x1b[2J\x9b2J\r\ncontent-length: 0\r\n\r\n', 'failure', /^answered 503$/],
  [
    'headers that objects have from birth',
    `${OK}__proto__: x\r\nconstructor: y\r\ncontent-length: 0\r\n\r\n`,
    'success',
    /^answered 200$/,
  ],
] as const) {
  await t.test(`${what}: ${result}`, async (t) => {
    t.match(await probe(await saying(t, Buffer.from(answer, 'latin1'))), { result, reason })
  })
}

await t.test('a compressed body is not unpacked', async (t) => {
  const app = await startServer(t)
  const bomb = gzipSync(Buffer.alloc(50_000_000, 'a'))
  app.handler = (request, response) => {
    t.equal(request.headers['accept-encoding'], undefined, 'it was not asked for')
    response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)
  }
  t.match(await probe(app.port, { contains: 'aaaa' }), { result: 'failure', reason: /does not contain/ })
})

await t.test('a redirect inward, to metadata, to the healer itself or to the proxy’s socket, leads nowhere', async (t) => {
  let reached = 0
  const count = (socket: Socket) => {
    reached += 1
    socket.destroy()
  }
  const port = await rawServer(t, count)
  const socketPath = join(temporaryDirectory(t), 'healer.sock')
  const proxy = createTcpServer(count)
  await new Promise<void>((resolve) => proxy.listen(socketPath, resolve))
  t.teardown(() => proxy.close())
  const app = await startServer(t)
  for (const status of [301, 302, 303, 307, 308]) {
    for (const location of [
      `http://127.0.0.1:${port}/api/containers/web/pause`,
      `//127.0.0.1:${port}/`,
      `http+unix://${encodeURIComponent(socketPath)}/containers/web/restart`,
      `unix://${socketPath}`,
      'http://169.254.169.254/latest/meta-data/',
      'file:///run/secrets/healer-token',
    ]) {
      app.handler = (_request, response) =>
        response.writeHead(status, { location, refresh: `0; url=${location}`, 'alt-svc': `h2="127.0.0.1:${port}"` }).end()
      t.same(await probe(app.port), {
        result: 'failure',
        reason: `answered ${status} to ${location}; set healer.path or healer.status`,
      })
    }
  }
  t.equal(reached, 0)
})

/** Characters that move a cursor, end a line, hide or turn text. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const SNEAKY = '\x1b[2J\x9b2J\r\n\u2028\u202e\u200b'

await t.test('where it redirects to is told in plain characters, and cut', async (t) => {
  const location = `/\x9b2J\x85${'\xad'.repeat(300)}`
  const port = await saying(t, Buffer.from(`HTTP/1.1 302 Found\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`, 'latin1'))
  const { reason } = await probe(port)
  t.ok(reason.startsWith('answered 302 to /\\u{9b}2J\\u{85}\\u{ad}'), reason)
  t.notMatch(reason, UNSAFE)
  t.ok(reason.length < 2000)
})

await t.test('labels that lie are told in plain characters, cut, and a few of them', (t) => {
  const problemsOf = (labels: Record<string, string>) =>
    readLabels({ monitored: 'true', ...labels }, readEnvironment({})).problems
  const long = `${SNEAKY}${'x'.repeat(1_000_000)}`
  for (const labels of [
    { 'healer.interval': long },
    { 'healer.maintenance': long },
    { 'healer.matches': long },
    { 'healer.depends_on': long },
    { [`healer.${long}`]: 'x' },
    { [`healer.headers.${long}`]: 'x' },
    { [`healer.${'interval'.repeat(100_000)}`]: 'x' },
  ]) {
    const problems = problemsOf(labels)
    t.equal(problems.length, 1)
    t.notMatch(problems[0]?.message, UNSAFE)
    t.ok((problems[0]?.message.length ?? 0) < 1100)
  }
  const many = problemsOf(Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`healer.interva${i}`, 'x'])))
  t.equal(many.length, 21)
  t.match(many.at(-1), { message: /^more than 20 labels under healer\. are wrong/, decidesProbe: true })
  t.match(
    readLabels(
      { ...Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`healer.x${i}`, 'x'])), 'healer.action': 'none' },
      readEnvironment({}),
    ),
    {
      settings: { action: 'none' },
    },
  )
  t.end()
})

/** Names that Docker takes, and that objects of JavaScript have from birth. */
const BORN = ['constructor', 'hasOwnProperty', 'toString', 'valueOf']

await t.test('a container named, and labelled, as objects are from birth is a container like any other', async (t) => {
  const labels = JSON.parse('{"__proto__":"evil","constructor":"evil","healer.__proto__":"x","healer.constructor":"x"}')
  const { bench, apps, get } = await startStatusPage(t, {
    containers: Object.fromEntries([...BORN.map((name) => [name, labels]), ['web', {}]]),
    env: { START_PERIOD: '0', HOLD_MAX: '1' },
  })
  await bench.clock.advance(15_000)
  apps.get('constructor')?.status(503)
  await bench.clock.advance(60_000)
  t.ok(bench.kinds('constructor').includes('restarted'), 'it is restarted')
  for (const name of [...BORN.slice(1), 'web']) t.notOk(bench.kinds(name).includes('restarted'), `${name} is not`)
  const shown = (await (await get('/api/containers')).json()) as { name: string; problems: string[] }[]
  t.same(shown.map(({ name }) => name).sort(), [...BORN, 'web'].sort())
  t.same(
    shown
      .find(({ name }) => name === 'toString')
      ?.problems.map((problem) => problem.split(' is ')[0])
      .sort(),
    ['healer.__proto__', 'healer.constructor'],
  )
  t.match(await (await get('/metrics')).text(), 'postern_healer_container_health{container="constructor",health="healthy"} ')
})

await t.test('what the proxy tells of such labels is read as it stands', async (t) => {
  const docker = createFakeDocker(createFakeClock())
  const labels = JSON.parse('{"monitored":"true","__proto__":"evil","constructor":"evil"}')
  docker.add('hasOwnProperty', 80, { summary: { labels } })
  const api = await serveDocker(t, () => docker)
  const [container] = await connectDocker({ socketPath: api.socketPath }, () => undefined).list()
  t.match(container, { name: 'hasOwnProperty', labels: { monitored: 'true', constructor: 'evil' } })
  t.equal(Object.getPrototypeOf(container?.labels ?? {}), Object.prototype)
})

await t.test('a name adds no line to the metrics', async (t) => {
  const { bench, get } = await startStatusPage(t, { containers: { 'web"} 1\npostern_proxy_engine_up 0\n': {} } })
  await bench.clock.advance(1000)
  const text = await (await get('/metrics')).text()
  t.match(text, 'container="web\\"} 1\\npostern_proxy_engine_up 0\\n"')
  t.notMatch(text, /^postern_proxy/m)
})

/** As its image starts it, without an Engine. */
async function startOnPort(t: Test) {
  const port = await freePort()
  const state = temporaryDirectory(t)
  const env = { HEALER_PORT: `${port}`, STATE_DIR: state, DOCKER_HOST: `unix://${state}/none.sock`, PROXY_METRICS: '' }
  const healer = startHealer(t, ['run'], env, imageFlags('healer'))
  await healer.said('Health monitor started')
  return { port, ...healer }
}

await t.test('one address cannot hold all connections: others are served meanwhile', async (t) => {
  const { port } = await startOnPort(t)
  const head = `GET / HTTP/1.1\r\nHost: healer\r\nx: ${'a'.repeat(12_000)}`
  const held = Array.from({ length: 600 }, () => connect(port, '127.0.0.1').on('error', () => 'it was closed'))
  t.teardown(() => held.map((socket) => socket.destroy()))
  for (const socket of held) socket.once('connect', () => socket.write(head))
  let closed = 0
  await new Promise<void>((resolve) => {
    for (const socket of held)
      socket.once('close', () => {
        closed += 1
        if (closed === 500) resolve()
      })
  })
  t.equal(await statusFor('127.0.0.2', port), 200)
})

await t.test('thousands of requests that are written ahead at once, and their answers not taken, do not end it', async (t) => {
  const { port, child, ended } = await startOnPort(t)
  for (const path of ['/metrics', '/']) {
    const flood = `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(2000)
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        const socket = connect(port, '127.0.0.1').on('error', () => 'it was closed')
        t.teardown(() => socket.destroy())
        await once(socket.pause(), 'connect')
        await new Promise((resolve) => socket.write(flood, resolve))
      }),
    )
    t.equal(await statusFor('127.0.0.2', port), 200)
  }
  child.kill('SIGTERM')
  t.same(await ended, [0, null])
})

await t.test('who asks again before the answer is hung up on; who waits for it may go on', async (t) => {
  const { port } = await startOnPort(t)
  const socket = connect(port, '127.0.0.1').setEncoding('latin1')
  const ask = 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'
  for (let i = 0; i < 3; i += 1) {
    socket.write(ask)
    t.match(await once(socket, 'data'), [/^HTTP\/1\.1 200 OK/])
  }
  let answers = 0
  socket.on('data', (text: string) => {
    answers += text.split('HTTP/1.1 200').length - 1
  })
  socket.on('error', () => 'it was closed').write(ask.repeat(10))
  await new Promise((resolve) => socket.once('close', resolve))
  t.ok(answers < 2, `${answers} answers`)
})

/** The status of `/healthz`, asked from `localAddress`. */
async function statusFor(localAddress: string, port: number): Promise<number> {
  const socket = connect({ port, host: '127.0.0.1', localAddress })
  socket.write('GET /healthz HTTP/1.1\r\nHost: healer\r\nConnection: close\r\n\r\n')
  const [head] = (await once(socket.setEncoding('latin1'), 'data')) as [string]
  socket.destroy()
  return Number(head.split(' ')[1])
}
