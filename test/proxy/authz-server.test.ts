// The plugin's socket: the Engine's protocol, and bounds on what it takes in. What cannot be read is a no, never a yes, and never a wait.
import { connect } from 'node:net'
import t from 'tap'
import { talk } from './support/raw-client.ts'
import { message, post, startPlugin } from './support/start-plugin.ts'
import { WEB } from './support/start-proxy.ts'

const LIMITS = {
  maxMessageBytes: 64 * 1024,
  maxHeldBytes: 256 * 1024,
  maxUnderWay: 8,
  maxConnections: 64,
  messageTimeoutMs: 60_000,
}
const REQUEST = '/AuthZPlugin.AuthZReq'
const RESPONSE = '/AuthZPlugin.AuthZRes'

await t.test('it is an authorization plugin, and nothing else', async (t) => {
  const { socketPath } = await startPlugin(t)
  t.match(await post(socketPath, '/Plugin.Activate', ''), {
    status: 200,
    contentType: 'application/vnd.docker.plugins.v1.1+json',
    answer: { Implements: ['authz'] },
  })
  t.match(await post(socketPath, '/VolumeDriver.Create', '{}'), { status: 404, answer: { Err: String } })
  t.match(await talk(socketPath, `GET ${REQUEST} HTTP/1.1\r\nHost: x\r\n\r\n`), [{ status: 405 }])
})

await t.test('what is no message is refused and recorded', async (t) => {
  const plugin = await startPlugin(t)
  for (const text of ['', '{', 'null', '[]', '{}', '"x"', '{"RequestMethod":"GET"}', '{"RequestMethod":"GET","RequestUri":""}']) {
    const { status, answer } = await post(plugin.socketPath, REQUEST, text)
    t.equal(status, 200, text)
    t.match(answer, { Allow: false, Msg: 'what the Engine has sent is no message to an authorization plugin' }, text)
  }
  for (const odd of [{ RequestHeaders: ['x'] }, { RequestHeaders: { a: 1 } }, { RequestBody: '%%' }, { User: 5 }])
    t.match((await post(plugin.socketPath, REQUEST, message('GET /version', odd as never))).answer, { Allow: false })
  t.match(plugin.auditLines(), [{ rule: 'request.framing', verdict: 'deny', method: '', status: 403 }])
})

await t.test('fields that are new, and those that are null, are no hindrance', async (t) => {
  const plugin = await startPlugin(t)
  const more = { RequestHeaders: null, RequestBody: null, SomethingNew: { a: 1 } } as never
  t.match(await plugin.ask('GET /version', more), { Allow: true })
})

await t.test('a message that is too large is refused, an answer that is too large is sent, and the next is judged', async (t) => {
  const plugin = await startPlugin(t, { limits: LIMITS })
  const RequestHeaders = { 'X-Long': 'x'.repeat(LIMITS.maxMessageBytes) }
  t.match(await plugin.ask('GET /version', { RequestHeaders }), { Allow: false, Msg: /larger than the plugin takes in/ })
  t.match(await plugin.tell('GET /version', { RequestHeaders }), { Allow: true })
  t.match(await plugin.ask('GET /version'), { Allow: true })
})

await t.test('while as much is held as may be, a large message is refused and a small one is not', async (t) => {
  const plugin = await startPlugin(t, { limits: LIMITS })
  const large = message('GET /version', { RequestHeaders: { 'X-Long': 'x'.repeat(62_000) } })
  // Four of them, each but for its last byte.
  const sockets = Array.from({ length: 4 }, () => {
    const socket = connect(plugin.socketPath)
    t.teardown(() => socket.destroy())
    socket.write(`POST ${REQUEST} HTTP/1.1\r\nHost: x\r\nContent-Length: ${large.length}\r\n\r\n${large.slice(0, -1)}`)
    return socket
  })
  const askLarge = async () => (await post(plugin.socketPath, REQUEST, large)).answer
  while ((await askLarge()).Allow);
  t.match(await askLarge(), { Allow: false, Msg: /larger than the plugin takes in/ })
  t.match(await plugin.ask('GET /version'), { Allow: true })

  const answers = sockets.map(
    (socket) => new Promise<string>((resolve) => socket.setEncoding('utf8').once('data', (text: string) => resolve(text))),
  )
  for (const socket of sockets) socket.write(large.slice(-1))
  for (const text of await Promise.all(answers)) t.match(text, /\{"Allow":true\}$/)
  t.match(await askLarge(), { Allow: true }, 'and what was held is let go')
})

await t.test('a message that does not come is not waited for', async (t) => {
  const plugin = await startPlugin(t, { limits: { ...LIMITS, messageTimeoutMs: 300 } })
  const [answer] = await talk(plugin.socketPath, `POST ${REQUEST} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{`)
  t.equal(answer?.status, 408)
  t.match(await plugin.ask('GET /version'), { Allow: true })
})

await t.test('more questions than can wait are refused at once, and the plugin’s own never wait for them', async (t) => {
  const plugin = await startPlugin(t, { limits: LIMITS })
  const answers = await Promise.all(Array.from({ length: 50 }, () => plugin.ask(`GET /containers/${WEB}/json`)))
  const [passed, busy] = [true, false].map((wanted) => answers.filter(({ Allow }) => Allow === wanted))
  t.ok((passed?.length ?? 0) >= LIMITS.maxUnderWay, `${passed?.length} passed`)
  for (const { Msg } of busy ?? []) t.equal(Msg, 'too many requests wait for a decision; try again')
})

await t.test('an answer whose message cannot be read is sent all the same: the request was judged', async (t) => {
  const { socketPath } = await startPlugin(t)
  for (const text of ['', '{', '{}']) t.match((await post(socketPath, RESPONSE, text)).answer, { Allow: true })
})
