// The proxy's metrics passed on by the healer's /metrics: fetched at each scrape over a real socket, bounded, and never at the
// cost of the healer's own.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createNetServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { createApp } from '../../healer/serve/app.ts'
import { createHealerMetrics } from '../../healer/serve/metrics.ts'
import { createProxyMetricsReader } from '../../healer/serve/proxy-metrics.ts'

const METRICS = '# HELP postern_proxy_engine_up x\n# TYPE postern_proxy_engine_up gauge\npostern_proxy_engine_up 1\n'
/** Where it is to run out; else it is long, for a slow machine. */
const SHORT_MS = 300
const LONG_MS = 20_000

/** A path for a socket: in a short directory, for 107 bytes are all that it can have. */
function socketPath(t: Test): string {
  const directory = mkdtempSync(join(tmpdir(), 'postern-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  return join(directory, 'metrics.sock')
}

async function listen(t: Test, server: Server, path: string): Promise<() => Promise<void>> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined).on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
    })
  t.teardown(stop)
  return stop
}

/** The healer's app with the proxy's metrics at `path`, and what it said in its log. */
function startHealer(path: string, timeoutMs = LONG_MS) {
  const log: string[] = []
  const logger = pino({}, { write: (line: string) => void log.push(JSON.parse(line).msg) })
  const app = createApp({
    view: () => ({ containers: [], docker: { reachable: true, message: '' }, ready: true, loopAgeMs: 0, holdSinceMs: undefined }),
    metrics: createHealerMetrics(),
    proxyMetrics: createProxyMetricsReader({ socketPath: path, log: logger, timeoutMs }),
    maxLoopAgeMs: 1,
  })
  const scrape = async () => {
    const answer = await app.request('/metrics')
    t.equal(answer.status, 200)
    return answer.text()
  }
  return { app, log, scrape }
}

/** Answers requests as `listener` says. */
async function startProxy(t: Test, listener: RequestListener) {
  const path = socketPath(t)
  const stop = await listen(t, createServer(listener), path)
  return { path, stop }
}

/** Sends `bytes` to whoever asks; then closes, or does not. */
async function startRaw(t: Test, bytes: string, close: boolean) {
  const path = socketPath(t)
  const server = createNetServer((socket) => {
    socket.once('data', () => (close ? socket.end(bytes) : socket.write(bytes)))
  })
  await listen(t, server, path)
  return path
}

const own = /^postern_healer_docker_up 1$/m
const up = (value: 0 | 1) => new RegExp(`^postern_healer_proxy_metrics_up ${value}$`, 'm')

await t.test('the proxy’s metrics follow the healer’s own, as one text of Prometheus’ format', async (t) => {
  const asked: unknown[] = []
  const { path } = await startProxy(t, (request, response) => {
    asked.push([request.method, request.url, request.headers.connection])
    response.end(METRICS)
  })
  const { app, scrape, log } = startHealer(path)
  const text = await scrape()
  t.match(text, own)
  t.match(text, up(1))
  t.ok(text.endsWith(`\n${METRICS}`))
  t.equal((await app.request('/metrics')).headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8')
  t.same(asked, Array(2).fill(['GET', '/metrics', 'close']), 'anew at each scrape')
  t.same(log, [])
})

await t.test('without PROXY_METRICS nothing is asked for, and nothing is said to be down', async (t) => {
  const view = { containers: [], docker: { reachable: true, message: '' }, ready: true, loopAgeMs: 0, holdSinceMs: undefined }
  const app = createApp({ view: () => view, metrics: createHealerMetrics(), maxLoopAgeMs: 1 })
  const text = await (await app.request('/metrics')).text()
  t.match(text, own)
  t.notMatch(text, /^postern_healer_proxy_metrics_up /m)
  t.notMatch(text, /postern_proxy_/)
})

await t.test('metrics that are not the proxy’s are not passed on, the healer’s own least of all', async (t) => {
  const forged = 'postern_healer_docker_up 0\n# TYPE postern_healer_docker_up counter\nup 0\npostern_proxy_x 1\r\n'
  const { path } = await startProxy(t, (_request, response) => response.end(`${forged}${METRICS}`))
  const text = await startHealer(path).scrape()
  t.ok(text.endsWith(METRICS))
  t.match(text, own)
  for (const line of forged.split('\n').slice(0, -1)) t.notOk(text.split('\n').includes(line), line)
})

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n'
const COMMENTS = `# ${'x'.repeat(1022)}\n`.repeat(1025)
/** What answers at the socket, in bytes; `false`: the connection stays open after them. */
const hostile: readonly (readonly [what: string, bytes: string, close: boolean, reason: string])[] = [
  ['silence', '', false, 'no answer within 0.3 s'],
  ['a head without an end', 'HTTP/1.1 200 OK\r\n', false, 'no answer within 0.3 s'],
  ['interim answers alone', 'HTTP/1.1 102 Processing\r\n\r\n', false, 'no answer within 0.3 s'],
  ['a body that stalls', `${HEAD}content-length: 1000\r\n\r\n${METRICS}`, false, 'no answer within 0.3 s'],
  ['a body without an end', `${HEAD}\r\n${METRICS}`, false, 'no answer within 0.3 s'],
  ['a body that is too large', `${HEAD}connection: close\r\n\r\n${METRICS}${COMMENTS}`, true, 'larger than 1048576 bytes'],
  ['one that says it will be', `${HEAD}content-length: 99999999\r\n\r\n${METRICS}`, false, 'no answer within 0.3 s'],
  ['a close in mid-body', `${HEAD}content-length: 1000\r\n\r\n${METRICS}`, true, 'before its answer was whole'],
  ['a close in mid-chunk', `${HEAD}transfer-encoding: chunked\r\n\r\nfff\r\n${METRICS}`, true, 'before its answer was whole'],
  ['a close without a word', '', true, 'before its answer was whole'],
  ['what is not HTTP', 'SSH-2.0-OpenSSH\r\n', true, 'does not match the HTTP/1.1 protocol'],
  ['a head that is too large', `${HEAD}x: ${'a'.repeat(40_000)}\r\n\r\n`, true, 'Headers Overflow'],
  [
    'a switch of protocols',
    'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n',
    false,
    'before its answer was whole',
  ],
  ['a redirect', 'HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n', true, 'it answers 302'],
  ['an error', `HTTP/1.1 500 x\r\nconnection: close\r\n\r\n${METRICS}`, true, 'it answers 500'],
  ['an empty body', `${HEAD}content-length: 0\r\n\r\n`, true, 'are not the proxy’s metrics'],
  ['a page', `${HEAD}connection: close\r\n\r\n<html></html>\n`, true, 'are not the proxy’s metrics'],
  [
    'compressed bytes',
    `${HEAD}content-encoding: gzip\r\nconnection: close\r\n\r\n\x1f\x8b\x08\n`,
    true,
    'are not the proxy’s metrics',
  ],
]
for (const [what, bytes, close, reason] of hostile) {
  await t.test(`${what}: the healer’s own metrics are served all the same`, async (t) => {
    const path = await startRaw(t, bytes, close)
    const { scrape, log } = startHealer(path, reason.includes('within') ? SHORT_MS : LONG_MS)
    const text = await scrape()
    t.match(text, own)
    t.match(text, up(0))
    t.notMatch(text, /^postern_proxy_/m)
    t.equal(log.length, 1)
    t.match(log[0], `the proxy’s metrics cannot be had at unix://${path}: `)
    t.match(log[0], reason)
  })
}

await t.test('a body in drops is waited for no longer than any other', async (t) => {
  const { path } = await startProxy(t, (_request, response) => {
    const timer = setInterval(() => response.write('postern_proxy_x 1\n'), 20)
    response.on('close', () => clearInterval(timer))
  })
  t.match(await startHealer(path, SHORT_MS).scrape(), up(0))
})

await t.test('a body without end or pause is cut off at the bound', async (t) => {
  let written = 0
  const chunk = '# x\n'.repeat(16_384)
  const { path } = await startProxy(t, (_request, response) => {
    const more = () => {
      while (!response.destroyed) {
        written += chunk.length
        if (!response.write(chunk)) return void response.once('drain', more)
      }
    }
    more()
  })
  const { scrape, log } = startHealer(path)
  t.match(await scrape(), up(0))
  t.match(log, [/larger than 1048576 bytes/])
  t.ok(written < 8 * 1024 * 1024, `${written} bytes`)
})

await t.test('that it fails is said once, and so is that it has ended', async (t) => {
  const path = socketPath(t)
  const { scrape, log } = startHealer(path)
  t.match(await scrape(), up(0))
  t.match(await scrape(), up(0))
  const words = `the proxy’s metrics cannot be had at unix://${path}: ENOENT; is the proxy running, with --metrics?; the healer’s own are served without them`
  t.same(log, [words])
  const stop = await listen(
    t,
    createServer((_request, response) => response.end(METRICS)),
    path,
  )
  t.match(await scrape(), up(1))
  t.match(await scrape(), up(1))
  t.same(log, [words, 'the proxy’s metrics can be had again'])
  await stop()
  t.match(await scrape(), up(0))
  t.equal(log.length, 3)
})

await t.test('scrapes at once share one fetch', async (t) => {
  let asked = 0
  const { path } = await startProxy(t, async (_request, response) => {
    asked += 1
    await delay(50)
    response.end(METRICS)
  })
  const { scrape } = startHealer(path)
  const texts = await Promise.all(Array.from({ length: 20 }, scrape))
  t.equal(asked, 1)
  for (const text of texts) t.ok(text.endsWith(METRICS))
  await scrape()
  t.equal(asked, 2)
})
