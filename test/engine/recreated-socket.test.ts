// The Engine's socket is made anew under the proxy's mount, as when the Engine is replaced while containers stay up: the mount keeps
// the old one, which refuses. The proxy ends, its restart policy mounts the new one, and healing goes on.
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { bringUp, docker, inspect, waitFor } from './support/composition.ts'

const ENGINE = '/var/run/docker.sock'

/** A socket at `path` behind which is the Engine; closes with all its connections. */
async function forward(path: string): Promise<() => Promise<void>> {
  const server = createServer((client) => {
    const engine = connect(ENGINE)
    client.pipe(engine).pipe(client)
    for (const socket of [client, engine]) socket.on('error', () => [client, engine].map((each) => each.destroy()))
    ends.add(() => [client, engine].map((each) => each.destroy()))
  })
  const ends = new Set<() => void>()
  await new Promise<void>((resolve) => server.listen({ path, readableAll: true, writableAll: true }, resolve))
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      for (const end of ends) end()
    })
}

await t.test('a socket that was made anew is mounted anew', { timeout: 580_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'postern-engine-'))
  const socket = join(directory, 'engine.sock')
  let close = await forward(socket)
  t.teardown(async () => {
    await close()
    rmSync(directory, { recursive: true })
  })
  const stack = await bringUp(t, ['proxy', 'healer', 'sample-app'], { DOCKER_SOCKET: socket })
  await stack.said('sample-app — healthy')
  const proxy = (await stack.compose('ps', '-q', 'proxy')).trim()
  const before = await inspect(proxy)

  await close()
  close = await forward(socket)
  await waitFor('the proxy to be started anew', async () => (await inspect(proxy)).State.StartedAt !== before.State.StartedAt)
  t.match(await docker('logs', proxy), "the Engine's socket has refused every connection for")
  t.ok((await inspect(proxy)).RestartCount > 0, 'by its restart policy')

  const since = (await stack.healerLog()).length
  await stack.app('POST', '/break')
  await stack.said('recovered: healthy', since)
  t.equal((await stack.app('GET', '/health')).status, 200, 'the app is well again')
  const restarts = (await stack.audit()).filter(
    ({ operation, verdict }) => operation === 'ContainerRestart' && verdict === 'allow',
  )
  t.match(restarts, [{ target: { name: 'sample-app' } }], 'by one restart through the proxy that was started anew')
})
