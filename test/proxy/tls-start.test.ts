// What the program serves over TCP, and what keeps it from starting: an address that others reach without TLS, and files for TLS that cannot work.
import { chmodSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import t, { type Test } from 'tap'
import { freePort } from '../support/free-port.ts'
import { temporaryFiles } from '../support/temporary.ts'
import { clientOf, createAuthority, serverOf } from './support/certificates.ts'
import { HEALER_POLICY_FILE } from './support/policies.ts'
import { type Place, preparePlace, type Run, type RunOptions, runProgram, startServing } from './support/proxy-process.ts'
import { ask, talk } from './support/raw-client.ts'
import { startTlsProxy, tlsFiles } from './support/start-tls.ts'

const authority = createAuthority()
const HOUR_MS = 3_600_000

const flagsOf = ({ cert, key, clientCa }: { cert: string; key: string; clientCa: string }) => [
  ...['--tls-cert', cert, '--tls-key', key, '--tls-client-ca', clientCa],
]

/** The place with its client served at other addresses. */
const servedAt = (place: Place, ...servings: readonly string[]): Place => {
  const [command = '', , ...flags] = place.args
  return { ...place, args: [command, ...servings, ...flags] }
}
const healerAt = (address: string) => `${HEALER_POLICY_FILE}@${address}`

function run(t: Test, place: Place, flags: readonly string[] = [], options?: RunOptions): Promise<Run> {
  return runProgram(t, [...place.args, ...flags], options)
}

t.test('a client is served over plain TCP on the loopback address, beside another at a unix socket', async (t) => {
  const port = await freePort()
  const place = await preparePlace(t)
  const other = join(place.directory, 'other.yaml')
  writeFileSync(other, 'version: 1\nclient: other\nscope: [{ names: [a] }]\nallow: { SystemPing: {} }\n')
  const program = await startServing(t, servedAt(place, healerAt(`tcp://localhost:${port}`), `${other}@unix://${place.client}`))
  const local = await talk(() => connect(port, '127.0.0.1'), 'GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n')
  t.match(local, [{ status: 200 }])
  t.equal((await ask(() => connect(port, '127.0.0.1'), 'GET /_ping')).status, 403, 'under the name docker')
  t.equal((await ask(place.client, 'GET /_ping')).status, 200)
  t.equal((await ask(place.client, 'GET /containers/json')).status, 403, 'under a policy of its own')
  program.child.kill('SIGTERM')
  const { stdout, code } = await program.ended
  t.equal(code, 0)
  t.match(stdout, `to healer at tcp://127.0.0.1:${port} without TLS, to whoever is on this machine"`)
  t.match(stdout, `to other at unix://${place.client}"`)
})

t.test('two clients are served over TLS with one authority, each where its own name is', async (t) => {
  const place = await preparePlace(t)
  const [one, two] = [await freePort(), await freePort()]
  const backup = join(place.directory, 'backup.yaml')
  writeFileSync(backup, 'version: 1\nclient: backup\nscope: [{ names: [a] }]\nallow: { SystemPing: {} }\n')
  const files = tlsFiles(t, authority)
  const at = servedAt(place, healerAt(`tcp://0.0.0.0:${one}`), `${backup}@tcp://127.0.0.1:${two}`)
  const program = await startServing(t, { ...at, args: [...at.args, ...flagsOf(files)] })
  const status = async (port: number, name: string) => {
    const { cert, key } = clientOf(authority, name)
    return (await ask(() => connectTls({ host: '127.0.0.1', port, ca: authority.cert, cert, key }), 'GET /_ping')).status
  }
  t.same(
    [await status(one, 'healer'), await status(one, 'backup'), await status(two, 'healer'), await status(two, 'backup')],
    [200, 403, 403, 200],
  )
  const idle = connect(one, '127.0.0.1')
  t.teardown(() => idle.destroy())
  await new Promise((resolve) => idle.once('connect', resolve))
  program.child.kill('SIGTERM')
  const { stdout, code } = await program.ended
  t.equal(code, 0, 'who has not yet spoken TLS does not keep it from ending')
  t.match(stdout, `to healer at tcp://0.0.0.0:${one} over TLS"`)
})

t.test('an address that others reach is not served without TLS', async (t) => {
  const place = await preparePlace(t)
  const addresses = ['0.0.0.0:2375', '[::]:2375', '192.0.2.1:2375', '[::2]:2375', 'postern:2375', '127.0.0.1.example.com:2375']
  const runs = await Promise.all(addresses.map((address) => run(t, servedAt(place, healerAt(`tcp://${address}`)))))
  for (const [i, { code, stderr }] of runs.entries()) {
    t.equal(code, 2, addresses[i] ?? '')
    t.match(stderr, `postern-proxy: tcp://${addresses[i]} can be reached from elsewhere`)
    t.match(stderr, 'give --tls-cert, --tls-key and --tls-client-ca, or listen on 127.0.0.1')
  }
  const both = await run(t, servedAt(place, healerAt(`unix://${place.client}`), healerAt('tcp://0.0.0.0:2375')))
  t.match(both, { code: 2, stderr: 'tcp://0.0.0.0:2375 can be reached from elsewhere' }, 'one of several')
})

t.test('an address that is served twice is told, however it is written', async (t) => {
  const place = await preparePlace(t)
  const other = join(place.directory, 'other.yaml')
  writeFileSync(other, 'version: 1\nclient: other\nscope: [{ names: [a] }]\nallow: { SystemPing: {} }\n')
  const twice = await run(t, servedAt(place, healerAt('tcp://localhost:2375'), `${other}@tcp://127.0.0.1:2375`))
  t.match(twice, { code: 1, stderr: 'tcp://127.0.0.1:2375 is named twice; each client has an address of its own' })
})

t.test('a port that is taken is told by the program', async (t) => {
  const { port } = await startTlsProxy(t)
  const taken = await run(t, servedAt(await preparePlace(t), healerAt(`tcp://127.0.0.1:${port}`)))
  t.match(taken, { code: 1, stderr: `tcp://127.0.0.1:${port}: another process listens there` })
})

t.test('the flags for TLS go together, and with an address of TCP', async (t) => {
  const place = servedAt(await preparePlace(t), healerAt('tcp://0.0.0.0:2376'))
  const { cert, key, clientCa } = tlsFiles(t, authority)
  const all = flagsOf({ cert, key, clientCa })
  const wrong: readonly (readonly [flags: readonly string[], says: string, options?: RunOptions])[] = [
    [['--tls-cert', cert, '--tls-key', key], '--tls-client-ca is missing: --tls-cert, --tls-key and --tls-client-ca go together'],
    [['--tls-client-ca', clientCa], '--tls-cert is missing'],
    [['--tls-cert', cert, '--tls-client-ca', clientCa], '--tls-key is missing'],
    [[], '--tls-key is missing', { env: { POSTERN_TLS_CERT: cert, POSTERN_TLS_CLIENT_CA: clientCa } }],
    [[], 'this names no file', { env: { POSTERN_TLS_CERT: '', POSTERN_TLS_KEY: '', POSTERN_TLS_CLIENT_CA: '' } }],
  ]
  for (const [flags, says, options] of wrong) t.match(await run(t, place, flags, options), { code: 2, stderr: says })
  const alone = await run(t, servedAt(place, healerAt(`unix://${place.client}`)), all)
  t.match(alone, { code: 2, stderr: 'are for tcp:// addresses, and none is given' })
  const metrics = place.args.map((argument) => (argument === `unix://${place.metrics}` ? 'tcp://127.0.0.1:9090' : argument))
  t.match(await runProgram(t, metrics), { code: 2, stderr: 'metrics and health are served at a unix socket alone' })
})

const leaf = serverOf(authority)
const good = { cert: leaf.cert, key: leaf.key, clientCa: authority.cert }
const past = { from: Date.now() - 2 * HOUR_MS, until: Date.now() - HOUR_MS }
const ended = authority.sign(past)
const early = authority.sign({ from: Date.now() + HOUR_MS, until: Date.now() + 2 * HOUR_MS })

const wrongFiles: readonly (readonly [what: string, files: Partial<typeof good>, says: RegExp])[] = [
  ['no certificate', { cert: 'x' }, /cert: there is no certificate in it \(PEM/],
  ['a key in place of a certificate', { cert: leaf.key }, /cert: there is no certificate in it/],
  [
    'half a certificate',
    { cert: leaf.cert.replace(/\n.{64}\n/, '\n') },
    /cert: certificate 1 in it cannot be read; is the file whole\?/,
  ],
  ['no key', { key: leaf.cert }, /key: there is no private key in it that can be read \(PEM, without a passphrase\)/],
  ['the key of another', { key: serverOf(authority).key }, /key: it is not the key of the first certificate in .*cert/],
  ['a certificate that has ended', { cert: ended.cert, key: ended.key }, /cert: the certificate ended on .* GMT; make a new one/],
  [
    'one that does not hold yet',
    { cert: early.cert, key: early.key },
    /cert: the certificate is not valid before .*; is the clock right\?/,
  ],
  ['no authority', { clientCa: '' }, /clientCa: there is no certificate in it/],
  [
    'a client in place of an authority',
    { clientCa: authority.cert + leaf.cert },
    /clientCa: certificate 2 in it is not an authority’s/,
  ],
  [
    'an authority that has ended',
    { clientCa: createAuthority(past).cert },
    /clientCa: no authority in it is valid now; the first ended on /,
  ],
]

t.test('files for TLS that cannot work keep it from starting, and it says which and why', async (t) => {
  const place = servedAt(await preparePlace(t), healerAt('tcp://127.0.0.1:2376'))
  const runs = await Promise.all(wrongFiles.map(([, files]) => run(t, place, flagsOf(temporaryFiles(t, { ...good, ...files })))))
  for (const [i, [what, , says]] of wrongFiles.entries()) {
    t.match(runs[i], { code: 2, stderr: says }, what)
    t.notMatch(runs[i]?.stderr, /\n\s+at /, `${what}: no trace of the program's insides`)
  }
  const missing = await run(t, place, flagsOf({ ...temporaryFiles(t, good), key: '/nowhere/key.pem' }))
  t.match(missing, { code: 2, stderr: 'postern-proxy: /nowhere/key.pem: there is no such file' })
  const unreadable = temporaryFiles(t, good)
  chmodSync(unreadable.key, 0o000)
  const run1 = await run(t, place, flagsOf(unreadable))
  t.match(run1, { code: 2, stderr: /key: it cannot be read by user \d+, whom the proxy runs as \(EACCES\)/ })
})
