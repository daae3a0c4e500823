// The Engine's events, cut one by one: what is about containers outside the scope does not happen, and of the others what `show` names.
import type { Socket } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import type { Owner } from '../support/temporary.ts'
import { containerId } from './support/containers.ts'
import { plainRequest } from './support/raw-client.ts'
import { openConnection, type RawConnection, readChunks, splitHead, until } from './support/raw-connection.ts'
import { DB, HIDDEN, type RunningProxy, startProxy, WEB } from './support/start-proxy.ts'

const SHOW = '[Type, Action, status, timeNano, Actor: [ID, Attributes: [name, exitCode]]]'
const policy = (scope: string, show = SHOW) =>
  ['version: 1', 'client: client', `scope: ${scope}`, 'allow:', '  SystemEvents:', `    show: ${show}`, ''].join('\n')
const BY_LABEL = '[{ labels: { monitored: "true" } }]'
const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'

async function listen(t: Owner, policyText: string) {
  const proxy = await startProxy(t, { policyText })
  return follow(t, proxy)
}

/** A client that follows the events of `proxy`, and what the Engine says. */
async function follow(t: Owner, proxy: RunningProxy) {
  let engine: Socket | undefined
  proxy.engine.takeOver = ({ line }) =>
    line.includes('/events')
      ? (socket) => {
          engine = socket
          socket.on('data', () => undefined).on('end', () => socket.end())
          socket.write(HEAD)
        }
      : undefined
  const client: RawConnection = openConnection(t, proxy.socketPath, plainRequest('GET /events'))
  await until('the head', () => splitHead(client.received()).head)
  const say = (bytes: Buffer | string) => {
    const data = Buffer.from(bytes as string)
    if (data.length > 0) engine?.write(Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from('\r\n')]))
  }
  const end = () => engine?.write('0\r\n\r\n')
  const heard = () => readChunks(splitHead(client.received()).rest)
  const wholly = async () => {
    end()
    await until('the end', () => heard().isWhole)
    client.socket.destroy()
    return heard().body.toString()
  }
  return { proxy, client, say, end, heard, wholly }
}

const event = (over: object = {}, attributes: object = {}, id: string = WEB) => ({
  status: 'start',
  id,
  from: 'image-of-web',
  Type: 'container',
  Action: 'start',
  Actor: { ID: id, Attributes: { image: 'image-of-web', name: 'web', monitored: 'true', secret: 'hunter2', ...attributes } },
  scope: 'local',
  time: 1700000000,
  timeNano: 1,
  ...over,
})
const lines = (...events: readonly object[]) => events.map((each) => `${JSON.stringify(each)}\n`).join('')
const actions = (text: string) =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line).Action)

t.test('events come cut to what is shown, split anywhere, and numbers keep their digits', async (t) => {
  const odd = event({ Action: 'größer 😀' }, { name: 'web', exitCode: '137' })
  const text = lines(odd, event()).replaceAll('"timeNano":1', '"timeNano":1700000000123456789')
  const expected = [odd, event()]
    .map(({ Type, Action, status, Actor: { ID, Attributes } }) => {
      const { name, exitCode } = Attributes as { name: string; exitCode?: string }
      return `${JSON.stringify({ status, Type, Action, Actor: { ID, Attributes: { name, exitCode } }, timeNano: 1 })}\n`
    })
    .join('')
    .replaceAll('"timeNano":1', '"timeNano":1700000000123456789')
  const proxy = await startProxy(t, { policyText: policy(BY_LABEL) })
  const bytes = Buffer.from(text)
  for (const size of [1, 2, 7, 100, bytes.length]) {
    const { say, wholly } = await follow(t, proxy)
    for (let at = 0; at < bytes.length; at += size) say(bytes.subarray(at, at + size))
    t.equal(await wholly(), expected, `${size} bytes at a time`)
  }
})

t.test('containers out of scope do not happen, by label, name and project', async (t) => {
  const table: readonly (readonly [scope: string, attributes: object, isHeard: boolean])[] = [
    [BY_LABEL, {}, true],
    [BY_LABEL, { monitored: 'True' }, false],
    ['[{ names: [web] }]', {}, true],
    ['[{ names: [web] }]', { name: 'other' }, false],
    ['[{ project: shop }]', { 'com.docker.compose.project': 'shop' }, true],
    ['[{ project: shop }]', { 'com.docker.compose.project': 'other' }, false],
    ['[{ project: shop }]', {}, false],
    ['[{ labels: { absent: x } }]', {}, false],
    // The Engine's own words are no labels: what is called so fails closed.
    ['[{ labels: { name: web } }]', {}, false],
    ['[{ labels: { image: image-of-web } }]', {}, false],
    ['[{ labels: { exitCode: "0" } }]', { exitCode: '0' }, false],
    ['[{ labels: { signal: "9" } }]', { signal: '9' }, false],
    ['[{ labels: { execID: "9" } }]', { execID: '9' }, false],
    ['[{ labels: { oldName: "/web" } }]', { oldName: '/web' }, false],
  ]
  for (const [scope, attributes, isHeard] of table) {
    const { say, wholly } = await listen(t, policy(scope, 'all'))
    say(lines(event({}, attributes)))
    t.equal((await wholly()) !== '', isHeard, `${scope} ${JSON.stringify(attributes)}`)
  }
})

t.test('what happens to networks and volumes is heard, unless it names a container that is hidden', async (t) => {
  const other = (Type: string, Action: string, container?: string) => ({
    ...{ Type, Action, scope: 'local', timeNano: 2 },
    Actor: { ID: 'front', Attributes: { name: 'front', type: 'bridge', ...(container === undefined ? {} : { container }) } },
  })
  const { say, wholly } = await listen(t, policy(BY_LABEL))
  say(
    lines(
      other('network', 'create'),
      other('network', 'connect', WEB),
      other('network', 'disconnect', HIDDEN),
      other('network', 'disconnect', DB),
      other('network', 'disconnect', containerId('ffff')),
      other('network', 'disconnect', 'web'),
      other('network', 'disconnect', 'aa11'),
      other('volume', 'mount', HIDDEN),
      other('volume', 'unmount', WEB),
      other('image', 'pull'),
    ),
  )
  t.strictSame(actions(await wholly()), ['create', 'connect', 'unmount', 'pull'])
})

t.test('the command lines of execs are cut off, unless all is shown', async (t) => {
  const exec = event({ Action: 'exec_create: sh -c "echo hunter2\n: x"', status: 'exec_start: cat /hunter2' })
  const cut = await listen(t, policy(BY_LABEL))
  cut.say(
    lines(
      exec,
      event({ Action: 'health_status: healthy' }),
      event({ Action: 'exec_die' }),
      event({ Action: 'exec_create:x hunter2' }),
    ),
  )
  const text = await cut.wholly()
  t.notMatch(text, /hunter2/)
  t.strictSame(actions(text), ['exec_create', 'health_status: healthy', 'exec_die', 'exec_create'])
  const whole = await listen(t, policy(BY_LABEL, 'all'))
  whole.say(lines(exec))
  t.equal(await whole.wholly(), lines(exec))
})

t.test('what cannot be read breaks the stream off, and nothing of it is shown', async (t) => {
  const odd = [
    '{"Type":"container"',
    'hunter2\n',
    '{"Type":"network","Type":"hunter2"}\n',
    `{"Type":"${'hunter2'.repeat(200_000)}"}\n`,
  ]
  for (const text of odd) {
    const { say, end, heard, client, proxy } = await listen(t, policy(BY_LABEL))
    say(lines(event()))
    await until('the first', () => heard().body.length > 0)
    for (let at = 0; at < text.length; at += 60_000) say(text.slice(at, at + 60_000))
    if (!text.endsWith('\n')) end()
    await until('the end', () => client.state.ended || client.state.closed)
    t.notOk(heard().isWhole)
    t.notMatch(heard().body.toString(), /hunter2/)
    t.strictSame(actions(heard().body.toString()), ['start'])
    await until('it is recorded', () => proxy.auditLines().length > 0)
    t.match(proxy.auditLines()[0], { error: /^it broke off/ })
  }
})

t.test('whatever happens, no field appears that is not shown, and nothing of a hidden container', async (t) => {
  const proxy = await startProxy(t, { policyText: policy(BY_LABEL) })
  const SECRET = 'hunter2'
  const hidden = fc.constantFrom(HIDDEN, 'hidden', `${SECRET}-label`)
  const anything = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.jsonValue({ maxDepth: 2 }))
  const anEvent = fc
    .record({
      Type: fc.constantFrom('container', 'network', 'volume', 'image'),
      isHidden: fc.boolean(),
      extra: fc.dictionary(fc.constantFrom('from', 'id', 'Scope', '__proto__', 'Actors', 'x'), anything),
      more: fc.dictionary(fc.constantFrom('image', 'secret', 'oldName', '__proto__', 'signal'), fc.oneof(hidden, fc.string())),
      Action: fc.constantFrom('start', `exec_create: ${SECRET}`, `exec_start: x\n${SECRET}`, 'die'),
    })
    .map(({ Type, isHidden, extra, more, Action }) => {
      const [id, name, labels] = isHidden ? [HIDDEN, 'hidden', { l: `${SECRET}-label` }] : [WEB, 'web', { monitored: 'true' }]
      const attributes = Type === 'container' ? { ...labels, ...more, name } : { ...more, container: id, name: 'front' }
      return {
        ...extra,
        Type,
        Action,
        Actor: { ID: Type === 'container' ? id : 'front', Attributes: attributes, x: SECRET },
        timeNano: 1,
      }
    })
  const KNOWN = ['Type', 'Action', 'status', 'timeNano', 'Actor', 'ID', 'Attributes', 'name', 'exitCode']
  const fields = (value: unknown): string[] =>
    typeof value === 'object' && value !== null ? Object.entries(value).flatMap(([key, below]) => [key, ...fields(below)]) : []
  await fc.assert(
    fc.asyncProperty(fc.array(anEvent, { maxLength: 20 }), fc.integer({ min: 1, max: 3000 }), async (events, size) => {
      const { say, wholly } = await follow(t, proxy)
      const bytes = Buffer.from(lines(...events))
      for (let at = 0; at < bytes.length; at += size) say(bytes.subarray(at, at + size))
      const text = await wholly()
      const shown = text.split('\n').filter(Boolean)
      const expected = events.filter(
        ({ Actor }) => !JSON.stringify(Actor).includes(`"${HIDDEN}","name":"front"`) && Actor.ID !== HIDDEN,
      )
      return (
        !/hunter2|hidden|cc33/.test(text) &&
        shown.every((line) => fields(JSON.parse(line)).every((field) => KNOWN.includes(field))) &&
        shown.length <= events.length &&
        shown.length >= Math.min(expected.length, 0)
      )
    }),
    { numRuns: 60 },
  )
})
