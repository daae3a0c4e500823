// The authorization plugin on a real Engine, under the policy that docs/authz.md shows: on an Engine of this test's own, since the one that
// runs would have to be restarted, and would refuse everybody else.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { startProgram } from '../../proxy/support/proxy-process.ts'
import { ask, talk } from '../../proxy/support/raw-client.ts'
import { whatHappened } from '../../proxy/support/start-proxy.ts'
import { blocks, readPage } from '../../support/pages.ts'
import { skipFor } from '../../support/required.ts'
import { BUSYBOX, findEngineProgram, importBusybox, secondEngine } from '../support/second-engine.ts'

const found = findEngineProgram()
const why = typeof found === 'string' ? found : BUSYBOX === undefined ? 'there is no busybox to make an image of' : undefined
const skip = skipFor(why)
/** Whom the programs of tests run as. */
const NOBODY = 65_534
const SPECS = '/etc/docker/plugins'
const NAME = `postern-test-${process.pid}`

await t.test('an Engine that asks the plugin', { timeout: 580_000, skip }, async (t) => {
  if (typeof found === 'string' || BUSYBOX === undefined) return
  const directory = mkdtempSync(join(tmpdir(), 'postern-az-'))
  chmodSync(directory, 0o777)
  const [policyFile, socket, metrics] = [join(directory, 'host.yaml'), join(directory, 'p.sock'), join(directory, 'm.sock')]
  const audit = join(directory, 'audit.jsonl')
  const hadSpecs = existsSync(SPECS)
  mkdirSync(SPECS, { recursive: true })
  const spec = join(SPECS, `${NAME}.spec`)
  writeFileSync(spec, `unix://${socket}\n`)
  writeFileSync(policyFile, blocks(readPage('authz.md'), 'yaml')[0] ?? '')
  const engine = secondEngine(found, directory, NOBODY)
  t.teardown(async () => {
    await engine.stop()
    rmSync(spec)
    if (!hadSpecs && readdirSync(SPECS).length === 0) rmdirSync(SPECS)
    rmSync(directory, { recursive: true, force: true, maxRetries: 10 })
  })

  await engine.start()
  const image = await importBusybox(engine, directory, BUSYBOX)
  const container = async (name: string, ...flags: string[]) => {
    const how = ['--detach', '--network=none', '--restart=always', '--stop-signal=KILL', '--name', name, ...flags]
    return (await engine.docker('run', ...how, image, '/bin/busybox', 'sleep', '3600')).trim()
  }
  const web = await container('web', '--label', 'operator=true')
  const other = await container('other')
  await engine.stop()

  const startPlugin = async () => {
    const flags = [
      '--listen',
      `unix://${socket}`,
      '--engine',
      `unix://${engine.socketPath}`,
      '--audit',
      audit,
      '--metrics',
      `unix://${metrics}`,
    ]
    const program = startProgram(t, ['authz', policyFile, ...flags])
    while ((await ask(metrics, 'GET /metrics').catch(() => undefined)) === undefined);
    return program
  }
  let plugin = await startPlugin()
  await engine.start(`--authorization-plugin=${NAME}`)
  const refused = (...args: string[]) =>
    engine.docker(...args).then(
      () => 'it passed',
      (error: { stderr: string }) => error.stderr,
    )
  const denied = `authorization denied by plugin ${NAME}: `
  const startedAt = (id: string) => engine.docker('inspect', '--format', '{{.State.StartedAt}}', id)

  await t.test('what the policy names is done, and of the rest the client is told in its words', async (t) => {
    t.same((await engine.docker('ps', '--format', '{{.Names}}')).trim().split('\n').sort(), ['other', 'web'])
    t.match(await engine.docker('inspect', '--format', '{{.Name}}', 'other'), '/other')
    t.match(await engine.docker('images', '--quiet'), /^\w+/)
    const said = `${denied}ContainerCreate is not allowed to host; the policy would need it under \`allow:\``
    t.match(await refused('run', '--rm', image, 'true'), said)
    t.match(await refused('rm', '--force', web), `${denied}ContainerDelete is not allowed to host`)
    t.match(await refused('exec', web, 'sh'), `${denied}ContainerExec is not allowed to host`)
    t.match(await refused('logs', web), `${denied}ContainerLogs is not allowed to host`)
  })

  await t.test('a container is restarted by its id where `when` holds, and by nothing else', async (t) => {
    const [before, otherBefore] = [await startedAt(web), await startedAt(other)]
    t.match(await refused('restart', '--time', '0', 'web'), `name it by its whole id, ${web}`)
    t.match(await refused('restart', '--time', '0', web.slice(0, 12)), `name it by its whole id, ${web}`)
    t.equal(await startedAt(web), before)
    await engine.docker('restart', '--time', '0', web)
    t.not(await startedAt(web), before)
    t.match(
      await refused('restart', '--time', '0', other),
      `${denied}ContainerRestart: other is running, which is not what \`when:\` asks for`,
    )
    t.equal(await startedAt(other), otherBefore)
    t.match(await refused('restart', '--time', '99', web), 'the query “t” may only be 0 to 60')
  })

  await t.test('the requests of the advisories, and what else could hide a body, are refused', async (t) => {
    const body = JSON.stringify({ Image: image, HostConfig: { Privileged: true } })
    const send = (line: string, headers: readonly string[], after: string) =>
      talk(engine.socketPath, [`${line} HTTP/1.1`, 'Host: docker', ...headers, '', after].join('\r\n'))
    const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`
    const [create, json, chunks] = [
      'POST /v1.45/containers/create?name=bad',
      'Content-Type: application/json',
      'Transfer-Encoding: chunked',
    ]
    const [zero] = await send(create, [json, 'Content-Length: 0'], body)
    t.match(zero, { status: 403, body: /ContainerCreate: the Engine has not passed its body on/ }, 'CVE-2024-41110')
    const [inChunks] = await send(create, [json, 'Content-Length: 0', chunks], chunked(body))
    t.match(inChunks, { status: 403 })
    const large = JSON.stringify({ Image: image, Labels: { long: 'x'.repeat(6_000_000) } })
    const [oversized] = await send(create, [json, `Content-Length: ${large.length}`], large)
    // Engines that have the fix for CVE-2026-34040 refuse it themselves.
    t.match(oversized?.status, /^(?:403|500)$/, 'CVE-2026-34040')
    t.match(oversized?.body, /has not passed its body on|too large/)
    t.notMatch(await engine.docker('ps', '--all', '--format', '{{.Names}}'), 'bad')

    const before = await startedAt(web)
    const restart = `POST /v1.45/containers/${web}/restart`
    const form = 'Content-Type: application/x-www-form-urlencoded'
    for (const headers of [
      [form, chunks],
      [form, json, chunks],
      [json, chunks],
    ])
      t.match(await send(restart, headers, chunked('t=0&signal=SIGKILL')), [{ status: 403, body: /a form|a body|no body/ }])
    t.match(await send(restart, [form, 'Content-Length: 3'], 't=0'), [{ status: 403 }])
    t.equal(await startedAt(web), before)
  })

  await t.test('many at once are all answered', async (t) => {
    const answers = await Promise.all(Array.from({ length: 40 }, () => engine.ask('GET', `/containers/${web}/json`)))
    t.same([...new Set(answers.map(({ status }) => status))], [200])
  })

  await t.test('under a scope, what is hidden is not there', async (t) => {
    const text = readFileSync(policyFile, 'utf8')
    const scope = 'version: 1\nclient: host\nscope: [{ labels: { operator: "true" } }]\nallow:\n'
    writeFileSync(
      policyFile,
      `${scope}  SystemPing: {}\n  SystemPingHead: {}\n  ContainerInspect: { show: all }\n  ContainerRestart: {}\n`,
    )
    plugin.child.kill('SIGHUP')
    while (!(await refused('ps')).includes('ContainerList is not allowed'));
    t.equal((await engine.ask('GET', `/containers/${web}/json`)).status, 200)
    const hidden = await engine.ask('GET', `/containers/${other}/json`)
    t.match(hidden, { status: 403, body: new RegExp(`No such container: ${other}`) })
    const headers = { 'Content-Length': '0' }
    t.match(await engine.ask('POST', `/containers/${other}/restart?t=0`, headers), { status: 403 })
    writeFileSync(policyFile, text)
    plugin.child.kill('SIGHUP')
    while ((await refused('ps')) !== 'it passed');
  })

  await t.test(
    'without its plugin the Engine refuses everybody, and works again when that is back',
    { timeout: 580_000 },
    async (t) => {
      plugin.child.kill('SIGKILL')
      await plugin.ended
      const { status, body } = await engine.ask('GET', '/version')
      t.equal(status, 500)
      t.match(body, `plugin ${NAME} failed with error`)
      plugin = await startPlugin()
      t.equal((await engine.ask('GET', '/version')).status, 200)
      await engine.docker('restart', '--time', '0', web)
    },
  )

  await t.test('the log has each decision, the plugin’s own requests not among them', async (t) => {
    plugin.child.kill('SIGTERM')
    t.match(await plugin.ended, { code: 0 })
    const lines = whatHappened(readFileSync(audit, 'utf8'))
    const restarts = lines.filter(({ operation, verdict }) => operation === 'ContainerRestart' && verdict === 'allow')
    t.match(restarts, [{ target: { id: web } }, { target: { id: web } }])
    const outcomes = lines.filter(({ event }) => event === 'outcome')
    t.match(
      outcomes,
      restarts.map(({ seq }) => ({ of: seq, status: 204 })),
    )
    t.same(
      lines.filter(({ path }) => String(path).startsWith('/containers/json?all=1&')),
      [],
    )
  })
})
