// `postern-proxy authz` as a program: what it refuses to start with, and its life from start to stop.
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { preparePlace, type RunOptions, runProgram, startProgram } from './support/proxy-process.ts'
import { ask } from './support/raw-client.ts'
import { askFirst, LABELLED_POLICY, message, post } from './support/start-plugin.ts'
import { WEB, whatHappened } from './support/start-proxy.ts'

async function prepare(t: Test, policyText = LABELLED_POLICY) {
  const place = await preparePlace(t)
  const [policy, socket] = [join(place.directory, 'host.yaml'), join(place.directory, 'plugin.sock')]
  writeFileSync(policy, policyText)
  place.engine.answer = (arrived) => askFirst(socket, arrived)
  const flags = ['--engine', `unix://${place.engine.socketPath}`, '--audit', place.audit, '--metrics', `unix://${place.metrics}`]
  const question = async (line: string) => (await post(socket, '/AuthZPlugin.AuthZReq', message(line))).answer
  return { ...place, policy, socket, question, args: ['authz', policy, '--listen', `unix://${socket}`, ...flags] }
}

/** Starts it, and resolves once its metrics, which come last, are there. */
async function start(t: Test, { args, metrics }: { args: readonly string[]; metrics: string }, options?: RunOptions) {
  const program = startProgram(t, args, options)
  let isOver = false
  const over = program.ended.then((run) => {
    isOver = true
    return run
  })
  while (!isOver && (await ask(metrics, 'GET /metrics').catch(() => undefined)) === undefined);
  if (isOver) throw new Error((await over).stderr)
  return program
}

await t.test('what no plugin can do is told at once, each with its place and the reason, and nothing is started', async (t) => {
  const place = await prepare(
    t,
    `version: 1
client: host
scope: [{ labels: { monitored: "true" } }]
allow:
  SystemPing: {}
  SystemVersion: { show: [Version] }
  SystemDataUsage: { show: all }
  ContainerList:
    show: [Id, Names]
  ContainerInspect: { show: all }
  NetworkInspect: { show: [Name] }
  NetworkList: { show: all }
  ContainerRestart: {}
`,
  )
  const { code, stderr } = await runProgram(t, place.args)
  t.equal(code, 2)
  const cut = 'an authorization plugin cannot cut an answer; write `show: all`, if the client may see the whole of it'
  const tells =
    'its answer tells of containers outside the scope, and an authorization plugin cannot cut it; write `scope: all`, or leave it out'
  t.same(
    stderr.split('\n').filter((line) => line.includes('host.yaml')),
    [
      `6:20: allow.SystemVersion.show: ${cut}`,
      `7:3: allow.SystemDataUsage: ${tells}`,
      `8:3: allow.ContainerList: ${tells}`,
      `9:5: allow.ContainerList.show: ${cut}`,
      `11:3: allow.NetworkInspect: ${tells}`,
      `11:21: allow.NetworkInspect.show: ${cut}`,
      `12:3: allow.NetworkList: ${tells}`,
    ].map((line, i) => `${i === 0 ? 'postern-proxy: ' : ''}${place.policy}:${line}`),
  )
  t.notOk(existsSync(place.socket))
  t.notOk(existsSync(place.audit))

  writeFileSync(
    place.policy,
    readFileSync(place.policy, 'utf8')
      .replace(/^scope: .*$/m, 'scope: all')
      .replace(/show: \[.*\]/g, 'show: all'),
  )
  const { child, ended } = await start(t, place)
  child.kill('SIGTERM')
  t.match(await ended, { code: 0 }, 'and what it can do is done')
})

await t.test('it judges, stops at SIGTERM with 0, and leaves no socket and a whole log', async (t) => {
  const place = await prepare(t)
  const { child, ended } = await start(t, place)
  t.match(await place.question(`POST /containers/${WEB}/restart`), { Allow: true })
  t.match(await place.question('GET /version'), { Allow: true })
  t.equal(statSync(place.socket).mode & 0o777, 0o660, 'for owner and group')
  child.kill('SIGTERM')
  const { code, stderr } = await ended
  t.same([code, stderr], [0, ''])
  t.notOk(existsSync(place.socket))
  t.match(whatHappened(readFileSync(place.audit, 'utf8')), [
    { event: 'start', reason: /^host under host\.yaml [0-9a-f]{16}$/ },
    { event: 'decision', operation: 'ContainerRestart', verdict: 'allow' },
    { event: 'decision', operation: 'SystemVersion', verdict: 'allow' },
    { event: 'stop' },
  ])
})

await t.test('a question that waits at SIGTERM is answered before the end', async (t) => {
  const place = await prepare(t)
  const { child, ended } = await start(t, place)
  place.engine.answer = async () => {
    child.kill('SIGTERM')
    // It has taken note of the signal once its metrics are gone.
    while ((await ask(place.metrics, 'GET /metrics').catch(() => undefined)) !== undefined);
    return { status: 200, body: [] }
  }
  t.match(await place.question(`POST /containers/${WEB}/restart`), { Allow: false, Msg: `No such container: ${WEB}` })
  t.match(await ended, { code: 0, stderr: '' })
})

await t.test('its variables stand for its flags, and without a policy it says so', async (t) => {
  const place = await prepare(t)
  const env = {
    POSTERN_AUTHZ: place.policy,
    POSTERN_LISTEN: `unix://${place.socket}`,
    POSTERN_ENGINE: `unix://${place.engine.socketPath}`,
    POSTERN_AUDIT: place.audit,
    POSTERN_METRICS: `unix://${place.metrics}`,
  }
  await start(t, { args: ['authz'], metrics: place.metrics }, { env })
  t.match(await place.question('GET /version'), { Allow: true })
  const { POSTERN_AUTHZ: _, ...without } = env
  const said = /name a POLICY, as an argument or in POSTERN_AUTHZ/
  t.match(await runProgram(t, ['authz'], { env: without }), { code: 2, stderr: said })
})

await t.test('its health does not hang on what the policy allows, and it goes on where the Engine is not there', async (t) => {
  const place = await prepare(t, LABELLED_POLICY.replace('  SystemPing: {}\n', ''))
  await start(t, place)
  const check = ['healthcheck', '--metrics', `unix://${place.metrics}`]
  t.match(await place.question('GET /_ping'), { Allow: false })
  t.match(await runProgram(t, check), { code: 0, stdout: 'ok\n' })
  await place.engine.stop()
  t.match(await runProgram(t, check), { code: 1 })
  t.match(await place.question(`POST /containers/${WEB}/restart`), { Allow: false, Msg: /cannot be reached/ })
})

await t.test('a policy that changes is in force without a restart; one that is beyond a plugin is not', async (t) => {
  const place = await prepare(t)
  const { child } = await start(t, place)
  const reloaded = async (outcome: string, count: number) => {
    const line = new RegExp(`^postern_proxy_policy_reloads_total{client="host",outcome="${outcome}"} (\\d+)$`, 'm')
    const seen = async () => Number(line.exec((await ask(place.metrics, 'GET /metrics')).body)?.[1] ?? 0)
    while ((await seen()) < count);
  }
  t.match(await place.question('GET /info'), { Allow: false })
  writeFileSync(place.policy, `${LABELLED_POLICY}  SystemInfo: { show: [Name] }\n`)
  child.kill('SIGHUP')
  await reloaded('failure', 1)
  t.match(await place.question('GET /info'), { Allow: false })
  writeFileSync(place.policy, `${LABELLED_POLICY}  SystemInfo: { show: all }\n`)
  child.kill('SIGHUP')
  await reloaded('success', 2)
  t.match(await place.question('GET /info'), { Allow: true })
})
