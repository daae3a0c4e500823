// The real Engine keeps the contract that the embedded one is held to.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { engineContract, type World } from '../compose/support/contract.ts'
import { docker } from './support/composition.ts'

const IMAGE = 'node:24-bookworm-slim'

await t.test('the real Engine', { timeout: 580_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-contract-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const world: World = {
    socketPath: (process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock').replace('unix://', ''),
    async run({ name, labels = {}, script = '', health, restart = 'no' }) {
      const mounted = join(directory, name)
      writeFileSync(mounted, '')
      const options = [
        ...['--name', name, '--restart', restart, '--stop-timeout', '1', '--env', 'ILL=/tmp/ill'],
        ...Object.entries(labels).flatMap(([label, value]) => ['--label', `${label}=${value}`]),
        ...['--mount', `type=bind,source=${mounted},target=/mounted,readonly`],
        ...(health === undefined
          ? []
          : ['--health-cmd', `node -e "${health}"`, '--health-interval', '1s', '--health-retries', '2']),
      ]
      await docker('run', '--detach', ...options, IMAGE, 'node', '-e', script)
    },
    // Not `docker kill`, which marks it as stopped by hand. Who ends the container with it is killed as well (137).
    signal: async (name, signal) => {
      await docker('exec', name, 'node', '-e', `process.kill(1, '${signal}')`).catch((error) => {
        if (error.code !== 137) throw error
      })
    },
    stop: async (name) => void (await docker('stop', '--time', '0', name)),
    remove: async (name) => void (await docker('rm', '--force', name)),
    breakStart: async (name) => rmSync(join(directory, name)),
  }
  await engineContract(t, world)
})
