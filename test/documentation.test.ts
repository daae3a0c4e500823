// The documentation is held to the code: every command, flag, setting, label, metric, refusal and policy key is in it, and what
// it lists exists.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import t from 'tap'
import { parse } from 'yaml'
import { check } from '../healer/check/check.ts'
import { explainEnvironment } from '../healer/check/explain-settings.ts'
import { renderCheck } from '../healer/check/render.ts'
import { MAX_LOOKS, MAX_RESTARTS_KEPT } from '../healer/health/history.ts'
import { FORGET_AFTER_MS, MAX_RULES, MAX_RULES_OF_CONTAINER } from '../healer/health/rules.ts'
import { NOT_RESTARTING } from '../healer/health/state.ts'
import { systemClock } from '../healer/loop/clock.ts'
import { PROBES } from '../healer/probe/probes.ts'
import { MAX_LOOKS_SHOWN } from '../healer/serve/api/containers.ts'
import { containerSchema, proxySchema } from '../healer/serve/api/schemas.ts'
import { createApp } from '../healer/serve/app.ts'
import { createHealerMetrics } from '../healer/serve/metrics.ts'
import { readEnvironment, VARIABLES } from '../healer/settings/environment.ts'
import { LABELS, type LabelRow, readLabels } from '../healer/settings/labels.ts'
import { inWords } from '../healer/settings/value.ts'
import { AUDIT_EVENTS, auditLineSchema } from '../proxy/audit/audit-line.ts'
import { readRecords } from '../proxy/audit/read-records.ts'
import { BYTES_PER_HOUR } from '../proxy/audit/repeats.ts'
import { createReport, renderReport } from '../proxy/audit/report.ts'
import { checkPolicy, renderChecked } from '../proxy/check/check.ts'
import { WARNINGS } from '../proxy/check/warnings.ts'
import { parsePolicy } from '../proxy/policy/parse-policy.ts'
import { CONTAINER_STATES } from '../proxy/policy/policy.ts'
import { renderPolicyErrors } from '../proxy/policy/policy-error.ts'
import { policySchema } from '../proxy/policy/schema.ts'
import { CATALOGUE, MEANT_WHEN_ABSENT } from '../proxy/request/catalogue.ts'
import { REFUSAL_RULES } from '../proxy/request/refusal.ts'
import { createProxyMetrics } from '../proxy/serve/metrics.ts'
import { ENGINES } from './engines/support/engines.ts'
import { createFakeClock } from './healer/support/fake-clock.ts'
import { createFakeDocker } from './healer/support/fake-docker.ts'
import { CORES } from './mutation/cores.ts'
import { A_DAY, auditFile } from './proxy/support/audit-lines.ts'
import { listed } from './proxy/support/containers.ts'
import { blocks, firstColumn, readPage, tableRows, words } from './support/pages.ts'
import { builtProgram, plainNode } from './support/programs.ts'

const healer = readPage('healer.md')
const proxy = readPage('proxy.md')
const policies = readPage('policies.md')

const helped = new Map<string, string>()
function help(program: 'proxy' | 'healer', ...command: string[]): string {
  const args = [builtProgram(program), ...command, '--help']
  const text = helped.get(args.join(' ')) ?? execFileSync(...plainNode(...args), { encoding: 'utf8' })
  helped.set(args.join(' '), text)
  return text
}
const commandsOf = (program: 'proxy' | 'healer') =>
  [...help(program).matchAll(/^ {2}([a-z-]+)(?: [<[][^ ]+)* {2,}/gm)].map((match) => match[1]).filter((name) => name !== 'help')

await t.test('the healer’s commands', async (t) => {
  t.same(
    firstColumn(healer, 'Commands').map((cell) => cell.replace(/ (?:\[--|kubernetes).*$/, '')),
    commandsOf('healer').map((name) => `postern-healer ${name}`),
  )
})

await t.test('the flags of the healer’s check, and what it says', async (t) => {
  const flags = [...help('healer', 'check').matchAll(/^ {2}(--[a-z-]+)/gm)].map((match) => match[1] ?? '')
  const [cell = ''] = firstColumn(healer, 'Commands').filter((text) => text.startsWith('postern-healer check'))
  t.same(
    [...cell.matchAll(/\[(--[a-z-]+)\]/g)].map((match) => match[1]),
    flags,
  )
  const docker = createFakeDocker(createFakeClock())
  const networks = [{ name: 'net', addresses: ['172.20.0.9'] }]
  const redis = { monitored: 'true', 'healer.send': 'PING\\r\\n', 'healer.expect': '+PONG', 'healer.retires': '5' }
  docker.add('redis', 6379, { summary: { networks, labels: redis } })
  docker.add('vpn', 80, { summary: { labels: { monitored: 'true' }, networks: [{ name: 'private', addresses: ['10.9.0.2'] }] } })
  const env = { DOCKER_HOST: 'unix:///run/postern/healer.sock', CHECK_INTERVAL: '10' }
  const report = await check({
    docker,
    environment: readEnvironment(env),
    settings: explainEnvironment(env),
    receivers: [],
    own: ['172.20.0.5/16'],
    monotonicMs: () => 0,
    runProbe: () => Promise.resolve({ result: 'success', reason: 'answered “+PONG\\r\\n”' }),
  })
  t.ok(healer.includes(`\`\`\`\n${renderCheck(report)}\`\`\``), renderCheck(report))
})

await t.test('the proxy’s commands, flags and their environment variables', async (t) => {
  t.same([...new Set(firstColumn(proxy, 'Commands').map((cell) => cell.split(' ')[1]))], commandsOf('proxy'))
  const flags = new Map<string, string | undefined>()
  for (const command of commandsOf('proxy').filter((name) => name !== 'suggest')) {
    const text = help('proxy', command ?? '').replace(/\n {10,}/g, ' ')
    for (const [, flag = '', words = ''] of text.matchAll(/^ {2}(--[a-z-]+) (.*)$/gm))
      flags.set(flag, /env: (\w+)/.exec(words)?.[1])
  }
  t.same(
    firstColumn(proxy, 'Commands', 1)
      .map((cell) => cell.split(' ')[0])
      .sort(),
    [...flags.keys()].sort(),
  )
  for (const [flag, variable] of flags) {
    const cell = variable === undefined ? 'none' : `\`${variable}\``
    t.match(proxy, new RegExp(`\\| \`${flag}(?: [A-Z:]+)?\` \\| ${cell} \\|`), flag)
  }
})

await t.test('no page of help is wider than a terminal', async (t) => {
  const pages = [
    ...['audit verify', 'audit report', ...commandsOf('proxy')].map((command) => help('proxy', ...(command ?? '').split(' '))),
    ...commandsOf('healer').map((command) => help('healer', command ?? '')),
    ...[help('proxy'), help('healer')],
  ]
  for (const line of pages.flatMap((page) => page.split('\n'))) t.ok(line.length <= 80, line)
})

await t.test('the flags of audit verify, and what it says', async (t) => {
  const page = readPage('audit.md')
  const flags = [...help('proxy', 'audit', 'verify').matchAll(/^ {2}(--[a-z-]+) </gm)].map((match) => match[1] ?? '')
  t.same(flags, ['--key', '--at-least'])
  for (const flag of flags) t.match(page, `\`${flag}\``)
  const source = ['verify', 'verify-files'].map((name) => readFileSync(`proxy/audit/${name}.ts`, 'utf8')).join('')
  for (const said of firstColumn(page, 'To verify it')) t.ok(source.includes(said.split(/ [NM]\b/)[0] ?? said), said)
})

await t.test('the events and the fields of the audit log', async (t) => {
  const page = readFileSync('docs/audit.md', 'utf8')
  t.same(firstColumn(page, 'Fields', 1), [...AUDIT_EVENTS])
  const documented = new Set([0, 2, 3].flatMap((table) => firstColumn(page, 'Fields', table)))
  const inWords = new Set(['reason', 'key', 'sig', 'next', 'bytes', 'sha256', 'sealed', 'before'])
  for (const line of auditLineSchema.options) {
    for (const field of Object.keys(line.shape)) t.ok(documented.has(field) || inWords.has(field), field)
  }
  for (const word of inWords) t.match(page, `\`${word}\``)
  const fields = new Set(auditLineSchema.options.flatMap((line) => Object.keys(line.shape)))
  for (const field of documented) t.ok(fields.has(field), `${field} is a field`)
  const mebibytes = (bytes: number) => `${bytes / 1024 ** 2} MiB`
  t.match(page, `${mebibytes(BYTES_PER_HOUR.refused)} of refused requests of a client, and ${mebibytes(BYTES_PER_HOUR.passed)}`)
})

await t.test('the commands about audit files, and the flags of suggest and audit report', async (t) => {
  const ofAudit = [...help('proxy', 'audit').matchAll(/^ {2}([a-z]+) \[options\]/gm)].map((match) => match[1])
  t.same(
    firstColumn(proxy, 'Commands').flatMap((cell) => /^postern-proxy audit (\w+) /.exec(cell)?.[1] ?? []),
    ofAudit,
  )
  const flagsOf = (...command: string[]) => [...help('proxy', ...command).matchAll(/^ {2}(--[a-z-]+)/gm)].map((match) => match[1])
  t.same(
    firstColumn(proxy, 'A policy from what was recorded')
      .filter((cell) => cell.startsWith('--'))
      .map((cell) => cell.split(' ')[0]),
    flagsOf('suggest').filter((flag) => flag !== '--help'),
  )
  t.same(flagsOf('audit', 'report'), ['--json'])
  t.match(readFileSync('docs/audit.md', 'utf8'), '`--json`')
})

await t.test('the report that the page shows is one', async (t) => {
  const [, shown = ''] = /^## To sum it up$.*?^```text\n(.*?)^```$/ms.exec(readFileSync('docs/audit.md', 'utf8')) ?? []
  const { add, report } = createReport()
  for await (const record of readRecords([auditFile(t, A_DAY)], () => undefined)) add(record)
  t.equal(shown, renderReport(report()))
})

await t.test('the healer’s variables with their defaults', async (t) => {
  t.same(
    firstColumn(healer, 'Settings').filter((name) => name in VARIABLES || /^[A-Z_]+$/.test(name)),
    Object.keys(VARIABLES),
  )
  for (const [name, variable] of Object.entries(VARIABLES)) {
    if ('default' in variable) t.ok(healer.includes(`| \`${name}\` | \`${variable.default}\` |`), name)
    if ('secret' in variable) t.ok(healer.includes(`\`${name}_FILE\``), `${name}_FILE`)
  }
})

await t.test('the composition hands on every variable of the healer that is not the image’s own', async (t) => {
  const { services } = parse(readFileSync('compose/compose.yaml', 'utf8'), { merge: true })
  const own = ['DOCKER_HOST', 'PROXY_METRICS', 'HEALER_PORT', 'HEALER_HOST', 'STATE_DIR']
  const files = Object.entries(VARIABLES).flatMap(([name, variable]) => ('secret' in variable ? [`${name}_FILE`] : []))
  t.same(
    Object.keys(services.healer.environment).sort(),
    [...Object.keys(VARIABLES), ...files].filter((name) => !own.includes(name)).sort(),
  )
})

await t.test('the labels', async (t) => {
  t.same(
    firstColumn(healer, 'Settings of one container'),
    Object.keys(LABELS).map((name) => `healer.${name}`),
  )
  for (const [label, , probes, byDefault] of tableRows(healer, 'Settings of one container')) {
    const [name = ''] = words(label).map((text) => text.replace('healer.', ''))
    const row: LabelRow<unknown> | undefined = Object.entries(LABELS).find(([key]) => key === name)?.[1]
    t.same(words(probes), row?.probes ?? [], `the probes that healer.${name} is for`)
    t.match(
      words(byDefault).slice(0, 1),
      [row?.variable ?? row?.default].filter((text) => text !== undefined),
      `its default`,
    )
  }
})

await t.test('the labels that the page shows are understood, and describe the probes that it says', async (t) => {
  const [, shown = ''] = /^## Settings of one container$.*?^```yaml\n(.*?)^```$/ms.exec(healer) ?? []
  const { services } = parse(shown) as { services: Record<string, { labels: Record<string, string> }> }
  const kinds = Object.values(services).map(({ labels }) => {
    const { settings, problems } = readLabels(labels, readEnvironment({}))
    t.same(problems, [])
    return settings.probing.kind
  })
  t.same(kinds, ['http', 'tcp', 'grpc'])
  t.same(firstColumn(healer, 'Probes').slice(0, kinds.length), kinds)
})

await t.test('the probes', async (t) => {
  const kinds = Object.keys(PROBES).filter((kind) => kind !== 'none')
  t.same(firstColumn(healer, 'Probes'), kinds)
  t.equal(LABELS.probe.takes, inWords(kinds))
})

await t.test('the paths that the healer serves', async (t) => {
  const app = createApp({
    view: () => ({ containers: [], docker: { reachable: true, message: '' }, ready: true, loopAgeMs: 0, holdSinceMs: undefined }),
    metrics: createHealerMetrics(),
    maxLoopAgeMs: 1,
  })
  const paths = app.routes.filter(({ method }) => method === 'GET').map(({ path }) => path.replace(':name', 'NAME'))
  t.same(firstColumn(healer, 'What it serves'), paths)
})

await t.test('the fields of what the API says of a container and of the proxy, and its bounds', async (t) => {
  t.same(firstColumn(healer, 'The API').sort(), Object.keys(containerSchema.shape).sort())
  t.same(firstColumn(healer, 'The API', 1).sort(), Object.keys(proxySchema.shape).sort())
  t.match(healer, `its last ${MAX_LOOKS} probes`)
  t.match(healer, `the last ${MAX_RESTARTS_KEPT} that were made`)
  t.match(
    healer,
    `An answer has ${MAX_LOOKS_SHOWN.toLocaleString('en')} probes at most: of more than ${MAX_LOOKS_SHOWN / MAX_LOOKS} containers`,
  )
})

await t.test('the requests that tell the healer something', async (t) => {
  const unknown = () => Promise.resolve({ outcome: 'unknown' } as const)
  const app = createApp({
    view: () => ({ containers: [], docker: { reachable: true, message: '' }, ready: true, loopAgeMs: 0, holdSinceMs: undefined }),
    metrics: createHealerMetrics(),
    maxLoopAgeMs: 1,
    control: {
      control: { pause: unknown, resume: unknown, reset: unknown },
      rules: { take: () => Promise.resolve({ began: [], renewed: [], ended: [], refused: [] }) },
      token: undefined,
      clock: systemClock,
      log: pino({ level: 'silent' }),
    },
  })
  const requests = app.routes
    .filter(({ method }) => method !== 'GET' && method !== 'ALL')
    .map(({ method, path }) => `${method} ${path.replace(':name', 'NAME')}`)
  t.same([...firstColumn(healer, 'Control'), ...firstColumn(healer, 'Healing by a metric')], [...new Set(requests)])
})

await t.test('the rule and the route for healing by a metric are those that ship', async (t) => {
  const shown = blocks(healer.slice(healer.indexOf('\n## Healing by a metric\n')), 'yaml')
  const shipped = ['prometheus/rules.yml', 'alertmanager/alertmanager.yml'].map((file) => readFileSync(`compose/${file}`, 'utf8'))
  t.same(
    shown.map((text) => parse(text)),
    shipped.map((text) => parse(text)),
  )
})

await t.test('the bounds of healing by a metric', async (t) => {
  t.match(healer, `An alert that is not repeated for ${FORGET_AFTER_MS / 3_600_000} hours counts as ended`)
  t.match(healer, `${MAX_RULES_OF_CONTAINER} alerts of a container are kept, and ${MAX_RULES} in all.`)
})

await t.test('the reasons why a restart is not made', async (t) => {
  t.same(firstColumn(healer, 'Health, and why').sort(), [...NOT_RESTARTING].sort())
})

await t.test('the metrics, both ways', async (t) => {
  const view = { containers: [], docker: { reachable: true, message: '' }, ready: true, loopAgeMs: 0, holdSinceMs: undefined }
  for (const [text, heading, rendered] of [
    [healer, 'Metrics', await createHealerMetrics().render(view)],
    [proxy, 'Metrics', await createProxyMetrics().render()],
  ] as const) {
    const names = [...rendered.matchAll(/^# TYPE (\w+)/gm)].map((match) => match[1] ?? '')
    const ofNode = names.filter((name) => /^postern_(healer|proxy)_(process|nodejs)_/.test(name))
    t.same(firstColumn(text, heading).sort(), names.filter((name) => !ofNode.includes(name)).sort())
  }
})

await t.test('a mistake in a policy is told as the page shows it', async (t) => {
  const text = readFileSync('policies/healer.yaml', 'utf8').replace('- Status\n', '- Stauts\n')
  const parsed = parsePolicy(text, 'healer.yaml')
  t.ok('errors' in parsed && policies.includes(`\`\`\`\n${renderPolicyErrors('healer.yaml', text, parsed.errors)}\n\`\`\``))
})

await t.test('the warnings of check', async (t) => {
  t.same(firstColumn(proxy, 'What a policy allows').sort(), [...WARNINGS].sort())
})

await t.test('check and explain say what the page shows', async (t) => {
  const shown = [...proxy.matchAll(/^```\n\$ postern-proxy ([^\n]*)\n(.*?)```$/gms)]
  t.same(
    shown.map(([, line = '']) => line.split(' ')[0]),
    ['check', 'explain', 'explain'],
  )
  for (const [, line = '', output = ''] of shown) {
    const args = (line.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replaceAll("'", ''))
    const { stdout } = spawnSync(...plainNode(builtProgram('proxy'), ...args), { encoding: 'utf8' })
    t.equal(stdout, output, line)
  }
})

await t.test('check tells of containers as the page shows it', async (t) => {
  const text = readFileSync('policies/healer.yaml', 'utf8')
  const parsed = parsePolicy(text, 'healer.yaml')
  if ('errors' in parsed) throw new Error('the shipped policy is not valid')
  const containers = Object.entries({ api: { monitored: 'true' }, db: {}, web: { monitored: 'True', Autoheal: 'true' } }).map(
    ([name, labels]) => listed({ names: [name], labels: { ...labels } }),
  )
  const rendered = renderChecked(checkPolicy('healer.yaml', parsed.policy, text, containers))
  t.ok(proxy.includes(`\`\`\`\n${rendered.slice(rendered.indexOf('Containers of'))}\`\`\``))
})

await t.test('the refusals', async (t) => {
  t.same(firstColumn(proxy, 'Refusals').sort(), [...REFUSAL_RULES].sort())
})

await t.test('the keys of the policy language, both ways, and the operations', async (t) => {
  const { shape } = policySchema()
  t.same(firstColumn(policies, 'The keys of a policy'), Object.keys(shape))
  const required = Object.entries(shape).filter(([, schema]) => !schema.safeParse(undefined).success)
  t.same(
    tableRows(policies, 'The keys of a policy')
      .filter(([, whenAbsent]) => whenAbsent?.trim() === 'an error')
      .flatMap(([key]) => words(key)),
    required.map(([key]) => key),
  )
  const ruleKeys = Object.values(shape.allow.shape).flatMap((rule) => Object.keys(rule.unwrap().in.shape))
  t.same(firstColumn(policies, 'The keys of a rule').sort(), [...new Set(ruleKeys)].sort())
  t.same(firstColumn(policies, 'Selectors'), Object.keys(shape.scope.in.options[0].element.shape))
  const test = shape.tests.unwrap().element.shape
  t.same(firstColumn(policies, 'Tests'), Object.keys(test))
  t.same(firstColumn(policies, 'Tests', 1), Object.keys(test.given.unwrap().shape))
  // What a rule's keys hold is read from the schema for editors, which is made from the same.
  const { definitions, properties } = JSON.parse(readFileSync('policies/policy.schema.json', 'utf8'))
  t.same(firstColumn(policies, 'when'), Object.keys(definitions.conditions.anyOf[0].properties))
  t.same(firstColumn(policies, 'budget'), Object.keys(properties.allow.properties.ContainerRestart.properties.budget.properties))
  const states = tableRows(policies, 'when').find(([key]) => key?.includes('state'))
  t.same(words(states?.[2]), CONTAINER_STATES)
  t.same(
    firstColumn(readPage('operations.md'), 'Operations').filter((cell) => !cell.includes(' ')),
    CATALOGUE.map(({ id }) => id),
  )
})

await t.test('what a key means when it is absent, where that is more than is listed', async (t) => {
  const meant = Object.values(MEANT_WHEN_ABSENT).flatMap((keys) => Object.entries(keys))
  const paragraph = policies.split('\n\n').find((text) => text.startsWith('A listed key may be absent'))
  for (const [key, value = 'everything'] of meant)
    t.match(paragraph?.replace(/\s+/g, ' '), new RegExp(`without \`${key}\`[^,.]* is [^,.]*${value}`, 'i'), key)
})

await t.test('every link from one page to another leads to a file, and to a heading in it', async (t) => {
  for (const name of readdirSync('docs').filter((file) => file.endsWith('.md'))) {
    for (const [, file = '', heading] of readPage(name).matchAll(/\]\((?!http)([^)#]*)(?:#([^)]+))?\)/g)) {
      const path = file === '' ? `docs/${name}` : join('docs', file)
      t.ok(existsSync(path), `${name}: ${file}`)
      if (heading !== undefined) t.ok(anchors(readFileSync(path, 'utf8')).includes(heading), `${name}: ${file}#${heading}`)
    }
  }
})

/** What its headings are called in links, as GitHub makes them. */
function anchors(page: string): readonly string[] {
  const headings = [...page.matchAll(/^#+ (.+)$/gm)].map((match) => match[1] ?? '')
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

await t.test('the engines that are tested, and no others, are in docs/engines.md, with their API', async (t) => {
  const rows = tableRows(readPage('engines.md'), 'Engines').map(([name, api]) => [words(name)[0], words(api)[0]])
  t.same(
    rows,
    Object.entries(ENGINES).map(([name, { api }]) => [name, api]),
  )
  for (const [name, { version }] of Object.entries(ENGINES)) t.match(name, ` ${version}`)
})

await t.test(
  'every file of the pure cores that are mutated has its scores in docs/mutation.md, and every test is there',
  async (t) => {
    const cores = Object.values(CORES)
    t.same(
      firstColumn(readPage('mutation.md'), 'Scores'),
      cores.flatMap(({ files }) => files),
    )
    for (const path of cores.flatMap(({ files, tests }) => [...files, ...tests])) t.ok(existsSync(path), path)
  },
)
