// README.md is run, not believed: each of its commands has a test that runs it, here or in test/engine/readme.test.ts.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import t from 'tap'
import { parse } from 'yaml'
import { optedIn } from '../healer/settings/labels.ts'
import { freePort } from './support/free-port.ts'
import { blocks, readPage } from './support/pages.ts'
import { BY_CI, ON_DEPLOYING, ON_EMBEDDED, ON_ENGINE, readmeCommands, readmeYaml } from './support/readme.ts'

const execute = promisify(execFile)

await t.test('every command of the README is run by a test, and every command that is run is in it', async (t) => {
  t.same([...readmeCommands].sort(), [...ON_EMBEDDED, ...ON_ENGINE, ...ON_DEPLOYING, ...BY_CI].sort())
})

await t.test('what the README has of docs/deploy.md stands there too, where its commands are run', async (t) => {
  const commands = blocks(readPage('deploy.md'), 'sh').flatMap((block) => block.trim().split('\n'))
  for (const command of ON_DEPLOYING) t.ok(commands.includes(command), command)
})

await t.test('CI runs the README’s test command', async (t) => {
  for (const command of BY_CI) t.match(readFileSync('.ci/run', 'utf8'), `on 20.18.1 ${command}\n`)
})

await t.test('the README’s files exist, and it is short', async (t) => {
  const text = readFileSync('README.md', 'utf8')
  for (const [, file = ''] of text.matchAll(/\]\((?!http)([^)#]+)\)/g)) t.ok(existsSync(file), file)
  t.ok(text.split('\n').length < 250)
})

await t.test('the one label that the README shows opts a container in', async (t) => {
  const labels = readmeYaml.map((text) => parse(text).services.web.labels)
  t.same(labels.map(optedIn), ['monitored'])
})

await t.test('its commands for a machine without Docker do what it says', { timeout: 580_000 }, async (t) => {
  const [app, healer] = [await freePort(), await freePort()]
  const env = { ...process.env, SAMPLE_APP_PORT: `${app}`, HEALER_PORT: `${healer}`, CHECK_INTERVAL: '1' }
  /** Without tap's additions to the environment, which would follow into every service. */
  const PLAIN = 'unset NODE_OPTIONS;'
  /** The command as it stands, at ports that are free on this machine, and with time for a slow one; `npm ci` has been run, or no test would be. */
  const local = (command: (typeof ON_EMBEDDED)[number]) =>
    command
      .replace('npm ci && ', '')
      .replace(/(simulate-failure)$/, '$1 -- 300')
      .replace('localhost:8080', `localhost:${app}`)
      .replace('localhost:8081', `localhost:${healer}`)
  const run = async (command: (typeof ON_EMBEDDED)[number]) =>
    (await execute('sh', ['-c', `${PLAIN} ${local(command)}`], { env })).stdout

  const all = spawn('sh', ['-c', `${PLAIN} exec ${local('npm ci && npm start')}`], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => all.kill('SIGTERM'))
  let text = ''
  all.stdout.on('data', (chunk) => {
    text += chunk
  })
  const said = async (words: string) => {
    const deadline = Date.now() + 300_000
    while (!text.includes(words)) {
      if (all.exitCode !== null || Date.now() > deadline) throw new Error(`npm start did not say “${words}”: ${text}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  await said('sample-app — healthy')
  t.same(JSON.parse(await run('curl localhost:8080/health')), { status: 'ok' })
  t.equal(await run('curl localhost:8081/readyz'), 'ok\n')
  t.match(JSON.parse(await run('curl -X POST localhost:8080/break')), { message: 'The app is now unhealthy' })
  await said('sample-app — recovered')
  t.match(await run('npm run simulate-failure'), /Healed after/)
  t.match(await run('npm run demo'), /s {2}healed\n$/)
  all.kill('SIGTERM')
  await once(all, 'exit')
  await said('no process and no socket is left')
})
