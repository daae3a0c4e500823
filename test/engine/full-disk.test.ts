// The audit log's file system is full: nothing is restarted, the healer goes on looking, both say why; with room again, the app is
// healed with nobody's help, and the log verifies and tells of what was refused meanwhile.
import { join } from 'node:path'
import t from 'tap'
import { type AuditLine, bringUp, inspect, printFile, waitFor } from './support/composition.ts'

const SMALL_DISK = `
volumes:
  audit:
    driver_opts: { type: tmpfs, device: tmpfs, o: "size=256k,mode=0750,uid=10001,gid=10001" }
`

/** Asks on the unix socket for each path, and prints the bodies. */
const ASK = `
const { request } = require('node:http')
const [socketPath, ...paths] = process.argv.slice(1)
const ask = (path) => new Promise((resolve, reject) => request({ socketPath, path }, async (response) => {
  let body = ''
  for await (const chunk of response) body += chunk
  resolve(body)
}).on('error', reject).end())
void (async () => { for (const path of paths) console.log(await ask(path)) })()
`

/** Writes to the file until there is no room. */
const FILL = `
const file = fs.openSync(process.argv[1], 'w')
try { for (;;) fs.writeSync(file, Buffer.alloc(4096)) } catch (error) { if (error.code !== 'ENOSPC') throw error }
`

const HEALER_SOCKET = '/run/postern/healer.sock'
const LOG = '/var/log/postern/audit.jsonl'
const FILLER = '/var/log/postern/filler'

await t.test('a full disk under the audit log', { timeout: 580_000 }, async (t) => {
  const override = join(t.testdir({ 'small-disk.yaml': SMALL_DISK }), 'small-disk.yaml')
  const stack = await bringUp(t, ['proxy', 'healer', 'sample-app'], { MAX_RESTARTS: '2' }, override)
  const inProxy = (...command: readonly string[]) => stack.compose('exec', '-T', '--user', '10001:10001', 'proxy', ...command)
  const ask = (socketPath: string, ...paths: readonly string[]) => inProxy('node', '-e', ASK, socketPath, ...paths)
  /** The sum of the samples whose name and labels match. */
  const metric = async (sample: RegExp) => {
    const lines = (await ask('/run/postern/metrics.sock', '/metrics')).split('\n').filter((line) => sample.test(line))
    return lines.reduce((total, line) => total + Number(line.split(' ').at(-1)), 0)
  }
  const failures = () => metric(/^postern_proxy_audit_failures_total /)
  const lists = () => metric(/^postern_proxy_decisions_total\{.*operation="ContainerList",verdict="allow"/)
  const unwritable = () => metric(/^postern_proxy_decisions_total\{.*rule="audit.unwritable"/)
  const shown = async () => {
    const response = await fetch(`http://127.0.0.1:${stack.ports.healer}/api/containers`)
    return ((await response.json()) as { health: string; notRestarting: string | null; lastProbe: { at: string } }[])[0]
  }
  await stack.said('sample-app — healthy: answered 200')
  const proxy = (await stack.compose('ps', '-q', 'proxy')).trim()
  const [app, before] = [await inspect('sample-app'), await inspect(proxy)]
  t.equal(await failures(), 0)

  await inProxy('node', '-e', FILL, FILLER)
  // The rest of the page that the log ends in has room for some lines still.
  const odd = Array.from({ length: 12 }, (_, i) => `/odd/${i}/${'x'.repeat(500)}`)
  await ask(HEALER_SOCKET, ...odd)
  t.ok((await failures()) > 0, 'lines that cannot be written are counted')
  t.match(await stack.logs('proxy'), /ENOSPC.*the audit log cannot be written/)

  const since = (await stack.healerLog()).length
  await stack.app('POST', '/break')
  const { msg } = await stack.said('sample-app — not restarted', since)
  t.equal(
    msg,
    'sample-app — not restarted (unreachable): ContainerRestart: the audit log cannot be written, so nothing is changed',
  )
  const [lookedBefore, failedBefore, refusedBefore] = [await lists(), await failures(), await unwritable()]
  const probedBefore = (await shown())?.lastProbe.at
  await waitFor('the healer to have tried more than MAX_RESTARTS times', async () => (await unwritable()) > refusedBefore + 2)
  t.ok((await failures()) > failedBefore)
  t.ok((await lists()) > lookedBefore, 'it is listed')
  const now = await shown()
  t.match(now, { health: 'unhealthy', notRestarting: 'unreachable' })
  t.not(now?.lastProbe.at, probedBefore, 'and probed')
  t.equal((await inspect('sample-app')).State.StartedAt, app.State.StartedAt, 'and not restarted')

  await inProxy('node', '-e', 'fs.rmSync(process.argv[1])', FILLER)
  await stack.said('sample-app — recovered: healthy', since)
  // A probe may come before the app listens again.
  const words = (await stack.healerLog()).slice(since).flatMap(({ msg }) => (msg.includes(' — starting: ') ? [] : [msg]))
  t.match(words.slice(3), [
    /^RESTARTING sample-app/,
    /^sample-app — not restarted/,
    /^Successfully restarted: sample-app/,
    /^sample-app — recovered: healthy/,
  ])
  t.equal((await inspect(proxy)).State.StartedAt, before.State.StartedAt, 'by the same proxy')

  const refused = await unwritable()
  const lines = async () => (await inProxy(...printFile(LOG))).split('\n').flatMap(wholeLine)
  const told = async (isMeant: (line: AuditLine) => boolean) =>
    (await lines()).filter(isMeant).reduce((total, { count }) => total + Number(count ?? 1), 0)
  const isRefused = ({ rule, verdict }: AuditLine) => rule === 'audit.unwritable' && verdict === 'deny'
  await waitFor('the log to tell of every restart that was refused', async () => (await told(isRefused)) >= refused)
  t.equal(await told(isRefused), refused, 'once')
  t.equal(await told(({ path }) => String(path).startsWith('/odd/')), odd.length, 'as of every odd request')
  const atLeast = String((await lines()).at(-1)?.seq)
  t.match(
    await inProxy('node', '/app/proxy.mjs', 'audit', 'verify', '--at-least', atLeast, LOG),
    /^note: .*a line that could not be written whole.*\n\d+ lines, 1 to \d+, .*, known by sha256:/,
  )
})

/** What a line of the log says; nothing where it is the beginning of one that could not be written whole. */
function wholeLine(text: string): readonly AuditLine[] {
  try {
    return [JSON.parse(text) as AuditLine]
  } catch {
    return []
  }
}
