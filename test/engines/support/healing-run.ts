// A healing run on one engine: what falls ill is restarted exactly once, and is well again; and the log of it holds.
import type { Test } from 'tap'
import { waitFor } from '../../engine/support/composition.ts'
import { HEALTHCHECK, inspect, makeIll, runHealthChecks, startContainer } from './containers.ts'
import { type Postern, startHealer } from './postern.ts'

const PROBES = { sick: 'docker', web: 'http :8080/', provider: 'http :8080/', sharer: 'http :9090/' }
const ILL = { sick: /the container's own health check failed \d+ times in a row/, web: /answered 503/ }

export async function checkHealing(t: Test, postern: Postern): Promise<void> {
  const { engine } = postern
  await startPatients(postern)
  runHealthChecks(t, engine, 'sick')
  const { log } = await startHealer(engine)
  /** What the healer said of `name`. */
  const told = async (name: string) => (await log()).map(({ msg }) => msg).filter((msg) => msg.includes(name))
  const said = async (name: string, words: string) => {
    const found = waitFor(words, async () => (await told(name)).some((msg) => msg.startsWith(words)))
    await found.catch(async (error) => {
      throw new Error(`${error.message}; the healer said: ${(await told('')).join('\n')}`)
    })
  }

  await t.test('each container is probed as its labels and its HEALTHCHECK say', { timeout: 580_000 }, async (t) => {
    for (const [name, probe] of Object.entries(PROBES)) {
      await said(name, `${name} — healthy`)
      t.match((await told(name)).join('\n'), `${name} — probing by ${probe}`)
    }
  })

  for (const [name, finding] of Object.entries(ILL)) {
    await t.test(`${name} is restarted, and well again`, { timeout: 580_000 }, async (t) => {
      const before = await inspect(engine, name)
      await makeIll(engine, name)
      await said(name, `${name} — recovered: healthy`)
      t.match((await told(name)).join('\n'), finding)
      const after = await inspect(engine, name)
      t.equal(after.Id, before.Id)
      t.ok(after.State.StartedAt > before.State.StartedAt)
      t.match(await engine.docker('logs', name), 'stopped in peace')
    })
  }

  await t.test('each of them once, nothing else, and all of it on the record', { timeout: 580_000 }, async (t) => {
    // Long enough for another restart, if one were to follow.
    await new Promise((resolve) => setTimeout(resolve, 5000))
    t.match(await told('RESTARTING'), [/^RESTARTING sick/, /^RESTARTING web/])
    t.equal((await told('RESTARTING')).length, 2)
    t.equal((await told('Successfully restarted')).length, 2)
    const audit = postern.audit()
    const restarts = audit.filter(
      ({ client, operation, target }) => client && operation === 'ContainerRestart' && isPatient(target),
    )
    t.match(restarts, [
      { event: 'decision', verdict: 'allow', target: { name: 'sick' } },
      { event: 'decision', verdict: 'allow', target: { name: 'web' } },
    ])
    t.equal(restarts.length, 2)
    for (const { seq } of restarts)
      t.match(
        audit.filter(({ event, of }) => event === 'outcome' && of === seq),
        [{ status: 204 }],
      )
    t.match(await postern.proxy('audit', 'verify', postern.auditFile), /^\d+ lines, 1 to \d+, [1-9]\d* seals/)
  })
}

const isPatient = (target: { readonly name: string } | undefined) => Object.keys(PROBES).includes(target?.name ?? '')

async function startPatients({ engine }: Postern): Promise<void> {
  const monitored = { monitored: 'true', 'healer.path': '/' }
  await Promise.all([
    // Used up by the checks of the policy.
    engine.docker('rm', '--force', 'seen', 'over'),
    startContainer(engine, 'sick', { labels: { monitored: 'true' }, options: HEALTHCHECK }),
    ...['web', 'provider'].map((name) => startContainer(engine, name, { labels: { ...monitored, 'healer.port': '8080' } })),
  ])
  const options = ['--network', 'container:provider']
  await startContainer(engine, 'sharer', { labels: { ...monitored, 'healer.port': '9090' }, options, port: 9090 })
}
