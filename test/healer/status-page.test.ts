// The status page in a real browser: live, usable by keyboard and screen reader, whole without a script, and asking nothing of anywhere
// else. With PICTURES=1 it also takes the pictures of the page that are in docs/pictures.
import { mkdirSync } from 'node:fs'
import axe from 'axe-core'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { startBrowser, withoutBrowser } from '../support/browser.ts'
import { type StatusPage, startStatusPage } from './support/status-page.ts'

const METRICS = `postern_proxy_engine_up 1
postern_proxy_observing 0
postern_proxy_audit_sequence{fingerprint="sha256:3f0c9a6be51b6a2f9d5c1f42a7f5b7a1"} 1843
postern_proxy_audit_failures_total 0
postern_proxy_decisions_total{client="healer",operation="ContainerInspect",verdict="allow",rule=""} 18233
postern_proxy_decisions_total{client="healer",operation="ContainerCreate",verdict="deny",rule="operation.not-allowed"} 3
postern_proxy_budget_left{client="healer",operation="ContainerRestart",of="client"} 16
postern_proxy_budget_left{client="healer",operation="ContainerRestart",of="container"} 1
`
const PICTURES = process.env.PICTURES === '1'

type Opened = { readonly page: Page; readonly troubles: readonly string[]; readonly asked: readonly string[] }

await t.test('the status page in a browser', { skip: withoutBrowser }, async (t) => {
  const browser = await startBrowser(t)

  /** Opens the page of `served`; `troubles` are what the browser complains of, and `asked` what it asked for. */
  const open = async (
    t: Test,
    { url }: Pick<StatusPage, 'url'>,
    options: Parameters<typeof browser.newContext>[0] = {},
  ): Promise<Opened> => {
    const context = await browser.newContext(options)
    t.teardown(() => context.close())
    const page = await context.newPage()
    const troubles: string[] = []
    const asked: string[] = []
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && troubles.push(message.text()))
    page.on('pageerror', (error) => troubles.push(error.message))
    page.on('request', (request) => asked.push(request.url()))
    await page.goto(url)
    return { page, troubles, asked }
  }
  const row = (page: Page, name: string) => page.locator(`#containers > li[data-name="${name}"]`)
  const isLive = (page: Page) => page.locator('#live[data-state="live"]').waitFor()

  await t.test('it follows a container from suspect over restarting to recovered, without being loaded again', async (t) => {
    const served = await startStatusPage(t, { containers: { web: {}, api: {} }, env: { START_PERIOD: '0' } })
    const { bench, apps } = served
    const { page, troubles, asked } = await open(t, served)
    await isLive(page)
    await page.evaluate(() => document.body.setAttribute('data-loaded', 'once'))
    const web = row(page, 'web')
    await web.and(page.locator('[data-standing="healthy"]')).waitFor()
    t.equal(await page.title(), 'Postern')

    apps.get('web')?.status(503)
    await bench.clock.advance(15_000)
    await web.and(page.locator('[data-standing="suspect"]')).waitFor()
    t.match(await web.innerText(), /answered 503/)
    await page.waitForFunction(() => document.title === '(1) Postern')
    t.match(await page.locator('#attention h2').innerText(), '1 of 2 containers is ill')

    let restarted = () => {}
    const onRestart = bench.docker.onRestart
    bench.docker.onRestart = async (container) => {
      bench.clock.leap(2000)
      await new Promise<void>((resolve) => {
        restarted = resolve
      })
      apps.get('web')?.status(200)
      return onRestart(container)
    }
    const advancing = bench.clock.advance(30_000)
    await web.and(page.locator('[data-standing="restarting"]')).waitFor()
    t.match(await web.innerText(), /RESTARTING web — failed 3 consecutive health checks/)
    restarted()
    await advancing
    await bench.clock.advance(15_000)
    await web.and(page.locator('[data-standing="healthy"]')).waitFor()
    const incident = page.locator('#incidents > li').first()
    await incident.and(page.locator('[data-state="ended"]')).waitFor()
    t.match(await incident.innerText(), /web\s+lasted [\s\S]* web is healthy again: a probe saw it well/)
    t.same(await incident.locator('.steps > li').evaluateAll((steps) => steps.map((step) => step.getAttribute('data-what'))), [
      'failing',
      'restarting',
      'restarted',
      'recovered',
    ])
    t.match(await web.locator('.facts').innerText(), /Restarts\s+1, \d+ s ago/)
    t.equal(await page.title(), 'Postern')
    t.equal(await page.getAttribute('body', 'data-loaded'), 'once')
    t.same(troubles, [])
    t.same(
      asked.filter((url) => !url.startsWith(served.url)),
      [],
      'nothing of anywhere else',
    )
  })

  await t.test('times are counted, down to the next probe and up since the last restart', async (t) => {
    const served = await startStatusPage(t, { containers: { web: {} } })
    const { page } = await open(t, served)
    const next = row(page, 'web').locator('time[data-kind="until"]')
    await page.waitForFunction(() =>
      /^(in \d+ s|now)$/.test(document.querySelector('time[data-kind="until"]')?.textContent ?? ''),
    )
    const before = await next.textContent()
    await page.waitForFunction((text) => document.querySelector('time[data-kind="until"]')?.textContent !== text, before)
    t.match(await next.textContent(), /^(in \d+ s|now)$/)
    t.match(await next.getAttribute('title'), /\d/, 'the time of day is there too')
  })

  await t.test('without a script it is whole, and loads itself anew', async (t) => {
    const served = await startStatusPage(t, { containers: { web: {} }, proxyMetrics: async () => METRICS })
    const { page, troubles } = await open(t, served, { javaScriptEnabled: false })
    t.match(await row(page, 'web').innerText(), /web\s+healthy[\s\S]*answered 200[\s\S]*Next probe\s+\d\d:\d\d:\d\d UTC/)
    t.equal(await page.locator('noscript meta[http-equiv="refresh"]').count(), 1)
    t.notOk(await page.locator('#filter').isVisible(), 'what takes a script is not shown')
    await row(page, 'web').locator('summary').click()
    t.match(await row(page, 'web').locator('details').innerText(), /Probe\s+http/)
    t.match(await page.locator('#proxy').innerText(), /ContainerCreate\s+healer\s+operation\.not-allowed\s+3/)
    t.same(troubles, [])
  })

  await t.test('axe finds nothing, ill or well, light or dark, on a phone or a wide screen', async (t) => {
    const served = await startIllPage(t)
    for (const { width, colorScheme } of [
      { width: 390, colorScheme: 'dark' },
      { width: 820, colorScheme: 'light' },
      { width: 1400, colorScheme: 'dark' },
      { width: 1400, colorScheme: 'light' },
    ] as const) {
      // Past its policy, so that axe can be put into the page.
      const look = { viewport: { width, height: 1000 }, colorScheme, reducedMotion: 'reduce', bypassCSP: true } as const
      const { page } = await open(t, served, look)
      await isLive(page)
      for (const details of await page.locator('details').all()) await details.evaluate((one) => one.setAttribute('open', ''))
      await page.evaluate(axe.source)
      const { violations } = (await page.evaluate('axe.run(document, { resultTypes: ["violations"] })')) as {
        violations: { id: string; nodes: { html: string; failureSummary: string }[] }[]
      }
      t.same(
        violations.map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => `${html}: ${failureSummary}`)]),
        [],
        `${width} ${colorScheme}`,
      )
      const { scrollWidth, clientWidth } = await page.evaluate(() => ({
        scrollWidth: document.documentElement.scrollWidth,
        clientWidth: document.documentElement.clientWidth,
      }))
      t.ok(scrollWidth <= clientWidth, `nothing stands beyond ${width} pixels`)
    }
  })

  await t.test('with the keyboard alone everything is reached, and nothing is lost when the page changes', async (t) => {
    const served = await startStatusPage(t, { containers: { api: {}, web: {} } })
    const { page } = await open(t, served)
    await isLive(page)
    await page.keyboard.press('Tab')
    t.match(await page.evaluate(() => document.activeElement?.textContent), 'Skip to the containers')
    await page.keyboard.press('Enter')
    await page.keyboard.press('Tab')
    t.equal(await page.evaluate(() => document.activeElement?.getAttribute('name')), 'name')
    await page.keyboard.type('we')
    t.notOk(await row(page, 'api').isVisible())
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    const details = row(page, 'web').locator('details')
    t.equal(await details.getAttribute('open'), '')
    served.apps.get('web')?.status(503)
    await served.bench.clock.advance(15_000)
    await row(page, 'web').and(page.locator('[data-standing="suspect"]')).waitFor()
    t.equal(await details.getAttribute('open'), '', 'what was opened stays open')
    t.equal(
      await page.evaluate(() => document.activeElement?.closest('li')?.getAttribute('data-name')),
      'web',
      'the focus stays where it was',
    )
    t.notOk(await row(page, 'api').isVisible(), 'what was filtered stays so')
    await page.locator('input[name="name"]').fill('nothing like it')
    t.ok(await page.locator('#none-found').isVisible())
    await page.locator('input[name="name"]').fill('')
    await page.locator('input[name="ill"]').check()
    t.same([await row(page, 'web').isVisible(), await row(page, 'api').isVisible()], [true, false])
  })

  await t.test('what a stranger wrote becomes no element, then or later', async (t) => {
    const hostile = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
    const served = await startStatusPage(t, { containers: { [hostile]: { 'healer.retires': hostile }, web: {} } })
    const { page, troubles } = await open(t, served)
    await isLive(page)
    const app = served.apps.get(hostile)
    if (app) app.handler = (_request, response) => response.writeHead(500).end(hostile)
    await served.bench.clock.advance(15_000)
    await page.locator('#containers > li[data-standing="suspect"]').waitFor()
    t.equal(await page.locator('img, body script').count(), 0)
    t.equal(await page.locator('#containers .name').first().textContent(), hostile)
    t.equal(await page.title(), '(1) Postern')
    t.same(troubles, [])
  })

  await t.test('when the healer is heard no more it says so, and goes on when it is there again', async (t) => {
    const served = await startStatusPage(t, { containers: { web: {} } })
    const { page } = await open(t, served)
    await isLive(page)
    await page.context().setOffline(true)
    await page.route('**/events*', (route) => route.abort())
    served.hangUp()
    await page.locator('#live[data-state="lost"]').waitFor()
    t.match(await page.locator('#live').innerText(), /^no word from the healer; this is how it was at /)
    await page.unroute('**/events*')
    await page.context().setOffline(false)
    served.apps.get('web')?.status(503)
    await served.bench.clock.advance(15_000)
    await isLive(page)
    await row(page, 'web').and(page.locator('[data-standing="suspect"]')).waitFor()
  })

  await t.test('with 500 containers it has them all, follows them, and stays small', async (t) => {
    const containers = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`web-${String(i).padStart(3, '0')}`, {}]))
    const served = await startStatusPage(t, { containers, oneServer: true })
    await served.bench.clock.advance(15_000)
    const { page, troubles } = await open(t, served)
    await isLive(page)
    t.equal(await page.locator('#containers > li').count(), 500)
    const { length } = await (await served.get('/')).text()
    t.ok(length < 2_000_000, `the page has ${length} characters`)
    await page.locator('input[name="name"]').fill('web-499')
    t.same(
      await page.locator('#containers > li:visible').evaluateAll((rows) => rows.map((each) => each.getAttribute('data-name'))),
      ['web-499'],
    )
    const [before] = await row(page, 'web-499')
      .locator('.strip')
      .evaluateAll((strips) => strips.map((each) => each.getAttribute('aria-label')))
    await served.bench.clock.advance(15_000)
    await page.waitForFunction(
      (label) => document.querySelector('li[data-name="web-499"] .strip')?.getAttribute('aria-label') !== label,
      before,
    )
    t.same(troubles, [])
  })

  if (PICTURES)
    await t.test('pictures of it', async (t) => {
      const served = await startIllPage(t)
      mkdirSync('docs/pictures', { recursive: true })
      for (const [name, width, height, colorScheme] of [
        ['status-page', 1280, 1180, 'light'],
        ['status-page-dark', 1280, 1180, 'dark'],
        ['status-page-phone', 390, 1180, 'light'],
      ] as const) {
        const { page } = await open(t, served, { viewport: { width, height }, colorScheme })
        await isLive(page)
        await page.screenshot({ path: `docs/pictures/${name}.png` })
      }
    })
})

/** A page that has something of everything. */
async function startIllPage(t: Test): Promise<StatusPage> {
  const served = await startStatusPage(t, {
    containers: {
      'shop-web-1': {},
      'shop-api-1': {},
      'shop-checkout-1': {},
      'shop-worker-1': { 'healer.retires': '5' },
      'mail-queue': { 'healer.action': 'none' },
      search: {},
      wiki: {},
    },
    env: { START_PERIOD: '0' },
    proxyMetrics: async () => METRICS,
  })
  const { bench, apps } = served
  const answer = (name: string, code: number) => {
    const app = apps.get(name)
    const latencyMs = 3 + 7 * [...apps.keys()].indexOf(name)
    if (!app) return
    app.handler = (_request, response) => {
      bench.clock.leap(latencyMs)
      response.writeHead(code).end()
    }
  }
  for (const name of apps.keys()) answer(name, 200)
  await bench.clock.advance(600_000)
  answer('shop-api-1', 503)
  await bench.clock.advance(50_000)
  answer('shop-api-1', 200)
  await bench.clock.advance(400_000)
  answer('mail-queue', 503)
  await bench.clock.advance(180_000)
  answer('search', 500)
  await bench.clock.advance(20_000)
  return served
}
