// TLS on both sides: who has no certificate of the operator's authority gets nowhere, one that names another client is refused, and what
// passes is recorded with the certificate that it came with.
import { connect as connectPlain } from 'node:net'
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import { type CertificateOptions, type Certified, clientOf, createAuthority } from './support/certificates.ts'
import { ask, messageOf, plainRequest, talk } from './support/raw-client.ts'
import { startProxy } from './support/start-proxy.ts'
import { healerOf, startTlsProxy, type TlsProxy } from './support/start-tls.ts'

const authority = createAuthority()
const HOUR_MS = 3_600_000

/** What comes back to a request over a connection that is not made: nothing. */
async function isShutOut(make: () => TLSSocket): Promise<boolean> {
  const socket = make()
  let received = ''
  socket.on('data', (bytes: Buffer) => {
    received += bytes.toString('latin1')
  })
  socket.on('error', () => 'as it should be')
  socket.write(plainRequest('GET /_ping'))
  await new Promise((resolve) => socket.once('close', resolve))
  return received === ''
}

const failuresOf = async (proxy: TlsProxy) =>
  (await proxy.metrics()).split('\n').flatMap((line) => /^postern_proxy_tls_failures_total(\{.*)$/.exec(line)?.[1] ?? [])

t.test('a client with a certificate in its name is served, and its certificate is on the record', async (t) => {
  const proxy = await startTlsProxy(t, { authority })
  const healer = healerOf(authority)
  for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
    const answer = await ask(() => proxy.connect(healer, { minVersion: version, maxVersion: version }), 'GET /_ping')
    t.match(answer, { status: 200, body: 'OK' }, version)
  }
  const restart = await ask(() => proxy.connect(healer), 'POST /containers/web/restart')
  t.equal(restart.status, 204)
  const certificate = { names: ['healer'], sha256: healer.sha256 }
  t.match(proxy.auditLines(), [
    { verdict: 'allow', client: 'healer', operation: 'SystemPing', certificate },
    { verdict: 'allow', operation: 'ContainerRestart', certificate },
    { event: 'outcome', status: 204 },
  ])
  t.same(await failuresOf(proxy), [])
})

const strangers: readonly (readonly [who: string, why: string, make: () => Certified | undefined])[] = [
  ['nobody: no certificate', 'no-certificate', () => undefined],
  ['who has a certificate of another authority', 'untrusted', () => healerOf(createAuthority())],
  [
    'who has one of another authority with the same name',
    'untrusted',
    () => healerOf(createAuthority({ commonNames: ['an authority'] })),
  ],
  [
    'who signed a certificate for itself',
    'untrusted',
    () => createAuthority({ isAuthority: false, alternatives: [{ dns: 'healer' }] }),
  ],
  ['whose certificate has ended', 'untrusted', () => signed({ until: Date.now() - 60_000 })],
  [
    'whose certificate does not hold yet',
    'untrusted',
    () => signed({ from: Date.now() + HOUR_MS, until: Date.now() + 2 * HOUR_MS }),
  ],
  ['whose certificate is for servers', 'untrusted', () => signed({ purpose: 'server' })],
]
const signed = (options: CertificateOptions) => authority.sign({ alternatives: [{ dns: 'healer' }], ...options })

for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
  t.test(`over ${version}, who is not vouched for is shut out and counted, and nothing of it is judged`, async (t) => {
    const proxy = await startTlsProxy(t, { authority })
    for (const [who, , make] of strangers)
      t.ok(await isShutOut(() => proxy.connect(make(), { minVersion: version, maxVersion: version })), who)
    t.same(await failuresOf(proxy), [
      '{client="healer",why="no-certificate"} 1',
      `{client="healer",why="untrusted"} ${strangers.length - 1}`,
    ])
    t.same(proxy.auditLines(), [])
    t.same(proxy.engine.lines(), [])
    t.equal((await ask(() => proxy.connect(healerOf(authority)), 'GET /_ping')).status, 200, 'others are served')
  })
}

t.test('TLS before 1.2, and what is no TLS at all, is shut out', async (t) => {
  const proxy = await startTlsProxy(t, { authority })
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  t.ok(await isShutOut(() => proxy.connect(healerOf(authority), old)))
  t.same(await talk(() => connectPlain(proxy.port, '127.0.0.1'), plainRequest('GET /_ping')), [])
  t.same(await failuresOf(proxy), ['{client="healer",why="other"} 2'])
  t.same(proxy.auditLines(), [])
})

const misnamed: readonly (readonly [what: string, options: CertificateOptions, names: readonly string[]])[] = [
  ['another client', { alternatives: [{ dns: 'backup' }] }, ['backup']],
  ['a name that begins like it', { alternatives: [{ dns: 'healer.example' }] }, ['healer.example']],
  ['a wildcard', { alternatives: [{ dns: '*' }, { dns: '*.healer' }] }, ['*', '*.healer']],
  ['capital letters', { alternatives: [{ dns: 'HEALER' }] }, ['HEALER']],
  ['a space', { alternatives: [{ dns: 'healer ' }] }, ['healer ']],
  ['a NUL', { alternatives: [{ dns: 'healer\0.example' }] }, ['"healer\\u0000.example"']],
  ['a name made to look like two', { alternatives: [{ dns: 'x, DNS:healer' }] }, ['"x\\u002c DNS:healer"']],
  ['a URI made to look like a name', { alternatives: [{ uri: 'spiffe://x", DNS:healer' }] }, []],
  ['a common name beside an alternative one', { commonNames: ['healer'], alternatives: [{ dns: 'backup' }] }, ['backup']],
  ['a common name beside an address', { commonNames: ['healer'], alternatives: [{ ip: [127, 0, 0, 1] }] }, []],
  ['two common names', { commonNames: ['healer', 'backup'] }, []],
  ['another common name', { commonNames: ['healer, CN=healer'] }, ['healer, CN=healer']],
  ['too many names', { alternatives: [...Array(8).fill({ dns: 'backup' }), { dns: 'healer' }] }, Array(8).fill('backup')],
  ['a name without end', { alternatives: [{ dns: `healer${'r'.repeat(10_000)}` }] }, []],
]

t.test('a certificate that does not have the client’s name is refused, with the names that it has', async (t) => {
  const proxy = await startTlsProxy(t, { authority })
  for (const [what, options, names] of misnamed) {
    const other = authority.sign(options)
    const answer = await ask(() => proxy.connect(other), 'GET /_ping')
    t.equal(answer.status, 403, what)
    t.match(messageOf(answer), 'here it has to have the DNS name “healer”')
    const last = proxy.auditLines().at(-1)
    t.match(last, { verdict: 'deny', rule: 'request.certificate', status: 403, method: 'GET', path: '/_ping' }, what)
    t.same(last?.certificate, { names, sha256: other.sha256 }, what)
  }
  t.same(proxy.engine.lines(), [])
})

t.test('a proxy that only observes lets nobody in by another’s name', async (t) => {
  const proxy = await startTlsProxy(t, { authority, observe: true })
  t.equal((await ask(() => proxy.connect(clientOf(authority, 'backup')), 'GET /_ping')).status, 403)
  t.match(proxy.auditLines(), [{ verdict: 'deny', rule: 'request.certificate' }])
})

t.test('one name of several is enough, and a common name where there is no other', async (t) => {
  const proxy = await startTlsProxy(t, { authority })
  for (const options of [
    { alternatives: [{ uri: 'spiffe://x/y,z' }, { dns: 'backup' }, { dns: 'healer' }] },
    { commonNames: ['healer'] },
  ]) {
    t.equal((await ask(() => proxy.connect(authority.sign(options)), 'GET /_ping')).status, 200)
  }
})

t.test('what is no request is refused with the certificate that it came with', async (t) => {
  const proxy = await startTlsProxy(t, { authority })
  const backup = clientOf(authority, 'backup')
  const [answer] = await talk(() => proxy.connect(backup), 'GARBAGE\r\n\r\n')
  t.equal(answer?.status, 400)
  t.match(proxy.auditLines(), [{ rule: 'request.framing', certificate: { names: ['backup'], sha256: backup.sha256 } }])
})

t.test('a connection that outlives its certificate is of no use any more', async (t) => {
  const proxy = await startTlsProxy(t, { authority })
  const socket = proxy.connect(healerOf(authority))
  const answers = async () => {
    socket.write(plainRequest('GET /_ping'))
    const [text] = await new Promise<readonly Buffer[]>((resolve) => socket.once('data', (bytes: Buffer) => resolve([bytes])))
    return text?.toString('latin1').split('\r\n')[0]
  }
  t.equal(await answers(), 'HTTP/1.1 200 OK')
  proxy.clock.nowMs = Date.now() + 2 * HOUR_MS
  t.equal(await answers(), 'HTTP/1.1 403 Forbidden')
  t.match(proxy.auditLines().at(-1), { rule: 'request.certificate', reason: /has ended/ })
})

t.test('a session is not resumed: each connection brings its certificate', async (t) => {
  const proxy = await startTlsProxy(t, { authority })
  for (const version of ['TLSv1.3', 'TLSv1.2'] as const) {
    let session: Buffer | undefined
    const wasReused: boolean[] = []
    for (let i = 0; i < 2; i++) {
      const offer = session === undefined ? {} : { session }
      const socket = proxy.connect(healerOf(authority), { minVersion: version, maxVersion: version, ...offer })
      socket.once('secureConnect', () => wasReused.push(socket.isSessionReused()))
      socket.on('session', (given: Buffer) => {
        session = given
      })
      t.equal((await ask(() => socket, 'GET /_ping')).status, 200)
    }
    t.ok(session, `${version}: the client has one to offer`)
    t.same(wasReused, [false, false], version)
  }
})

t.test('the reads of two certificates are not told together', async (t) => {
  const proxy = await startTlsProxy(t, { authority })
  const [one, two] = [healerOf(authority), healerOf(authority)]
  for (const who of [one, two, one, two, two]) await ask(() => proxy.connect(who), 'GET /_ping')
  await proxy.audit.close()
  const told = proxy.auditLines().map(({ certificate, count }) => [(certificate as { sha256: string }).sha256, count])
  t.same(
    told.sort(),
    [
      [one.sha256, undefined],
      [two.sha256, undefined],
      [one.sha256, 1],
      [two.sha256, 2],
    ].sort(),
  )
})

const LIMITS = { maxConnections: 3, maxUnderWay: 256, headTimeoutMs: 300, idleTimeoutMs: 300, answerTimeoutMs: 300 }

t.test('who connects and never speaks TLS, or stops half way, is cut off', async (t) => {
  const proxy = await startTlsProxy(t, { authority, limits: LIMITS })
  for (const bytes of ['', '\x16\x03\x01\x02\x00\x01']) {
    const socket = connectPlain(proxy.port, '127.0.0.1')
    socket.write(Buffer.from(bytes, 'latin1'))
    socket.resume()
    await new Promise((resolve) => socket.once('close', resolve))
  }
  t.same(await failuresOf(proxy), ['{client="healer",why="timeout"} 2'])
})

t.test('who is vouched for and asks nothing is closed without a word, and leaves no line', async (t) => {
  const proxy = await startTlsProxy(t, { authority, limits: LIMITS })
  t.same(await talk(() => proxy.connect(healerOf(authority)), ''), [])
  t.same(proxy.auditLines(), [])
})

t.test('connections are bounded, those that speak no TLS among them', async (t) => {
  const proxy = await startTlsProxy(t, { authority, limits: { ...LIMITS, headTimeoutMs: 60_000 } })
  const idle = Array.from({ length: LIMITS.maxConnections }, () => connectPlain(proxy.port, '127.0.0.1'))
  await Promise.all(idle.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
  t.ok(await isShutOut(() => proxy.connect(healerOf(authority))))
  t.match(await proxy.metrics(), 'postern_proxy_dropped_connections_total{client="healer"} 1')
  for (const socket of idle) socket.destroy()
})

t.test('a flood of failures is told of once a minute, and counted each time', async (t) => {
  const told: unknown[] = []
  let nowMs = Date.now()
  const log = { warn: (what: unknown, text: string) => told.push([what, text]), info: () => undefined, error: t.fail } as never
  const proxy = await startTlsProxy(t, { authority, log, now: () => nowMs })
  const flood = async (times: number) => {
    for (let i = 0; i < times; i++) await isShutOut(() => proxy.connect())
  }
  await flood(5)
  nowMs += 60_000
  await flood(2)
  const said = { client: 'healer', from: '127.0.0.1', code: 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE' }
  t.match(told, [
    [{ ...said, before: 0 }, /brought no certificate/],
    [{ ...said, before: 4 }, /brought no certificate/],
  ])
  t.same(await failuresOf(proxy), ['{client="healer",why="no-certificate"} 7'])
})

t.test('a client that does not trust the proxy’s certificate is told of', async (t) => {
  const told: unknown[] = []
  const log = { warn: (what: unknown) => told.push(what), info: () => undefined, error: t.fail } as never
  const proxy = await startTlsProxy(t, { authority, log })
  t.ok(await isShutOut(() => proxy.connect(healerOf(authority), { ca: createAuthority().cert })))
  while (told.length === 0) await new Promise((resolve) => setImmediate(resolve))
  t.match(told, [{ code: /ALERT|ECONNRESET/ }])
})

t.test('over a unix socket nobody is asked for a certificate, and none is on the record', async (t) => {
  const proxy = await startProxy(t)
  t.equal((await proxy.ask('GET /_ping')).status, 200)
  t.notOk('certificate' in (proxy.auditLines()[0] ?? {}))
})
