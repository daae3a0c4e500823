// Attacks as bytes on the client's socket. What counts is what arrived at the Engine: for a request that is refused nothing,
// and never a second request, a body or a header of the client's.
import t from 'tap'
import { plainRequest } from './support/raw-client.ts'
import { DB, type RunningProxy, startProxy, WEB } from './support/start-proxy.ts'

const LIST = 'GET /containers/json?all=1 HTTP/1.1'
const restartOf = (id: string) => [LIST, `GET /containers/${id}/json HTTP/1.1`, `POST /containers/${id}/restart HTTP/1.1`]

/** What arrived for anything but a restart of `db`, which is asked for last, so that what came before it has had its turn. */
async function arrivedBeforeMarker({ ask, engine }: RunningProxy): Promise<readonly string[]> {
  const marker = await ask('POST /containers/db/restart')
  if (marker.status !== 204) throw new Error(`the proxy does not serve any more: ${marker.statusLine}`)
  const lines = [...engine.lines()]
  for (const line of restartOf(DB)) lines.splice(lines.lastIndexOf(line), 1)
  return lines
}

const LINE = 'POST /containers/web/restart'
const SMUGGLED = plainRequest(LINE)
const head = (...lines: readonly string[]) => [`${LINE} HTTP/1.1`, 'Host: docker', ...lines, '', ''].join('\r\n')
const many = (count: number, line: string) => `${line}\r\n`.repeat(count)

const refused: readonly (readonly [what: string, bytes: string])[] = [
  ['a length and a transfer coding', `${head('Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n${SMUGGLED}`],
  ['a transfer coding and a length', `${head('Transfer-Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n${SMUGGLED}`],
  ['two lengths', `${head('Content-Length: 0', `Content-Length: ${SMUGGLED.length}`)}${SMUGGLED}`],
  ['one length twice', `${head('Content-Length: 3', 'Content-Length: 3')}abc`],
  ['a list of lengths', `${head('Content-Length: 0, 3')}abc`],
  ['a signed length', `${head('Content-Length: +3')}abc`],
  ['a length below nothing', head('Content-Length: -1')],
  ['a length too large for any number', head(`Content-Length: ${'9'.repeat(40)}`)],
  ['a body with a form that sets t', `${head('Content-Type: application/x-www-form-urlencoded', 'Content-Length: 4')}t=60`],
  ['a body of JSON', `${head('Content-Type: application/json', 'Content-Length: 7')}{"t":1}`],
  ['a body that is a request', `${head(`Content-Length: ${SMUGGLED.length}`)}${SMUGGLED}`],
  ['a chunked body', `${head('Transfer-Encoding: chunked')}4\r\nt=60\r\n0\r\n\r\n`],
  ['a chunk with an extension', `${head('Transfer-Encoding: chunked')}4;a="\r\n\r\n"\r\nt=60\r\n0\r\n\r\n`],
  ['chunks with trailers', `${head('Transfer-Encoding: chunked')}0\r\nContent-Length: 9\r\n\r\n`],
  ['an unknown transfer coding', `${head('Transfer-Encoding: xchunked')}0\r\n\r\n`],
  ['a transfer coding twice', `${head('Transfer-Encoding: chunked', 'Transfer-Encoding: identity')}0\r\n\r\n`],
  ['a transfer coding behind a control character', `${head('Transfer-Encoding: \x0bchunked')}0\r\n\r\n`],
  ['a space before the colon', `${head('Content-Length : 3')}abc`],
  ['a space before the colon of a coding', `${head('Transfer-Encoding : chunked')}0\r\n\r\n`],
  ['a header that begins with a space', head(' Content-Length: 3')],
  ['a NUL in a header', head('X-A: a\0b')],
  ['a bare CR in a header', head('X-A: a\rContent-Length: 3')],
  ['no Host', `${LINE} HTTP/1.1\r\n\r\n`],
  ['two Host', head('Host: other')],
  ['a lower-case protocol', `${LINE} http/1.1\r\nHost: docker\r\n\r\n`],
  ['a lower-case method', plainRequest('post /containers/web/restart')],
  ['a tab before the target', plainRequest('POST\t/containers/web/restart')],
  ['a space in the target', plainRequest('POST /containers/web/restart x')],
  ['a NUL in the target', plainRequest('POST /containers/web/restart\0')],
  ['the absolute form', plainRequest('POST http://docker/containers/web/restart')],
  ['the authority form', plainRequest('CONNECT docker:2375')],
  ['the asterisk form', plainRequest('OPTIONS *')],
  ['an encoded path', plainRequest('POST /containers/%77eb/restart')],
  ['an encoded slash', plainRequest('POST /containers/web%2frestart')],
  ['a path that climbs', plainRequest('POST /containers/db/../web/restart')],
  ['a doubled slash', plainRequest('POST //containers/web/restart')],
  ['a fragment', plainRequest('POST /containers/web/restart#x')],
  ['a query key twice', plainRequest(`${LINE}?t=1&t=2`)],
  ['a signal', plainRequest(`${LINE}?signal=SIGKILL`)],
  ['a version out of range', plainRequest('POST /v9.99/containers/web/restart')],
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0'],
  ['an upgrade to a stream', head('Connection: Upgrade', 'Upgrade: tcp')],
  ['an upgrade to h2c', head('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA')],
  ['a web socket', head('Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: eA==')],
  ['attach', plainRequest('POST /containers/web/attach?stream=1', ['Connection: Upgrade', 'Upgrade: tcp'])],
  ['Connection that names a header', head('Connection: close, authorization')],
  ['a promise of a body', head('Expect: 100-continue', 'Content-Length: 3')],
  ['an unknown expectation', head('Expect: miracles')],
  ['a page in a browser', head('Origin: http://evil.example')],
  ['20 KB of one header', head(`X-A: ${'a'.repeat(20_480)}`)],
  ['20 KB of headers', head(`${many(1900, 'X-A: aaaaaaaa')}X-B: b`)],
  ['a path of 20 KB', plainRequest(`POST /containers/${'a'.repeat(20_480)}/restart`)],
  ['a thousand query keys', plainRequest(`${LINE}?${'t=1&'.repeat(1000)}t=1`)],
  ['a length behind more headers than Node’s parser hands over', `${head(`${many(2100, 'a:')}Content-Length: 3`)}abc`],
  ['an origin behind more headers than Node’s parser hands over', head(`${many(2100, 'a:')}Origin: http://evil.example`)],
  ['bytes that are no request', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
]

for (const [what, bytes] of refused) {
  t.test(`nothing arrives at the Engine for ${what}`, async (t) => {
    const proxy = await startProxy(t)
    const answers = await proxy.talk(bytes)
    for (const { statusLine, status } of answers) t.ok(status >= 400 || status === 100, statusLine)
    t.same(await arrivedBeforeMarker(proxy), [])
  })
}

const trusted: readonly (readonly [what: string, bytes: string])[] = [
  ['a refused body', `${head('Content-Length: 3')}abc${SMUGGLED}`],
  ['a refused path', `${plainRequest('GET /containers//json')}${SMUGGLED}`],
  ['a refused query', `${plainRequest('GET /containers/json?limit=1')}${SMUGGLED}`],
  ['a refused chunked body', `${head('Transfer-Encoding: chunked')}0\r\n\r\n${SMUGGLED}`],
]

for (const [what, bytes] of trusted) {
  t.test(`what follows on the connection after ${what} is not taken for a request`, async (t) => {
    const proxy = await startProxy(t)
    const answers = await proxy.talk(bytes, 2)
    t.match(answers, [{ status: 400 }])
    t.equal(answers.length, 1, 'one answer')
    t.same(await arrivedBeforeMarker(proxy), [])
  })
}

/** Spellings that HTTP's own rules or Node's parser let pass: harmless if they are one request, forwarded as any other. */
const lenient: readonly (readonly [what: string, bytes: string])[] = [
  ['bare LF for CRLF', `${LINE} HTTP/1.1\nHost: docker\n\n`],
  ['a folded header', head('X-A: a', ' b')],
  ['a length hidden in a folded header', head('X-A: a', '\tContent-Length: 3')],
  ['an empty line before the request', `\r\n\r\n${head()}`],
  ['a length with an underscore', head('Content_Length: 3')],
  ['the request line of HTTP/0.9', `${LINE}\r\n\r\n`],
  ['HTTP/2.0 in the request line', `${LINE} HTTP/2.0\r\nHost: docker\r\n\r\n`],
  ['two spaces before the target', plainRequest('POST  /containers/web/restart')],
  ['HTTP/1.0', `${LINE} HTTP/1.0\r\n\r\n`],
  ['a method in a header', head('X-HTTP-Method-Override: DELETE')],
  ['no body, said so', head('Content-Length: 0')],
  ['bytes after the head', `${head()}garbage\r\n\r\n`],
  ['a length with spaces around it', head('Content-Length:  0 ')],
]

for (const [what, bytes] of lenient) {
  t.test(`with ${what}, at most the one plain restart arrives`, async (t) => {
    const proxy = await startProxy(t)
    await proxy.talk(bytes)
    const arrived = await arrivedBeforeMarker(proxy)
    t.ok(arrived.length === 0 || JSON.stringify(arrived) === JSON.stringify(restartOf(WEB)), arrived.join('\n'))
    t.same(bodiesAndHeaders(proxy), plainHeaders)
  })
}

/** The only headers that the proxy sends, and no body. */
const plainHeaders = {
  GET: ['accept: application/json', 'connection: keep-alive', 'host: engine'],
  POST: ['accept: application/json', 'connection: keep-alive', 'content-length: 0', 'host: engine'],
}

function bodiesAndHeaders({ engine }: RunningProxy): Record<string, readonly string[]> {
  const all = engine.arrived.map(({ line, headers, body }) => {
    return [
      line.split(' ')[0] ?? '',
      [...headers.map((header) => header.toLowerCase()), ...(body === '' ? [] : [body])].sort(),
    ] as const
  })
  return Object.fromEntries(
    ['GET', 'POST'].map((method) => [method, [...new Set(all.flatMap(([of, lines]) => (of === method ? lines : [])))].sort()]),
  )
}

t.test('of requests written at once the first is answered and the rest are dropped unread', async (t) => {
  const proxy = await startProxy(t)
  const answers = await proxy.talk(
    plainRequest('GET /_ping') + plainRequest('GET /v1.44/version') + plainRequest('GET /nothing'),
    3,
  )
  t.match(answers, [{ status: 200, body: 'OK' }])
  t.equal(answers.length, 1)
  t.ok(answers[0]?.headers.includes('connection: close'))
  t.same(proxy.engine.lines(), ['GET /_ping HTTP/1.1'])
})

t.test('requests one after the other use the same connection', async (t) => {
  const proxy = await startProxy(t)
  const statuses = await proxy.inTurn(['GET /_ping', 'GET /version', 'GET /nothing', 'GET /_ping'])
  t.same(statuses, [200, 200, 403, 200])
})

t.test('no header of the client’s arrives at the Engine', async (t) => {
  const proxy = await startProxy(t)
  const headers = [
    'X-Registry-Auth: e30=',
    'Authorization: Basic eA==',
    'User-Agent: evil',
    'Accept: text/plain',
    'Cookie: a=b',
    'X-A: b',
  ]
  for (const line of ['GET /_ping', 'GET /version', 'GET /containers/json?all=1', 'GET /containers/web/json', LINE]) {
    t.ok((await proxy.ask(line, headers)).status < 300, line)
  }
  t.same(bodiesAndHeaders(proxy), plainHeaders)
})

t.test('requests written ahead without end fill neither memory nor the Engine', async (t) => {
  const proxy = await startProxy(t)
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  proxy.engine.answer = async ({ line }) => {
    if (line.startsWith('GET /version')) await released
    return undefined
  }
  const flood = proxy.talk(plainRequest('GET /version').repeat(1000), 1000)
  const meanwhile = await arrivedBeforeMarker(proxy)
  release()
  t.equal((await flood).length, 0, 'and who goes on writing is cut off')
  t.same(meanwhile, ['GET /version HTTP/1.1'], 'others are served meanwhile')
})
