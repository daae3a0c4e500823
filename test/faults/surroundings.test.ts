// What healing depends on goes away while it heals: the socket that healer and proxy share, those who are told, the time of day. What is ill is
// healed once, and nothing is lost. And what no restart mends, or not for long, is given up on. The programs as they ship, on the embedded engine.
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { waitFor } from '../engine/support/composition.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { allWell, checkWhole, follow } from './support/follow.ts'
import { startStage } from './support/stage.ts'

const SHIM = new URL('./support/shifted-clock.mjs', import.meta.url).pathname
const HOUR_MS = 3_600_000

await t.test('the shared socket, and those who are told', { timeout: 580_000 }, async (t) => {
  const stage = await startStage({ apps: ['a', 'b', 'c', 'd', 'e'].map((name) => ({ name })) })
  t.teardown(stage.end)
  const { mark, said, told, events, restarts } = follow(stage)
  await allWell(stage)
  const slack = (name: string) => stage.receiver.texts().filter((text) => new RegExp(`\\b${name} (failed|is healthy)`).test(text))

  await t.test('the socket is removed: the proxy ends, is started anew, and heals', async (t) => {
    rmSync(join(stage.directory, 'shared/proxy.sock'))
    stage.app('a').fail()
    t.match(await stage.proxy.ended(), { code: 1 })
    t.match(stage.proxy.stray(), /^postern-proxy: the socket \S+ was removed from under the proxy; [^\n]+\n$/)
    await stage.proxy.start()
    await told('a', 'recovered')
    t.equal(stage.app('a').starts(), 2)
    t.same(
      restarts('a').map(({ statuses }) => statuses),
      [[204]],
    )
    t.same(
      events('a').filter((event) => event !== 'held'),
      ['restarted', 'recovered'],
    )
  })

  for (const [name, how] of [
    ['b', 'gone'],
    ['c', 'silent'],
  ] as const) {
    await t.test(
      `those who are told are ${how}: healing goes on, and what happened is told once they are back, once`,
      async (t) => {
        const since = mark()
        await stage.receiver.fail(how)
        stage.app(name).fail()
        await said(`${name} — recovered`, since)
        await said('slack could not be told', since)
        t.same([events(name), slack(name)], [[], []])
        // Not even a healer that is killed meanwhile forgets it.
        await stage.healer.kill()
        await stage.healer.start()
        await stage.receiver.recover()
        await told(name, 'recovered')
        await waitFor('Slack to be told', async () => slack(name).length > 0)
        t.same(events(name), ['restarted', 'recovered'])
        t.equal(slack(name).length, 1, 'both in one message')
        t.equal(stage.app(name).starts(), 2)
      },
    )
  }

  t.equal(stage.app('e').starts(), 1, 'what is well was left alone')
  t.match(await stage.verify(), /[1-9]\d* seals/)
})

await t.test('an hour forward, and an hour back', { timeout: 580_000 }, async (t) => {
  const file = join(clockDirectory(t), 'clock')
  writeFileSync(file, '0')
  const stage = await startStage({
    apps: ['ahead', 'back', 'spent', 'other'].map((name) => ({ name })),
    budget: '{ container: 1 per 10m, client: 20 per 10m }',
    nodeFlags: ['--import', SHIM],
    partEnv: { SHIFTED_CLOCK: file },
  })
  t.teardown(stage.end)
  const { mark, said, told, events, restarts } = follow(stage)
  await allWell(stage)
  /** As when the machine's clock is set: both programs see it at once. */
  const shift = (ms: number) => {
    writeFileSync(file, String(ms))
    for (const part of [stage.healer, stage.proxy]) part.signal('SIGUSR2')
  }
  for (const [name, ms] of [
    ['ahead', HOUR_MS],
    ['back', -HOUR_MS],
  ] as const) {
    await t.test(`the clock is set ${name} while a container fails: it is healed once`, async (t) => {
      const since = mark()
      stage.app(name).fail()
      await said(`${name} — unhealthy (1/2)`, since)
      shift(ms)
      await told(name, 'recovered')
      t.equal(stage.app(name).starts(), 2)
      const [restart] = restarts(name)
      t.ok(
        Math.abs(Date.parse(String(restart?.line.time)) - Date.now() - ms) < HOUR_MS / 2,
        'on record by the clock as it was set',
      )
      t.same(events(name), ['restarted', 'recovered'])
    })
  }

  await t.test('set back, it refills no budget', async (t) => {
    shift(0)
    stage.app('spent').fail()
    await told('spent', 'recovered')
    shift(-HOUR_MS)
    const since = mark()
    stage.app('spent').fail()
    await said('spent — not restarted (budget)', since)
    t.equal(stage.app('spent').starts(), 2)
    shift(HOUR_MS)
    // It asks again in a minute; one that is started anew asks at once.
    await stage.healer.kill()
    await stage.healer.start()
    await said('spent — recovered', since)
    t.equal(stage.app('spent').starts(), 3, 'and once its window has passed, there is a restart more')
  })
  t.equal(stage.app('other').starts(), 1, 'what is well was left alone')
  await checkWhole(t, stage)
})

await t.test('what no restart mends, and what it mends for a moment', { timeout: 580_000 }, async (t) => {
  const lost = { 'healer.arm': 'immediately', 'healer.retries': '1', 'healer.start_period': '1s' }
  const stage = await startStage({
    apps: [
      { name: 'incurable', labels: lost, incurable: true },
      { name: 'flaps' },
      { name: 'well' },
      { name: 'well-too' },
      { name: 'and-this' },
    ],
    env: () => ({ MAX_RESTARTS: '3' }),
  })
  t.teardown(stage.end)
  const { told, times, events, restarts } = follow(stage)
  for (const nth of [1, 2, 3]) {
    await waitFor(`flaps to be well, the ${nth}. time`, async () => times('flaps — healthy') + times('flaps — recovered') >= nth)
    stage.app('flaps').fail()
  }
  await waitFor('flaps to be well, for the last time', async () => times('flaps — recovered') === 3)
  stage.app('flaps').fail()
  for (const name of ['flaps', 'incurable']) {
    await told(name, 'gave-up')
    const starts = stage.app(name).starts()
    await new Promise((resolve) => setTimeout(resolve, 3000))
    t.same([starts, stage.app(name).starts()], [4, 4], `${name} was restarted three times, and no more`)
    t.equal(restarts(name).length, 3)
    t.equal(times(`${name} — gave up`), 1)
    t.equal(events(name).filter((event) => event === 'gave-up').length, 1, 'people are told once')
  }
  t.equal(events('flaps').filter((event) => event === 'recovered').length, 3, 'each recovery was told')
  for (const name of ['well', 'well-too', 'and-this']) t.equal(stage.app(name).starts(), 1)
  await checkWhole(t, stage)
})

function clockDirectory(owner: { readonly teardown: (end: () => unknown) => void }): string {
  const directory = temporaryDirectory(owner)
  chmodSync(directory, 0o755)
  return directory
}
