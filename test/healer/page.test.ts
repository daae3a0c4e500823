// The status page as it is served: whole without a script, escaped, asking nothing of anywhere else; and what is told of it later.
import t, { type Test } from 'tap'
import { DockerError } from '../../healer/docker/docker.ts'
import { MAX_LISTENERS } from '../../healer/serve/page/routes.ts'
import type { Bench, App as Server } from './support/bench.ts'
import { type StatusPageOptions, startStatusPage } from './support/status-page.ts'

const METRICS = `postern_proxy_engine_up 1
postern_proxy_audit_sequence{fingerprint="sha256:3f0c"} 12
postern_proxy_audit_failures_total 0
postern_proxy_decisions_total{client="healer",operation="ContainerCreate",verdict="deny",rule="operation.not-allowed"} 3
postern_proxy_budget_left{client="healer",operation="ContainerRestart",of="client"} 16
`

const start = (t: Test, options: Partial<StatusPageOptions> = {}) =>
  startStatusPage(t, { containers: { web: {}, api: {} }, proxyMetrics: async () => METRICS, ...options })

/** The text of the element whose id is `id`, without tags and with single spaces. */
function textOf(html: string, id: string): string {
  const from = html.indexOf(` id="${id}"`)
  const tag = html.slice(html.lastIndexOf('<', from) + 1).match(/^\w+/)?.[0] ?? ''
  const rest = html.slice(html.indexOf('>', from) + 1)
  const nested = new RegExp(`<(/?)${tag}\\b[^>]*>`, 'g')
  let depth = 1
  let end = rest.length
  for (const match of rest.matchAll(nested)) {
    depth += match[1] === '/' ? -1 : 1
    if (depth > 0) continue
    end = match.index
    break
  }
  return unescaped(
    rest
      .slice(0, end)
      .replace(/<[^>]*>/g, ' ')
      .replace(/\s+/g, ' ')
      .trim(),
  )
}

const unescaped = (text: string) =>
  text.replace(
    /&(lt|gt|quot|#39|amp);/g,
    (_, name: string) => ({ lt: '<', gt: '>', quot: '"', '#39': "'", amp: '&' })[name] ?? '',
  )

const idOf = (bench: Bench, name: string) =>
  `c-${[...bench.docker.containers.values()].find(({ summary }) => summary.name === name)?.summary.id}`

async function events(url: string, since: string, init: RequestInit = {}) {
  const controller = new AbortController()
  const answer = await fetch(`${url}/events?since=${since}`, { ...init, signal: controller.signal })
  const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  return {
    answer,
    close: () => controller.abort(),
    /** The next event: its id and its data. */
    async next(): Promise<{
      id: string
      data: { html: Record<string, string>; lists?: { containers: string[] }; nowMs: number }
    }> {
      while (!text.includes('\n\n')) {
        const { value, done } = (await reader?.read()) ?? { done: true }
        if (done) throw new Error('the stream has ended')
        text += value
      }
      const event = text.slice(0, text.indexOf('\n\n'))
      text = text.slice(text.indexOf('\n\n') + 2)
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(event)?.[1] ?? ''
      return { id: field('id'), data: JSON.parse(field('data')) }
    },
  }
}

const versionOf = (html: string) => /data-version="([^"]+)"/.exec(html)?.[1] ?? ''

await t.test('all of it is there without a script', async (t) => {
  const { get, bench, apps } = await start(t, {
    // As many as are well, so that these two do not look like the healer's own network failing.
    containers: { web: { 'healer.action': 'none' }, api: {}, worker: { 'healer.retires': '5' }, db: {}, cache: {} },
    env: { START_PERIOD: '0' },
  })
  apps.get('web')?.status(503)
  apps.get('api')?.status(500)
  await bench.clock.advance(60_000)
  apps.get('api')?.status(200)
  await bench.clock.advance(60_000)
  const answer = await get('/')
  const html = await answer.text()
  t.match(answer.headers.get('content-type'), /^text\/html/)
  const web = textOf(html, idOf(bench, 'web'))
  t.match(web, 'web unhealthy answered 503')
  t.match(web, /Next probe 00:\d\d:\d\d UTC/, 'a time stands there until a script counts it down')
  t.match(web, /Not restarted \(tell-only\) since .* What to do: restart it by hand, or set healer\.action=restart\./)
  t.match(web, /Up, 24 h \d+\.\d % Up, 7 d \d+\.\d %/)
  t.match(web, /every 15 s, 5 s to answer; restarted after 3 failures, 5 times at most; healer\.action=none/)
  t.match(html, /aria-label="the last \d+ probes: \d+ succeeded, \d+ failed"/)
  t.match(textOf(html, idOf(bench, 'worker')), 'Configuration : healer.retires is not a setting; did you mean healer.retries?')
  t.match(textOf(html, idOf(bench, 'api')), /api healthy answered 200 .* Restarts 1, \d\d:\d\d:\d\d UTC/)
  const attention = textOf(html, 'attention')
  t.match(
    attention,
    /^1 of 5 containers is ill web unhealthy: answered 503, \d times in a row\. Not restarted: healer\.action is none/,
  )
  t.match(attention, /worker healer\.retires is not a setting; did you mean healer\.retries\?$/)
  const incidents = textOf(html, 'incidents')
  t.match(incidents, /web open .* not-restarting .* Found: running, exit code 0; answered 503; .* Told to ops\./)
  t.match(incidents, /api lasted .* restarting .* restarted .* recovered .* Told to ops\./)
  const proxy = textOf(html, 'proxy')
  t.match(proxy, 'Docker Engine answers')
  t.match(proxy, 'ContainerRestart healer client’s own 16')
  t.match(proxy, 'ContainerCreate healer operation.not-allowed 3')
})

await t.test('what a stranger wrote is text, wherever it stands', async (t) => {
  const hostile = `<img src=x onerror=alert(1)>"'&`
  const { get, bench, apps, url } = await start(t, {
    containers: { [hostile]: { 'healer.retires': hostile, [`healer.${hostile}`]: '1' } },
    proxyMetrics: async () =>
      `postern_proxy_engine_up 1\npostern_proxy_decisions_total{client="${hostile.replaceAll('"', '\\"')}",operation="x",verdict="deny",rule="<b>"} 1\n`,
  })
  const app = apps.get(hostile)
  if (app) app.handler = (_request, response) => response.writeHead(503, hostile.replace('\n', '')).end(hostile)
  await bench.clock.advance(60_000)
  const html = await (await get('/')).text()
  t.notMatch(html, /<img|<b>/)
  t.match(textOf(html, idOf(bench, hostile)), hostile)
  t.match(textOf(html, 'proxy'), hostile)
  const stream = await events(url, 'none')
  for (const text of Object.values((await stream.next()).data.html)) t.notMatch(text, /<img|<b>/)
  stream.close()
})

await t.test('nothing on it is of anywhere else, and its policy forbids that too', async (t) => {
  const { get } = await start(t)
  const page = await get('/')
  t.equal(
    page.headers.get('content-security-policy'),
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types postern",
  )
  t.equal(page.headers.get('referrer-policy'), 'no-referrer')
  const html = await page.text()
  t.notMatch(html, /<style|<script(?! src="\/page\/page\.js" defer><\/script>)| style=| on\w+=/, 'nothing is inline')
  const asked = [...html.matchAll(/(?:src|href)="([^"#][^"]*)"/g)].map(([, path]) => path ?? '')
  t.ok(asked.length > 3)
  for (const path of asked) t.equal((await get(path)).status, 200, path)
  for (const path of ['/', '/page/page.css', '/page/page.js', '/page/icon.svg']) {
    const answer = await get(path)
    t.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    const text = (await answer.text()).replaceAll(/http:\/\/www\.w3\.org\/\d+\/\w+/g, '')
    t.notMatch(text, /https?:|url\(|@import/, path)
  }
})

await t.test('what changed is told, and nothing else', async (t) => {
  const { get, bench, apps, url } = await start(t)
  const version = versionOf(await (await get('/')).text())
  const stream = await events(url, version)
  t.equal(stream.answer.headers.get('content-type'), 'text/event-stream')
  t.same((await stream.next()).data.html, {}, 'the page has all there is; it is told the time')
  apps.get('web')?.status(503)
  await bench.clock.advance(15_000)
  const { id, data } = await stream.next()
  t.match(data.html[idOf(bench, 'web')], /answered 503/)
  t.match(data.html.attention, /1 of 2 containers is ill/)
  t.notOk('proxy' in data.html, 'the proxy is as it was')
  t.notOk('lists' in data, 'and so are the lists')
  stream.close()
  const again = await events(url, version, { headers: { 'last-event-id': id } })
  t.same((await again.next()).data.html, {}, 'a browser that comes back says what it heard last')
  again.close()
})

await t.test('containers that come and go are told with their place', async (t) => {
  const { bench, url, get } = await start(t)
  const stream = await events(url, versionOf(await (await get('/')).text()))
  await stream.next()
  bench.docker.add('middle')
  await bench.clock.advance(15_000)
  const web = idOf(bench, 'web')
  bench.docker.containers.delete(web.slice('c-'.length))
  await bench.clock.advance(15_000)
  let { data } = await stream.next()
  let middle = data.html[idOf(bench, 'middle')]
  while (!data.lists || data.lists.containers.includes(web)) {
    ;({ data } = await stream.next())
    middle ??= data.html[idOf(bench, 'middle')]
  }
  t.same(data.lists.containers, [idOf(bench, 'api'), idOf(bench, 'middle')])
  t.match(middle, /middle/)
  stream.close()
})

await t.test('who knows another run of the healer, or none, is told everything', async (t) => {
  const { url, bench } = await start(t)
  for (const since of ['', 'none', '0123456789abcdef.7', 'x.999999999999999', '<script>']) {
    const stream = await events(url, encodeURIComponent(since))
    const { data } = await stream.next()
    t.same(Object.keys(data.html).sort(), ['attention', 'proxy', idOf(bench, 'web'), idOf(bench, 'api')].sort(), since)
    t.same(data.lists?.containers, [idOf(bench, 'api'), idOf(bench, 'web')])
    t.type(data.nowMs, 'number')
    stream.close()
  }
})

await t.test('those who listen are bounded in number, and who leaves makes room', async (t) => {
  const { url, get } = await start(t)
  const streams = []
  for (let i = 0; i < MAX_LISTENERS; i += 1) streams.push(await events(url, 'none'))
  const refused = await get('/events')
  t.equal(refused.status, 503)
  t.equal(refused.headers.get('retry-after'), '15')
  t.match(await refused.json(), { message: `${MAX_LISTENERS} listen already; the page itself can be loaded again` })
  t.equal((await get('/')).status, 200)
  streams.pop()?.close()
  let status = 503
  while (status === 503) {
    const stream = await events(url, 'none')
    status = stream.answer.status
    stream.close()
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  t.equal(status, 200)
  for (const stream of streams) stream.close()
})

await t.test('who asks for the head alone of what changes does not listen', async (t) => {
  const { url } = await start(t)
  for (let i = 0; i < MAX_LISTENERS; i += 1) {
    const { status, headers } = await fetch(`${url}/events`, { method: 'HEAD' })
    t.match({ status, type: headers.get('content-type') }, { status: 200, type: 'text/event-stream' })
  }
  const { answer, close } = await events(url, 'none')
  t.equal(answer.status, 200)
  close()
})

await t.test('what is wrong with the whole is said first, with what to do', async (t) => {
  const cases: readonly [string, Partial<StatusPageOptions>, (bench: Bench, app: Server) => Promise<void>, RegExp][] = [
    [
      'Docker cannot be asked, from the start',
      { containers: {}, dockerFailure: new DockerError('the list lacks Names') },
      async () => undefined,
      /^Looking for containers Docker it cannot be asked: the list lacks Names\. Until it can be, nothing new is watched/,
    ],
    [
      'Docker cannot be asked any more',
      {},
      async (bench) => {
        bench.docker.failure = new DockerError('it is gone')
        await bench.clock.advance(15_000)
      },
      /Docker it cannot be asked: it is gone\. Probing goes on; restarts wait/,
    ],
    ['nothing is watched', { containers: {} }, async () => undefined, /^No container is watched Label one monitored=true/],
    [
      'nobody is told',
      { receivers: [] },
      async () => undefined,
      /Alerts nobody is told of anything: no receiver is set\. What to do: set SLACK_WEBHOOK_URL/,
    ],
    [
      'the proxy is gone',
      { proxyMetrics: async () => undefined },
      async () => undefined,
      /Proxy the proxy’s metrics cannot be had/,
    ],
    [
      'the log cannot be written',
      { proxyMetrics: async () => METRICS.replace('failures_total 0', 'failures_total 4') },
      async () => undefined,
      /Proxy 4 lines of its audit log could not be written .* What to do: see whether the log’s disk is full\./,
    ],
    [
      'it observes',
      { proxyMetrics: async () => `${METRICS}postern_proxy_observing 1\n` },
      async () => undefined,
      /Proxy it observes/,
    ],
    [
      'the Engine is gone',
      { proxyMetrics: async () => METRICS.replace('up 1', 'up 0') },
      async () => undefined,
      /Proxy the Docker Engine does not answer it/,
    ],
    ['all is well', {}, async () => undefined, /^All 2 containers are healthy$/],
    [
      'most fail at once',
      { containers: { a: {}, b: {}, c: {} }, oneServer: true, env: { START_PERIOD: '0' } },
      async (bench, app) => {
        app.status(503)
        await bench.clock.advance(60_000)
      },
      /^3 of 3 containers are ill Restarts are held since .* most containers began to fail at once/,
    ],
  ]
  for (const [name, options, act, expected] of cases)
    await t.test(name, async (t) => {
      const { get, bench, apps } = await start(t, options)
      const [app] = apps.values()
      if (app) await act(bench, app)
      t.match(textOf(await (await get('/')).text(), 'attention'), expected)
    })
})
