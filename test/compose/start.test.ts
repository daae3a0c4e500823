// `npm start`, `npm run demo` and `npm run simulate-failure` as a person runs them, on the embedded engine, without Docker.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { freePort } from '../support/free-port.ts'
import { plainNode } from '../support/programs.ts'

type Program = {
  readonly child: ChildProcess
  readonly output: () => string
  readonly said: (words: string | RegExp) => Promise<void>
  readonly ended: Promise<number | null>
}

function start(t: Test, file: string, env: NodeJS.ProcessEnv = {}, args: readonly string[] = []): Program {
  // Without tap's additions to the environment, which would follow into every service, and which not every user may write for.
  const child = spawn(...plainNode('--import=tsx', file, ...args), {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      text += chunk
    })
  }
  t.teardown(() => child.kill('SIGKILL'))
  const said = async (words: string | RegExp) => {
    const deadline = Date.now() + 300_000
    while (!(typeof words === 'string' ? text.includes(words) : words.test(text))) {
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`it did not say ${words}: ${text}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  return { child, output: () => text, said, ended: once(child, 'exit').then(([code]) => code as number | null) }
}

const isGone = async (path: string) => {
  for (let tries = 0; tries < 1000 && existsSync(path); tries++) await new Promise((resolve) => setTimeout(resolve, 100))
  return !existsSync(path)
}
const refused = async (port: number) => {
  for (let tries = 0; tries < 1000; tries++) {
    const open = await fetch(`http://127.0.0.1:${port}/`).then(
      () => true,
      () => false,
    )
    if (!open) return true
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return false
}

async function startAll(t: Test) {
  const [app, healer] = [await freePort(), await freePort()]
  const env = {
    SAMPLE_APP_PORT: `${app}`,
    HEALER_PORT: `${healer}`,
    CHECK_INTERVAL: '1',
    REQUEST_TIMEOUT: '1',
    START_PERIOD: '5',
  }
  const program = start(t, 'compose/embedded/main.ts', env)
  await program.said('sample-app — healthy: answered 200')
  const directory = /serving healer\.yaml to healer at unix:\/\/(\S+)\/sockets\/healer\.sock/.exec(program.output())?.[1] ?? ''
  return { ...program, app, healer, env, directory }
}

await t.test(
  'npm start: says where everything is, heals, and leaves nothing behind on SIGTERM',
  { timeout: 580_000 },
  async (t) => {
    const all = await startAll(t)
    t.match(all.output(), `sample app   http://localhost:${all.app}`)
    t.match(all.output(), `status       http://localhost:${all.healer}`)
    t.match(all.output(), /Not run, for they take Docker: prometheus, alertmanager, grafana/)
    t.match(all.output(), `curl -X POST localhost:${all.app}/break`)
    t.match(await (await fetch(`http://localhost:${all.healer}/`)).text(), /sample-app/)

    const metrics = await (await fetch(`http://localhost:${all.healer}/metrics`)).text()
    t.match(metrics, /^postern_healer_containers 1$/m)
    t.match(metrics, /^postern_proxy_decisions_total\{client="healer",operation="ContainerList",verdict="allow",.*\} [1-9]/m)

    for (const mode of ['error', 'hang']) {
      await fetch(`http://localhost:${all.app}/break?mode=${mode}`, { method: 'POST' })
      await all.said(
        mode === 'error' ? 'recovered: healthy' : /recovered: healthy[\s\S]*no answer within[\s\S]*recovered: healthy/,
      )
    }
    all.child.kill('SIGTERM')
    t.equal(await all.ended, 0)
    t.match(all.output(), /stopped: no process and no socket is left\n$/)
    t.equal(existsSync(all.directory), false)
    t.ok(await refused(all.app))
    t.ok(await refused(all.healer))
  },
)

await t.test(
  'npm start: a crash of the app is mended by its restart policy; a crash of the proxy too, and all stops clean',
  { timeout: 580_000 },
  async (t) => {
    const all = await startAll(t)
    await fetch(`http://localhost:${all.app}/break?mode=crash`, { method: 'POST' })
    await all.said('restarted by Docker')
    t.notMatch(all.output(), /RESTARTING/)
    execFileSync('pkill', ['-KILL', '-f', `${all.directory}/proxy.mjs serve`])
    await all.said(/serving healer\.yaml[\s\S]*serving healer\.yaml/)
    await fetch(`http://localhost:${all.app}/break`, { method: 'POST' })
    await all.said('recovered: healthy')
    all.child.kill('SIGINT')
    t.equal(await all.ended, 0)
    t.equal(existsSync(all.directory), false)
  },
)

await t.test('npm start: killed itself, it leaves no process, no socket and no file', { timeout: 580_000 }, async (t) => {
  const all = await startAll(t)
  all.child.kill('SIGKILL')
  await all.ended
  t.ok(await refused(all.app))
  t.ok(await refused(all.healer))
  t.ok(await isGone(all.directory), all.directory)
})

await t.test(
  'npm start: a taken port is named, with who might hold it and how to choose another',
  { timeout: 580_000 },
  async (t) => {
    const holder = createServer()
    await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve))
    t.teardown(() => holder.close())
    const { port } = holder.address() as AddressInfo
    const program = start(t, 'compose/embedded/main.ts', { SAMPLE_APP_PORT: `${port}`, HEALER_PORT: `${await freePort()}` })
    t.equal(await program.ended, 1)
    t.equal(
      program.output(),
      [
        `Port ${port}, for sample-app, is taken: perhaps by another \`npm start\`, or by the composition on Docker`,
        `(\`docker compose -f compose/compose.yaml ps\`). Stop what listens there, or choose another port: SAMPLE_APP_PORT=${port + 10} npm start`,
        '',
      ].join('\n'),
    )
  },
)

await t.test('npm run demo: start, break, heal, verified, as a timeline', { timeout: 580_000 }, async (t) => {
  const demo = start(t, 'compose/embedded/demo.ts')
  t.equal(await demo.ended, 0, demo.output())
  t.match(
    demo.output(),
    /^ +\d+\.\d s {2}starting[\s\S]*RESTARTING sample-app[\s\S]*recovered: healthy[\s\S]*verified: GET \/health answers 200[\s\S]*1 restart let through[\s\S]*s {2}healed\n$/,
  )
})

await t.test('npm run simulate-failure: sees the app healed', { timeout: 580_000 }, async (t) => {
  const all = await startAll(t)
  const script = start(t, 'compose/simulate-failure.ts', { SAMPLE_APP_PORT: `${all.app}` })
  t.equal(await script.ended, 0, script.output())
  t.match(script.output(), /1\. Checking[\s\S]*2\. Breaking it[\s\S]*3\. Waiting[\s\S]*503[\s\S]*Healed after \d+ s\.\n$/)
})

await t.test('npm run simulate-failure: says what to look at where nothing heals', async (t) => {
  let status = 200
  const server = createHttpServer((request, response) => {
    if (request.method === 'POST') status = 503
    response.writeHead(request.method === 'POST' ? 200 : status).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const script = start(t, 'compose/simulate-failure.ts', { SAMPLE_APP_PORT: `${port}` }, ['2'])
  t.equal(await script.ended, 1)
  t.match(script.output(), /Not healed within 2 s\. What to look at:[\s\S]*the healer’s log/)
  const nobody = start(t, 'compose/simulate-failure.ts', { SAMPLE_APP_PORT: `${await freePort()}` })
  t.equal(await nobody.ended, 1)
  t.match(nobody.output(), /It is not healthy to begin with\. Is it running\?/)
})
