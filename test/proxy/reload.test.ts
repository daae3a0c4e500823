// A policy can be changed while its client is served: at a signal, and when its file changes, however it is replaced. What is wrong with
// the new one leaves the old one in force.
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { temporaryDirectory } from '../support/temporary.ts'
import { HEALER_POLICY_TEXT, policyOf, policyText } from './support/policies.ts'
import { type Place, preparePlace, startServing } from './support/proxy-process.ts'
import { ask, messageOf } from './support/raw-client.ts'
import { startProxy, WEB, whatHappened } from './support/start-proxy.ts'

const NARROW = policyText(['SystemPing: {}'])
const RESTART = 'POST /containers/web/restart'
const LIST = 'GET /containers/json'

/** The program under a policy of the test's own, which it may read. */
async function serveFile(t: Test, file: string) {
  const place = await preparePlace(t, file)
  const program = await startServing(t, place)
  return { place, program, list: () => ask(place.client, LIST).then(({ status }) => status) }
}

function policyDirectory(t: Test): string {
  const above = temporaryDirectory(t)
  // For the user that the program runs as.
  chmodSync(above, 0o755)
  const directory = join(above, 'policies')
  mkdirSync(directory, { mode: 0o755 })
  return directory
}

/** Waits until a list is answered with `status`. Fails by the timeout of the test. */
async function untilListIs(status: number, list: () => Promise<number>): Promise<void> {
  while ((await list()) !== status) await delay(50)
}

const changes: readonly (readonly [how: string, change: (file: string, text: string) => void])[] = [
  ['written over', (file, text) => writeFileSync(file, text)],
  [
    'replaced by an editor, which moves another into its place',
    (file, text) => {
      writeFileSync(`${file}.new`, text)
      renameSync(`${file}.new`, file)
    },
  ],
  [
    'removed, and made anew',
    (file, text) => {
      rmSync(file)
      writeFileSync(file, text)
    },
  ],
]

t.test('a file that changes is in force without a signal, however it is replaced', async (t) => {
  const file = join(policyDirectory(t), 'healer.yaml')
  writeFileSync(file, HEALER_POLICY_TEXT)
  const { list, place } = await serveFile(t, file)
  for (const [how, change] of changes) {
    change(file, NARROW)
    await untilListIs(403, list)
    change(file, HEALER_POLICY_TEXT)
    await untilListIs(200, list)
    t.equal(await list(), 200, how)
  }
  const told = () => whatHappened(readFileSync(place.audit, 'utf8')).filter(({ event }) => event === 'reload')
  // The line comes after the policy is in force.
  for (let tries = 0; tries < 200 && told().length < 2 * changes.length; tries++) await delay(20)
  const reloads = told()
  const [wide, narrow] = [policyOf(HEALER_POLICY_TEXT).hash, policyOf(NARROW).hash]
  t.match(reloads.slice(0, 2), [
    { client: 'healer', policy: narrow, before: wide },
    { client: 'healer', policy: wide, before: narrow },
  ])
  t.equal(reloads.length, 2 * changes.length)
})

t.test('a link that is pointed elsewhere is followed, as orchestrators swap configurations', async (t) => {
  const directory = policyDirectory(t)
  for (const [version, text] of [
    ['v1', HEALER_POLICY_TEXT],
    ['v2', NARROW],
  ] as const) {
    mkdirSync(join(directory, version))
    writeFileSync(join(directory, version, 'healer.yaml'), text)
  }
  symlinkSync('v1', join(directory, 'current'))
  const { list } = await serveFile(t, join(directory, 'current', 'healer.yaml'))
  t.equal(await list(), 200)
  symlinkSync('v2', join(directory, 'next'))
  renameSync(join(directory, 'next'), join(directory, 'current'))
  await untilListIs(403, list)
})

const wrong: readonly (readonly [what: string, text: string, says: RegExp])[] = [
  ['a mistake', HEALER_POLICY_TEXT.replace('- Status\n', '- Stauts\n'), /healer\.yaml:\d+:\d+: .*did you mean Status\?/],
  ['a test that fails', `${NARROW}tests:\n  - allow: GET /containers/json\n`, /test failed/],
  ['nothing', '', /healer\.yaml:1:1: /],
  ['the policy of another client', NARROW.replace('client: healer', 'client: other'), /its client is “other” now/],
]

t.test('a policy with anything wrong leaves the old one in force, and log and metric say so until it is mended', async (t) => {
  const file = join(policyDirectory(t), 'healer.yaml')
  writeFileSync(file, HEALER_POLICY_TEXT)
  const { place, program, list } = await serveFile(t, file)
  const successful = () => metricOf(place, 'postern_proxy_policy_last_reload_successful{client="healer"}')
  t.equal(await successful(), '1')
  for (const [what, text] of wrong) {
    writeFileSync(file, text)
    program.child.kill('SIGHUP')
    while ((await successful()) !== '0') await delay(20)
    t.equal(await list(), 200, what)
    writeFileSync(file, HEALER_POLICY_TEXT)
    program.child.kill('SIGHUP')
    while ((await successful()) !== '1') await delay(20)
  }
  rmSync(file)
  program.child.kill('SIGHUP')
  while ((await successful()) !== '0') await delay(20)
  t.equal(await list(), 200, 'a file that is gone')
  t.equal(await metricOf(place, `postern_proxy_policy_info{client="healer",policy="${policyOf(HEALER_POLICY_TEXT).hash}"}`), '1')
  program.child.kill('SIGTERM')
  const { stdout } = await program.ended
  const said = stdout.split('\n').filter((line) => line.includes('the policy stays as it was'))
  for (const [what, , says] of wrong)
    t.ok(
      said.some((line) => says.test(line)),
      what,
    )
  t.ok(said.some((line) => line.includes('there is no such file')))
  t.notOk(whatHappened(readFileSync(place.audit, 'utf8')).some(({ event }) => event === 'reload'))
})

async function metricOf(place: Place, series: string): Promise<string | undefined> {
  const { body } = await ask(place.metrics, 'GET /metrics')
  return body
    .split('\n')
    .find((line) => line.startsWith(`${series} `))
    ?.slice(series.length + 1)
}

t.test('a request that is under way finishes under the policy that it began with', async (t) => {
  const proxy = await startProxy(t)
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  proxy.engine.answer = async ({ line }) => {
    if (line.includes(`/containers/${WEB}/json`)) await held
    return undefined
  }
  const inspect = proxy.ask('GET /containers/web/json')
  while (!proxy.engine.lines().some((line) => line.includes(WEB))) await delay(5)
  proxy.govern(NARROW)
  t.match(await proxy.ask('GET /containers/web/json'), { status: 403 }, 'the next is judged anew')
  release()
  const answer = await inspect
  t.equal(answer.status, 200)
  t.match(JSON.parse(answer.body), { Name: '/web', RestartCount: Number })
  const hashes = proxy.auditLines().map(({ policy, status }) => [policy, status])
  t.same(hashes, [
    [policyOf(NARROW).hash, 403],
    [policyOf(HEALER_POLICY_TEXT).hash, 200],
  ])
})

t.test('a reload gives no budget back, and a budget that comes with one counts what went out before', async (t) => {
  const free = policyText(['ContainerRestart: {}'])
  const two = policyText(['ContainerRestart: { budget: { container: 2 per 10m } }'])
  const proxy = await startProxy(t, { policyText: free })
  for (let i = 0; i < 2; i++) t.equal((await proxy.ask(RESTART)).status, 204)
  proxy.govern(two)
  const refused = await proxy.ask(RESTART)
  t.equal(refused.status, 429)
  t.match(messageOf(refused), /the budget for web is spent \(2 in 600 s\)/)
  proxy.govern(free)
  t.equal((await proxy.ask(RESTART)).status, 204)
  proxy.govern(two)
  t.equal((await proxy.ask(RESTART)).status, 429)
})

t.test('what was in scope is not what is in scope', async (t) => {
  const proxy = await startProxy(t)
  t.equal((await proxy.ask(`GET /containers/${WEB}/json`)).status, 200)
  proxy.govern(
    HEALER_POLICY_TEXT.replace('monitored: "true"', 'monitored: "never"').replace(
      'given: { labels: { monitored',
      'given: { labels: { m',
    ),
  )
  t.equal((await proxy.ask(`GET /containers/${WEB}/json`)).status, 404)
})
