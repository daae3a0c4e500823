// The healer as a program: its command line, its start, its stop.
import { join } from 'node:path'
import t from 'tap'
import { freePort } from '../support/free-port.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { startHealer } from './support/program.ts'

await t.test('wrong settings end it with 2 and a sentence for each', async (t) => {
  const { ended, output } = startHealer(t, ['run'], { CHECK_INTERVAL: 'abc', FAILURE_THRESHOLD: '-1' })
  t.same(await ended, [2, null])
  t.match(output.text, /^postern-healer: CHECK_INTERVAL is “abc”.*\npostern-healer: FAILURE_THRESHOLD is “-1”.*\n$/)
})

await t.test('an unknown command ends it with 2', async (t) => {
  const { ended, output } = startHealer(t, ['rum'])
  t.same(await ended, [2, null])
  t.match(output.text, /Did you mean run\?/)
})

await t.test('a state directory that is not there ends it with 1 and says what to do', async (t) => {
  const { ended, output } = startHealer(t, ['run'], {
    STATE_DIR: join(temporaryDirectory(t), 'none'),
    HEALER_PORT: String(await freePort()),
  })
  t.same(await ended, [1, null])
  t.match(output.text, /STATE_DIR is “.*none”, which cannot be written \(ENOENT\); create it for this user, or set STATE_DIR/)
})

await t.test('check ends with 1 where Docker cannot be asked, and with 2 for wrong settings', async (t) => {
  const env = { DOCKER_HOST: `unix://${temporaryDirectory(t)}/none.sock`, CHECK_INTERVAL: '7' }
  const check = startHealer(t, ['check'], env)
  t.same(await check.ended, [1, null])
  t.match(check.output.text, /^Settings of the healer\n {2}CHECK_INTERVAL +7 +environment\n/)
  t.match(check.output.text, /\nDocker cannot be asked: .*none\.sock cannot be reached \(ENOENT\); is the proxy running\?\n$/)

  const json = startHealer(t, ['check', '--json'], env)
  t.same(await json.ended, [1, null])
  t.match(JSON.parse(json.output.text), { ok: false, docker: { reachable: false }, containers: [] })

  const wrong = startHealer(t, ['check', '--no-probe'], { ...env, CHECK_INTERVAL: 'x' })
  t.same(await wrong.ended, [2, null])
  t.match(wrong.output.text, /^postern-healer: CHECK_INTERVAL is “x”/)

  const untold = startHealer(t, ['check', '--no-probe'], { ...env, ALERTS_FILE: '/none.yaml' })
  t.same(await untold.ended, [2, null])
  t.equal(untold.output.text, 'postern-healer: ALERTS_FILE is “/none.yaml”, which cannot be read: ENOENT\n')
})

await t.test('without a proxy it runs, says once what is amiss, answers its health check, and stops on SIGTERM', async (t) => {
  const directory = temporaryDirectory(t)
  const port = await freePort()
  const env = {
    STATE_DIR: directory,
    HEALER_PORT: String(port),
    DOCKER_HOST: `unix://${directory}/none.sock`,
    PROXY_METRICS: `unix://${directory}/no-metrics.sock`,
    CHECK_INTERVAL: '1',
    SLACK_WEBHOOK_URL: '',
  }
  const { child, ended, output, said } = startHealer(t, ['run'], env)
  await said('Probing goes on; restarts wait')
  t.match(output.text, /nobody is told of anything: no receiver of alerts is set/)
  t.match(output.text, /Health monitor started — interval=1 s, threshold=3 failures/)

  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  t.match(metrics, /^postern_healer_docker_up 0$/m)
  t.match(metrics, /^postern_healer_proxy_metrics_up 0$/m)
  await said(`the proxy’s metrics cannot be had at unix://${directory}/no-metrics.sock: ENOENT`)

  const check = startHealer(t, ['healthcheck'], env)
  t.same(await check.ended, [0, null])
  t.equal(check.output.text, 'ok\n')
  const taken = startHealer(t, ['run'], env)
  t.same(await taken.ended, [1, null])
  t.match(taken.output.text, new RegExp(`port ${port} is taken; stop what listens there, or set HEALER_PORT`))

  child.kill('SIGTERM')
  t.same(await ended, [0, null])
  t.match(output.text, /SIGTERM: stopping[\s\S]*stopped/)
  t.equal(output.text.split('Probing goes on').length, 2, 'said once')
})
