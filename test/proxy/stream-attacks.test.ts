// Attacks by upgrades, execs and what is Postern's own. What counts is what arrived at the Engine.
import type { Socket } from 'node:net'
import t from 'tap'
import { CATALOGUE, whyNotServed } from '../../proxy/request/catalogue.ts'
import type { Owner } from '../support/temporary.ts'
import { fakeContainer } from './support/containers.ts'
import { everythingPolicy } from './support/everything.ts'
import { plainRequest } from './support/raw-client.ts'
import { aWhile, openConnection, splitHead, until } from './support/raw-connection.ts'
import { DB, HIDDEN, type RunningProxy, startProxy, usualContainers, WEB } from './support/start-proxy.ts'

const SCOPE = [{ labels: { monitored: 'true' } }, { labels: { autoheal: 'true' } }]
const start = (t: Owner, options: Parameters<typeof startProxy>[1] = {}) =>
  startProxy(t, { policyText: everythingPolicy('client', SCOPE), ...options })
const JSON_TYPE = 'Content-Type: application/json'
const EXEC = 'e'.repeat(64)
const SMUGGLED = plainRequest('POST /containers/hidden/kill')

/** What arrived but for what the proxy itself asks. */
const arrived = ({ engine }: RunningProxy) =>
  engine.lines().filter((line) => !/^GET (\/containers\/(json|\w{64}\/json)|\/version)/.test(line))
const upgraded = (line: string, ...headers: readonly string[]) => plainRequest(line, headers)
const post = (line: string, body: string) => `${plainRequest(line, [JSON_TYPE, `Content-Length: ${body.length}`])}${body}`

t.test(
  'no operation but those that are handed over is upgraded to anything, and what is said behind arrives nowhere',
  async (t) => {
    const proxy = await start(t)
    for (const operation of CATALOGUE.filter((each) => each.protocol === undefined && whyNotServed(each) === undefined)) {
      const path = operation.path.map((part) => (part.startsWith('{') ? (part === '{exec}' ? EXEC : 'web') : part)).join('/')
      for (const protocol of ['tcp', 'h2c']) {
        const bytes = upgraded(`${operation.method} /${path}`, `Upgrade: ${protocol}`, 'Connection: Upgrade')
        const [answer] = await proxy.talk(`${bytes}${SMUGGLED}`)
        t.equal(answer?.status, 403, `${operation.id} ${protocol}`)
      }
    }
    t.strictSame(proxy.engine.lines(), [])
  },
)

t.test('an upgrade that is not plainly the right one is refused, and nothing arrives', async (t) => {
  const proxy = await start(t)
  const attach = 'POST /containers/web/attach?stream=1'
  const odd: readonly (readonly [line: string, ...headers: readonly string[]])[] = [
    [attach, 'Upgrade: h2c', 'Connection: Upgrade'],
    [attach, 'Upgrade: websocket', 'Connection: Upgrade'],
    [attach, 'Upgrade: tcp, h2c', 'Connection: Upgrade'],
    [attach, 'Upgrade: tcp/1', 'Connection: Upgrade'],
    [attach, 'Upgrade: ', 'Connection: Upgrade'],
    [attach, 'Upgrade: tcp', 'Upgrade: h2c', 'Connection: Upgrade'],
    [attach, 'Upgrade: tcp', 'Upgrade: tcp', 'Connection: Upgrade'],
    [attach, 'Upgrade: tcp'],
    [attach, 'Upgrade: tcp', 'Connection: keep-alive'],
    [attach, 'Upgrade: tcp', 'Connection: Upgrade, keep-alive'],
    [attach, 'Upgrade: tcp', 'Connection: Upgrade', 'Connection: close'],
    [attach, 'Connection: Upgrade'],
    [attach, 'Upgrade: tcp', 'Connection: Upgrade', JSON_TYPE, 'Content-Length: 2'],
    [attach, 'Upgrade: tcp', 'Connection: Upgrade', 'Transfer-Encoding: chunked'],
    [`POST /exec/${EXEC}/start`, 'Upgrade: tcp', 'Connection: Upgrade', JSON_TYPE, 'Transfer-Encoding: chunked'],
    ['POST /session', 'Upgrade: tcp', 'Connection: Upgrade'],
    ['POST /grpc', 'Upgrade: tcp', 'Connection: Upgrade'],
    ['GET /containers/web/attach/ws', 'Upgrade: websocket', 'Connection: Upgrade'],
    ['GET /containers/web/attach/ws', 'Upgrade: tcp', 'Connection: Upgrade'],
    ['GET /containers/web/attach', 'Upgrade: tcp', 'Connection: Upgrade'],
    ['PRI *', 'Upgrade: h2c', 'Connection: Upgrade'],
    ['CONNECT engine:80'],
  ]
  for (const [line, ...headers] of odd) {
    const [answer] = await proxy.talk(`${upgraded(line, ...headers)}${SMUGGLED}`)
    t.ok(answer && answer.status >= 400 && answer.status <= 403, `${line} ${headers.join(' ')}: ${answer?.status}`)
  }
  t.strictSame(arrived(proxy), [])
})

t.test(
  'an upgrade behind a request that waits for its answer is dropped, and what is said behind it arrives nowhere',
  async (t) => {
    const proxy = await start(t)
    const sockets: Socket[] = []
    proxy.engine.takeOver = ({ line }) => (line.includes('/attach') ? (socket) => sockets.push(socket) : undefined)
    const attach = upgraded('POST /containers/web/attach?stream=1', 'Upgrade: tcp', 'Connection: Upgrade')
    const client = openConnection(t, proxy.socketPath, `${plainRequest('GET /containers/json')}${attach}${SMUGGLED}`)
    await until('it is closed', () => client.state.ended || client.state.closed)
    await aWhile()
    t.equal(sockets.length, 0)
    t.strictSame(arrived(proxy), [])
  },
)

t.test('an exec is what was prepared here: any other is one that does not exist, and the Engine is not asked', async (t) => {
  const proxy = await start(t)
  const other = await start(t)
  const prepare = (from: RunningProxy) => {
    from.engine.answer = ({ line }) =>
      /^POST \/containers\/\w+\/exec /.test(line)
        ? { status: 201, body: { Id: EXEC } }
        : line.includes('/exec/')
          ? { status: 200, body: line.startsWith('GET') ? { ID: EXEC, Running: true } : '' }
          : undefined
    return from.talk(post('POST /containers/web/exec', '{"Cmd":["ls"]}'))
  }
  await prepare(other)
  const uses = (exec: string) => [
    plainRequest(`GET /exec/${exec}/json`),
    plainRequest(`POST /exec/${exec}/resize?h=1&w=1`),
    post(`POST /exec/${exec}/start`, '{"Detach":true}'),
  ]
  const answersTo = (exec: string) => Promise.all(uses(exec).map((bytes) => proxy.talk(bytes)))
  const unknown = JSON.stringify(await answersTo('f'.repeat(64)))
  t.equal(JSON.stringify(await answersTo(EXEC)).replaceAll(EXEC, 'f'.repeat(64)), unknown, 'of another client')
  t.match(unknown, /404 Not Found/)
  t.strictSame(arrived(proxy), [])
  t.strictSame(proxy.engine.lines(), [], 'not even for a list')

  await prepare(proxy)
  for (const bytes of uses(EXEC)) t.equal((await proxy.talk(bytes))[0]?.status, 200)
  t.equal(JSON.stringify(await answersTo(EXEC.slice(1))).includes('404'), true, 'a part of an id names nothing')
  const before = arrived(proxy).length
  // It is judged by its container, each time anew.
  proxy.engine.containers = usualContainers().filter(({ name }) => name !== 'web')
  proxy.govern(everythingPolicy('client', [{ labels: { autoheal: 'true' } }]))
  t.equal(JSON.stringify(await answersTo(EXEC)).replaceAll(EXEC, 'f'.repeat(64)), unknown, 'of a container that is hidden now')
  t.equal(arrived(proxy).length, before)
})

t.test('of what is Postern itself nothing is read, run or written, whatever the policy says', async (t) => {
  const proxy = await start(t, { ownId: WEB })
  const inside = (name: string) => [
    plainRequest(`GET /containers/${name}/archive?path=%2F`),
    plainRequest(`HEAD /containers/${name}/archive?path=%2F`),
    plainRequest(`GET /containers/${name}/export`),
    `${plainRequest(`PUT /containers/${name}/archive?path=%2F`, ['Content-Length: 3'])}tar`,
    upgraded(`POST /containers/${name}/attach?stream=1&stdin=1`, 'Upgrade: tcp', 'Connection: Upgrade'),
    plainRequest(`POST /containers/${name}/attach?stream=1&stdin=1`),
    post(`POST /containers/${name}/exec`, '{"Cmd":["sh"]}'),
    plainRequest(`POST /commit?container=${name}`),
    post(`POST /networks/front/connect`, `{"Container":"${name}"}`),
    post(`POST /networks/front/disconnect`, `{"Container":"${name}"}`),
    post(`POST /containers/${name}/update`, '{"Memory":1}'),
  ]
  for (const name of ['web', WEB, 'aa11'])
    for (const bytes of inside(name)) {
      const client = openConnection(t, proxy.socketPath, bytes)
      await until('an answer', () => splitHead(client.received()).head)
      t.match(splitHead(client.received()).head, /^HTTP\/1\.1 403 /, `${bytes.split('\r\n')[0]}`)
      client.socket.destroy()
    }
  t.strictSame(arrived(proxy), [])
})

t.test('while the proxy observes, streams and bodies pass and are recorded, but not what amounts to root', async (t) => {
  const policyText = JSON.stringify({ version: 1, client: 'client', scope: SCOPE, allow: { SystemPing: {} } })
  const proxy = await startProxy(t, {
    policyText,
    observe: true,
    containers: [...usualContainers(), fakeContainer({ id: 'd'.repeat(64), name: 'd' })],
  })
  proxy.engine.answer = ({ line }) => (/\/(logs|connect)/.test(line) ? { status: 200, body: 'said' } : undefined)
  const logs = openConnection(t, proxy.socketPath, plainRequest('GET /containers/hidden/logs?stdout=1'))
  await until('all of it', () => logs.received().includes('said'))
  t.equal((await proxy.talk(post('POST /networks/front/connect', '{"Container":"db"}')))[0]?.status, 200)
  t.match(proxy.engine.arrived.at(-1), { line: 'POST /networks/front/connect HTTP/1.1', body: `{"Container":"${DB}"}` })
  const before = arrived(proxy).length
  for (const bytes of [
    upgraded('POST /containers/web/attach?stream=1', 'Upgrade: tcp', 'Connection: Upgrade'),
    post('POST /containers/web/exec', '{"Cmd":["sh"]}'),
    post('POST /containers/create', '{"Image":"x"}'),
    `${plainRequest('PUT /containers/web/archive?path=%2F', ['Content-Length: 3'])}tar`,
  ])
    t.equal((await proxy.talk(bytes))[0]?.status, 403)
  t.equal(arrived(proxy).length, before)
  logs.socket.destroy()
  await until('the stream is recorded', () => proxy.auditLines().some(({ operation }) => operation === 'ContainerLogs'))
  t.match(
    proxy
      .auditLines()
      .filter(({ verdict }) => verdict === 'observe')
      .map(({ operation }) => operation)
      .sort(),
    ['ContainerLogs', 'NetworkConnect'],
  )
  t.ok(arrived(proxy).some((line) => line.includes(HIDDEN)))
  t.equal(splitHead(logs.received()).head.split('\r\n')[0], 'HTTP/1.1 200 OK')
})

t.test('an Engine that answers nothing to an exec is answered for, and its outcome is on the record', async (t) => {
  const proxy = await startProxy(t, { policyText: everythingPolicy() })
  proxy.engine.answer = ({ line }) => (line.includes('/exec ') ? { status: 201, body: 'null' } : undefined)
  const [answer] = await proxy.talk(post('POST /containers/web/exec', '{"Cmd":["ls"]}'))
  t.equal(answer?.status, 201)
  t.match(proxy.auditLines().at(-1), { event: 'outcome', status: 201 })
})
