// The authorization plugin: what it answers the Engine, by the very policy that the proxy has, and what it records.
import t from 'tap'
import { containerId, fakeContainer } from './support/containers.ts'
import { LABELLED_POLICY, startPlugin } from './support/start-plugin.ts'
import { DB, HIDDEN, WEB } from './support/start-proxy.ts'

await t.test('it decides by the policy, and the Engine is told why not', async (t) => {
  const plugin = await startPlugin(t)
  for (const [line, why] of [
    ['GET /_ping', undefined],
    ['GET /v1.45/version', undefined],
    [`GET /v1.45/containers/${WEB}/json`, undefined],
    [`POST /v1.45/containers/${WEB}/restart?t=5`, undefined],
    [`POST /v1.45/containers/${WEB}/restart?t=99`, /the query “t” may only be 0 to 60/],
    [`POST /v1.45/containers/${WEB}/restart?signal=SIGKILL`, /the query “signal” is not listed/],
    [`POST /v1.45/containers/${HIDDEN}/restart`, `No such container: ${HIDDEN}`],
    [`POST /v1.45/containers/${containerId('ee')}/restart`, `No such container: ${containerId('ee')}`],
    [`GET /v1.45/containers/${HIDDEN}/json`, `No such container: ${HIDDEN}`],
    ['GET /v1.45/containers/json', /^ContainerList is not allowed to host; the policy would need it under `allow:`$/],
    [`POST /v1.45/containers/${WEB}/kill`, /^ContainerKill is not allowed/],
    ['GET /v1.99/version', /^the API version is not one of v1\.24 to v1\.56$/],
    ['GET /v1.55/version', /^the API version 1\.55 is not one that the Engine has/],
    ['GET /debug/vars', /no operation of the Engine API that a policy can name/],
    ['GET http://docker/v1.45/version', /not a plain path/],
    [`GET /v1.45/containers/%61${WEB.slice(1)}/json`, /not a plain path/],
    ['GET /v1.45//version', /not a plain path/],
    [`POST /v1.45/containers/${WEB}/stop?;`, /semicolon|is not key=value/],
  ] as const) {
    const { Allow, Msg } = await plugin.ask(line)
    t.equal(Allow, why === undefined, line)
    if (why !== undefined) t.match(Msg, why, line)
  }
})

await t.test('what a proxy would write anew is taken as it is, or not at all: no semicolon in a query', async (t) => {
  const policyText = `${LABELLED_POLICY}  ContainerKill: { query: { signal: ["SIGUSR*"] } }\n`
  const plugin = await startPlugin(t, { policyText })
  t.match(await plugin.ask(`POST /containers/${WEB}/kill?signal=SIGUSR1`), { Allow: true })
  t.match(await plugin.ask(`POST /containers/${WEB}/kill?signal=SIGUSR1;`), { Allow: false, Msg: /semicolon/ })
  t.match(await plugin.ask(`POST /containers/${WEB}/kill?signal=SIGUSR1%3B`), { Allow: true })
})

await t.test('a container that is judged is named by its whole id', async (t) => {
  const plugin = await startPlugin(t)
  for (const name of ['web', WEB.slice(0, 12), 'aa11']) {
    for (const line of [`POST /containers/${name}/restart`, `GET /containers/${name}/json`])
      t.match(await plugin.ask(line), { Allow: false, Msg: new RegExp(`name it by its whole id, ${WEB}$`) }, line)
  }
  t.match(await plugin.ask('POST /containers/hidden/restart'), { Allow: false, Msg: 'No such container: hidden' })
  t.match(await plugin.ask('POST /containers/missing/restart'), { Allow: false, Msg: 'No such container: missing' })
  t.match(plugin.auditLines()[0], { rule: 'request.id', status: 403, target: { id: WEB, name: 'web' } })

  // A refusal costs no budget, of which there are two.
  for (let i = 0; i < 2; i++) t.match(await plugin.ask(`POST /containers/${WEB}/restart`), { Allow: true })
  t.match(await plugin.ask(`POST /containers/${WEB}/restart`), { Allow: false, Msg: /the budget for web is spent/ })
})

await t.test('where every container may be read, any name will do for reading, and for nothing else', async (t) => {
  const plugin = await startPlugin(t, { policyText: LABELLED_POLICY.replace(/^scope: .*$/m, 'scope: all') })
  for (const name of ['web', 'hidden', HIDDEN, HIDDEN.slice(0, 12)])
    t.match(await plugin.ask(`GET /containers/${name}/json`), { Allow: true }, name)
  t.match(await plugin.ask('POST /containers/hidden/restart'), { Allow: false, Msg: /by its whole id/ })
  t.match(await plugin.ask(`POST /containers/${HIDDEN}/restart`), { Allow: true })
})

await t.test('`when`, the budget and the protection of Postern hold', async (t) => {
  const own = containerId('dd44')
  const containers = [
    fakeContainer({ id: WEB, name: 'web' }),
    fakeContainer({ id: DB, name: 'db', state: 'exited' }),
    fakeContainer({ id: own, name: 'postern' }),
  ]
  const plugin = await startPlugin(t, { containers, ownId: own })
  t.match(await plugin.ask(`POST /containers/${DB}/restart`), { Allow: false, Msg: /db is exited, which is not what `when:`/ })
  t.match(await plugin.ask(`POST /containers/${own}/stop`), { Allow: false, Msg: /postern is a part of Postern/ })
  for (let i = 0; i < 2; i++) t.match(await plugin.ask(`POST /containers/${WEB}/restart`), { Allow: true })
  t.match(await plugin.ask(`POST /containers/${WEB}/restart`), {
    Allow: false,
    Msg: /budget for web is spent.*try again in 600 s/,
  })
  t.match(await plugin.metrics(), /decisions_total\{client="host",operation="ContainerRestart",verdict="allow",.*\} 2\n/)
  t.match(
    await plugin.metrics(),
    /decisions_total\{client="host",operation="ContainerRestart",verdict="deny",.*policy\.budget"\} 1\n/,
  )
  plugin.clock.nowMs += 600_000
  t.match(await plugin.ask(`POST /containers/${WEB}/restart`), { Allow: true })
})

await t.test('of many that ask for the same at once, the budget lets through as many as it says', async (t) => {
  const plugin = await startPlugin(t)
  const answers = await Promise.all(Array.from({ length: 40 }, () => plugin.ask(`POST /containers/${WEB}/restart`)))
  t.equal(answers.filter(({ Allow }) => Allow).length, 2)
})

await t.test('a change is on the record before the Engine hears of it, and what came of it after that', async (t) => {
  const plugin = await startPlugin(t)
  const line = `POST /v1.45/containers/${WEB}/restart`
  t.match(await plugin.ask(line), { Allow: true })
  const [decision, ...others] = plugin.auditLines()
  t.match(decision, {
    event: 'decision',
    client: 'host',
    operation: 'ContainerRestart',
    verdict: 'allow',
    target: { id: WEB, state: 'running' },
  })
  t.notOk(decision && 'status' in decision)
  t.same(others, [])
  t.match(plugin.auditText(), /"event":"seal"/)

  t.match(await plugin.tell(line, { ResponseStatusCode: 204 }), { Allow: true })
  t.match(plugin.auditLines().slice(1), [{ event: 'outcome', of: decision?.seq, status: 204, bytes: 0 }])
  t.match(await plugin.tell(line, { ResponseStatusCode: 204 }), { Allow: true }, 'an answer that nobody waits for is sent')
  t.equal(plugin.auditLines().length, 2)
})

await t.test('of a change that the Engine refuses or fails it tells no status, and none is recorded', async (t) => {
  const plugin = await startPlugin(t)
  const line = `POST /v1.45/containers/${WEB}/restart`
  await plugin.ask(line)
  t.match(await plugin.tell(line), { Allow: true })
  t.equal(plugin.auditLines().length, 1)
})

await t.test('reads and refusals are one line, and the client’s name is in it where the Engine tells one', async (t) => {
  const plugin = await startPlugin(t)
  await plugin.ask('GET /version', { User: 'alice' })
  await plugin.ask('GET /version', { User: 'bob' })
  await plugin.ask('GET /info', { User: 'bob' })
  await plugin.tell('GET /version', { User: 'bob', ResponseStatusCode: 200 })
  t.match(plugin.auditLines(), [
    { operation: 'SystemVersion', verdict: 'allow', user: 'alice' },
    { operation: 'SystemVersion', verdict: 'allow', user: 'bob' },
    { operation: 'SystemInfo', verdict: 'deny', status: 403, user: 'bob', rule: 'policy.operation' },
  ])
  t.equal(plugin.auditLines().length, 3)
})

await t.test('while the log cannot be written nothing is changed, and reads go on', async (t) => {
  const fails = () => Promise.reject(new Error('no space left'))
  const plugin = await startPlugin(t, { audit: { append: fails, appendDurably: fails } })
  const said = { Allow: false, Msg: 'ContainerRestart: the audit log cannot be written, so nothing is changed' }
  for (let i = 0; i < 3; i++) t.match(await plugin.ask(`POST /containers/${WEB}/restart`), said, 'and no budget is spent')
  t.match(await plugin.ask('GET /version'), { Allow: true })
})

await t.test('an Engine that does not answer the plugin’s own questions gets a no', async (t) => {
  const plugin = await startPlugin(t)
  await plugin.engine.stop()
  t.match(await plugin.ask(`POST /containers/${WEB}/restart`), { Allow: false, Msg: /the Engine cannot be reached/ })
  t.match(await plugin.ask('GET /_ping'), { Allow: true })
})

await t.test('the plugin’s own requests pass, unrecorded, and nobody else’s pass for them', async (t) => {
  const plugin = await startPlugin(t)
  t.match(await plugin.ask(`POST /containers/${WEB}/restart`), { Allow: true })
  t.same(
    plugin.engine.lines().filter((line) => line.includes('/containers/')),
    [
      'GET /containers/json?all=1&filters=%7B%22label%22%3A%5B%22monitored%3Dtrue%22%5D%7D HTTP/1.1',
      `GET /containers/${WEB}/json HTTP/1.1`,
    ],
    'which the Engine has asked about as well',
  )
  t.same(
    plugin.auditLines().map(({ operation }) => operation),
    ['ContainerRestart'],
  )

  const [, secret = ''] =
    /^x-postern-authz: (.+)$/i.exec(plugin.engine.arrived[0]?.headers.find((header) => /^x-postern/i.test(header)) ?? '') ?? []
  t.match(secret, /^[\w-]{43}$/)
  const headers = { 'X-Postern-Authz': secret }
  t.match(await plugin.ask('GET /containers/json?all=1', { RequestHeaders: headers }), { Allow: true })
  for (const other of ['', 'x', `${secret}x`, secret.slice(1), secret.toUpperCase()])
    t.match(
      await plugin.ask('GET /containers/json?all=1', { RequestHeaders: { 'X-Postern-Authz': other } }),
      { Allow: false },
      other,
    )
  for (const line of [
    `POST /containers/${HIDDEN}/restart`,
    'GET /swarm',
    'GET /containers/%61/json',
    `GET /containers/${WEB}/logs`,
  ])
    t.match(
      await plugin.ask(line, { RequestHeaders: { ...headers, 'Content-Length': '0' } }),
      { Allow: false },
      `${line} is none of them`,
    )
  t.notMatch(plugin.auditText() + plugin.log() + (await plugin.metrics()), secret)
})
