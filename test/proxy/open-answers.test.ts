// Answers that go on, when the policy changes: what is not allowed any more is cut, however it began.
import type { Socket } from 'node:net'
import t from 'tap'
import { everythingPolicy } from './support/everything.ts'
import { plainRequest } from './support/raw-client.ts'
import { aWhile, openConnection, type RawConnection, readChunks, splitHead, until } from './support/raw-connection.ts'
import { startProxy } from './support/start-proxy.ts'

const SCOPE = [{ labels: { monitored: 'true' } }, { labels: { autoheal: 'true' } }]
const POLICY = everythingPolicy('client', SCOPE)
/** `policyText` without these operations. */
const without = (...operations: readonly string[]) => {
  const { allow, allow_root_equivalent: root, ...others } = JSON.parse(POLICY)
  return JSON.stringify({
    ...others,
    allow: Object.fromEntries(Object.entries(allow).filter(([id]) => !operations.includes(id))),
    allow_root_equivalent: root.filter((id: string) => !operations.includes(id)),
  })
}

const ATTACH = plainRequest('POST /containers/web/attach?stream=1', ['Upgrade: tcp', 'Connection: Upgrade'])
const EVENTS = plainRequest('GET /events')
const LOGS = plainRequest('GET /containers/web/logs?stdout=1&follow=1')
const HANDED_OVER = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n'
const STREAM = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'

/** Answers streams and tunnels with their heads, and says nothing on them. */
function quietly(into: Socket[], isMeant: (line: string) => boolean = () => true) {
  return ({ line }: { line: string }) => {
    const head = line.includes('/attach') ? HANDED_OVER : /\/(events|logs)/.test(line) ? STREAM : undefined
    if (head === undefined || !isMeant(line)) return undefined
    return (socket: Socket) => {
      into.push(socket)
      socket.on('data', () => undefined).on('end', () => socket.end())
      socket.write(head)
    }
  }
}
const headOf = (connection: RawConnection) => splitHead(connection.received()).head

t.test('what goes on is cut when its rule is taken away, and what is allowed as before goes on', async (t) => {
  const proxy = await startProxy(t, { policyText: POLICY })
  const sockets: Socket[] = []
  proxy.engine.takeOver = quietly(sockets)
  const [attach, events, logs] = [ATTACH, EVENTS, LOGS].map((bytes) => openConnection(t, proxy.socketPath, bytes))
  if (!attach || !events || !logs) throw new Error('three clients')
  await until('all go on', () => [attach, events, logs].every(headOf))
  proxy.govern(without('ContainerAttach', 'ContainerLogs'))
  await until('two end', () => attach.state.ended && logs.state.ended)
  t.notOk(readChunks(splitHead(logs.received()).rest).isWhole, 'a stream that is cut has no clean end')
  await aWhile()
  t.notOk(events.state.ended)
  await until('the Engine hears of two', () => sockets.filter(({ destroyed }) => destroyed).length === 2)
  await until('and the log', () => proxy.auditLines().filter(({ error }) => /cut off/.test(String(error))).length === 2)
})

t.test('what goes on is cut when the scope changes', async (t) => {
  const proxy = await startProxy(t, { policyText: POLICY })
  proxy.engine.takeOver = quietly([])
  const [attach, events] = [ATTACH, EVENTS].map((bytes) => openConnection(t, proxy.socketPath, bytes))
  await until('both go on', () => attach && events && headOf(attach) && headOf(events))
  proxy.govern(everythingPolicy('client', [{ labels: { autoheal: 'true' } }]))
  await until('both end', () => attach?.state.ended && events?.state.ended)
})

t.test('what the old policy allowed and begins only after the change is cut as well', async (t) => {
  for (const [bytes, path] of [
    [ATTACH, '/attach'],
    [LOGS, '/logs'],
  ] as const) {
    const proxy = await startProxy(t, { policyText: POLICY })
    const waiting: Socket[] = []
    proxy.engine.takeOver = ({ line }) => (line.includes(path) ? (socket) => waiting.push(socket) : undefined)
    const client = openConnection(t, proxy.socketPath, bytes)
    await until('the Engine is asked', () => waiting.length > 0)
    proxy.govern(without('ContainerAttach', 'ContainerLogs'))
    waiting[0]?.write(path === '/attach' ? `${HANDED_OVER}secret` : `${STREAM}6\r\nsecret\r\n`)
    await until(`${path} ends`, () => client.state.ended || client.state.closed)
    t.notMatch(client.received().toString(), /secret/)
    await until('it is recorded', () => proxy.auditLines().some(({ error }) => /cut off/.test(String(error))))
  }
})
