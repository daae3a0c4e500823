// The files for TLS can be replaced while clients are served: at a signal, and when a file changes. What is wrong with new ones leaves the
// old ones in use; who came in by the old ones does not stay.
import { writeFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { connect } from 'node:tls'
import t from 'tap'
import { freePort } from '../support/free-port.ts'
import { temporaryFiles } from '../support/temporary.ts'
import { type Certified, clientOf, createAuthority, serverOf } from './support/certificates.ts'
import { HEALER_POLICY_FILE } from './support/policies.ts'
import { preparePlace, startServing } from './support/proxy-process.ts'
import { ask, plainRequest } from './support/raw-client.ts'
import { healerOf, startTlsProxy } from './support/start-tls.ts'

const [old, next] = [createAuthority(), createAuthority()]

t.test(
  'new files are in use without a restart, at a signal and without; wrong ones are not, and log and metric say so',
  async (t) => {
    const place = await preparePlace(t)
    const port = await freePort()
    const first = serverOf(old)
    const files = temporaryFiles(t, { cert: first.cert, key: first.key, clientCa: old.cert })
    const program = await startServing(t, {
      ...place,
      args: [
        ...place.args.map((argument) => (argument.includes('@') ? `${HEALER_POLICY_FILE}@tcp://127.0.0.1:${port}` : argument)),
        ...['--tls-cert', files.cert, '--tls-key', files.key, '--tls-client-ca', files.clientCa],
      ],
    })
    const isServed = (server: { cert: string }, { cert, key }: Certified) =>
      ask(() => connect({ host: '127.0.0.1', port, ca: server.cert, cert, key }), 'GET /_ping').then(
        ({ status }) => status === 200,
        () => false,
      )
    const metric = async (pattern: RegExp) => pattern.exec((await ask(place.metrics, 'GET /metrics')).body)?.[1]
    const successful = () => metric(/^postern_proxy_tls_last_reload_successful\{certificate="[0-9a-f]{64}"\} (\d)$/m)
    const [before, after] = [healerOf(old), healerOf(next)]
    t.ok(await isServed(old, before))
    t.notOk(await isServed(old, after))
    t.equal(await successful(), '1')

    const second = serverOf(next)
    writeFileSync(files.key, second.key)
    program.child.kill('SIGHUP')
    while ((await successful()) !== '0') await new Promise((resolve) => setTimeout(resolve, 20))
    t.ok(await isServed(old, before), 'the key of another certificate leaves all as it was')
    t.equal(await metric(/^postern_proxy_tls_last_reload_successful\{certificate="([0-9a-f]{64})"/m), first.sha256)

    writeFileSync(files.cert, second.cert)
    writeFileSync(files.clientCa, next.cert)
    while (!(await isServed(next, after))) await new Promise((resolve) => setTimeout(resolve, 20))
    t.notOk(await isServed(next, before), 'whom the old authority vouched for is out')
    t.equal(await successful(), '1')
    t.equal(
      await metric(/^postern_proxy_tls_certificate_expiry_timestamp_seconds\{certificate="([0-9a-f]{64})"\} \d+$/m),
      second.sha256,
    )
    program.child.kill('SIGTERM')
    const { stdout } = await program.ended
    t.match(stdout, /TLS stays as it was: .*key: it is not the key of the first certificate in/)
    t.match(stdout, /TLS is with .*cert and the authorities in .*clientCa as they are now/)
  },
)

/** So that nothing is closed for being slow. */
const LIMITS = { maxConnections: 128, maxUnderWay: 256, headTimeoutMs: 600_000, idleTimeoutMs: 600_000, answerTimeoutMs: 600_000 }

t.test('a connection that was made before is closed, after the answer that is under way', async (t) => {
  const proxy = await startTlsProxy(t, { authority: old, limits: LIMITS })
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  let isAsked = false
  proxy.engine.answer = async () => {
    isAsked = true
    await held
    return { status: 200, body: 'OK' }
  }
  const connections = ['idle', 'busy'].map(() => {
    const socket = proxy.connect(healerOf(old))
    let received = ''
    socket.on('data', (bytes: Buffer) => {
      received += bytes.toString('latin1')
    })
    socket.on('error', () => 'closed')
    return { socket, closed: new Promise<string>((resolve) => socket.once('close', () => resolve(received))) }
  })
  const [idle, busy] = connections
  if (!idle || !busy) throw new Error('two connections')
  await new Promise((resolve) => idle.socket.once('secureConnect', resolve))
  busy.socket.write(plainRequest('GET /_ping'))
  while (!isAsked) await new Promise((resolve) => setImmediate(resolve))
  const half = connectPlain(proxy.port, '127.0.0.1')
  half.on('error', () => 'closed')
  await new Promise((resolve) => half.once('connect', resolve))
  const halfClosed = new Promise((resolve) => half.once('close', resolve))

  const { cert, key } = serverOf(next)
  for (const [file, text] of [
    [proxy.files.cert, cert],
    [proxy.files.key, key],
    [proxy.files.clientCa, next.cert],
  ] as const)
    writeFileSync(file, text)
  await proxy.tls.reload()
  t.equal(await idle.closed, '')
  await halfClosed
  busy.socket.write(plainRequest('POST /containers/web/restart'))
  release()
  t.match(await busy.closed, /^HTTP\/1\.1 200 OK\r\n/)
  t.notOk(proxy.engine.lines().some((line) => line.startsWith('POST')))
  t.equal((await ask(() => proxy.connect(healerOf(next), { ca: next.cert }), 'GET /_ping')).status, 200)
})

t.test('files that have not changed close nothing', async (t) => {
  const proxy = await startTlsProxy(t, { authority: old })
  const socket = proxy.connect(clientOf(old, 'healer'))
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  await proxy.tls.reload()
  t.equal((await ask(() => socket, 'GET /_ping')).status, 200)
})
