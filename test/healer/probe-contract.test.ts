// What every network probe keeps to, whatever it is sent at: it comes back in time with one of three results and a reason, never
// rejects, takes a connection of its own, holds little, and leaves nothing open.
import { spawnSync } from 'node:child_process'
import { createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { ContainerDetail } from '../../healer/docker/docker.ts'
import type { Target } from '../../healer/probe/attempt.ts'
import type { Probe } from '../../healer/probe/probes.ts'
import { runProbe } from '../../healer/probe/probes.ts'
import type { ProbeResult } from '../../healer/probe/result.ts'
import {
  answerCall,
  CA_FILE,
  closedPort,
  grpcProbe,
  grpcServer,
  httpProbe,
  httpServer,
  listen,
  rawServer,
  relay,
  SERVING_FRAME,
  saying,
  tcpProbe,
  writeEndlessly,
} from './support/probed.ts'

type Kind = {
  readonly name: string
  readonly probe: (port: number, change?: Partial<Target>) => Extract<Probe, Target>
  /** A server that answers rightly, or rightly and without end. */
  readonly serve: (t: Test, how: 'right' | 'endless', host?: string) => Promise<number>
  readonly success: string
  /** What is said of bytes that are no answer at all. */
  readonly garbage: RegExp
}

const TLS = { scheme: 'https', hostname: 'web.test', caFile: CA_FILE, tlsVerify: true } as const
const serveGrpc = (t: Test, how: 'right' | 'endless', tls: boolean, host = '127.0.0.1') =>
  grpcServer(
    t,
    (stream) => {
      if (how === 'right') return answerCall(stream, { frame: SERVING_FRAME })
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
      writeEndlessly(stream)
    },
    { tls, host },
  )
const serveTcp = (t: Test, how: 'right' | 'endless', host = '127.0.0.1') =>
  listen(
    t,
    createServer((socket) => {
      socket.once('data', () => (how === 'right' ? socket.write('+PONG\r\n') : writeEndlessly(socket)))
    }),
    host,
  )

const KINDS: readonly Kind[] = [
  {
    name: 'http',
    probe: httpProbe,
    serve: (t, how, host = '127.0.0.1') => httpServer(t, how, { host }),
    success: 'answered 200',
    garbage: /^answered what is not HTTP \(HPE_\w+\)$/,
  },
  {
    name: 'http over TLS',
    probe: (port, change) => httpProbe(port, { ...TLS, ...change }),
    serve: (t, how, host = '127.0.0.1') => httpServer(t, how, { tls: true, host }),
    success: 'answered 200',
    garbage: /^answered what is not TLS \(\w+\)$/,
  },
  {
    name: 'tcp',
    probe: (port, change) => tcpProbe(port, { send: Buffer.from('PING\r\n'), expect: Buffer.from('+PONG\r\n'), ...change }),
    serve: serveTcp,
    success: 'answered “+PONG\\r\\n”',
    garbage: /^answered “.*”( and closed the connection)?, not “\+PONG\\r\\n”/,
  },
  {
    name: 'grpc',
    probe: grpcProbe,
    serve: (t, how, host) => serveGrpc(t, how, false, host),
    success: 'serving status SERVING',
    garbage: /^answered what is not HTTP\/2 \(ERR_HTTP2_ERROR\)$/,
  },
  {
    name: 'grpc over TLS',
    probe: (port, change) => grpcProbe(port, { ...TLS, ...change }),
    serve: (t, how, host) => serveGrpc(t, how, true, host),
    success: 'serving status SERVING',
    garbage: /^answered what is not TLS \(\w+\)$/,
  },
]

/** Only the docker probe looks at the container itself. */
const NOT_LOOKED_AT: ContainerDetail = {
  id: 'a',
  status: 'running',
  startedAt: '',
  restartCount: 0,
  exitCode: 0,
  oomKilled: false,
  autoRemove: false,
  networkMode: 'net',
}

const openSockets = () => process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap' || kind === 'TCPConnectWrap')

/** What `count` gives, once it gives nothing or two seconds have passed. */
async function settled(count: () => number): Promise<number> {
  for (let i = 0; i < 200 && count() > 0; i += 1) await sleep(10)
  return count()
}

for (const kind of KINDS) {
  await t.test(kind.name, async (t) => {
    /** Probes, and fails where that took far longer than it may. */
    const run = async (t: Test, port: number, change: Partial<Target> = {}): Promise<ProbeResult> => {
      const probe = kind.probe(port, change)
      const startedMs = performance.now()
      const result = await runProbe(probe, NOT_LOOKED_AT)
      const tookMs = performance.now() - startedMs
      t.ok(tookMs < probe.timeoutMs + 20_000, `took ${tookMs} ms`)
      return result
    }
    const fails = async (t: Test, port: number, reason: RegExp, change: Partial<Target> = {}) =>
      t.match(await run(t, port, change), { result: 'failure', reason })

    await t.test('a right answer is a success, each time over a connection of its own, and nothing is left open', async (t) => {
      const right = await kind.serve(t, 'right')
      let connections = 0
      let closed = 0
      const port = await relay(t, right, (chunk, client) => {
        if (client.listenerCount('close', counted) === 0) {
          connections += 1
          client.on('close', counted)
        }
        client.write(chunk)
      })
      function counted() {
        closed += 1
      }
      t.equal(await settled(() => openSockets().length), 0, 'what came before is over')
      for (let i = 0; i < 3; i += 1) t.match(await run(t, port), { result: 'success', reason: kind.success })
      t.equal(connections, 3)
      t.equal(await settled(() => openSockets().length), 0)
      t.equal(closed, 3)
    })

    await t.test('a refusal', async (t) => fails(t, await closedPort(), /^connection refused$/))

    await t.test('silence', async (t) =>
      fails(t, await rawServer(t, () => undefined), /^no answer within 0.3 s$/, { timeoutMs: 300 }),
    )

    await t.test('a close, and a reset, without a word', async (t) => {
      const words = kind.name === 'tcp' ? /^answered nothing and closed/ : /^connection closed before the answer was complete$/
      await fails(t, await saying(t, ''), words)
      await fails(t, await rawServer(t, (socket) => socket.once('data', () => socket.resetAndDestroy())), /connection closed/)
    })

    await t.test('a close in the middle of the answer', async (t) => {
      const right = await kind.serve(t, 'right')
      const bytes = await answerBytes(t, kind, right)
      for (const keep of new Set([1, Math.floor(bytes / 4), Math.floor(bytes / 2)])) {
        let left = keep
        const port = await relay(t, right, (chunk, client) => {
          client.write(chunk.subarray(0, left))
          left -= Math.min(left, chunk.length)
          if (left === 0) client.end()
        })
        await fails(t, port, /./)
      }
    })

    await t.test('an answer that comes byte by byte, too slowly', async (t) => {
      const right = await kind.serve(t, 'right')
      const port = await relay(t, right, async (chunk, client) => {
        for (let at = 0; at < chunk.length && !client.destroyed; at += 1) {
          client.write(chunk.subarray(at, at + 1))
          await sleep(80)
        }
      })
      await fails(t, port, /within 0.3 s$/, { timeoutMs: 300 })
    })

    await t.test('a right answer that takes longer than it may', async (t) => {
      const right = await kind.serve(t, 'right')
      const port = await relay(t, right, async (chunk, client) => {
        await sleep(150)
        client.write(chunk)
      })
      const { result, reason } = await run(t, port, { maxLatencyMs: 100 })
      t.equal(result, 'failure')
      t.ok(reason.startsWith(`${kind.success} in `) && /in [\d.]+ s, more than 0.1 s$/.test(reason), reason)
      t.match(await run(t, port, { maxLatencyMs: 19_000 }), { result: 'success' })
    })

    await t.test('bytes that are no answer', async (t) => {
      for (const bytes of ['SSH-2.0-OpenSSH_9.2p1\r\n\r\n\r\n', Buffer.alloc(100, 0), Buffer.alloc(100, 0xff)]) {
        await fails(t, await saying(t, bytes), kind.garbage)
        await fails(t, await saying(t, bytes, false), kind.garbage, { timeoutMs: 1000 })
      }
    })

    await t.test('bytes without end are not held', async (t) => {
      const servers = [
        await rawServer(t, (socket) => socket.once('data', () => writeEndlessly(socket))),
        await kind.serve(t, 'endless'),
      ]
      for (const port of servers) {
        const before = process.memoryUsage().arrayBuffers
        let most = before
        const watching = setInterval(() => {
          most = Math.max(most, process.memoryUsage().arrayBuffers)
        }, 1)
        const result = await run(t, port)
        clearInterval(watching)
        t.not(result.result, 'unknown')
        t.notMatch(result.reason, 'within', 'it does not wait for the end')
        t.ok(most - before < 32 * 1024 * 1024, `${most - before} bytes`)
      }
    })

    await t.test('an address of IPv6', { skip: hasLoopback6() ? false : 'there is no ::1 here' }, async (t) => {
      const port = await kind.serve(t, 'right', '::1')
      t.match(await run(t, port, { address: '::1' }), { result: 'success' })
    })

    await t.test('faults of the healer’s own machine are unknown', async (t) => {
      // Nobody can connect to a broadcast.
      t.match(await run(t, 80, { address: '255.255.255.255' }), { result: 'unknown', reason: /^the healer cannot connect: E/ })
    })

    await t.test('a healer that stood still does not blame the container', async (t) => {
      const port = await rawServer(t, () => undefined)
      const probing = runProbe(kind.probe(port, { timeoutMs: 100 }), NOT_LOOKED_AT)
      setTimeout(() => {
        const untilMs = performance.now() + 1400
        while (performance.now() < untilMs);
      }, 50)
      t.match(await probing, { result: 'unknown', reason: /^the healer itself stood still for [\d.]+ s$/ })
    })
  })
}

await t.test('a healer that has no file descriptor left cannot tell', async (t) => {
  const { stdout, stderr } = spawnSync(
    'sh',
    ['-c', 'ulimit -n 64 && exec "$0" --import=tsx test/healer/support/probe-without-descriptors.ts', process.execPath],
    { encoding: 'utf8' },
  )
  t.same(
    stdout.split('\n').filter((line) => line !== ''),
    ['http', 'tcp', 'grpc'].map((kind) => `${kind} unknown the healer cannot connect: EMFILE`),
    stderr,
  )
})

/** How many bytes a right answer is. */
async function answerBytes(t: Test, kind: Kind, right: number): Promise<number> {
  let bytes = 0
  const port = await relay(t, right, (chunk, client) => {
    bytes += chunk.length
    client.write(chunk)
  })
  await runProbe(kind.probe(port), NOT_LOOKED_AT)
  return bytes
}

function hasLoopback6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1'))
}
