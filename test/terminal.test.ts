// What the programs write for people: the log as text on a terminal and as JSON elsewhere, and verdicts in colour where a terminal takes it.
import { readFileSync } from 'node:fs'
import { Writable } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import t, { type Test } from 'tap'
import { TESTED_VERDICTS } from '../healer/alert/test-alert.ts'
import { CHECK_VERDICTS } from '../healer/check/render.ts'
import { escapeControls, paintVerdicts, renderLogLine, type Verdicts } from '../healer/terminal.ts'
import { REPORT_VERDICTS } from '../proxy/audit/report.ts'
import { VERIFIED_VERDICTS } from '../proxy/audit/verify-files.ts'
import { CHECKED_VERDICTS } from '../proxy/check/check.ts'
import { EXPLAINED_VERDICTS } from '../proxy/check/explain.ts'
import { INVALID_VERDICTS } from '../proxy/commands/check-command.ts'
import { startHealer } from './healer/support/program.ts'
import { preparePlace, runProgram, startServing } from './proxy/support/proxy-process.ts'
import { freePort } from './support/free-port.ts'
import { readPage } from './support/pages.ts'
import { noPty, shellProgram, startOnTerminal } from './support/pty.ts'
import { temporaryDirectory } from './support/temporary.ts'

// What runs the tests sets one or the other, and Node warns of both.
delete process.env.FORCE_COLOR
delete process.env.NO_COLOR

await t.test('the proxy and the healer have the same', async (t) => {
  t.equal(readFileSync('proxy/terminal.ts', 'utf8'), readFileSync('healer/terminal.ts', 'utf8'))
})

await t.test('a line of the log as text: time of day, level, message', async (t) => {
  const line = (fields: object) => JSON.stringify({ level: 'info', time: '2024-06-01T12:00:05.123Z', pid: 1, ...fields })
  const time = new Date('2024-06-01T12:00:05Z').toLocaleTimeString('en-GB')
  t.equal(renderLogLine(line({ msg: 'web — healthy', container: 'web' })), `${time} INFO  web — healthy\n`)
  t.equal(renderLogLine(line({ level: 'error', msg: 'no' })), `${time} ERROR no\n`)
  t.equal(renderLogLine(line({ msg: 'a\x1b[2Jb\nc\u202ed\u2028e' })), `${time} INFO  a\\u{1b}[2Jb\\u{a}c\\u{202e}d\\u{2028}e\n`)
  t.equal(
    renderLogLine(
      line({ level: 'warn', msg: 'failed', err: { type: 'Error', message: 'x', stack: 'Error: x\n    at \x1b[0mf' } }),
    ),
    `${time} WARN  failed\n    Error: x\n        at \\u{1b}[0mf\n`,
  )
  t.equal(
    renderLogLine(line({ msg: 'x' }), (text, tone) => `<${tone} ${text}>`),
    `<aside ${time}> <good INFO > x\n`,
  )
})

await t.test('a line of the log as JSON moves no cursor either, and means the same', async (t) => {
  const msg = 'answered “\x1b[2J\x7f\x9b2J\u2028\u202e\u{e0001}é😀”'
  const line = `${JSON.stringify({ level: 'info', msg })}\n`
  const escaped = escapeControls(line)
  t.notMatch(escaped.slice(0, -1), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u)
  t.same(JSON.parse(escaped), { level: 'info', msg })
  t.ok(escaped.includes('é😀”') && escaped.endsWith('"}\n'), 'what need not be escaped is not')
  const env = {
    DOCKER_HOST: 'unix:///none/\x9b2J\u202e',
    HEALER_PORT: `${await freePort()}`,
    LOG_FORMAT: 'json',
    PROXY_METRICS: '',
  }
  const healer = startHealer(t, ['run'], { STATE_DIR: temporaryDirectory(t), ...env })
  await healer.said('unix:///none/\\u009b2J\\u202e cannot be reached')
})

await t.test('the log is JSON where there is no terminal, and what LOG_FORMAT says', async (t) => {
  const firstLine = async (env: Record<string, string>) => {
    const healer = startHealer(t, ['run'], { STATE_DIR: '/none', HEALER_PORT: '1', FORCE_COLOR: undefined, ...env })
    await healer.ended
    return healer.output.text.split('\n')[0] ?? ''
  }
  const [auto, json, text, coloured] = await Promise.all([
    firstLine({}),
    firstLine({ LOG_FORMAT: 'json' }),
    firstLine({ LOG_FORMAT: 'text' }),
    firstLine({ LOG_FORMAT: 'text', FORCE_COLOR: '1' }),
  ])
  for (const line of [auto, json]) t.match(JSON.parse(line), { level: 'info', time: /Z$/, msg: /nobody is told/ })
  t.match(text, /^\d\d:\d\d:\d\d INFO {2}nobody is told/)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  t.match(coloured, /^\x1b\[2m\d\d:\d\d:\d\d\x1b\[22m \x1b\[32mINFO \x1b\[39m nobody is told/)
})

await t.test('the proxy’s log as well', async (t) => {
  const place = await preparePlace(t)
  const program = await startServing(t, place, { env: { POSTERN_LOG_FORMAT: 'text' } })
  program.child.kill('SIGTERM')
  t.match(await program.ended, { code: 0, stdout: /^\d\d:\d\d:\d\d INFO {2}audit log [^\n]*\n/ })
  const wrong = await runProgram(t, [...place.args, '--log-format', 'xml'])
  t.match(wrong, { code: 2, stderr: /'xml' is invalid\. Allowed choices are auto, json, text/ })
})

await t.test(
  'on a terminal the log is text, in colour unless NO_COLOR is set, and JSON where that is asked for',
  { skip: noPty },
  async (t) => {
    const run = async (env: Record<string, string>) => {
      const healer = startOnTerminal(`${shellProgram('healer')} run`, { STATE_DIR: '/none', HEALER_PORT: '1', ...env })
      t.equal(await healer.ended, 1)
      return healer.output().split('\r\n')[0] ?? ''
    }
    const [plain, none, dumb, json] = await Promise.all([
      run({}),
      run({ NO_COLOR: '1' }),
      run({ TERM: 'dumb' }),
      run({ LOG_FORMAT: 'json' }),
    ])
    t.match(stripVTControlCharacters(plain), /^\d\d:\d\d:\d\d INFO {2}nobody is told/)
    t.not(stripVTControlCharacters(plain), plain)
    t.match(none, /^\d\d:\d\d:\d\d INFO {2}nobody is told/)
    t.match(dumb, /^\d\d:\d\d:\d\d INFO {2}nobody is told/)
    t.match(JSON.parse(json), { level: 'info', msg: /nobody is told/ })
  },
)

/** A terminal that shows colours. */
const terminal = () => Object.assign(new Writable(), { isTTY: true, getColorDepth: () => 8 }) as unknown as NodeJS.WriteStream

/** The verdicts of `text`, each as it is painted. */
function painted(t: Test, text: string, verdicts: Verdicts): string[] {
  const COLOURS: Readonly<Record<string, string>> = { 31: 'red', 32: 'green', 33: 'yellow' }
  const result = paintVerdicts(text, verdicts, terminal())
  t.equal(stripVTControlCharacters(result), text, 'without colour it is the same')
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return [...result.matchAll(/\x1b\[(\d+)m(.*?)\x1b\[39m/g)].map(([, code = '', words = '']) => `${COLOURS[code]} ${words}`)
}

await t.test('verdicts, and nothing else, are in colour', async (t) => {
  const proxy = readPage('proxy.md')
  const shown = (page: string, beginning: string) =>
    /^.*?(?=^```$)/ms.exec(page.slice(page.indexOf(`\n${beginning}`) + 1))?.[0] ?? ''
  const explained = await runProgram(t, ['explain', 'policies/healer.yaml', 'POST', '/containers/create'])
  for (const [text, verdicts, expected] of [
    [explained.stdout, EXPLAINED_VERDICTS, ['red refused']],
    ['allowed     the request would pass\n', EXPLAINED_VERDICTS, ['green allowed']],
    [shown(proxy, 'policies/healer.yaml: valid'), CHECKED_VERDICTS, ['green valid', 'green No warnings.']],
    [
      'a.yaml: valid; no tests; hash 1\nWarnings:\n  a.yaml:3: no-budget: ContainerRestart: as often as it likes\n',
      CHECKED_VERDICTS,
      ['green valid', 'yellow Warnings:', 'yellow a.yaml:3:'],
    ],
    [shown(proxy, 'Containers of the Engine:'), CHECKED_VERDICTS, ['green in', 'yellow out', 'yellow out']],
    [
      readFileSync('test/proxy/invalid-policies/a-boolean-that-is-no-list.txt', 'utf8'),
      INVALID_VERDICTS,
      ['red a-boolean-that-is-no-list.yaml:7:19:', 'red ^^^^'],
    ],
    ['12 lines, 1 to 12, 4 seals, all sealed, known by abc\n', VERIFIED_VERDICTS, ['green all sealed']],
    [
      'note: a torn line\n12 lines, 1 to 12, 4 seals, the last 2 not sealed yet\n',
      VERIFIED_VERDICTS,
      ['yellow note:', 'yellow the last 2 not sealed yet'],
    ],
    ['audit.jsonl:3: it was changed since\nbefore that: 2 lines, 1 to 2, 1 seals\n', VERIFIED_VERDICTS, ['red audit.jsonl:3:']],
    [shown(readPage('audit.md'), 'client '), REPORT_VERDICTS, ['yellow refused, by rule:']],
    [
      shown(readPage('healer.md'), 'Settings of the healer'),
      CHECK_VERDICTS,
      ['yellow Nobody is told:', 'red wrong:', 'green success', 'red wrong:', 'red 2 things are wrong.'],
    ],
    [
      '  found: failure: success\n  found: unknown: x\n\nNothing is wrong.\n',
      CHECK_VERDICTS,
      ['red failure', 'yellow unknown', 'green Nothing is wrong.'],
    ],
    ['Docker cannot be asked: it is not there\n', CHECK_VERDICTS, ['red Docker cannot be asked:']],
    ['Slack  told: 200 ok\nhook   NOT told: 500 told: no\n', TESTED_VERDICTS, ['green told', 'red NOT told']],
  ] as const) {
    t.not(text, '')
    t.same(painted(t, text, verdicts).sort(), [...expected].sort())
  }
})

await t.test('a command’s verdict is in colour on a terminal, and not where NO_COLOR is set', { skip: noPty }, async (t) => {
  const command = `${shellProgram('proxy')} explain policies/healer.yaml POST /containers/create`
  const [coloured, plain] = [startOnTerminal(command), startOnTerminal(command, { NO_COLOR: '1' })]
  t.same(await Promise.all([coloured.ended, plain.ended]), [1, 1])
  t.match(coloured.output(), '\x1b[31mrefused\x1b[39m     403')
  t.match(plain.output(), /^refused {5}403/)
  t.equal(stripVTControlCharacters(coloured.output()), plain.output())
})

await t.test('a wrong format of the log is refused', async (t) => {
  const { ended, output } = startHealer(t, ['run'], { LOG_FORMAT: 'xml' })
  t.same(await ended, [2, null])
  t.equal(output.text, 'postern-healer: LOG_FORMAT is “xml”; it takes auto, json or text\n')
})
