// The report on an audit log: who asked for what, what failed, who was refused why. What a client sent cannot harm who reads it.
import t, { type Test } from 'tap'
import { readRecords } from '../../proxy/audit/read-records.ts'
import { createReport, renderReport, renderReportJson } from '../../proxy/audit/report.ts'
import { A_DAY, auditFile, changed, decisionLine, denied, type LineFields, outcomeLine } from './support/audit-lines.ts'
import { runProgram } from './support/proxy-process.ts'
import { startProxy } from './support/start-proxy.ts'

async function reportOf(files: readonly string[]) {
  const notes: string[] = []
  const { add, report } = createReport()
  for await (const record of readRecords(files, (note) => notes.push(note))) add(record)
  return { report: report(), notes }
}

const reportOn = (t: Test, lines: readonly (LineFields | string)[], end?: string) => reportOf([auditFile(t, lines, end)])

t.test('a day in the log: rows by client and operation, a total, and refusals by rule', async (t) => {
  const { report } = await reportOn(t, A_DAY)
  t.equal(
    renderReport(report),
    `client  operation         target  allowed  refused  failed  last
healer  -                 -             0      900       0  2024-06-01T12:00:08.000Z
healer  ContainerCreate   -             0        1       0  2024-06-01T12:00:06.000Z
healer  ContainerRestart  db            1        0       0  2024-06-01T12:00:05.000Z
healer  ContainerRestart  web           2        0       1  2024-06-01T12:00:04.000Z
healer  SystemPing        -            40        0       0  2024-06-01T12:00:02.000Z
other   -                 -             0        1       0  2024-06-01T12:00:07.000Z
total                                  43      902       1

refused, by rule:
client  rule               times  last                      last reason
healer  policy.operation       1  2024-06-01T12:00:06.000Z  ContainerCreate is not allowed to healer
healer  request.path         900  2024-06-01T12:00:08.000Z  no name
other   operation.unknown      1  2024-06-01T12:00:07.000Z  no operation
`,
  )
})

t.test(
  'what only --observe let through has a column of its own, and stands with the rule that would have refused it',
  async (t) => {
    const observed = { verdict: 'observe', rule: 'policy.query', reason: 'the query “t” is not listed', ...changed('web') }
    const { report } = await reportOn(t, [decisionLine('ContainerStop', 1, observed), outcomeLine(1, { status: 409 })])
    t.match(report.rows, [{ operation: 'ContainerStop', target: 'web', allowed: 0, refused: 0, observed: 1, failed: 1 }])
    t.match(report.refusals, [{ rule: 'policy.query', times: 1 }])
    t.match(renderReport(report), /allowed {2}refused {2}observed {2}failed/)
  },
)

t.test('a read that the Engine answered with an error has failed as well', async (t) => {
  const { report } = await reportOn(t, [decisionLine('ContainerList', 1, { status: 502 }), decisionLine('ContainerList', 2)])
  t.match(report.total, { allowed: 2, failed: 1 })
})

t.test('several files are one log, and an outcome may be in the next; another log counts anew', async (t) => {
  const first = auditFile(t, [decisionLine('ContainerRestart', 3, changed('web'))])
  const next = auditFile(t, [outcomeLine(3, { status: 500 })])
  const other = auditFile(t, [{ ...outcomeLine(1), event: 'log', key: 'k' }, outcomeLine(3, { status: 500 })])
  t.match((await reportOf([first, next])).report.total, { allowed: 1, failed: 1 })
  t.match((await reportOf([first, other])).report.total, { allowed: 1, failed: 0 })
})

const HOSTILE = 'a\u001b[2J\u202eb\u009b31m\r\n\u2028\u0000ב\ufeff'
t.test('what a client or a container brought moves no cursor and turns no line, for people and for machines', async (t) => {
  const { report } = await reportOn(t, [
    decisionLine('ContainerStop', 1, { client: HOSTILE, ...denied(HOSTILE, HOSTILE), target: { id: 'x', name: HOSTILE } }),
    decisionLine(HOSTILE, 2),
  ])
  const text = renderReport(report)
  t.match(text, /^[\x20-\x7e\n]+$/)
  t.equal(text.split('\n').length, 9)
  t.match(text, 'a\\u{1b}[2J\\u{202e}b\\u{9b}31m\\u{d}\\u{a}')
  t.match(renderReportJson(report), /^[\x20-\x7e\n]+$/)
  t.equal(JSON.parse(renderReportJson(report)).refusals[0].reason, HOSTILE)
})

t.test('a long reason does not break the table', async (t) => {
  const { report } = await reportOn(t, [decisionLine('ContainerStop', 1, denied('policy.scope', 'x'.repeat(500)))])
  t.match(renderReport(report), `${'x'.repeat(160)}…\n`)
})

const noLines: readonly (readonly [what: string, line: LineFields | string])[] = [
  ['no JSON', 'hello'],
  ['no object', '[]'],
  ['nothing', ''],
  ['no event', { time: '2024-06-01T12:00:00Z', seq: 1, prev: '' }],
  ['a verdict that no proxy gives', decisionLine('SystemPing', 1, { verdict: 'maybe' })],
  ['a time that is none', decisionLine('SystemPing', 1, { time: 'noon' })],
  ['a count that is none', decisionLine('SystemPing', 1, { count: -5 })],
  ['an outcome of nothing', outcomeLine(1, { of: 'x' })],
]
for (const [what, line] of noLines) {
  t.test(`a line that is ${what} is told by file and number`, async (t) => {
    const file = auditFile(t, [decisionLine('SystemPing'), line, decisionLine('SystemPing')])
    await t.rejects(reportOf([file]), { message: `${file}:2: this is no line of an audit log` })
    const last = auditFile(t, [decisionLine('SystemPing'), line])
    await t.rejects(reportOf([last, file]), { message: `${last}:2: this is no line of an audit log` })
  })
}

t.test('a last line that is torn is left out with a note; one that the proxy found torn is none', async (t) => {
  const torn = '{"v":1,"time":"2024-0'
  const { report, notes } = await reportOn(t, [decisionLine('SystemPing'), torn], '')
  t.match(report.total, { allowed: 1 })
  t.match(notes, [/audit\.jsonl:2: the last line is torn/])
  const mended = await reportOn(t, [torn, { ...outcomeLine(2), event: 'torn', bytes: 20 }, decisionLine('SystemPing', 3)])
  t.match(mended, { report: { total: { allowed: 1 } }, notes: [] })
})

t.test('so is what was torn twice, by a crash and by one while that was mended', async (t) => {
  const torn = ['{"v":1,"time":"2024-0', '{"v":1,"ti']
  const { report, notes } = await reportOn(t, [decisionLine('SystemPing'), ...torn], '')
  t.match(report.total, { allowed: 1 })
  t.match(notes, [/audit\.jsonl:2: the last line is torn/])
  const mended = await reportOn(t, [...torn, { ...outcomeLine(2), event: 'torn', bytes: 32 }, decisionLine('SystemPing', 3)])
  t.match(mended, { report: { total: { allowed: 1 } }, notes: [] })
})

t.test('what a proxy records is what is reported', async (t) => {
  const proxy = await startProxy(t)
  for (const line of ['GET /_ping', 'GET /_ping', 'POST /containers/web/restart', 'POST /containers/hidden/restart'])
    await proxy.ask(line)
  await proxy.audit.close()
  const { report } = await reportOf([proxy.auditFile])
  t.match(report.rows, [
    { operation: 'ContainerRestart', target: '-', allowed: 0, refused: 1 },
    { operation: 'ContainerRestart', target: 'web', allowed: 1, failed: 0 },
    { operation: 'SystemPing', allowed: 2 },
  ])
  t.match(report.refusals, [{ client: 'healer', rule: 'policy.scope', reason: 'No such container: hidden' }])
})

t.test('the command prints it, or ends with 1 or 2', async (t) => {
  const file = auditFile(t, A_DAY)
  const run = (...args: string[]) => runProgram(t, ['audit', 'report', ...args], { asRoot: true })
  const runs = await Promise.all([run(file), run('--json', file), run(`${file}.none`), run(), run(auditFile(t, ['x']))])
  t.match(runs[0], { code: 0, stdout: /^client .*\ntotal .*refused, by rule:/s, stderr: '' })
  t.match(JSON.parse(runs[1]?.stdout ?? ''), { total: { allowed: 43, refused: 902, observed: 0, failed: 1 } })
  t.match(runs[2], { code: 1, stdout: '', stderr: /ENOENT/ })
  t.match(runs[3], { code: 2, stderr: /missing required argument 'file'/ })
  t.match(runs[4], { code: 1, stdout: '', stderr: /audit\.jsonl:1: this is no line of an audit log/ })
})
