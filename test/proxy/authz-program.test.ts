// `postern-proxy authz` as a program: what it refuses to start with, and its life from start to stop.
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { containerId } from './support/containers.ts'
import { preparePlace, type RunOptions, runProgram, startProgram } from './support/proxy-process.ts'
import { ask } from './support/raw-client.ts'
import { LABELLED_POLICY, message, post } from './support/start-plugin.ts'
import { WEB, whatHappened } from './support/start-proxy.ts'

async function prepare(t: Test, policyText = LABELLED_POLICY) {
  const place = await preparePlace(t)
  const [policy, socket] = [join(place.directory, 'host.yaml'), join(place.directory, 'plugin.sock')]
  writeFileSync(policy, policyText)
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
      `9:5: allow.ContainerList.show: ${cut}`,
      `8:3: allow.ContainerList: ${tells}`,
      `11:21: allow.NetworkInspect.show: ${cut}`,
      `11:3: allow.NetworkInspect: ${tells}`,
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
  t.match(
    await place.question(`POST /containers/${WEB}/restart`),
    { Allow: false, Msg: /cannot be reached|answer/ },
    'no Engine asks it about its own',
  )
  t.match(await place.question('GET /version'), { Allow: true })
  t.equal(statSync(place.socket).mode & 0o777, 0o660, 'for owner and group')
  child.kill('SIGTERM')
  const { code, stderr } = await ended
  t.same([code, stderr], [0, ''])
  t.notOk(existsSync(place.socket))
  t.match(whatHappened(readFileSync(place.audit, 'utf8')), [
    { event: 'start', reason: /^host under host\.yaml [0-9a-f]{16}$/ },
    { event: 'decision', operation: 'ContainerRestart' },
    { event: 'decision', operation: 'SystemVersion', verdict: 'allow' },
    { event: 'stop' },
  ])
})
