// The program from start to stop: it serves, is healthy, finishes what is under way, leaves a whole log and no sockets, and
// remembers after a crash what it let through.
import { existsSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import t from 'tap'
import { verifyFiles } from '../../proxy/audit/verify-files.ts'
import { preparePlace, runProgram, startServing } from './support/proxy-process.ts'
import { ask } from './support/raw-client.ts'
import { parseLines, whatHappened } from './support/start-proxy.ts'

const RESTART = 'POST /containers/web/restart'

t.test('it serves, stops at SIGTERM with 0, and leaves no socket and a whole log', async (t) => {
  const place = await preparePlace(t)
  const { child, ended } = await startServing(t, place)
  t.match(await ask(place.client, 'GET /_ping'), { status: 200, body: 'OK' })
  t.equal(statSync(place.client).mode & 0o777, 0o660, 'for owner and group')
  t.equal(statSync(place.audit).mode & 0o777, 0o640)

  child.kill('SIGTERM')
  const { code, stderr } = await ended
  t.equal(code, 0)
  t.equal(stderr, '')
  t.notOk(existsSync(place.client))
  t.notOk(existsSync(place.metrics))
  t.match(whatHappened(readFileSync(place.audit, 'utf8')), [
    { seq: 2, event: 'start', reason: /^healer under healer\.yaml [0-9a-f]{16}$/ },
    { seq: 3, event: 'decision', operation: 'SystemPing', verdict: 'allow' },
    { seq: 4, event: 'stop' },
  ])
})

t.test('a restart that is under way at SIGTERM is answered and recorded before the end', async (t) => {
  const place = await preparePlace(t)
  const { child, ended } = await startServing(t, place)
  place.engine.answer = async ({ line }) => {
    if (!line.startsWith('POST')) return undefined
    child.kill('SIGTERM')
    // The proxy has taken note of the signal once it accepts no more connections.
    while (
      await ask(place.metrics, 'GET /metrics').then(
        () => true,
        () => false,
      )
    );
    return { status: 204 }
  }
  t.equal((await ask(place.client, RESTART)).status, 204)
  t.equal((await ended).code, 0)
  t.match(
    whatHappened(readFileSync(place.audit, 'utf8')).map(({ event }) => event),
    ['start', 'decision', 'outcome', 'stop'],
  )
})

t.test('its health check ends with 0 while the Engine answers, and with 1 and the reason while it does not', async (t) => {
  const place = await preparePlace(t)
  await startServing(t, place)
  const check = ['healthcheck', '--metrics', `unix://${place.metrics}`]
  t.match(await runProgram(t, check), { code: 0, stdout: 'ok\n' })
  t.match(await runProgram(t, ['healthcheck'], { env: { POSTERN_METRICS: `unix://${place.metrics}` } }), { code: 0 })
  await place.engine.stop()
  t.match(await runProgram(t, check), { code: 1, stderr: /^postern-proxy: the Engine does not answer/ })
})

t.test('the health check of a proxy that does not run ends with 1 and a sentence', async (t) => {
  const place = await preparePlace(t)
  const { code, stderr } = await runProgram(t, ['healthcheck', '--metrics', `unix://${place.metrics}`])
  t.equal(code, 1)
  t.match(stderr, /^postern-proxy: .*metrics\.sock/)
})

t.test('killed and started again, it takes its sockets over and has not forgotten what was spent', async (t) => {
  const place = await preparePlace(t)
  const first = await startServing(t, place)
  for (let i = 0; i < 5; i++) t.equal((await ask(place.client, RESTART)).status, 204)
  first.child.kill('SIGKILL')
  await first.ended
  t.ok(existsSync(place.client), 'the socket is left behind')

  await startServing(t, place)
  t.equal((await ask(place.client, RESTART)).status, 429)
  t.equal((await ask(place.client, 'POST /containers/db/restart')).status, 204)
  const metrics = (await ask(place.metrics, 'GET /metrics')).body
  t.match(metrics, 'postern_proxy_budget_left{client="healer",operation="ContainerRestart",of="container"} 0\n')
  t.match(metrics, 'postern_proxy_budget_left{client="healer",operation="ContainerRestart",of="client"} 14\n')
  t.match(await verifyFiles([place.audit], {}), { problem: undefined }, 'and its log verifies')
  const seqs = parseLines(readFileSync(place.audit, 'utf8')).map(({ seq }) => seq)
  t.same(
    seqs,
    seqs.map((_, i) => i + 1),
  )
})

for (const [what, remove] of [
  ['removed', rmSync],
  ['put somewhere else', (path: string) => renameSync(path, `${path}.old`)],
] as const) {
  t.test(
    `a proxy whose socket was ${what} ends, with a reason and a whole log, and serves again once it is started`,
    async (t) => {
      const place = await preparePlace(t)
      const { ended } = await startServing(t, place)
      remove(place.client)
      const { code, stderr } = await ended
      t.equal(code, 1)
      t.equal(
        stderr,
        `postern-proxy: the socket ${place.client} was removed from under the proxy; the proxy ends, so that its restart policy starts it anew\n`,
      )
      t.equal(whatHappened(readFileSync(place.audit, 'utf8')).at(-1)?.event, 'stop')
      await startServing(t, place)
      t.equal((await ask(place.client, 'GET /_ping')).status, 200)
    },
  )
}

t.test('it starts and answers where the Engine is not there yet', async (t) => {
  const place = await preparePlace(t)
  await place.engine.stop()
  await startServing(t, place)
  t.equal((await ask(place.client, 'GET /_ping')).status, 502)
})
