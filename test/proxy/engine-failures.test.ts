// An Engine that fails, lies or is gone: the client gets the Engine's error shape in the proxy's words, and later is served again.
import t, { type Test } from 'tap'
import { SECRET } from './support/containers.ts'
import type { Reply } from './support/fake-engine.ts'
import { messageOf } from './support/raw-client.ts'
import { type RunningProxy, startProxy, WEB } from './support/start-proxy.ts'

const READS = ['GET /_ping', 'GET /version', 'GET /containers/json', 'GET /containers/web/json']
const RESTART = 'POST /containers/web/restart'
/** The proxy's own questions before a restart. */
const isLookUp = (line: string) => line.startsWith('GET /containers/')
const HOST_TEXT = `driver failed: mount /var/lib/docker/volumes/${SECRET}/_data of ${WEB}`

const failures: readonly (readonly [what: string, reply: Reply, status: number])[] = [
  ['hangs up at once', '', 502],
  ['hangs up in the head', 'HTTP/1.1 200 OK\r\nContent-Le', 502],
  ['hangs up in the body', 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[{"Id":', 502],
  ['hangs up in a chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n[{"Id"', 502],
  ['does not speak HTTP', `220 ${SECRET} ESMTP\r\n`, 502],
  ['answers with two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}', 502],
  ['answers 500 with paths of the host', { status: 500, body: { message: HOST_TEXT } }, 500],
  ['answers 503', { status: 503, body: { message: HOST_TEXT } }, 503],
  ['answers 409', { status: 409, body: { message: HOST_TEXT } }, 409],
  ['answers 400', { status: 400, body: { message: HOST_TEXT } }, 400],
  ['answers 302', { status: 302, headers: [`Location: http://${SECRET}/`] }, 502],
  ['answers 418', { status: 418, body: HOST_TEXT }, 502],
]

for (const [what, reply, status] of failures) {
  t.test(`when the Engine ${what}, the client is told so in the proxy’s words`, async (t) => {
    const proxy = await startProxy(t)
    await proxy.ask(`GET /containers/${WEB}/json`)
    for (const line of ['GET /_ping', 'GET /version', 'GET /containers/json', `GET /containers/${WEB}/json`, RESTART]) {
      proxy.engine.answer = (request) => (line === RESTART && isLookUp(request.line) ? undefined : reply)
      const answer = await proxy.ask(line)
      t.equal(answer.status, status, line)
      t.notMatch(JSON.stringify(answer), SECRET, line)
      t.notMatch(messageOf(answer), WEB, line)
    }
    await servesAgain(t, proxy)
  })
}

/** The Engine is well again: so is everything else. */
async function servesAgain(t: Test, proxy: RunningProxy): Promise<void> {
  proxy.engine.answer = () => undefined
  for (const line of READS) t.equal((await proxy.ask(line)).status, 200, `${line}: afterwards`)
  t.equal((await proxy.ask('POST /containers/db/restart')).status, 204, 'a restart: afterwards')
}

const nonsense: readonly (readonly [what: string, body: string])[] = [
  ['nothing', ''],
  ['half of it', '[{"Id":"'],
  ['a page', '<html></html>'],
  ['null', 'null'],
  ['a text', '"x"'],
  ['an object that is none', '{"message":5}'],
]

for (const [what, body] of nonsense) {
  t.test(`when the Engine’s list is ${what}, nothing is shown or restarted`, async (t) => {
    const proxy = await startProxy(t)
    proxy.engine.answer = ({ line }) => (line.startsWith('GET /containers/json') ? { status: 200, body } : undefined)
    for (const line of ['GET /containers/json', 'GET /containers/web/json', RESTART]) {
      const answer = await proxy.ask(line)
      t.equal(answer.status, 502, line)
      t.equal(messageOf(answer), "the Engine's answer cannot be read by the proxy; see its log")
    }
    t.notMatch(proxy.engine.lines().join('\n'), 'POST')
    await servesAgain(t, proxy)
  })
}

t.test('when the fresh inspect cannot be read, nothing is restarted and no budget is spent', async (t) => {
  const proxy = await startProxy(t)
  const replies: readonly Reply[] = [
    { status: 200, body: '' },
    { status: 200, body: { Id: WEB, Name: '/web' } },
    { status: 200, body: { Id: 'other', Name: '/web', State: { Status: 'running' }, Config: { Labels: { monitored: 'true' } } } },
    { status: 500, body: HOST_TEXT },
    '',
  ]
  for (const reply of replies) {
    proxy.engine.answer = ({ line }) => (line.includes(`/${WEB}/json`) ? reply : undefined)
    t.equal((await proxy.ask(RESTART)).status, 502)
  }
  t.notMatch(proxy.engine.lines().join('\n'), 'POST')
  proxy.engine.answer = () => undefined
  for (let i = 0; i < 5; i++) t.equal((await proxy.ask(RESTART)).status, 204)
})

t.test('when nothing answers on the Engine’s socket, every request is told so; when it is back, all is served', async (t) => {
  const proxy = await startProxy(t)
  await proxy.engine.stop()
  for (const line of [...READS, RESTART]) {
    const answer = await proxy.ask(line)
    t.equal(answer.status, 502, line)
    t.equal(messageOf(answer), 'the Engine cannot be reached by the proxy; see its log')
  }
  await proxy.engine.start()
  await servesAgain(t, proxy)
})

t.test('a restart that the Engine did not answer is spent: it may have happened', async (t) => {
  const proxy = await startProxy(t)
  proxy.engine.answer = ({ line }) => (line.startsWith('POST') ? '' : undefined)
  for (let i = 0; i < 5; i++) {
    const answer = await proxy.ask(RESTART)
    t.equal(answer.status, 502)
    t.match(messageOf(answer), /; ContainerRestart may have been done all the same$/)
  }
  t.equal((await proxy.ask(RESTART)).status, 429)
  t.equal(proxy.engine.lines().filter((line) => line.startsWith('POST')).length, 5, 'and it is not tried twice')
})

t.test('what the log says of a failure does not name what the policy hides', async (t) => {
  const proxy = await startProxy(t)
  proxy.engine.answer = ({ line }) => (line.startsWith('POST') ? { status: 500, body: { message: HOST_TEXT } } : undefined)
  await proxy.ask(RESTART)
  t.match(proxy.auditLines(), [
    { verdict: 'allow' },
    { event: 'outcome', status: 500, error: /^ContainerRestart: the Engine tried and failed/ },
  ])
})
