// The proxy stops within its bound, whatever goes on through it, waits for the Engine, or is not read by its client.
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import t from 'tap'
import { verifyFiles } from '../../proxy/audit/verify-files.ts'
import { temporaryFiles } from '../support/temporary.ts'
import { everythingPolicy } from './support/everything.ts'
import { preparePlace, startServing } from './support/proxy-process.ts'
import { plainRequest } from './support/raw-client.ts'
import { openConnection, splitHead, until } from './support/raw-connection.ts'
import { whatHappened } from './support/start-proxy.ts'

const POLICY = everythingPolicy('client', [{ labels: { monitored: 'true' } }, { labels: { autoheal: 'true' } }])
const EVENTS = plainRequest('GET /events')
const LOGS = plainRequest('GET /containers/web/logs?stdout=1&follow=1')
const attachTo = (name: string, query: string) =>
  plainRequest(`POST /containers/${name}/attach?${query}`, ['Upgrade: tcp', 'Connection: Upgrade'])
const HANDED_OVER = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n'
const STREAM = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'

t.test('SIGTERM ends it within its bound, whatever goes on or waits, and the log has all outcomes', async (t) => {
  const { policy } = temporaryFiles(t, { policy: POLICY })
  const place = await preparePlace(t, policy)
  const [going, waiting]: Socket[][] = [[], []]
  place.engine.takeOver = ({ line }) => {
    const head = line.includes('/attach') ? HANDED_OVER : /\/(events|logs)/.test(line) ? STREAM : undefined
    if (head === undefined) return undefined
    // It thinks about some for ever, and floods one.
    if (/tail=1|logs=1/.test(line)) return (socket) => waiting?.push(socket)
    return (socket) => {
      going?.push(socket)
      socket.on('data', () => undefined).on('end', () => socket.end())
      socket.write(head)
      if (line.includes('stderr=1')) socket.write(Buffer.alloc(4_000_000))
    }
  }
  const { child, ended } = await startServing(t, place)
  const unread = openConnection(t, place.client, attachTo('db', 'stream=1&stderr=1'))
  unread.socket.pause()
  await until('it floods', () => going?.length === 1)
  const clients = [attachTo('web', 'stream=1'), EVENTS, LOGS].map((bytes) => openConnection(t, place.client, bytes))
  await until('all go on', () => clients.every((client) => splitHead(client.received()).head))
  openConnection(t, place.client, plainRequest('GET /containers/web/logs?stdout=1&tail=1'))
  openConnection(t, place.client, attachTo('web', 'stream=1&logs=1'))
  await until('two wait', () => waiting?.length === 2)

  child.kill('SIGTERM')
  const { code, stderr } = await Promise.race([
    ended,
    new Promise<{ code: number; stderr: string }>((resolve) =>
      setTimeout(() => resolve({ code: -1, stderr: '' }), 15_000).unref(),
    ),
  ])
  t.equal(code, 0)
  t.equal(stderr, '')
  const lines = whatHappened(readFileSync(place.audit, 'utf8'))
  const changes = lines.filter(({ operation, verdict }) => operation === 'ContainerAttach' && verdict === 'allow')
  t.equal(changes.length, 3)
  for (const { seq } of changes)
    t.ok(
      lines.some(({ event, of }) => event === 'outcome' && of === seq),
      `the outcome of ${seq}`,
    )
  for (const operation of ['SystemEvents', 'ContainerLogs']) t.ok(lines.some((line) => line.operation === operation))
  t.equal(lines.at(-1)?.event, 'stop')
  t.equal((await verifyFiles([place.audit], {})).problem, undefined)
})
