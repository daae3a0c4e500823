// One request to a receiver that answers rightly, wrongly, late, endlessly, or not at all; and secrets, which no answer brings into a log.
import type { ServerResponse } from 'node:http'
import t from 'tap'
import { deliver } from '../../healer/alert/deliver.ts'
import { startServer } from './support/bench.ts'
import { closedPort } from './support/probed.ts'

const SECRET = 'T0K3N-that-nobody-should-see'
const request = (port: number) => ({
  url: `http://127.0.0.1:${port}/services/${SECRET}`,
  headers: { 'content-type': 'application/json', authorization: `Bearer ${SECRET}` },
  body: `{"routing_key":"${SECRET}","x":1}`,
})

for (const [status, outcome] of [
  [200, 'delivered'],
  [202, 'delivered'],
  [302, 'never'],
  [400, 'never'],
  [401, 'never'],
  [403, 'never'],
  [404, 'never'],
  [410, 'never'],
  [408, 'later'],
  [429, 'later'],
  [500, 'later'],
  [503, 'later'],
] as const) {
  await t.test(`${status} means ${outcome}`, async (t) => {
    const app = await startServer(t)
    let seen = {}
    app.handler = (asked, response) => {
      let body = ''
      asked.on('data', (chunk) => {
        body += chunk
      })
      asked.on('end', () => {
        seen = { method: asked.method, url: asked.url, type: asked.headers['content-type'], body }
        response.writeHead(status, { location: 'http://127.0.0.1:1/' }).end('so it is')
      })
    }
    t.same(await deliver(request(app.port)), { outcome, answer: `it answered ${status}: so it is` })
    t.same(seen, { method: 'POST', url: `/services/${SECRET}`, type: 'application/json', body: request(1).body })
    t.equal(app.requests, 1, 'a redirect is not followed')
  })
}

await t.test('Retry-After is honoured, as seconds and as a date, to an hour', async (t) => {
  const app = await startServer(t)
  const afterMs = async (value: string) => {
    app.handler = (_asked, response) => response.writeHead(429, { 'retry-after': value }).end()
    const delivery = await deliver(request(app.port))
    return delivery.outcome === 'later' ? delivery.afterMs : undefined
  }
  t.equal(await afterMs('30'), 30_000)
  t.equal(await afterMs('999999'), 3_600_000)
  const date = (await afterMs(new Date(Date.now() + 60_000).toUTCString())) ?? 0
  t.ok(date > 50_000 && date <= 60_000, `${date}`)
  for (const nonsense of ['-1', 'soon', '', '0', 'Thu, 01 Jan 1970 00:00:00 GMT'])
    t.equal(await afterMs(nonsense), undefined, nonsense)
})

await t.test('one that is not there, breaks off or speaks nonsense is tried again later', async (t) => {
  t.match(await deliver(request(await closedPort())), { outcome: 'later', answer: 'it cannot be reached (ECONNREFUSED)' })
  const app = await startServer(t)
  app.handler = (asked) => asked.socket.destroy()
  t.match(await deliver(request(app.port)), { outcome: 'later', answer: /^it cannot be reached \(/ })
  app.handler = (asked) => asked.socket.end('\u0000\u0001 nonsense\r\n\r\n')
  t.match(await deliver(request(app.port)), { outcome: 'later' })
  t.match(await deliver({ ...request(1), url: 'http://no-such-host.invalid/' }), {
    outcome: 'later',
    answer: /^it cannot be reached \(/,
  })
})

await t.test('one that hangs before its answer is waited for to a bound', async (t) => {
  const app = await startServer(t)
  app.handler = () => undefined
  t.same(await deliver(request(app.port), 300), { outcome: 'later', answer: 'it cannot be reached (no answer within 0.3 s)' })
})

await t.test('once the status is there it stands, though the body never ends, or breaks off', async (t) => {
  const app = await startServer(t)
  const bodies: Record<string, (response: ServerResponse) => unknown> = {
    drips: (response) => {
      const drip = setInterval(() => response.write('x'), 50)
      response.once('close', () => clearInterval(drip))
    },
    // Half of a secret is not shown either.
    stands: (response) => response.write(`no such key: ${SECRET.slice(0, 10)}`),
    'breaks off': (response) => response.write('so', () => response.socket?.destroy()),
  }
  for (const [what, write] of Object.entries(bodies)) {
    const answerOf = async (status: number) => {
      app.handler = (_asked, response) => write(response.writeHead(status, { 'content-length': 1000, 'retry-after': '30' }))
      return deliver(request(app.port), 1000)
    }
    t.same(await answerOf(200), { outcome: 'delivered', answer: 'it answered 200' }, what)
    t.same(await answerOf(400), { outcome: 'never', answer: 'it answered 400' }, what)
    t.same(await answerOf(503), { outcome: 'later', answer: 'it answered 503', afterMs: 30_000 }, what)
  }
})

await t.test('an answer without end is read to a bound', async (t) => {
  const app = await startServer(t)
  app.handler = (_asked, response) => {
    response.writeHead(200)
    const write = () => void (response.write('x'.repeat(65_536)) ? setImmediate(write) : response.once('drain', write))
    write()
  }
  const delivery = await deliver(request(app.port))
  t.equal(delivery.outcome, 'delivered')
  t.ok(delivery.answer.length < 300)
})

await t.test('what an answer repeats of the request, and control characters, are not shown', async (t) => {
  const app = await startServer(t)
  for (const body of [`no such key: ${SECRET}`, `/services/${SECRET}`, `x${SECRET}y`]) {
    app.handler = (_asked, response) => response.writeHead(400).end(body)
    t.same(await deliver(request(app.port)), { outcome: 'never', answer: 'it answered 400' })
  }
  app.handler = (_asked, response) => response.writeHead(400).end('a\u001b[31m\nb\u0000c')
  t.same(await deliver(request(app.port)), { outcome: 'never', answer: 'it answered 400: a [31m b c' })
  const unreachable = await deliver({ ...request(1), url: `http://no-such-host.invalid/${SECRET}` })
  t.notMatch(unreachable.answer, SECRET)
})
