// Docker's own client over TCP, with TLS and without, through the proxy to a real Engine. Without the composition.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'
import { PLAIN_TCP } from '../../../proxy/serve/transport.ts'
import { type Certified, clientOf, createAuthority } from '../../proxy/support/certificates.ts'
import { startProxy } from '../../proxy/support/start-proxy.ts'
import { startTlsProxy } from '../../proxy/support/start-tls.ts'
import { temporaryFiles } from '../../support/temporary.ts'
import { docker } from '../support/composition.ts'

const ENGINE = '/var/run/docker.sock'
const NAME = 'postern-test-tcp'
const POLICY = `version: 1
client: healer
scope: [{ labels: { postern.test: tcp } }]
allow:
  SystemPing: {}
  SystemPingHead: {}
  ContainerList:
    query: { all: [true, false] }
    show: [Id, Names, Image, State, Status]
  ContainerRestart: { budget: { container: 1 per 10m } }
`

/** Docker's client, which ends with an error where it is refused. */
async function client(...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('docker', [...args], { encoding: 'utf8' })
  return stdout.trim()
}

/** What it says where it is refused. */
const refused = (...args: readonly string[]): Promise<string> =>
  client(...args).then(
    (said) => Promise.reject(new Error(`it passed: ${said}`)),
    ({ stderr }: { stderr: string }) => stderr,
  )

await t.test('docker over TCP', { timeout: 580_000 }, async (t) => {
  t.teardown(() => docker('rm', '--force', NAME))
  await docker(
    'run',
    '--detach',
    '--init',
    '--name',
    NAME,
    '--label',
    'postern.test=tcp',
    'node:24-bookworm-slim',
    'sleep',
    '600',
  )
  const options = { engineSocket: ENGINE, policyText: POLICY }
  const names = ['ps', '--all', '--format', '{{.Names}}']

  await t.test('with --tlsverify and a certificate in the client’s name', async (t) => {
    const authority = createAuthority()
    const proxy = await startTlsProxy(t, { ...options, authority })
    const as = ({ cert, key }: Certified) => {
      const files = temporaryFiles(t, { ca: authority.cert, cert, key })
      const at = ['-H', `tcp://127.0.0.1:${proxy.port}`, '--tlsverify', '--tlscacert', files.ca]
      return [...at, '--tlscert', files.cert, '--tlskey', files.key]
    }
    const healer = clientOf(authority, 'healer')
    t.equal(await client(...as(healer), ...names), NAME, 'the container in scope, and no other')
    t.equal(await client(...as(healer), 'restart', NAME), NAME)
    t.match(await refused(...as(healer), 'restart', NAME), /the budget for postern-test-tcp is spent/)
    t.match(await refused(...as(healer), 'rm', '--force', NAME), /ContainerDelete/)
    t.match(await refused(...as(clientOf(authority, 'backup')), ...names), /certificate has “backup”/)
    t.match(await refused(...as(clientOf(createAuthority(), 'healer')), ...names), /certificate|tls|reset|EOF|broken pipe/i)
    t.ok(proxy.auditLines().some(({ operation, certificate }) => operation === 'ContainerRestart' && certificate !== undefined))
  })

  await t.test('without TLS, by each name of this machine’s own', async (t) => {
    const proxy = await startProxy(t, { ...options, transport: () => PLAIN_TCP })
    for (const host of ['127.0.0.1', 'localhost'])
      t.equal(await client('-H', `tcp://${host}:${proxy.port}`, ...names), NAME, host)
  })
})
