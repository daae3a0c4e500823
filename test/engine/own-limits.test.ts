// Proxy and healer at the limits of their own containers: what is ill is healed all the same, once, and on record. What takes up the room is
// let in by the operator, as a command run in a container is.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { bringUp, docker, inspect, waitFor } from './support/composition.ts'

const PROGRAMS = [
  { service: 'proxy', user: '10001:10001' },
  { service: 'healer', user: '10002:10002' },
] as const

/** Holds its places until its input ends. */
const STAY = 'process.stdin.resume()'
/** Takes memory until the kernel ends somebody for it: by preference the program, its whole container with it. */
const EAT = `
fs.writeFileSync('/proc/1/oom_score_adj', '1000')
const eaten = []
setInterval(() => eaten.push(Buffer.alloc(4 << 20, 1)))`

await t.test('at the limits of their own containers', { timeout: 580_000 }, async (t) => {
  const stack = await bringUp(t, ['proxy', 'healer', 'sample-app'])
  await stack.said('sample-app — healthy')
  const idOf = async (service: string) => (await stack.compose('ps', '-q', service)).trim()
  const starts = async (since: number) => {
    const range = ['--since', `${since / 1000}`, '--until', `${Date.now() / 1000}`]
    const events = await docker('events', ...range, '--filter', 'container=sample-app', '--filter', 'event=start')
    return events.split('\n').filter((line) => line !== '').length
  }

  for (const { service, user } of PROGRAMS) {
    const id = await idOf(service)
    const within = (script: string) => spawn('docker', ['exec', '--interactive', '--user', user, id, 'node', '-e', script])

    await t.test(`no more processes in the ${service}'s: it heals, and is healthy once there is room`, async (t) => {
      const [before, since, sinceMs] = [await inspect(id), (await stack.healerLog()).length, Date.now()]
      const staying: ReturnType<typeof within>[] = []
      const leave = () => staying.map(({ stdin }) => stdin.on('error', () => 'it has ended').end())
      t.teardown(leave)
      // Each takes seven places or more, of 64; one after the other, for at its start it takes more.
      await waitFor('no room for the health check', async () => {
        staying.push(within(STAY))
        await new Promise((resolve) => setTimeout(resolve, 1000))
        return ((await inspect(id)).State.Health?.FailingStreak ?? 0) > 0
      })

      await stack.app('POST', '/break')
      await stack.said('sample-app — recovered: healthy', since)
      t.equal(await starts(sinceMs), 1)
      leave()
      await waitFor('it to be healthy', async () => (await inspect(id)).State.Health?.Status === 'healthy')
      t.equal((await inspect(id)).State.StartedAt, before.State.StartedAt)
    })

    await t.test(`no more memory in the ${service}'s: it is ended and started anew, and heals`, async (t) => {
      const [before, since, sinceMs] = [await inspect(id), (await stack.healerLog()).length, Date.now()]
      const eater = within(EAT)
      await stack.app('POST', '/break')
      await once(eater, 'exit')
      await waitFor('a new start', async () => (await inspect(id)).State.StartedAt !== before.State.StartedAt)
      t.equal((await inspect(id)).RestartCount, before.RestartCount + 1, 'by its restart policy')
      await stack.said('sample-app — recovered: healthy', since)
      t.equal((await stack.app('GET', '/health')).status, 200)
      await waitFor('it to be healthy', async () => (await inspect(id)).State.Health?.Status === 'healthy')
      t.equal(await starts(sinceMs), 1, 'the app is restarted once')
    })
  }

  const allowed = (await stack.audit()).filter(
    ({ operation, verdict }) => operation === 'ContainerRestart' && verdict === 'allow',
  )
  t.ok(allowed.length >= 4, 'each restart is on record')
  const verified = ['exec', '-T', '--user', '10001:10001', 'proxy', 'node', '/app/proxy.mjs', 'audit', 'verify']
  t.match(await stack.compose(...verified, '/var/log/postern/audit.jsonl'), /lines, 1 to \d+, .*, known by sha256:/)
})
