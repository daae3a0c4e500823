// `check`: what the client of a policy could do at worst, what is wider than it looks, and which containers are in scope, and why.
import { chmodSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { checkPolicy, renderChecked } from '../../proxy/check/check.ts'
import { OPERATION_WORDS, WHY_ROOT } from '../../proxy/check/operation-words.ts'
import { reportScope } from '../../proxy/check/scope-report.ts'
import { TELLING_FIELDS } from '../../proxy/check/telling-fields.ts'
import { WARNINGS } from '../../proxy/check/warnings.ts'
import type { Selector } from '../../proxy/policy/policy.ts'
import { policyLines } from '../../proxy/policy/policy-lines.ts'
import { answerFields, type FieldTree } from '../../proxy/request/answer-fields.ts'
import { CATALOGUE, whyNotServed } from '../../proxy/request/catalogue.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { containerId, fakeContainer, listed } from './support/containers.ts'
import { startFakeEngine } from './support/fake-engine.ts'
import { HEALER_POLICY_FILE, HEALER_POLICY_TEXT, healerPolicy, policyOf, policyText } from './support/policies.ts'
import { runProgram } from './support/proxy-process.ts'

const TESTS = 'tests:\n  - deny: POST /build\n'

/** The warnings of a policy, as `line name`; it has a test, so that it is not warned of having none. */
function warningsOf(allow: readonly string[], { scope, below = TESTS }: { scope?: readonly string[]; below?: string } = {}) {
  const text = `${policyText(allow, scope)}${below}`
  return checkPolicy('p.yaml', policyOf(text), text).warnings
}
const inShort = (warnings: ReturnType<typeof warningsOf>) => warnings.map(({ line, name }) => `${line} ${name}`)

const QUIET = 'budget: { client: 1 per 1m }'
const RUNNING = 'when: { state: [running] }'

t.test('the shipped policy is told whole, and nothing in it is wider than it looks', async (t) => {
  const checked = checkPolicy('policies/healer.yaml', healerPolicy(), HEALER_POLICY_TEXT)
  t.same(checked.warnings, [])
  t.match(checked, { client: 'healer', tests: healerPolicy().tests.length, hash: healerPolicy().hash })
  const text = renderChecked(checked)
  t.match(
    text,
    /^policies\/healer\.yaml: valid; \d+ tests hold; hash [0-9a-f]{16}\nIn scope are containers monitored=true; or autoheal=true\.\n/,
  )
  t.match(
    text.replace(/\s+/g, ' '),
    'ContainerRestart restart any container in scope; only while it is running, or a restart from here left it exited; with t (0 to 60 s to stop); without t, with the container’s own time to stop; at most 5 times in 10 minutes for each container, 20 times in 10 minutes in all It cannot do any of the other 108 operations',
  )
  t.match(text, /No warnings\.\n$/)
  for (const line of text.split('\n')) t.ok(line.length <= 100, line)
})

t.test('each operation of a policy has its words, its line and its limits', async (t) => {
  const text = policyText([
    'SystemPing: {}',
    `ContainerKill: { query: { signal: [SIGHUP, "SIGUSR*"] }, ${QUIET} }`,
    'ContainerDelete: { query: { force: [false] }, when: [{ state: [exited, dead] }, { project: old }] }',
    'ContainerChanges: { show: all }',
  ])
  const { operations, cannot } = checkPolicy('p.yaml', policyOf(text), text)
  t.same(operations.map(({ line, words }) => [line, words]).sort(), [
    [6, 'ask whether the Engine is there'],
    [7, 'send a signal to any container in scope; with signal (“SIGHUP” or “SIGUSR*”); at most once in a minute in all'],
    [
      8,
      'delete any container in scope; only while it is exited or dead; or of project old; with force (false); as often as it likes',
    ],
    [9, 'list the files that any container in scope changed; sees everything, uncut'],
  ])
  t.equal(cannot.count, CATALOGUE.length - 4)
  t.notOk(cannot.suchAs.includes(OPERATION_WORDS.ContainerDelete), 'what it can do is not among what it cannot')
  t.ok(cannot.suchAs.includes(OPERATION_WORDS.ContainerCreate))
})

t.test('every operation that amounts to root and that a policy can allow has its reason', async (t) => {
  const allowable = CATALOGUE.filter((operation) => operation.kind === 'root' && whyNotServed(operation) === undefined)
  t.same(Object.keys(WHY_ROOT).sort(), allowable.map(({ id }) => id).sort())
})

t.test('every field that is warned of is one that the answer has', async (t) => {
  for (const { id, answer } of CATALOGUE) {
    for (const [path] of TELLING_FIELDS[id] ?? []) {
      if (answer === 'stream') {
        t.same(path, ['*'], `${id}: of bytes there is nothing but the whole`)
        continue
      }
      let tree: FieldTree | undefined = answerFields(id)
      for (const name of path) tree = tree?.get(name) ?? tree?.get('*')
      t.ok(tree, `${id}: ${path.join('.')}`)
    }
  }
})

/** The first line of `allow` is line 6. */
const wide: readonly (readonly [what: string, allow: readonly string[], warned: readonly string[]])[] = [
  ['no budget', [`ContainerStop: { ${RUNNING} }`], ['6 no-budget']],
  [
    'a budget of more than a day',
    [`ContainerStop: { ${RUNNING}, budget: { client: 9 per 1d, container: 5 per 25h } }`],
    ['6 long-budget'],
  ],
  ['a budget of a day', [`ContainerStop: { ${RUNNING}, budget: { client: 9 per 1d } }`], []],
  ['a budget of any kind bounds it', [`ContainerStop: { ${QUIET} }`], []],
  ['a restart without when', [`ContainerRestart: { ${QUIET} }`], ['6 no-when']],
  ['a when that says nothing of the state', ['ContainerRestart:', `  ${QUIET}`, '  when: { project: shop }'], ['8 no-when']],
  [
    'one of several that says nothing',
    ['ContainerStart:', `  ${QUIET}`, '  when: [{ state: [exited] }, { names: [a] }]'],
    ['8 no-when'],
  ],
  ['a start of what is exited, on purpose', [`ContainerStart: { ${QUIET}, when: { state: [exited] } }`], []],
  ['a stop of any state', [`ContainerStop: { ${QUIET} }`], []],
  ['the environment', ['ContainerInspect:', '  show:', '    - Id', '    - Config: [Image, Env]'], ['9 telling-field']],
  ['a whole that holds it', ['ContainerInspect:', '  show:', '    - Config'], ['8 telling-field']],
  ['a pattern that matches it', ['ContainerInspect:', '  show: [Id, Conf*]'], ['7 telling-field']],
  ['what is beside it', ['ContainerInspect: { show: [Config: [Image, Healthcheck: [Interval]]] }'], []],
  ['a list below what is no object keeps nothing', ['ContainerList: { show: [Id, "*": [IPAddress]] }'], []],
  ['where mounts come from', ['ContainerInspect: { show: [Mounts] }'], ['6 telling-field']],
  ['where mounts lie inside', ['ContainerInspect: { show: [Mounts: [Destination]] }'], []],
  ['all labels', ['ContainerList: { show: [Labels] }'], ['6 telling-field']],
  ['labels of compose', ['ContainerList: { show: [Labels: [com.docker.compose.*]] }'], ['6 telling-field']],
  ['the labels that are meant', ['ContainerList: { show: [Labels: [com.docker.compose.project, app.*]] }'], []],
  ['everything', ['ContainerInspect:', '  show: all'], ['7 telling-field']],
  ['everything, where that is little', ['SystemVersion: { show: all }', 'ContainerChanges: { show: all }'], []],
  ['one option of a volume', ['VolumeInspect: { show: [Options: [o]] }'], ['6 whole-host', '6 telling-field']],
  ['a list that narrows nothing', ['ContainerList:', '  show:', '    - Ports: [Type]', '    - P*'], ['8 show-widened']],
  ['two lists for one field', ['ContainerList:', '  show:', '    - Ports: [Type]', '    - P*: [PrivatePort]'], []],
  ['objects that no scope limits', ['ImageList: { show: [Id] }', 'ImageInspect: { show: [Id] }'], ['6 whole-host']],
  [
    'events, which are of other objects as well',
    ['SystemEvents: { show: [Type, Actor: [ID, Attributes: [name]]] }'],
    ['6 whole-host'],
  ],
  [
    'attributes of events, labels among them',
    ['SystemEvents:', '  show: [Type, Actor: [ID, Attributes]]'],
    ['6 whole-host', '7 telling-field'],
  ],
  ['two kinds of them', ['ImageList: { show: [Id] }', 'NetworkList: { show: [Id] }'], ['6 whole-host', '7 whole-host']],
  ['logs', ['ContainerLogs: { show: all }'], ['6 telling-field']],
  ['counts of all containers', ['SystemInfo: { show: [ContainersRunning] }'], ['6 telling-field']],
  ['the host’s name', ['SystemInfo: { show: [Name] }'], []],
  ['a kill without a signal', [`ContainerKill: { ${QUIET} }`], ['6 any-signal']],
  ['any signal', ['ContainerStop:', `  ${QUIET}`, '  query:', '    signal: ["SIG*"]'], ['9 any-signal']],
  ['some signals', [`ContainerKill: { ${QUIET}, query: { signal: [SIGKILL, "SIGUSR*"] } }`], []],
  ['any option of ps', ['ContainerTop:', '  show: [Titles]', '  query: { ps_args: [aux, "-o*"] }'], ['8 any-ps-option']],
  ['one option of ps', ['ContainerTop: { show: [Titles], query: { ps_args: [aux] } }'], []],
  ['any name', [`ContainerRename: { ${QUIET}, query: { name: ["*"] } }`], ['6 any-text']],
  ['a beginning of a name', [`ContainerRename: { ${QUIET}, query: { name: ["old-*"] } }`], []],
  ['waiting without end', [`ContainerStop: { ${QUIET}, query: { t: -1..10 } }`], ['6 long-wait']],
  ['waiting for longer than the proxy', [`ContainerStop: { ${QUIET}, query: { t: [5, 901] } }`], ['6 long-wait']],
  ['waiting for as long as the proxy', [`ContainerStop: { ${QUIET}, query: { t: 0..900 } }`], []],
  ['sizes', ['ContainerList: { show: [Id], query: { size: [true] } }'], ['6 costly']],
  ['no sizes', ['ContainerList: { show: [Id], query: { size: [false] } }'], []],
  ['deleting for good', [`ContainerDelete: { ${QUIET} }`], ['6 deletes']],
  ['pruning whatever is unused', [`NetworkPrune: { show: all, ${QUIET} }`], ['6 deletes', '6 whole-host']],
]

t.test('what is wider than it looks is warned of, with its line, and what is not is not', async (t) => {
  for (const [what, allow, warned] of wide) t.same(inShort(warningsOf(allow)).sort(), [...warned].sort(), what)
})

t.test('what amounts to root is told with its reason, once', async (t) => {
  const warnings = warningsOf([`PluginEnable: { ${QUIET} }`], { below: `allow_root_equivalent: [PluginEnable]\n${TESTS}` })
  t.same(warnings, [
    { name: 'root-equivalent', line: 6, message: 'PluginEnable amounts to root on the host: a plugin runs as root on the host.' },
  ])
})

t.test('a scope is warned of where others decide who is in it', async (t) => {
  const scope = ['- names: [web]', '- labels: { a: b }', '- project: shop', '- { labels: { a: b }, names: [db], project: shop }']
  t.same(inShort(warningsOf(['SystemPing: {}'], { scope })), ['4 scope-by-name', '6 scope-by-project'])
  const all = 'version: 1\nclient: reader\nscope: all\nallow:\n  SystemPing: {}\ntests:\n  - deny: POST /build\n'
  t.same(inShort(checkPolicy('p.yaml', policyOf(all), all).warnings), ['3 scope-all'])
})

t.test('a policy without a test of what must be refused is warned of', async (t) => {
  t.same(inShort(warningsOf(['SystemPing: {}'], { below: '' })), ['1 no-tests'])
  t.match(warningsOf(['SystemPing: {}'], { below: 'tests:\n  - allow: GET /_ping\n' }), [
    { name: 'no-tests', line: 7, message: /refused/ },
  ])
})

t.test('each warning there is comes of some policy', async (t) => {
  const told = wide.flatMap(([, allow]) => warningsOf(allow).map(({ name }) => name))
  t.same(new Set([...told, 'root-equivalent', 'scope-all', 'scope-by-name', 'scope-by-project', 'no-tests']), new Set(WARNINGS))
})

t.test('a place in a policy has the line of its own words, or of the nearest around it', async (t) => {
  const lineOf = policyLines('a:\n  - b: [c]\n    d: { e: f }\n  - g\n  - b\n')
  for (const [path, line] of [
    [[], 1],
    [['a', 0], 2],
    [['a', 0, 'd', 'e'], 3],
    [['a', 'g'], 4],
    [['a', 'b', 'c'], 2],
    [['a', 'b'], 5],
    [['a', 0, 'd', 'missing', 'further'], 3],
    [['missing'], 1],
  ] as const)
    t.equal(lineOf(path), line, path.join('.'))
})

const SCOPE: readonly Selector[] = [{ labels: { monitored: 'true' } }, { names: ['web', 'api'], project: 'shop' }]
const project = (name: string) => ({ 'com.docker.compose.project': name })

const containers: readonly (readonly [name: string, labels: Record<string, string>, ...why: string[]])[] = [
  ['one', { monitored: 'true' }, 'monitored=true'],
  ['web', project('shop'), 'named web or api, of project shop'],
  ['two', { monitored: 'True' }, 'monitored=True: want “true”', 'name is two, want web or api; of no compose project, want shop'],
  ['web', project('blog'), 'no label monitored', 'project blog, want shop'],
  ['web', { MONITORED: 'yes' }, 'no label monitored; it has MONITORED=yes: is that meant?', 'of no compose project, want shop'],
  ['api', { monitord: 'true' }, 'no label monitored; it has monitord=true: is that meant?', 'of no compose project, want shop'],
]

t.test('each container is told why it is in scope, or what of each selector is not so', async (t) => {
  for (const [name, labels, ...why] of containers) {
    t.match(reportScope(SCOPE, [listed({ names: [name], labels })]), [{ name, inScope: why.length === 1, why }], why.join(' | '))
  }
  const listedAll = containers.map(([name, labels]) => listed({ names: [name], labels }))
  t.same(
    reportScope(SCOPE, listedAll).map(({ inScope }) => inScope),
    [true, true, false, false, false, false],
    'those in scope first',
  )
})

t.test('a label cannot move the cursor of the person who reads of it', async (t) => {
  const labels = { monitored: '\u001b[2Jtrue\n' }
  const text = renderChecked(checkPolicy('p.yaml', healerPolicy(), HEALER_POLICY_TEXT, [listed({ labels })]))
  t.match(text, 'monitored=\ufffd[2Jtrue\ufffd: want “true”')
})

t.test('the command checks several policies, and asks an Engine that is named', async (t) => {
  const engine = await startFakeEngine(t, [
    fakeContainer({ name: 'web', id: containerId('aa') }),
    fakeContainer({ name: 'db', id: containerId('bb'), labels: { monitored: 'no' } }),
  ])
  const directory = temporaryDirectory(t)
  for (const each of [directory, dirname(engine.socketPath)]) chmodSync(each, 0o755)
  chmodSync(engine.socketPath, 0o777)
  const broken = join(directory, 'broken.yaml')
  writeFileSync(broken, HEALER_POLICY_TEXT.replace('client: healer', 'client: Healer'))
  const failing = join(directory, 'failing.yaml')
  writeFileSync(failing, HEALER_POLICY_TEXT.replace('deny: POST /containers/create', 'deny: GET /_ping'))
  const address = `unix://${engine.socketPath}`

  const [asked, mixed, unreachable, json] = await Promise.all([
    runProgram(t, ['check', HEALER_POLICY_FILE], { env: { POSTERN_ENGINE: address } }),
    runProgram(t, ['check', broken, HEALER_POLICY_FILE, failing]),
    runProgram(t, ['check', HEALER_POLICY_FILE, '--engine', 'unix:///nowhere']),
    runProgram(t, ['check', broken, HEALER_POLICY_FILE, '--json', '--engine', address]),
  ])
  t.match(asked, { code: 0, stderr: '' })
  t.match(
    asked.stdout,
    /Containers of the Engine: 1 in scope, 1 not\.\n {2}in {2}web +scope\.0: monitored=true\n {2}out db +scope\.0: monitored=no: want “true”\n/,
  )
  t.same(new Set(engine.lines()), new Set(['GET /containers/json?all=1 HTTP/1.1']), 'one plain read')

  t.match(mixed, { code: 2, stdout: `${HEALER_POLICY_FILE}: valid; ` })
  t.match(mixed.stderr, `${broken}:11:9: client: expected a short name in lower case`)
  t.match(mixed.stderr, /failing\.yaml:\d+:5: test failed: expected deny of GET \/_ping, but it is allowed/)
  t.notMatch(mixed.stdout, 'Containers of the Engine', 'no Engine is asked that was not named')

  t.match(unreachable, { code: 1, stdout: '', stderr: 'postern-proxy: the Engine does not answer at /nowhere: ENOENT\n' })

  t.equal(json.code, 2)
  t.match(JSON.parse(json.stdout), [
    { file: broken, invalid: /expected a short name/ },
    {
      file: HEALER_POLICY_FILE,
      client: 'healer',
      warnings: [],
      containers: [
        { name: 'web', selector: 0 },
        { name: 'db', inScope: false },
      ],
    },
  ])
})
