// The main job, on a real Engine, as a person would do it: the sample app is broken in each way, and the healer heals it.
import t, { type Test } from 'tap'
import { startBrowser, withoutBrowser } from '../support/browser.ts'
import { bringUp, inspect, waitFor } from './support/composition.ts'

await t.test('a healing run', { timeout: 580_000 }, async (t) => {
  const stack = await bringUp(t, ['proxy', 'healer', 'sample-app'])
  await stack.said('sample-app — healthy: answered 200')

  await t.test('mode=error: counted, restarted, verified, and on record exactly once', async (t) => {
    const { StartedAt } = (await inspect('sample-app')).State
    t.match(await (await stack.app('POST', '/break')).json(), { message: 'The app is now unhealthy' })
    await stack.said('sample-app — recovered: healthy')
    const said = (await stack.healerLog()).map(({ msg }) => msg).filter((msg) => msg.includes('sample-app'))
    // A probe may come before the app listens again.
    const words = said.filter((msg, i) => i < 3 || !msg.includes(' — starting: '))
    t.match(words, [
      'watching 1: sample-app',
      'sample-app — probing by http :8080/health',
      /./,
      'sample-app — unhealthy (1/3): answered 503',
      'sample-app — unhealthy (2/3): answered 503',
      'sample-app — unhealthy (3/3): answered 503',
      'RESTARTING sample-app — failed 3 consecutive health checks',
      /^Successfully restarted: sample-app/,
      /^sample-app — recovered: healthy [\d.]+ s after the restart, [\d.]+ s after the first failed check$/,
    ])
    t.not((await inspect('sample-app')).State.StartedAt, StartedAt)

    const audit = await stack.audit()
    const restarts = audit.filter(({ event, operation }) => event === 'decision' && operation === 'ContainerRestart')
    t.match(restarts, [{ verdict: 'allow', client: 'healer', target: { name: 'sample-app', state: 'running' } }])
    t.equal(restarts.length, 1)
    t.match(
      audit.filter(({ event, of }) => event === 'outcome' && of === restarts[0]?.seq),
      [{ status: 204 }],
    )
  })

  for (const [mode, reason] of [
    ['hang', 'no answer within 1 s'],
    ['stubborn', 'answered 503'],
  ] as const) {
    const seen = mode === 'stubborn' && withoutBrowser === false ? await watchPage(t, stack.ports.healer) : undefined
    await t.test(`mode=${mode}: restarted and verified`, async (t) => {
      const since = (await stack.healerLog()).length
      await stack.app('POST', `/break?mode=${mode}`)
      await stack.said('sample-app — recovered: healthy', since)
      const words = (await stack.healerLog()).slice(since).map(({ msg }) => msg)
      t.ok(words.includes(`sample-app — unhealthy (3/3): ${reason}`), words.join('\n'))
      t.equal(words.filter((msg) => msg.startsWith('Successfully restarted: sample-app')).length, 1)
      t.equal((await stack.app('GET', '/health')).status, 200)
      // It takes its whole grace to stop, so nobody who looks can miss it.
      if (seen) t.match((await seen()).join(' '), /healthy.* restarting .*healthy$/)
    })
  }

  await t.test('mode=crash: Docker brings it back, and the healer does not restart on top', async (t) => {
    const since = (await stack.healerLog()).length
    await stack.app('POST', '/break?mode=crash')
    await stack.said("sample-app — restarted by Docker's own restart policy", since)
    await stack.said('sample-app — healthy', since)
    const words = (await stack.healerLog()).slice(since).map(({ msg }) => msg)
    t.notOk(
      words.some((msg) => msg.startsWith('RESTARTING')),
      words.join('\n'),
    )
    t.equal((await inspect('sample-app')).RestartCount, 1, 'by Docker, once')
  })

  await t.test('what people see: the page, metrics, health', async (t) => {
    const base = `http://127.0.0.1:${stack.ports.healer}`
    t.match(await (await fetch(`${base}/`)).text(), /sample-app/)
    const metrics = await (await fetch(`${base}/metrics`)).text()
    t.match(metrics, /^postern_healer_restarts_total\{container="sample-app",outcome="restarted"\} 3$/m)
    t.match(metrics, /^postern_healer_recoveries_total\{container="sample-app"\} 3$/m)
    t.equal((await fetch(`${base}/healthz`)).status, 200)
    t.equal((await fetch(`${base}/readyz`)).status, 200)
    await waitFor('both health checks to pass', async () => {
      const states = await stack.compose('ps', '--format', '{{.Service}} {{.Health}}')
      return states.includes('proxy healthy') && states.includes('healer healthy')
    })
  })

  await t.test('both stop on SIGTERM, at once and clean', async (t) => {
    await stack.compose('stop', '--timeout', '10', 'healer', 'proxy')
    t.match(await stack.compose('ps', '--all', '--format', '{{.Service}} {{.ExitCode}}'), /healer 0\n.*proxy 0/s)
  })
})

await t.test('DRY_RUN=true says what it would have done and does not', { timeout: 580_000 }, async (t) => {
  const stack = await bringUp(t, ['proxy', 'healer', 'sample-app'], { DRY_RUN: 'true' })
  await stack.said('sample-app — healthy: answered 200')
  const { StartedAt } = (await inspect('sample-app')).State
  await stack.app('POST', '/break')
  await stack.said('DRY RUN: would restart sample-app — failed 3 consecutive health checks')
  await new Promise((resolve) => setTimeout(resolve, 3000))
  t.equal((await inspect('sample-app')).State.StartedAt, StartedAt)
  t.same(
    (await stack.audit()).filter(({ operation }) => operation === 'ContainerRestart'),
    [],
  )
  t.equal((await stack.healerLog()).filter(({ msg }) => msg.startsWith('DRY RUN')).length, 1)
})

/** Opens the status page in a browser. Gives all that the sample app was on it since, once it is healthy and its incident has ended there. */
async function watchPage(t: Test, port: number): Promise<() => Promise<readonly string[]>> {
  const page = await (await startBrowser(t)).newPage()
  await page.goto(`http://127.0.0.1:${port}`)
  await page.locator('#live[data-state="live"]').waitFor()
  await page.evaluate(() => {
    const row = document.querySelector<HTMLElement>('#containers > li[data-name="sample-app"]')
    const seen = [row?.dataset.standing]
    Object.assign(window, { seen })
    if (row) new MutationObserver(() => seen.push(row.dataset.standing)).observe(row, { attributeFilter: ['data-standing'] })
  })
  return async () => {
    await page.locator('#containers > li[data-standing="healthy"]').waitFor()
    await page.locator('#incidents > li').first().and(page.locator('[data-state="ended"]')).waitFor()
    return page.evaluate(() => (window as unknown as { seen: string[] }).seen)
  }
}
