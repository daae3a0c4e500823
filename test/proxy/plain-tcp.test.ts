// TCP without TLS, on the loopback address: programs of this machine are served, and a page in a browser of this machine is not, under
// whatever name it reaches that address.
import { connect } from 'node:net'
import t from 'tap'
import { PLAIN_TCP } from '../../proxy/serve/transport.ts'
import { messageOf, type RawAnswer, talk } from './support/raw-client.ts'
import { type RunningProxy, startProxy } from './support/start-proxy.ts'

const start = (owner: Parameters<typeof startProxy>[0]) => startProxy(owner, { transport: () => PLAIN_TCP })

async function askAs({ port }: RunningProxy, ...headers: readonly string[]): Promise<RawAnswer | undefined> {
  const [answer] = await talk(() => connect(port, '127.0.0.1'), ['GET /_ping HTTP/1.1', ...headers, '', ''].join('\r\n'))
  return answer
}

const OWN = ['localhost', 'LOCALHOST', '127.0.0.1', '127.0.0.53', '[::1]']

t.test('a program of this machine is served, and its line names no certificate', async (t) => {
  const proxy = await start(t)
  for (const host of [...OWN, ...OWN.map((name) => `${name}:2375`)])
    t.match(await askAs(proxy, `Host: ${host}`), { status: 200 }, host)
  t.ok(proxy.auditLines().every((line) => line.client === 'healer' && !('certificate' in line)))
})

const FOREIGN = [
  'evil.example',
  'evil.example:2375',
  'localhost.evil.example:2375',
  '127.0.0.1.evil.example',
  'evil.localhost:2375',
  'localhost.',
  'localhost:2375.evil.example',
  'localhost:2375@evil.example',
  'user@localhost',
  'docker',
  'api.moby.localhost',
  '127.1',
  '2130706433:2375',
  '0.0.0.0:2375',
  '10.0.0.1',
  '[::ffff:127.0.0.1]:2375',
  '[::]:2375',
  '::1',
  '',
]

t.test('a request under another name than this machine’s own comes from a page that has taken its address', async (t) => {
  const proxy = await start(t)
  for (const host of FOREIGN) {
    const answer = await askAs(proxy, `Host: ${host}`)
    t.equal(answer?.status, 403, host)
    t.match(answer && messageOf(answer), /the header host is not localhost, 127\.0\.0\.1 or \[::1\]/)
  }
  t.match(await askAs(proxy, 'Host: localhost', 'Host: evil.example'), { status: 403 }, 'the second of two')
  t.match(await askAs(proxy, 'Host: evil.example', 'Host: localhost'), { status: 403 }, 'the first of two')
  t.match(await askAs(proxy, 'Host: localhost:2375', 'Origin: http://localhost:2375'), { status: 403 }, 'a page of its own port')
  t.match(await askAs(proxy, 'Host: localhost:2375', 'Sec-Fetch-Site: cross-site'), { status: 403 }, 'a page of another origin')
  t.match(await askAs(proxy), { status: 400 }, 'no name at all')
  t.same(proxy.engine.lines(), [])
  t.ok(proxy.auditLines().every(({ verdict, rule }) => verdict === 'deny' && /^request\.(browser|header)$/.test(String(rule))))
})

t.test('over a unix socket the name means nothing: no page can reach it', async (t) => {
  const proxy = await startProxy(t)
  t.equal((await talk(proxy.socketPath, 'GET /_ping HTTP/1.1\r\nHost: anything\r\n\r\n'))[0]?.status, 200)
})
