// docs/deploy.md's snippets and commands for Compose, run as they stand, beside a project of somebody's; and what a swarm would read of
// its files. The swarm itself is in test/engines.
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import t from 'tap'
import { freePort } from '../support/free-port.ts'
import { blocks, readPage } from '../support/pages.ts'
import { bringUp, docker, run, waitFor } from './support/composition.ts'

const [included = '', networks = '', task = '', secrets = '', exported = ''] = blocks(readPage('deploy.md'), 'yaml')
const commands = blocks(readPage('deploy.md'), 'sh').flatMap((block) => block.trim().split('\n'))

/** In the place of the image that the page names: well on /health until it is told otherwise. */
const WEB = `
services:
  web:
    image: node:24-bookworm-slim
    init: true
    command:
      - node
      - -e
      - |
        let status = 200
        require('http').createServer((request, response) => {
          if (request.url === '/ill') status = 500
          response.writeHead(status).end()
        }).listen(8080)
`
const BREAK = ['node', '-e', "fetch('http://127.0.0.1:8080/ill')"]

await t.test('Postern included in a project looks after its services', { timeout: 300_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-deploy-'))
  const project = join(directory, 'shop')
  symlinkSync(resolve('.'), join(directory, 'postern'))
  await run('mkdir', ['-p', project])
  writeFileSync(join(project, 'compose.yaml'), included)
  writeFileSync(join(project, 'compose.override.yaml'), WEB)
  const env = {
    CHECK_INTERVAL: '1',
    START_PERIOD: '5',
    HEALER_PORT: `${await freePort()}`,
    SAMPLE_APP_PORT: `${await freePort()}`,
  }
  const sh = (command: string) => run('sh', ['-c', `cd ${project} && ${command}`], env)
  t.teardown(async () => {
    await sh('docker compose down --volumes --timeout 1')
    rmSync(directory, { recursive: true })
  })
  const [up = '', check = ''] = commands
  await sh(up)
  const said = (words: string) =>
    waitFor(words, async () => (await docker('logs', `${basename(project)}-healer-1`)).includes(words))
  await said('shop-web-1 — healthy')
  t.match(await sh(check), /shop-web-1 \(monitored=true, running\)\n {2}probe: http :8080\/health at /)
  await docker('exec', 'shop-web-1', ...BREAK)
  await said('shop-web-1 — recovered')
})

await t.test('one Postern for several projects, on the networks that a file names', { timeout: 300_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-deploy-'))
  const [file, names] = [join(directory, 'networks.yaml'), ['shop_default', 'blog_default']]
  writeFileSync(file, networks)
  t.ok(commands.includes('docker compose -f compose/compose.yaml -f networks.yaml up --detach --build proxy healer'))
  for (const name of names) await docker('network', 'create', name)
  const script = WEB.slice(WEB.indexOf('let status')).replaceAll(/^ {8}/gm, '')
  const stack = await bringUp(t, ['proxy', 'healer'], {}, file)
  t.teardown(async () => {
    await docker('rm', '--force', ...names)
    await stack.compose('down', '--volumes', '--timeout', '1')
    for (const name of names) await docker('network', 'rm', name)
    rmSync(directory, { recursive: true })
  })
  const labels = ['--label', 'monitored=true', '--label', 'healer.port=8080']
  for (const name of names)
    await docker(
      'run',
      '--detach',
      '--init',
      '--name',
      name,
      '--network',
      name,
      ...labels,
      'node:24-bookworm-slim',
      'node',
      '-e',
      script,
    )
  for (const name of names) await stack.said(`${name} — healthy`)

  await t.test('whose probes are exported for Kubernetes, and those of a compose file', async (t) => {
    writeFileSync(join(directory, 'compose.yaml'), exported)
    const [running = '', file = ''] = commands.filter((command) => command.endsWith(' > probes.yaml'))
    const stdout = (command: string) =>
      run('sh', [
        '-c',
        `cd ${directory} && ${command.replace(' > probes.yaml', '').replace('compose/compose.yaml', resolve('compose/compose.yaml'))}`,
      ])
    t.match(await stdout(running), /name: shop-default\n/)
    t.match(await stdout(file), /^# shop\/web\n# {3}healer.contains /m)
  })
})

await t.test('what a swarm reads of the stack, of the secrets beside it, and of a service that joins it', async (t) => {
  const directory = t.testdir({ 'told.yaml': secrets, 'shop.yaml': task })
  const read = (...files: readonly string[]) =>
    run('docker', ['stack', 'config', ...files.flatMap((file) => ['--compose-file', file])], {
      POSTERN_IMAGES: 'registry.example.com/postern',
    })
  const both = await read('compose/stack.yaml', join(directory, 'told.yaml'))
  t.match(both, /SLACK_WEBHOOK_URL_FILE: \/run\/secrets\/slack-webhook-url/)
  t.match(both, /image: registry\.example\.com\/postern-healer:/)
  t.match(await read(join(directory, 'shop.yaml')), /monitored: "true"/)
})
