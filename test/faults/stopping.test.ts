// SIGTERM at any moment, to the healer and to the proxy: each ends by itself, and started again it heals what was ill, once. The programs as they
// ship, on the embedded engine. What goes on through the proxy, such as streams, is for test/proxy/stopping.test.ts.
import t from 'tap'
import { waitFor } from '../engine/support/composition.ts'
import { allWell, checkWhole, follow } from './support/follow.ts'
import type { Part } from './support/part.ts'
import { startStage } from './support/stage.ts'

/** A bound on what hangs: Docker's own patience is 10 seconds, and a slow machine has its share. */
const PATIENCE_MS = 60_000

async function stop(part: Part) {
  part.signal('SIGTERM')
  let timer: NodeJS.Timeout | undefined
  const hangs = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`the ${part.name} does not end`)), PATIENCE_MS)
  })
  return Promise.race([part.ended(), hangs]).finally(() => clearTimeout(timer))
}

await t.test('SIGTERM', { timeout: 580_000 }, async (t) => {
  const stage = await startStage({ apps: ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name })) })
  t.teardown(stage.end)
  const { mark, said, told, restarts } = follow(stage)
  await allWell(stage)

  for (const part of [stage.healer, stage.proxy]) {
    await t.test(`to the ${part.name} while it starts, however far it has come`, async (t) => {
      await stop(part)
      for (const afterMs of [0, 120, 350, 800]) {
        part.spawn()
        await new Promise((resolve) => setTimeout(resolve, afterMs))
        const { code, signal } = await stop(part)
        // Before it listens to signals it ends as any program does.
        t.ok(code === 0 || signal === 'SIGTERM', `after ${afterMs} ms: ${code ?? signal}`)
      }
      await part.start()
    })
  }

  await t.test('to the healer while a restart is under way: the Engine finishes it, and it is told of', async (t) => {
    const held = stage.engine.hold('requests')
    stage.app('a').fail()
    await held
    t.match(await stop(stage.healer), { code: 0 })
    stage.engine.release()
    await stage.healer.start()
    await told('a', 'restarted')
    await told('a', 'recovered')
    t.equal(stage.app('a').starts(), 2)
  })

  await t.test('to the healer while nobody takes what it tells', async (t) => {
    const since = mark()
    await stage.receiver.fail('silent')
    stage.app('b').fail()
    await said('b — recovered', since)
    await waitFor('it to tell', async () => stage.receiver.ignored() > 0)
    t.match(await stop(stage.healer), { code: 0 })
    await stage.receiver.recover()
    await stage.healer.start()
    await told('b', 'recovered')
    t.equal(stage.app('b').starts(), 2)
  })

  await t.test('to the healer while nobody answers at the proxy’s socket', async (t) => {
    await stage.shared.close()
    await said('Probing goes on; restarts wait', mark())
    t.match(await stop(stage.healer), { code: 0 })
    await stage.shared.open()
    await stage.healer.start()
  })

  await t.test('to the proxy while the Engine restarts: the answer is waited for, and recorded', async (t) => {
    const held = stage.engine.hold('answers')
    stage.app('c').fail()
    await held
    const ended = stop(stage.proxy)
    await waitFor('it to hear', async () => stage.proxy.log().some(({ msg }) => msg === 'SIGTERM: stopping'))
    stage.engine.release()
    t.match(await ended, { code: 0 })
    t.same(
      restarts('c').map(({ statuses }) => statuses),
      [[204]],
    )
    await stage.proxy.start()
    await told('c', 'recovered')
    t.equal(stage.app('c').starts(), 2)
  })

  await t.test(
    'to the proxy while the Engine does not answer: it ends all the same, and what it owes is on record',
    async (t) => {
      const held = stage.engine.hold('requests')
      stage.app('d').fail()
      await held
      t.match(await stop(stage.proxy), { code: 0 })
      t.match(
        restarts('d').map(({ statuses }) => statuses),
        [[502]],
      )
      stage.engine.release()
      await stage.proxy.start()
      await told('d', 'recovered')
      t.equal(stage.app('d').starts(), 2)
    },
  )

  t.equal(stage.app('e').starts(), 1, 'what is well was left alone')
  await checkWhole(t, stage)
})
