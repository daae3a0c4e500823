// What an operator may tell the healer over HTTP, on a real port: who may, what is taken, and every refusal.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { promisify } from 'node:util'
import { serve } from '@hono/node-server'
import { pino } from 'pino'
import t, { type Test } from 'tap'
import { NO_HISTORY } from '../../healer/health/history.ts'
import { initialState } from '../../healer/health/state.ts'
import { createApp } from '../../healer/serve/app.ts'
import type { Control } from '../../healer/serve/control.ts'
import { createHealerMetrics } from '../../healer/serve/metrics.ts'
import { readEnvironment } from '../../healer/settings/environment.ts'
import { readLabels } from '../../healer/settings/labels.ts'
import { blocks, readPage, tableRows, words } from '../support/pages.ts'
import { createFakeClock } from './support/fake-clock.ts'
import { createFakeDocker } from './support/fake-docker.ts'

const TOKEN = '0123456789abcdef0123456789abcdef'
const HOUR_MS = 3_600_000

type Answer = { readonly status: number; readonly headers: IncomingMessage['headers']; readonly body: unknown }
type Asked = {
  readonly path: string
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string
}

/** The healer's server with a loop that remembers what it was told. */
async function start(t: Test, { isOff = false, names = ['web', 'db'] } = {}) {
  const clock = createFakeClock()
  const docker = createFakeDocker(clock)
  const { settings } = readLabels({}, readEnvironment({}))
  const paused = new Map<string, number>()
  const reset: string[] = []
  const done = async (name: string) =>
    names.includes(name) ? ({ outcome: 'done', pausedUntilMs: paused.get(name) } as const) : ({ outcome: 'unknown' } as const)
  const control: Control = {
    pause(name, untilMs) {
      paused.set(name, untilMs)
      return done(name)
    },
    resume(name) {
      paused.delete(name)
      return done(name)
    },
    reset(name) {
      reset.push(name)
      return done(name)
    },
  }
  const containers = names.map((name) => ({
    summary: docker.add(name).summary,
    state: initialState(false),
    settings,
    problems: [],
    probe: '',
    chosen: undefined,
    history: NO_HISTORY,
    held: undefined,
    nextLookMs: 0,
    last: undefined,
    probes: { success: 0, failure: 0, unknown: 0 },
    rules: [],
    pausedUntilMs: undefined,
  }))
  const log: { msg: string; container?: string; by?: string; event?: string }[] = []
  const app = createApp({
    view: () => ({ containers, docker: { reachable: true, message: 'ok' }, ready: true, loopAgeMs: 0, holdSinceMs: undefined }),
    metrics: createHealerMetrics(),
    maxLoopAgeMs: 1,
    control: {
      control,
      rules: { take: () => Promise.reject(new Error('nobody tells of alerts here')) },
      token: isOff ? undefined : TOKEN,
      clock,
      log: pino({}, { write: (line: string) => void log.push(JSON.parse(line)) }),
    },
  })
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' })
  await once(server, 'listening')
  t.teardown(() => server.close())
  const { port } = server.address() as AddressInfo
  /** With the token, unless `headers` say otherwise. */
  const ask = async ({ path, method = 'POST', headers = {}, body }: Asked): Promise<Answer> => {
    const sent = request({
      host: '127.0.0.1',
      port,
      path,
      method,
      agent: false,
      headers: { authorization: `Bearer ${TOKEN}`, ...headers },
    })
    sent.end(body)
    const [response] = (await once(sent, 'response')) as [IncomingMessage]
    let text = ''
    for await (const chunk of response) text += chunk
    return { status: response.statusCode ?? 0, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) }
  }
  const untouched = () => paused.size === 0 && reset.length === 0
  return { ask, port, clock, paused, reset, log, untouched }
}

await t.test('a pause without a time holds until it is resumed', async (t) => {
  const { ask, paused, log } = await start(t)
  const answer = await ask({ path: '/api/containers/web/pause' })
  t.match(answer, { status: 200, body: { container: 'web', paused: 'until resumed' } })
  t.equal(paused.get('web'), Number.POSITIVE_INFINITY)
  t.match(answer.headers, {
    'content-type': /^application\/json/,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  t.match(await ask({ path: '/api/containers/web/resume' }), { status: 200, body: { container: 'web', paused: null } })
  t.same([...paused], [])
  t.match(log, [
    {
      event: 'pause',
      container: 'web',
      by: '127.0.0.1',
      msg: 'web — paused: no restarts until it is resumed, as 127.0.0.1 asked',
    },
    { event: 'resume', msg: 'web — resumed: it is restarted again when it is ill, as 127.0.0.1 asked' },
  ])
})

await t.test('a pause takes its time from the query or from JSON, and tells when it ends', async (t) => {
  const { ask, paused, clock, log } = await start(t)
  clock.stepWall(-clock.wallMs() + Date.parse('2026-01-01T00:00:00Z'))
  const two = await ask({ path: '/api/containers/web/pause?for=2h' })
  t.match(two, { status: 200, body: { container: 'web', paused: '2026-01-01T02:00:00.000Z' } })
  t.equal(paused.get('web'), clock.monotonicMs() + 2 * HOUR_MS)
  t.match(await ask({ path: '/api/containers/web/pause', body: '{"for": "90"}' }), {
    body: { paused: '2026-01-01T00:01:30.000Z' },
  })
  t.equal(paused.get('web'), clock.monotonicMs() + 90_000, 'the last one holds')
  t.match(await ask({ path: '/api/containers/web/pause?for=720h' }), { status: 200 })
  t.match(log[0]?.msg, 'web — paused: no restarts for 2 h, as 127.0.0.1 asked')
})

await t.test('a reset leaves a pause as it is', async (t) => {
  const { ask, paused, reset, log } = await start(t)
  await ask({ path: '/api/containers/web/pause' })
  t.match(await ask({ path: '/api/containers/web/reset' }), { status: 200, body: { container: 'web', paused: 'until resumed' } })
  t.same(reset, ['web'])
  t.ok(paused.has('web'))
  t.match(log[1], { event: 'reset', msg: 'web — reset: past restarts weigh nothing any more, as 127.0.0.1 asked' })
})

await t.test('the scheme is read as RFC 7235 has it, whatever its case', async (t) => {
  const { ask } = await start(t)
  t.equal((await ask({ path: '/api/containers/web/reset', headers: { authorization: `bearer  ${TOKEN}` } })).status, 200)
})

const notTheToken: [what: string, authorization: string][] = [
  ['none', ''],
  ['another', `Bearer ${'f'.repeat(32)}`],
  ['its beginning', `Bearer ${TOKEN.slice(0, -1)}`],
  ['more than it', `Bearer ${TOKEN}0`],
  ['one letter of it', 'Bearer 0'],
  ['its last letter changed', `Bearer ${TOKEN.slice(0, -1)}0`],
  ['in capitals', `Bearer ${TOKEN.toUpperCase()}`],
  ['two of it', `Bearer ${TOKEN} ${TOKEN}`],
  ['without a scheme', TOKEN],
  ['as a password', `Basic ${Buffer.from(`:${TOKEN}`).toString('base64')}`],
]
for (const [what, authorization] of notTheToken) {
  await t.test(`for a token: ${what}, is refused with 401`, async (t) => {
    const { ask, untouched } = await start(t)
    for (const action of ['pause', 'resume', 'reset']) {
      const answer = await ask({ path: `/api/containers/web/${action}`, headers: { authorization } })
      t.match(answer, { status: 401, body: { message: 'it takes the header “Authorization: Bearer” with HEALER_TOKEN' } })
      t.equal(answer.headers['www-authenticate'], 'Bearer')
    }
    t.ok(untouched())
  })
}

await t.test('the token counts nowhere but in its header', async (t) => {
  const { ask, untouched } = await start(t)
  const headers = { authorization: '', cookie: `HEALER_TOKEN=${TOKEN}; token=${TOKEN}` }
  t.equal((await ask({ path: `/api/containers/web/reset?token=${TOKEN}&access_token=${TOKEN}`, headers })).status, 401)
  t.ok(untouched())
})

await t.test('who has no token does not learn which containers there are', async (t) => {
  const { ask } = await start(t)
  const answer = (name: string) => ask({ path: `/api/containers/${name}/reset`, headers: { authorization: 'Bearer x' } })
  t.same((await answer('web')).body, (await answer('nothing')).body)
})

await t.test('refused attempts are told of once a minute, with how many there were', async (t) => {
  const { ask, clock, log } = await start(t)
  const attempt = () => ask({ path: '/api/containers/web/reset', headers: { authorization: 'Bearer x' } })
  for (let n = 0; n < 5; n++) await attempt()
  t.match(
    log.map(({ msg }) => msg),
    ['control was refused to 127.0.0.1: without the token, or from a page of another origin'],
  )
  await clock.advance(60_000)
  await attempt()
  t.match(log[1], { event: 'control-refused', by: '127.0.0.1', msg: /\(5 attempts since the last such line\)$/ })
  t.equal(log.length, 2)
  t.notMatch(JSON.stringify(log), TOKEN)
})

await t.test('without a token set everything is refused, and what to set is told', async (t) => {
  const { ask, untouched } = await start(t, { isOff: true })
  for (const authorization of ['', 'Bearer', 'Bearer undefined', `Bearer ${TOKEN}`]) {
    const answer = await ask({ path: '/api/containers/web/pause', headers: { authorization } })
    t.match(answer, {
      status: 403,
      body: { message: 'control is off; set HEALER_TOKEN, or HEALER_TOKEN_FILE, to turn it on' },
    })
  }
  t.ok(untouched())
})

await t.test('a page of another origin is refused, even with the token', async (t) => {
  const { ask, port, untouched } = await start(t)
  for (const origin of ['http://evil.example', 'null', `http://127.0.0.1:${port + 1}`, `http://127.0.0.1:${port}.evil.example`]) {
    const answer = await ask({ path: '/api/containers/web/reset', headers: { origin } })
    t.match(answer, { status: 403, body: { message: 'a page of another origin may not ask this' } }, origin)
  }
  t.ok(untouched())
  t.equal((await ask({ path: '/api/containers/web/reset', headers: { origin: `http://127.0.0.1:${port}` } })).status, 200)
})

await t.test('a browser that asks beforehand whether it may is not told that it may', async (t) => {
  const { ask } = await start(t)
  const { status, headers } = await ask({
    path: '/api/containers/web/reset',
    method: 'OPTIONS',
    headers: {
      origin: 'http://evil.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization',
    },
  })
  t.equal(status, 405)
  t.same(
    Object.keys(headers).filter((name) => name.startsWith('access-control')),
    [],
  )
})

await t.test('only POST is taken', async (t) => {
  const { ask, untouched } = await start(t)
  for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH']) {
    const { status, headers } = await ask({ path: '/api/containers/web/pause', method })
    t.same([method, status, headers.allow], [method, 405, 'POST'])
  }
  t.ok(untouched())
})

await t.test('a container that is not watched is 404 with the names of those that are', async (t) => {
  const { ask, log } = await start(t)
  for (const action of ['pause', 'resume', 'reset']) {
    t.match(await ask({ path: `/api/containers/wbe/${action}` }), {
      status: 404,
      body: { message: 'no container of that name is watched; these are: db, web' },
    })
  }
  t.same(log, [])
  const { ask: askNone } = await start(t, { names: [] as string[] })
  t.match(await askNone({ path: '/api/containers/web/reset' }), {
    body: { message: 'no container of that name is watched; none is' },
  })
})

await t.test('names come URL-encoded, and are decoded once', async (t) => {
  const names = ['a.b_c-1', 'a b', 'a/b', 'ä', '%41', 'a?b', '<b>', 'constructor']
  const { ask, reset } = await start(t, { names })
  for (const name of names) {
    const encoded = encodeURIComponent(name)
    t.match(await ask({ path: `/api/containers/${encoded}/reset` }), { status: 200, body: { container: name } }, encoded)
  }
  t.same(reset, names)
  for (const path of ['%zz', '%00', '%ff', '%2541%25', 'a%0d%0ab', '__proto__'])
    t.equal((await ask({ path: `/api/containers/${path}/reset` })).status, 404, path)
})

const wrongInputs: [what: string, asked: Pick<Asked, 'path' | 'body'>, message: RegExp][] = [
  [
    'for=soon',
    { path: 'pause?for=soon' },
    /^for takes a number of seconds or a duration such as 1m30s, at least 1 s and at most 720 h, as a text$/,
  ],
  ['for=', { path: 'pause?for=' }, /^for takes /],
  ['for=0', { path: 'pause?for=0' }, /^for takes /],
  ['for=-1h', { path: 'pause?for=-1h' }, /^for takes /],
  ['for=721h', { path: 'pause?for=721h' }, /^for takes /],
  ['for=Infinity', { path: 'pause?for=Infinity' }, /^for takes /],
  ['a number of JSON', { path: 'pause', body: '{"for": 7200}' }, /^for takes .* as a text$/],
  ['null', { path: 'pause', body: '{"for": null}' }, /^for takes /],
  ['a slip of the pen', { path: 'pause?fo=2h' }, /^pause takes for, such as for=2h, and nothing else$/],
  ['a slip of the pen in JSON', { path: 'pause', body: '{"fo": "2h"}' }, /^pause takes for/],
  ['__proto__', { path: 'pause', body: '{"__proto__": {"for": "2h"}}' }, /^pause takes for/],
  ['for twice', { path: 'pause?for=2h&for=3h' }, /^a word is given twice$/],
  ['for in both', { path: 'pause?for=2h', body: '{"for": "2h"}' }, /^a word is given twice$/],
  ['a form', { path: 'pause', body: 'for=2h' }, /^the body is not JSON; it takes {"for": "2h"}, or none$/],
  ['a list', { path: 'pause', body: '["2h"]' }, /^the body is not JSON/],
  ['half of JSON', { path: 'pause', body: '{"for": "2h"' }, /^the body is not JSON/],
  ['for with resume', { path: 'resume?for=2h' }, /^resume takes nothing$/],
  ['for with reset', { path: 'reset', body: '{"for": "2h"}' }, /^reset takes nothing$/],
]
for (const [what, { path, body }, message] of wrongInputs) {
  await t.test(`${what} is 400, and changes nothing`, async (t) => {
    const { ask, untouched } = await start(t)
    t.match(await ask({ path: `/api/containers/web/${path}`, ...(body === undefined ? {} : { body }) }), {
      status: 400,
      body: { message },
    })
    t.ok(untouched())
  })
}

await t.test('a body larger than 1 KiB is 413, told its length or in pieces', async (t) => {
  const { ask, untouched } = await start(t)
  const body = `{"for": "2h"}${' '.repeat(1012)}`
  const chunked = { 'transfer-encoding': 'chunked' }
  for (const headers of [{}, chunked]) {
    const answer = await ask({ path: '/api/containers/web/pause', headers, body })
    t.match(answer, { status: 413, body: { message: 'the body is larger than 1024 bytes' } })
    t.ok(untouched())
  }
  for (const headers of [{}, chunked])
    t.equal((await ask({ path: '/api/containers/web/pause', headers, body: body.slice(0, 1024) })).status, 200)
})

await t.test('a body is not waited for from one without the token', async (t) => {
  const { port } = await start(t)
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write('POST /api/containers/web/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n{')
  const [chunk] = (await once(socket, 'data')) as [Buffer]
  t.match(chunk.toString(), /^HTTP\/1\.1 401 /)
})

await t.test('the page’s examples do what it says', async (t) => {
  const { port, log, paused, reset } = await start(t)
  const [text = ''] = blocks(readPage('healer.md'), 'sh').filter((block) => block.includes('$HEALER_TOKEN'))
  const command = `set -e\n${text.replaceAll('localhost:8081', `127.0.0.1:${port}`).replaceAll('curl ', 'curl --silent --fail ')}`
  const { stdout } = await promisify(execFile)('sh', ['-c', command], { env: { ...process.env, HEALER_TOKEN: TOKEN } })
  t.equal(stdout.match(/"container":"web"/g)?.length, 4)
  t.same(
    log.map(({ event }) => event),
    ['pause', 'pause', 'resume', 'reset'],
  )
  t.same([[...paused], reset], [[], ['web']])
})

await t.test('the page has every status of a refusal', async (t) => {
  const statuses = tableRows(readPage('healer.md'), 'Control', 1).flatMap(([status]) => words(status))
  t.same(statuses, ['400', '401', '403', '404', '405', '413'])
})
