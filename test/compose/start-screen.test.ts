// What `npm start` and `npm run demo` show on a terminal, as xterm.js shows it.
import t from 'tap'
import { createLiveDemo } from '../../compose/embedded/demo-screen.ts'
import { readLogLine } from '../../compose/embedded/log-line.ts'
import { drawStart, type Seen } from '../../compose/embedded/start-picture.ts'
import { createLiveScreen } from '../../compose/embedded/start-screen.ts'
import type { ContainerAnswer, ProxyAnswer } from '../../healer/serve/api/schemas.ts'
import { createFakeTerminal } from './support/fake-terminal.ts'

const NOW_MS = Date.parse('2024-06-01T12:00:00Z')
const at = (seconds: number) => new Date(NOW_MS + seconds * 1000).toISOString()
const look = (seconds: number, result: 'success' | 'failure' | 'unknown') => ({
  at: at(seconds),
  result,
  durationMs: 1,
  reason: '',
})

function container(fields: Partial<ContainerAnswer>): ContainerAnswer {
  const shown = {
    ...{ name: 'sample-app', health: 'healthy', reason: 'answered 200', failures: 0, restarts: 0, paused: false, held: null },
    ...{ settings: { retries: 3 }, nextProbe: at(11.2), strip: [], lastRestarts: [], problems: [], ...fields },
  }
  return shown as unknown as ContainerAnswer
}

const PROXY = {
  ...{ state: 'up', message: 'ok', engineUp: true },
  decisions: [
    { client: 'healer', verdict: 'allow', requests: 20 },
    { client: 'other', verdict: 'allow', requests: 2 },
    { client: 'healer', verdict: 'deny', requests: 1 },
  ],
  budgets: [
    { client: 'healer', operation: 'ContainerRestart', of: 'client', left: 19 },
    { client: 'healer', operation: 'ContainerRestart', of: 'container', left: 4 },
  ],
} as unknown as ProxyAnswer

const URLS = { 'sample-app': 'http://localhost:8080', healer: 'http://localhost:8081' }

/** As text, at this size. */
const drawn = (seen: Seen, columns = 80, rows = 24) =>
  drawStart(seen, NOW_MS, columns, rows).map((line) =>
    line
      .map(([text]) => text)
      .join('')
      .trimEnd(),
  )

await t.test(
  'a container has its health as a shape, a word and a colour, its last probes and restarts, and the next probe',
  async (t) => {
    const healed = container({
      restarts: 1,
      strip: [look(-50, 'success'), look(-40, 'failure'), look(-30, 'unknown'), look(-20, 'success')],
      lastRestarts: [
        { at: at(-90), outcome: 'restarted' },
        { at: at(-25), outcome: 'restarted' },
      ],
    })
    t.same(drawn({ urls: URLS, containers: [healed], proxy: PROXY }), [
      '',
      ' Postern on the embedded engine: for trying and testing, nothing is confined ──',
      '',
      ' ● healthy   sample-app  •×?↻•                               next probe in 12 s',
      '                         answered 200; restarted once',
      ' ● up        proxy       let through 22 requests, refused 1; restarts left: 4',
      '',
      ' sample app  http://localhost:8080',
      ' status      http://localhost:8081',
      ' break it    curl -X POST localhost:8080/break   in another terminal',
      '             or with ?mode=hang, slow, stubborn, crash, requests; /fix mends it',
      ' stop        Ctrl-C   • passed   × failed   ? cannot tell   ↻ restarted',
    ])
    const tones = drawStart({ containers: [healed] }, NOW_MS, 80, 24).flat()
    for (const [text, tone] of [
      [' ● healthy   ', 'green'],
      ['×', 'red'],
      ['↻', 'cyan'],
      ['?', 'dim'],
    ])
      t.ok(
        tones.some((piece) => piece[0] === text && piece[1] === tone),
        `${text} is ${tone}`,
      )
  },
)

await t.test('one that fails, or is not restarted, says why and what to do', async (t) => {
  const lines = (fields: Partial<ContainerAnswer>) => drawn({ containers: [container(fields)] }, 200, 10)
  t.same(lines({ health: 'suspect', failures: 2, reason: 'answered 503', nextProbe: at(-1) }).slice(1), [
    ` ◐ suspect   sample-app  ${' '.repeat(63)}probing now`,
    '                         answered 503 (2 of 3 failures)',
  ])
  const held = { reason: 'backoff', since: at(-1), until: null, message: 'it waits', cure: 'wait as well' } as const
  t.same(
    lines({
      health: 'unhealthy',
      reason: 'answered \x1b[2J503',
      restarts: 3,
      paused: true,
      held,
      problems: ['healer.prot is none'],
    }).slice(2),
    [
      '                         answered \\u{1b}[2J503; restarted 3 times; restarts are paused',
      '                         not restarted: it waits; wait as well',
      '                         wrong: healer.prot is none',
    ],
  )
  t.match(lines({ health: 'unhealthy' })[1], /^ ✕ unhealthy /)
  t.match(lines({ health: 'unknown' })[1], /^ \? unknown /)
  t.match(lines({ health: 'starting' })[1], /^ ◌ starting /)
})

await t.test('a healer or a proxy that does not answer is said', async (t) => {
  t.match(drawn({ urls: URLS })[3], /^ ◌ starting {2}healer$/)
  t.match(
    drawn({ urls: URLS, trouble: 'it does not answer: fetch failed' })[3],
    /^ ✕ unknown {3}healer {2}it does not answer: fetch failed$/,
  )
  const down = (fields: object) => drawn({ containers: [], proxy: { ...PROXY, ...fields } as ProxyAnswer })[3]
  t.match(down({ state: 'down', message: 'its metrics cannot be had' }), /^ ✕ down {6}proxy {3}its metrics cannot be had$/)
  t.match(down({ engineUp: false }), /^ ✕ down {6}proxy {3}the engine does not answer it$/)
})

await t.test('a narrow terminal has no strip, a wide one no more than fits, and a low one the containers alone', async (t) => {
  const long = container({ strip: Array.from({ length: 60 }, (_, i) => look(i - 100, 'success')) })
  t.equal(drawn({ containers: [long] }, 50)[3], ' ● healthy   sample-app        next probe in 12 s')
  t.equal(drawn({ containers: [long] }, 70)[3], ` ● healthy   sample-app  ${'•'.repeat(24)}  next probe in 12 s`)
  t.equal(drawn({ containers: [long] }, 300)[3], ` ● healthy   sample-app  ${'•'.repeat(54)}  next probe in 12 s`)
  t.equal(drawn({ urls: URLS, containers: [long], proxy: PROXY }, 80, 12).length, 4)
})

await t.test('npm start on a terminal: the log stays, the picture goes, and nothing is left behind', async (t) => {
  const terminal = createFakeTerminal()
  const screen = createLiveScreen(terminal.stream, () =>
    Promise.resolve({ containers: [container({ nextProbe: new Date(Date.now() + 60_000).toISOString() })], proxy: PROXY }),
  )
  t.same((await terminal.rows()).slice(-1), [' ◌ starting proxy, healer and sample app'])
  screen.line('proxy', readLogLine('{"level":"warn","time":"2024-06-01T12:00:00Z","msg":"a\\u001b[2Jb"}'))
  screen.started({ urls: URLS, notRun: ['grafana'] })
  await new Promise((resolve) => setImmediate(resolve))
  const running = (await terminal.rows()).join('\n')
  t.match(running, / {2}proxy {7}a\\u\{1b\}\[2Jb\nNot run, for they take Docker: grafana\.\n\n Postern on the embedded engine/)
  t.match(running, /\n ● healthy {3}sample-app .*next probe in \d+ s\n/)
  screen.stopping()
  t.same((await terminal.rows()).slice(-1), [' ◌ stopping'])
  screen.end('stopped')
  const [first, ...rest] = await terminal.rows()
  t.match(first, /^\d\d:\d\d:\d\d {2}proxy {7}a/)
  t.same(rest, ['Not run, for they take Docker: grafana.', 'stopped'])
  t.ok(await terminal.isAsFound())
})

await t.test('npm run demo on a terminal: each step is ticked off, and the one that was not reached is named', async (t) => {
  const terminal = createFakeTerminal(60)
  const demo = createLiveDemo(terminal.stream)
  demo.tell('starting')
  demo.tell('healer: sample-app — healthy: answered 200', 'started')
  const before = await terminal.rows()
  t.match(before.slice(-5).join('\n'), /^ ◐ broken +\d+\.\d s\n {3}suspect\n {3}restarting\n {3}recovered\n {3}verified$/)
  demo.tell('the sample app is broken: POST /break; from now on it answers 503', 'broken')
  demo.end(false, 'not healed')
  const after = (await terminal.rows()).map((row) => row.replace(/\d+\.\d s/, 'T s'))
  t.same(after, [
    '',
    ' Postern heals a container, on the embedded engine',
    '',
    '                 T s  starting',
    ' ✓ started       T s  healer: sample-app — healthy:',
    '                        answered 200',
    ' ✓ broken        T s  the sample app is broken: POST',
    '                        /break; from now on it answers 503',
    ' ✕ suspect     was not reached',
    '',
    ' not healed, T s',
  ])
  t.ok(await terminal.isAsFound())
})

await t.test('what a service writes cannot move the cursor, JSON or not', async (t) => {
  t.match(readLogLine('{"level":"error","time":"2024-06-01T12:00:00Z","msg":"a\\nb\\u202e"}'), {
    level: 'error',
    message: 'a\\u{a}b\\u{202e}',
  })
  t.match(readLogLine('\tat f \x1b[2J'), { level: 'info', message: '    at f \\u{1b}[2J', time: /^\d\d:\d\d:\d\d$/ })
})
