// The commands of docs/proxy.md that make certificates are run as they stand there, by whoever has OpenSSL 3: what they make is what the proxy takes.
import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { connect } from 'node:tls'
import t from 'tap'
import { loadTls } from '../../proxy/serve/tls-files.ts'
import { blocks, readPage } from '../support/pages.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { ask } from './support/raw-client.ts'
import { startTlsProxy } from './support/start-tls.ts'

const page = readPage('proxy.md')
const section = page.slice(page.indexOf('\n## Over TCP\n'), page.indexOf('\n## The policy\n'))
const hasOpenssl = spawnSync('openssl', ['version'], { encoding: 'utf8' }).stdout?.startsWith('OpenSSL 3') ?? false

t.test('the page has the commands, and the flags that they are for', async (t) => {
  t.equal(blocks(section, 'sh').length, 1)
  t.match(section, '\n--tls-cert server.pem --tls-key server-key.pem --tls-client-ca ca.pem\n')
})

t.test('what the commands make is served with, and lets the client in', { skip: !hasOpenssl && 'no openssl' }, async (t) => {
  const directory = temporaryDirectory(t)
  execFileSync('sh', ['-e', '-c', blocks(section, 'sh').join('')], { cwd: directory, stdio: 'pipe' })
  const read = (name: string) => readFileSync(join(directory, name), 'utf8')
  const files = {
    cert: join(directory, 'server.pem'),
    key: join(directory, 'server-key.pem'),
    clientCa: join(directory, 'ca.pem'),
  }
  await t.resolves(loadTls(files, Date.now()))
  const proxy = await startTlsProxy(t, { files })
  const healer = { cert: read('cert.pem'), key: read('key.pem') }
  for (const servername of ['postern', 'localhost']) {
    const as = () => connect({ host: '127.0.0.1', port: proxy.port, ca: read('ca.pem'), servername, ...healer })
    t.match(await ask(as, 'GET /_ping'), { status: 200 }, servername)
  }
  t.match(proxy.auditLines()[0], { certificate: { names: ['healer'] } })
})
