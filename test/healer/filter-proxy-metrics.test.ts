// Which lines of the proxy's metrics are passed on. Whatever answers at that socket can neither speak for others nor spoil
// the scrape.
import fc from 'fast-check'
import t from 'tap'
import { filterProxyMetrics } from '../../healer/serve/filter-proxy-metrics.ts'
import { createProxyMetrics } from '../../proxy/serve/metrics.ts'

const P = 'postern_proxy_'

const passedOn: readonly (readonly [what: string, line: string])[] = [
  ['a sample', `${P}up 1`],
  ['with a label', `${P}x{client="healer"} 1`],
  ['with labels', `${P}x_total{client="healer",operation="",rule="allow.SystemPing"} 12`],
  ['with no label in its braces', `${P}x{} 1`],
  ['with every escape', `${P}x{a="\\\\ \\" \\n"} 1`],
  ['with braces, commas and blanks in a label', `${P}x{a="} 5, b=",b="é 🐳"} 1`],
  ...[
    '0',
    '-1',
    '+1',
    '1.5',
    '.5',
    '1.',
    '1e-9',
    '1E+9',
    '1.7976931348623157e308',
    'NaN',
    'Nan',
    'Inf',
    '+Inf',
    '-Inf',
    'infinity',
  ].map((value) => [`the value ${value}`, `${P}x ${value}`] as const),
  ['a help', `# HELP ${P}x What it is, and "what" not; {} \\n \\\\`],
  ['an empty help', `# HELP ${P}x `],
  ...['counter', 'gauge', 'histogram', 'summary', 'untyped'].map((type) => [type, `# TYPE ${P}x ${type}`] as const),
  ['a long line', `${P}x{a="${'a'.repeat(8000)}"} 1`],
]

const dropped: readonly (readonly [what: string, line: string])[] = [
  ['the healer’s', 'postern_healer_docker_up 1'],
  ['the healer’s help', '# HELP postern_healer_docker_up x'],
  ['the healer’s type', '# TYPE postern_healer_docker_up counter'],
  ['Prometheus’ own', 'up 1'],
  ['another’s', 'node_load1 1'],
  ['the prefix alone', `${P} 1`],
  ['the prefix later on', `x_${P}x 1`],
  ['the prefix after a blank', ` ${P}x 1`],
  ['in capitals', 'POSTERN_PROXY_x 1'],
  ['a name in quotes', `{"${P}x"} 1`],
  ['a second name, as a label', `${P}x{__name__="postern_healer_docker_up"} 1`],
  ['a label of Prometheus’ own', `${P}x{a="1",__address__="x"} 1`],
  ['a label twice', `${P}x{a="1",b="2",a="3"} 1`],
  ['a label without a name', `${P}x{="1"} 1`],
  ['a label that begins with a digit', `${P}x{1a="1"} 1`],
  ['a label without quotes', `${P}x{a=1} 1`],
  ['a label that does not end', `${P}x{a="1 1`],
  ['a quote too many', `${P}x{a="1""} 1`],
  ['an escape that there is not', `${P}x{a="\\t"} 1`],
  ['an escaped end', `${P}x{a="\\"} 1`],
  ['a comma before a label', `${P}x{,a="1"} 1`],
  ['braces that do not end', `${P}x{a="1" 1`],
  ['a time of its own', `${P}x 1 1700000000000`],
  ['an exemplar', `${P}x_bucket{le="1"} 1 # {trace="a"} 1`],
  ...['', 'x', '1x', '0x10', '1_000', '1e999', '-1e999', '-NaN', 'Infinit', 'null', '--1', '.', 'e5', '١'].map(
    (value) => [`the value “${value}”`, `${P}x ${value}`] as const,
  ),
  ['no value', `${P}x`],
  ['two blanks', `${P}x  1`],
  ['a blank at the end', `${P}x 1 `],
  ['a carriage return', `${P}x 1\r`],
  ['a carriage return for a line feed', `${P}x 1\rpostern_healer_docker_up 1`],
  ['a NUL in a label', `${P}x{a="\0"} 1`],
  ['a NUL in a help', `# HELP ${P}x \0`],
  ['another separator of lines', `${P}x\u2028 1`],
  ['a help with an escape that there is not', `# HELP ${P}x \\t`],
  ['a type that there is not', `# TYPE ${P}x info`],
  ['a type and more', `# TYPE ${P}x gauge x`],
  ['a unit', `# UNIT ${P}x seconds`],
  ['a comment', `# ${P}x`],
  ['the end of OpenMetrics', '# EOF'],
  ['nothing', ''],
  ['a page', '<html>'],
  ['too long a line', `${P}x{a="${'a'.repeat(8192)}"} 1`],
]

t.test('a line is passed on as it is, or not at all', async (t) => {
  for (const [what, line] of passedOn) t.equal(filterProxyMetrics(`${line}\n`), `${line}\n`, what)
  for (const [what, line] of dropped) {
    t.equal(filterProxyMetrics(`${line}\n`), '', what)
    t.equal(filterProxyMetrics(`${P}a 1\n${line}\n${P}b 2\n`), `${P}a 1\n${P}b 2\n`, `${what}, between others`)
  }
})

t.test('what was cut off in mid-line is not passed on', async (t) => {
  t.equal(filterProxyMetrics(`${P}a 1\n${P}b 12`), `${P}a 1\n`)
})

t.test('a metric has one help, one type, and that before its samples', async (t) => {
  const sound = [`# HELP ${P}a x`, `# TYPE ${P}a gauge`, `${P}a 1`, `${P}b 1`]
  const again = [`# HELP ${P}a y`, `# TYPE ${P}a counter`, `# TYPE ${P}b gauge`]
  t.equal(filterProxyMetrics(`${[...sound, ...again].join('\n')}\n`), `${sound.join('\n')}\n`)
})

t.test('the proxy’s own metrics pass whole', async (t) => {
  const metrics = createProxyMetrics()
  metrics.decided('healer', 'SystemPing', 'allow', 'allow.SystemPing', 0.01)
  metrics.decided('a "quoted" \\ name\n', '', 'deny', 'request.target', 40)
  metrics.showState(() => ({
    policies: [{ client: 'healer', hash: 'ab12' }],
    budgets: [{ client: 'healer', operation: 'ContainerRestart', of: 'client', left: 20 }],
    auditHead: { seq: 5, fingerprint: 'ab' },
    observes: false,
  }))
  const lines = (await metrics.render()).split('\n').filter((line) => line !== '')
  t.ok(lines.length > 100)
  t.same(
    filterProxyMetrics(`${lines.join('\n')}\n`)
      .split('\n')
      .slice(0, -1),
    lines,
  )
})

t.test('whatever came in, what goes out begins as the proxy’s lines do, and filtering it again changes nothing', async () => {
  const piece = fc.constantFrom(
    ...[P, `${P}x`, 'up', '# TYPE ', '# HELP ', '{', '}', 'a=', '"', '\\', ',', ' ', '1', 'NaN', '\n', '\r', '\0', 'counter'],
  )
  const line = fc.constantFrom(...[...passedOn, ...dropped].map(([, text]) => `${text}\n`))
  const text = fc.array(fc.oneof(piece, line, fc.string()), { maxLength: 40 }).map((pieces) => pieces.join(''))
  fc.assert(
    fc.property(text, (given) => {
      const kept = filterProxyMetrics(given)
      const lines = kept.split('\n')
      return (
        lines.pop() === '' &&
        lines.every((each) => /^(?:# (?:HELP|TYPE) )?postern_proxy_\w/.test(each)) &&
        filterProxyMetrics(kept) === kept
      )
    }),
  )
})

t.test('a mebibyte made to be slow takes no great time', async (t) => {
  for (const unit of ['\\', '\\\\', 'a="",', '"', `${P}x{a="`, ' ', '#', '\n', `${P}x 1\n`]) {
    const since = process.cpuUsage()
    filterProxyMetrics(`${P}x{a="${unit.repeat((1024 * 1024) / unit.length)}`)
    filterProxyMetrics(`${P}x{a="${unit.repeat(8000 / unit.length)}\n`.repeat(130))
    const { user } = process.cpuUsage(since)
    t.ok(user < 2_000_000, `${JSON.stringify(unit)}: ${user / 1000} ms`)
  }
})
