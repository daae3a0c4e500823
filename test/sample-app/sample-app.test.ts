// The sample app over HTTP, and as a process that is told to stop.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { createSampleApp } from '../../sample-app/app.ts'
import { builtProgram, plainNode } from '../support/programs.ts'

async function start(t: Test) {
  const exits: number[] = []
  const { server, isStubborn } = createSampleApp((code) => void exits.push(code), 50)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const ask = (path: string, method = 'GET', init: RequestInit = {}) => fetch(`${base}${path}`, { method, ...init })
  return { ask, exits, isStubborn }
}

await t.test('it is healthy until it is broken, and again once it is fixed', async (t) => {
  const { ask } = await start(t)
  const health = async () => {
    const answer = await ask('/health')
    return [answer.status, await answer.json()]
  }
  t.same(await health(), [200, { status: 'ok' }])
  t.same(await (await ask('/')).json(), { service: 'sample-app', healthy: true })
  t.match(await (await ask('/break', 'POST')).json(), { message: 'The app is now unhealthy' })
  t.same(await health(), [503, { status: 'degraded', reason: 'broken by hand (error)' }])
  t.same(await (await ask('/')).json(), { service: 'sample-app', healthy: false })
  t.match(await (await ask('/fix', 'POST')).json(), { message: 'The app is now healthy' })
  t.same(await health(), [200, { status: 'ok' }])
})

await t.test('mode=hang answers nothing, until it is fixed', async (t) => {
  const { ask } = await start(t)
  await ask('/break?mode=hang', 'POST')
  await t.rejects(ask('/health', 'GET', { signal: AbortSignal.timeout(200) }))
  await ask('/fix', 'POST')
  t.equal((await ask('/health')).status, 200)
})

await t.test('mode=slow answers late', async (t) => {
  const { ask } = await start(t)
  await ask('/break?mode=slow', 'POST')
  await t.rejects(ask('/health', 'GET', { signal: AbortSignal.timeout(10) }))
  t.equal((await ask('/health')).status, 200)
})

await t.test('mode=crash exits with 1 once it has answered', async (t) => {
  const { ask, exits } = await start(t)
  t.equal((await ask('/break?mode=crash', 'POST')).status, 200)
  t.same(exits, [1])
})

await t.test('mode=stubborn answers 503 and ignores SIGTERM', async (t) => {
  const { ask, isStubborn } = await start(t)
  t.equal(isStubborn(), false)
  await ask('/break?mode=stubborn', 'POST')
  t.equal((await ask('/health')).status, 503)
  t.equal(isStubborn(), true)
})

await t.test('mode=requests fails what is asked for, and nothing that a health check sees', async (t) => {
  const { ask } = await start(t)
  await ask('/break?mode=requests', 'POST')
  t.equal((await ask('/')).status, 500)
  t.equal((await ask('/health')).status, 200)
  t.match(await (await ask('/metrics')).text(), /^sample_app_requests_total\{method="GET",path="\/",status="500"\} 1$/m)
  await ask('/fix', 'POST')
  t.equal((await ask('/')).status, 200)
})

await t.test('an unknown mode or path is answered with what there is', async (t) => {
  const { ask } = await start(t)
  const mode = await ask('/break?mode=melt', 'POST')
  t.same([mode.status, await mode.json()], [400, { message: 'mode is one of error, hang, crash, slow, stubborn, requests' }])
  t.equal((await ask('/break')).status, 404, 'GET does not break it')
})

await t.test('/metrics has requests, latencies and health', async (t) => {
  const { ask } = await start(t)
  await ask('/health')
  await ask('/break', 'POST')
  const text = await (await ask('/metrics')).text()
  t.match(text, /^sample_app_requests_total\{method="GET",path="\/health",status="200"\} 1$/m)
  t.match(text, /^sample_app_request_duration_seconds_count\{path="\/health"\} 1$/m)
  t.match(text, /^sample_app_healthy 0$/m)
})

await t.test('it stops at once on SIGTERM', async (t) => {
  const child = spawn(...plainNode(builtProgram('sample-app')), {
    env: { ...process.env, PORT: '0' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  child.kill('SIGTERM')
  t.same(await once(child, 'exit'), [0, null])
})
