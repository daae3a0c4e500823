// A policy that an operator edits is in force in the running container, at once and without a restart: in a mounted directory, however
// the editor replaces the file, and at SIGHUP.
import { chmodSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { bringUp, docker, inspect, waitFor } from './support/composition.ts'

const POLICY = readFileSync('policies/healer.yaml', 'utf8')
/** The healer may look, and restart nothing. */
const LOOK_ONLY = POLICY.slice(0, POLICY.indexOf('  ContainerRestart:'))

await t.test('a policy that is edited', { timeout: 580_000 }, async (t) => {
  const policies = t.testdir({ 'healer.yaml': POLICY })
  const file = join(policies, 'healer.yaml')
  chmodSync(policies, 0o755)
  chmodSync(file, 0o644)
  const stack = await bringUp(t, ['proxy', 'healer', 'sample-app'], { POSTERN_POLICIES: policies })
  const proxy = (await stack.compose('ps', '-q', 'proxy')).trim()
  const before = await inspect(proxy)
  const metrics = async () => (await fetch(`http://127.0.0.1:${stack.ports.healer}/metrics`)).text()
  const hashes = async () =>
    [...(await metrics()).matchAll(/^postern_proxy_policy_info\{.*policy="(\w+)"\} 1$/gm)].map((m) => m[1])
  await stack.said('sample-app — healthy: answered 200')
  const [first] = await hashes()

  // As most editors save.
  writeFileSync(`${file}.new`, LOOK_ONLY)
  renameSync(`${file}.new`, file)
  await waitFor('the new policy to be in force', async () => (await hashes())[0] !== first)
  await stack.app('POST', '/break')
  const { msg } = await stack.said('sample-app — not restarted')
  t.match(msg, 'ContainerRestart is not allowed to healer; the policy would need it under `allow:`')

  writeFileSync(file, 'version: 2\n')
  await docker('kill', '--signal', 'HUP', proxy)
  await waitFor('the proxy to refuse it', async () => (await stack.logs('proxy')).includes('the policy stays as it was'))
  t.match(await stack.logs('proxy'), /healer\.yaml:1:10: version: expected 1/)
  t.match(await metrics(), 'postern_proxy_policy_last_reload_successful{client="healer"} 0')

  writeFileSync(file, POLICY)
  await stack.said('recovered')
  t.same(await hashes(), [first])
  const after = await inspect(proxy)
  t.equal(after.State.StartedAt, before.State.StartedAt, 'by the same proxy')
  const reloads = (await stack.audit()).filter(({ event }) => event === 'reload')
  t.match(reloads, [
    { client: 'healer', before: first },
    { client: 'healer', policy: first },
  ])
})
