// The embedded engine keeps the contract, and refuses by name what it does not do.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { Client } from 'undici'
import { createEngineServer } from '../../compose/embedded/engine-api.ts'
import { ProcessContainer } from '../../compose/embedded/process-container.ts'
import { engineContract, type World } from './support/contract.ts'

await t.test('the embedded engine', { timeout: 580_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-contract-'))
  const containers = new Map<string, ProcessContainer>()
  const server = createEngineServer(() => [...containers.values()])
  const socketPath = join(directory, 'engine.sock')
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  const named = (name: string) => {
    const container = containers.get(name)
    if (!container) throw new Error(`there is no ${name}`)
    return container
  }
  const remove = async (name: string) => {
    const container = containers.get(name)
    containers.delete(name)
    await container?.stop(0)
  }
  t.teardown(async () => {
    await Promise.all([...containers.keys()].map(remove))
    server.closeAllConnections()
    server.close()
    rmSync(directory, { recursive: true, force: true })
  })
  const world: World = {
    socketPath,
    remove,
    async run({ name, labels = {}, script = '', health, restart = 'no' }) {
      const cwd = join(directory, name)
      mkdirSync(cwd)
      const check = {
        command: [process.execPath, '-e', health ?? ''],
        intervalMs: 1000,
        timeoutMs: 5000,
        retries: 2,
        startPeriodMs: 0,
        startIntervalMs: 1000,
      }
      const container = new ProcessContainer(
        {
          name,
          labels,
          image: 'none',
          command: [process.execPath, '-e', script],
          env: { ILL: join(cwd, 'ill') },
          cwd,
          tcpPorts: [],
          mounts: [],
          network: 'none_default',
          restart,
          stopTimeoutMs: 1000,
          healthcheck: health === undefined ? undefined : check,
        },
        () => undefined,
      )
      containers.set(name, container)
      await container.start()
    },
    signal: async (name, signal) => named(name).signal(signal),
    stop: (name) => named(name).stop(),
    breakStart: async (name) => rmSync(named(name).spec.cwd, { recursive: true }),
  }
  await engineContract(t, world)

  await t.test('refuses by name what it does not do', async (t) => {
    const client = new Client('http://engine', { socketPath })
    t.teardown(() => client.destroy())
    for (const [method, path] of [
      ['POST', '/containers/create'],
      ['GET', '/v1.45/info'],
      ['DELETE', '/containers/pc-web'],
      ['GET', '/containers/pc-web/restart'],
    ] as const) {
      const { statusCode, body } = await client.request({ method, path })
      t.equal(statusCode, 501)
      t.same(await body.json(), {
        message: `the embedded engine does not do ${method} ${path.replace('/v1.45', '')}; it is for trying Postern without Docker`,
      })
    }
  })
})
