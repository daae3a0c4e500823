// A suggested policy lets pass what was recorded, and nothing can be taken from it; what should not be granted by a habit is not.
import t, { type Test } from 'tap'
import { readRecords } from '../../proxy/audit/read-records.ts'
import { runPolicyTests } from '../../proxy/policy/run-tests.ts'
import { CATALOGUE, isCut, whyNotServed } from '../../proxy/request/catalogue.ts'
import { createGathering, type GatherOptions } from '../../proxy/suggest/gather.ts'
import { defaultShow, type ShowTree } from '../../proxy/suggest/show-defaults.ts'
import { suggestPolicy } from '../../proxy/suggest/suggest-policy.ts'
import { auditFile, changed, decisionLine, type LineFields, outcomeLine } from './support/audit-lines.ts'
import { policyOf } from './support/policies.ts'
import { runProgram } from './support/proxy-process.ts'
import { DB, type RunningProxy, startProxy, usualContainers, WEB } from './support/start-proxy.ts'

async function suggestFrom(t: Test, lines: readonly LineFields[], options: GatherOptions = {}, client = 'healer') {
  const { add, clients } = createGathering(options)
  for await (const record of readRecords([auditFile(t, lines)], () => t.fail('no note is expected'))) add(record)
  return suggestPolicy(client, clients.get(client) ?? { taken: [], leftOut: new Map() })
}

/** Of the policy's text, what stands under `allow:`, without comments. */
const rulesOf = (text = '') => /^allow:\n(.*?)\n\n/ms.exec(text.replace(/^ *#.*\n/gm, ''))?.[1]?.replaceAll(/^ {2}/gm, '')

const stop = (atSeconds: number, query: LineFields, fields: LineFields = changed('web')) =>
  decisionLine('ContainerStop', atSeconds, { method: 'POST', path: '/containers/web/stop', query, ...fields })
const kill = (atSeconds: number, query: LineFields = {}) =>
  decisionLine('ContainerKill', atSeconds, { method: 'POST', path: '/containers/web/kill', query, ...changed('web') })
const list = (query: LineFields) => decisionLine('ContainerList', 1, { path: '/containers/json', query })
const prune = (query: LineFields) => decisionLine('VolumePrune', 1, { method: 'POST', path: '/volumes/prune', query })

const rules: readonly (readonly [what: string, lines: readonly LineFields[], rules: string])[] = [
  ['what has no values and no answer to show', [decisionLine('SystemPing', 1, { path: '/_ping', count: 9 })], 'SystemPing: {}'],
  [
    'numbers and texts that were seen, and no others',
    [stop(1, { t: 30 }), stop(2000, { t: 5, signal: 'SIGINT' }), stop(4000, { t: 30 })],
    'ContainerStop:\n  query: { t: [5, 30], signal: [SIGINT] }\n  when: { state: [running] }\n  budget: { container: 1 per 10m, client: 1 per 10m }',
  ],
  [
    'booleans, and filters with what they need to be shown',
    [list({ all: true }), list({ filters: { label: ['app=x', 'tier'], publish: ['80'] } }), list({ all: false })],
    'ContainerList:\n  query: { all: [false, true], filters: [label, publish] }\n  show: [Id, Names, State, Status, Labels: [app, tier], Ports]',
  ],
  [
    'filters that were empty, by one that stands for them',
    [list({ filters: {} })],
    'ContainerList:\n  query: { filters: [exited] }\n  show: [Id, Names, State, Status]',
  ],
  [
    'a kill without a signal, which is SIGKILL',
    [kill(1)],
    'ContainerKill:\n  when: { state: [running] }\n  budget: { container: 1 per 10m, client: 1 per 10m }',
  ],
  [
    'a kill with a signal and one without',
    [kill(1), kill(2, { signal: 'SIGHUP' })],
    'ContainerKill:\n  query: { signal: [SIGHUP, SIGKILL] }\n  when: { state: [running] }\n  budget: { container: 2 per 10m, client: 2 per 10m }',
  ],
  [
    'a prune with a filter, and not the one of all there is',
    [prune({ filters: { label: ['x'] } }), prune({})],
    'VolumePrune:\n  query: { filters: [label] }\n  show: [VolumesDeleted, SpaceReclaimed]\n  budget: { client: 1 per 10m }',
  ],
  [
    'a prune of all there is, where nothing else was asked',
    [prune({}), prune({ filters: {} })],
    'VolumePrune:\n  show: [VolumesDeleted, SpaceReclaimed]\n  budget: { client: 1 per 10m }',
  ],
  [
    'the busiest ten minutes, rounded up',
    [...Array(7).keys()]
      .map((i) => stop(i + 1, {}, changed(i < 4 ? 'web' : 'db')))
      .concat(stop(2000, {}, changed('db', 'paused'))),
    'ContainerStop:\n  when: { state: [paused, running] }\n  budget: { container: 5 per 10m, client: 10 per 10m }',
  ],
  [
    'an odd text in quotes, and a pattern for all that it covers',
    [
      decisionLine('ContainerTop', 1, {
        target: { id: WEB, name: 'web' },
        path: '/containers/web/top',
        query: { ps_args: 'a: "b' },
      }),
      decisionLine('ContainerTop', 2, { target: { id: WEB, name: 'web' }, query: { ps_args: 'a*' } }),
    ],
    'ContainerTop:\n  query: { ps_args: ["a*"] }\n  show: [Titles]',
  ],
]
for (const [what, lines, expected] of rules) {
  t.test(`the rule for ${what}`, async (t) => {
    const { text } = await suggestFrom(t, lines)
    t.equal(rulesOf(text), expected)
    t.same(runPolicyTests(policyOf(text ?? '')), [])
  })
}

t.test('a container that a restart left exited is restarted as the running one that it was', async (t) => {
  const restart = (at: number, state: string) =>
    decisionLine('ContainerRestart', at, { method: 'POST', path: '/containers/web/restart', ...changed('web', state) })
  const failed = outcomeLine(1, { status: 500, left: 'exited' })
  t.match((await suggestFrom(t, [restart(1, 'running'), failed, restart(2, 'exited')])).text, 'when: { state: [running] }')
  t.match((await suggestFrom(t, [restart(1, 'running'), outcomeLine(1), restart(2, 'exited')])).text, '[exited, running]')
})

t.test('the scope is the containers that were asked about; where none was, a label to opt in by', async (t) => {
  const named = await suggestFrom(t, [stop(1, {}), stop(2, {}, changed('db'))])
  t.match(named.text, '\nscope:\n  - { names: [db, web] }\n')
  t.match(named.text, /a label is sturdier than names/i)
  const unnamed = await suggestFrom(t, [list({})])
  t.match(unnamed.text, '\nscope:\n  - { labels: { postern.visible: "true" } }\n')
})

t.test('it carries its proof: a test for each operation, and what must not pass', async (t) => {
  const { text = '' } = await suggestFrom(t, [stop(1, { t: 5 }), list({ all: true })])
  t.match(
    text.slice(text.indexOf('tests:')),
    `tests:
  - allow: "GET /containers/json?all=true"
  - allow: "POST /containers/web/stop?t=5"
    given: { name: web, state: running }
  - deny: "POST /containers/web/stop?t=5"
    given: { name: other }
  - deny: POST /containers/create
`,
  )
})

t.test('of every JSON answer something is shown by default, and nothing that may hold a secret', async (t) => {
  const operations = CATALOGUE.filter((operation) => isCut(operation) && whyNotServed(operation) === undefined)
  t.ok(operations.length > 30)
  for (const operation of operations) {
    const show = defaultShow(operation) ?? new Map()
    if (show === 'all') t.equal(operation.id, 'SwarmInit', 'whose answer is a text')
    if (show === 'all') continue
    t.ok(show.size > 0, operation.id)
    t.notMatch(
      JSON.stringify(namesIn(show)),
      /"(?:Env|Cmd|Args|Command|Mounts|Labels|Data|JoinTokens|Processes|CreatedBy|Log|Path)"/,
    )
  }
})

const namesIn = (show: ShowTree): string[] =>
  [...show].flatMap(([name, below]) => [name, ...(below === 'all' ? [] : namesIn(below))])

const refused = (rule: string) => ({ verdict: 'deny', rule, reason: 'no' })
const left: readonly (readonly [line: LineFields, options: GatherOptions, why: string])[] = [
  [stop(2, {}, refused('policy.operation')), {}, 'ContainerStop, once: refused; --refused takes it in'],
  [stop(2, {}, { ...refused('policy.scope'), count: 7 }), {}, 'ContainerStop, 7 times: refused; --refused takes it in'],
  [
    stop(2, {}, refused('policy.protected')),
    { refused: true },
    'ContainerStop, once: refused by policy.protected, whatever the policy',
  ],
  [
    decisionLine('', 2, { operation: undefined, ...refused('request.path') }),
    { refused: true },
    'no operation, once: refused by request.path, whatever the policy',
  ],
  [
    decisionLine('ImageTag', 2, { method: 'POST' }),
    { refused: true },
    'ImageTag, once: AMOUNTS TO ROOT ON THE HOST; --root-equivalent takes it in',
  ],
  [decisionLine('ContainerPrune', 2), {}, 'ContainerPrune, once: removes containers whatever the scope'],
  [
    decisionLine('ContainerRename', 2, { query: { name: 'x' }, ...changed('web') }),
    {},
    'ContainerRename, once: would move containers in and out of a scope that goes by names',
  ],
  [
    decisionLine('ContainerList', 2, { various: true, count: 5 }),
    {},
    'ContainerList, 5 times: too various to be told one by one',
  ],
  [decisionLine('ContainerFly', 2), {}, 'ContainerFly, once: no operation that this version knows'],
  [stop(2, { t: 'x' }), {}, 'ContainerStop, once: a query value that was cut, or that this version does not know'],
  [
    stop(2, { signal: `${'x'.repeat(512)}… (600 characters)` }),
    {},
    'ContainerStop, once: a query value that was cut, or that this version does not know',
  ],
  [
    stop(2, {}, { ...refused('policy.operation'), path: `/containers/${WEB}/stop` }),
    { refused: true },
    'ContainerStop, once: a container whose name is not on record',
  ],
  [list({ filters: { label: ['=x'] } }), {}, 'ContainerList, once: filters by a label that has no name'],
]
for (const [line, options, why] of left) {
  t.test(`left out, and said in the policy: ${why}`, async (t) => {
    const { text, leftOut } = await suggestFrom(t, [decisionLine('SystemPing', 1, { path: '/_ping' }), line], options)
    t.same(leftOut, [why])
    t.match(text, `\n# Recorded, and not granted:\n# - ${why}\n`)
    t.equal(rulesOf(text), 'SystemPing: {}')
    t.same((await suggestFrom(t, [line], options)).text, undefined, 'nothing is left to suggest from')
  })
}

t.test('what --observe let through is taken, and what was refused where that is asked for', async (t) => {
  t.match(
    (await suggestFrom(t, [stop(1, { t: 5 }, { verdict: 'observe', rule: 'policy.query', ...changed('web') })])).text,
    't: [5]',
  )
  const { text } = await suggestFrom(t, [stop(1, {}, refused('policy.operation'))], { refused: true })
  t.match(text, 'names: [web]')
  t.match(text, 'The state of its container was not recorded')
})

t.test('root is granted to who asks for it by its flag, and said aloud', async (t) => {
  const line = decisionLine('ImageTag', 1, { method: 'POST', path: '/images/nginx/tag', query: { repo: 'x' } })
  const { text } = await suggestFrom(t, [line], { rootEquivalent: true })
  t.match(text, '\n  # AMOUNTS TO ROOT ON THE HOST\n')
  t.match(text, '\n# WHOEVER MAY ASK FOR THESE IS ROOT ON THE HOST.\nallow_root_equivalent: [ImageTag]\n')
})

async function statusesOf(proxy: RunningProxy, lines: readonly string[]): Promise<number[]> {
  const statuses: number[] = []
  for (const line of lines) statuses.push((await proxy.ask(line)).status)
  return statuses
}

t.test('under the policy suggested from what a proxy recorded, the same requests pass, and no others', async (t) => {
  const asked = [
    'GET /_ping',
    'GET /v1.45/containers/json?all=1&filters=%7B%22label%22:%5B%22monitored%3Dtrue%22%5D%7D',
    'GET /containers/web/json',
    `GET /containers/${DB}/json`,
    'POST /containers/web/restart?t=5',
    'POST /containers/web/restart?t=5',
  ]
  const recorded = await startProxy(t)
  const statuses = await statusesOf(recorded, [...asked, 'POST /containers/hidden/restart'])
  t.same(statuses, [200, 200, 200, 200, 204, 204, 404])
  const { add, clients } = createGathering({})
  for await (const record of readRecords([recorded.auditFile], () => t.fail('no note is expected'))) add(record)
  const { text: policyText = '' } = suggestPolicy('healer', clients.get('healer') ?? { taken: [], leftOut: new Map() })
  const proxy = await startProxy(t, { policyText, containers: usualContainers() })
  t.same(await statusesOf(proxy, asked), [200, 200, 200, 200, 204, 204])
  t.same(
    await statusesOf(proxy, [
      'POST /containers/web/restart?t=5',
      'POST /containers/db/restart?t=9',
      'GET /version',
      'GET /containers/hidden/json',
      'GET /containers/json?filters=%7B%22label%22:%5B%22autoheal%22%5D%7D',
    ]),
    [429, 403, 403, 404, 403],
  )
})

t.test('the command writes the policy, says what it leaves out, and ends with 1 or 2 where there is none', async (t) => {
  const one = [stop(1, {}), decisionLine('ContainerPrune', 2)]
  const file = auditFile(t, one)
  const two = auditFile(t, [...one, decisionLine('SystemPing', 3, { client: 'other', path: '/_ping' })])
  const run = (...args: string[]) => runProgram(t, ['suggest', ...args], { asRoot: true })
  const runs = await Promise.all([
    run(file),
    run(two),
    run('--client', 'other', two),
    run('--client', 'nobody', two),
    run(),
    run(auditFile(t, one.slice(1))),
    run(`${file}.none`),
    run('--json', file),
  ])
  t.match(runs[0], { code: 0, stderr: /^note: not granted: ContainerPrune, once: removes containers whatever the scope/ })
  t.same(policyOf(runs[0]?.stdout ?? '').client, 'healer')
  t.match(runs[1], { code: 2, stdout: '', stderr: /several clients.*give --client, one of healer, other/ })
  t.match(runs[2], { code: 0, stdout: /client: other\n/ })
  t.match(runs[3], { code: 1, stdout: '', stderr: /no request of nobody is recorded; recorded are healer, other/ })
  t.match(runs[4], { code: 2, stderr: /name at least one audit file/ })
  t.match(runs[5], { code: 1, stdout: '', stderr: /nothing recorded of healer is left to suggest a policy from/ })
  t.match(runs[6], { code: 1, stderr: /ENOENT/ })
  const json = { client: 'healer', policy: runs[0]?.stdout, notGranted: [/^ContainerPrune, once/] }
  t.match(JSON.parse(runs[7]?.stdout ?? ''), json)
})
