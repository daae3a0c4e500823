// Containers of other people's compose projects: each heals after one label. And one whose restart fails.
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { bringUp, docker, inspect, run, waitFor } from './support/composition.ts'

const WORKER = `
name: someones-worker
services:
  worker:
    image: node:24-bookworm-slim
    init: true
    command: [sleep, infinity]
    labels: { monitored: "true" }
    tmpfs: [/tmp]
    healthcheck:
      test: [CMD, node, -e, "process.exit(require('fs').existsSync('/tmp/ill') ? 1 : 0)"]
      interval: 1s
      retries: 2
    networks: [own]
networks:
  own:
`

const WEB = `
name: someones-web
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
        }).listen(3000)
    expose: ["3000"]
    labels: { monitored: "true" }
    networks: [shared]
networks:
  shared: { name: postern-test-shared, external: true }
`

await t.test('containers of other projects', { timeout: 580_000 }, async (t) => {
  const directory = t.testdir({ 'worker.yaml': WORKER, 'web.yaml': WEB, mounted: 'x' })
  const project = (file: string, ...args: string[]) => run('docker', ['compose', '-f', join(directory, file), ...args])
  await docker('network', 'create', 'postern-test-shared')
  const stack = await bringUp(t, ['proxy', 'healer'])
  // All in one place, for the order matters: a network goes when nobody is on it any more.
  t.teardown(async () => {
    await docker('rm', '--force', 'postern-test-mount')
    for (const name of ['someones-worker', 'someones-web'])
      await docker('compose', '--project-name', name, 'down', '--timeout', '0')
    await stack.compose('down', '--volumes', '--timeout', '1')
    await docker('network', 'rm', 'postern-test-shared')
  })
  await stack.said('no container is labelled monitored=true or autoheal=true')

  await t.test('one with only a HEALTHCHECK and a network of its own, started while all runs', async (t) => {
    await project('worker.yaml', 'up', '--detach')
    const name = 'someones-worker-worker-1'
    await stack.said(`${name} — probing by docker`)
    await stack.said(`${name} — healthy: the container's own health check passes`)
    await docker('exec', name, 'touch', '/tmp/ill')
    await stack.said(`${name} — recovered: healthy`)
    const words = (await stack.healerLog()).map(({ msg }) => msg)
    t.ok(words.includes(`RESTARTING ${name} — failed 1 consecutive health check`), words.join('\n'))
  })

  await t.test('one answering HTTP on an external network, once the healer has joined that', async (t) => {
    await project('web.yaml', 'up', '--detach')
    const name = 'someones-web-web-1'
    await stack.said(`${name} — unknown: no network shared with the healer; join the healer to \`postern-test-shared\``)
    await docker('network', 'connect', 'postern-test-shared', 'postern-healer-1')
    await stack.said(`${name} — healthy: answered 200`)
    await docker('exec', name, 'node', '-e', "fetch('http://127.0.0.1:3000/ill')")
    await stack.said(`${name} — recovered: healthy`)
    t.equal(
      (await stack.audit()).filter(
        ({ event, target, operation }) => event === 'decision' && operation === 'ContainerRestart' && target?.name === name,
      ).length,
      1,
    )
  })

  await t.test('one whose restart fails is tried again with pauses, told once, and healed when it can start', async (t) => {
    const mounted = join(directory, 'mounted')
    const mount = `type=bind,source=${mounted},target=/mounted,readonly`
    const health = ['--health-cmd', 'test ! -e /tmp/ill', '--health-interval', '1s', '--health-retries', '1']
    await docker(
      'run',
      '--detach',
      '--init',
      '--name',
      'postern-test-mount',
      '--label',
      'autoheal=true',
      '--tmpfs',
      '/tmp',
      '--mount',
      mount,
      ...health,
      'node:24-bookworm-slim',
      'sleep',
      'infinity',
    )
    await stack.said('postern-test-mount — healthy')
    rmSync(mounted)
    await docker('exec', 'postern-test-mount', 'touch', '/tmp/ill')
    await stack.said('Failed to restart postern-test-mount (attempt 2 of 5)')
    t.equal((await inspect('postern-test-mount')).State.Status, 'exited')
    writeFileSync(mounted, 'x')
    await stack.said('postern-test-mount — recovered: healthy')
    await waitFor('it to run', async () => (await inspect('postern-test-mount')).State.Status === 'running')
    const audit = (await stack.audit()).filter(
      ({ target, operation }) => operation === 'ContainerRestart' && target?.name === 'postern-test-mount',
    )
    t.ok(audit.length >= 3 && audit.length <= 5, `${audit.length} restarts on record`)
    t.match(await stack.logs('proxy'), /no such file or directory/, 'the Engine’s words are in the proxy’s log')
    t.notMatch(await stack.logs('healer'), /no such file or directory/, 'and go no further')
  })
})
