// `explain`: what would become of one request, by which line of the policy, and what would go to the Engine; as `decide` has it.
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { explain, renderExplained } from '../../proxy/check/explain.ts'
import { parseGiven } from '../../proxy/policy/parse-policy.ts'
import { policyLines } from '../../proxy/policy/policy-lines.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { HEALER_POLICY_FILE, HEALER_POLICY_TEXT, policyOf, policyText } from './support/policies.ts'
import { runProgram } from './support/proxy-process.ts'

/** What is said of `line` under the policy `text`. */
function explained(text: string, line: string, given = '{}') {
  const [method = '', target = ''] = line.split(' ')
  return explain(policyOf(text), policyLines(text), method, target, parseGiven(given))
}

/** The line of the healer's policy that begins, below its indentation, with `words`. */
const lineWith = (words: string) => HEALER_POLICY_TEXT.split('\n').findIndex((line) => line.trim().startsWith(words)) + 1

const MONITORED = '{ labels: { monitored: "true" } }'

const refused: readonly (readonly [line: string, given: string, says: string, path?: string, lineBeginsWith?: string])[] = [
  ['GET /containers/%2e/json', '{}', '400 request.target'],
  ['GET /nothing', '{}', '403 operation.unknown'],
  ['GET /containers/json?limit=1', '{}', '400 request.query'],
  ['POST /containers/create', '{}', '403 policy.operation', 'allow', 'allow:'],
  ['GET /containers/json?size=1', '{}', '403 policy.query', 'allow.ContainerList.query.size', 'query: { all'],
  ['POST /containers/web/restart?t=61', MONITORED, '403 policy.query', 'allow.ContainerRestart.query.t', 'query: { t'],
  [
    'POST /containers/web/restart?signal=SIGHUP',
    MONITORED,
    '403 policy.query',
    'allow.ContainerRestart.query.signal',
    'query: { t',
  ],
  ['GET /containers/web/json?size=1', MONITORED, '403 policy.query', 'allow.ContainerInspect.query.size', 'ContainerInspect:'],
  ['GET /containers/web/json', '{}', '404 policy.scope', 'scope', 'scope:'],
  [
    'POST /containers/web/restart',
    '{ labels: { autoheal: "true" }, state: exited }',
    '409 policy.when',
    'allow.ContainerRestart.when',
    'when:',
  ],
]

t.test('a refusal is told with the line of the policy that refuses, where it is the policy', async (t) => {
  for (const [line, given, says, path, beginsWith] of refused) {
    const outcome = explained(HEALER_POLICY_TEXT, line, given)
    if (outcome.verdict !== 'deny') throw new Error(`${line} is allowed`)
    t.equal(`${outcome.status} ${outcome.rule}`, says, line)
    t.same(outcome.place, beginsWith === undefined ? undefined : { path, line: lineWith(beginsWith) }, line)
  }
})

const allowed: readonly (readonly [line: string, path: string, lineBeginsWith: string, shown: RegExp])[] = [
  ['GET /_ping', '/_ping', 'SystemPing', /^OK, and/],
  ['GET /v1.45/version', '/v1.45/version', 'SystemVersion', /^Version, ApiVersion, /],
  [
    'GET /v1.45/containers/json?all=true',
    '/v1.45/containers/json?all=1',
    'ContainerList',
    /^of the containers in scope: Id, .*"\*": \[IP/,
  ],
  [
    'GET /containers/web/json',
    '/containers/{id}/json',
    'ContainerInspect',
    /State: \[Status, .*Health: \[Status, FailingStreak\]\]/,
  ],
  ['POST /containers/web/restart?t=10', '/containers/{id}/restart?t=10', 'ContainerRestart', /^only whether it was done/],
]

t.test('what is allowed is told with its line, what goes to the Engine, and what is shown', async (t) => {
  for (const [line, path, beginsWith, shown] of allowed) {
    const outcome = explained(HEALER_POLICY_TEXT, line, MONITORED)
    t.match(outcome, { verdict: 'allow', forwarded: { method: line.split(' ')[0], path }, shown }, line)
    t.match(outcome, { place: { path: `allow.${beginsWith}`, line: lineWith(`${beginsWith}:`) } }, line)
  }
})

t.test('the budget is told, or that there is none; of a read nothing is', async (t) => {
  const text = policyText([
    'ContainerStop: {}',
    'ContainerStart: { budget: { client: 3 per 1d } }',
    'ContainerInspect: { show: [Id] }',
  ])
  const budgetOf = (line: string) => {
    const outcome = explained(text, line, MONITORED)
    return outcome.verdict === 'allow' ? outcome.budget : 'refused'
  }
  t.equal(budgetOf('POST /containers/web/stop'), 'none: as often as the client likes')
  t.equal(budgetOf('POST /containers/web/start'), 'at most 3 times in a day in all')
  t.equal(budgetOf('GET /containers/web/json'), undefined)
})

t.test('the scope of a list goes to the Engine as a filter, as when it is served', async (t) => {
  const text = policyText(['ContainerList: { show: [Id] }'])
  const filters = encodeURIComponent('{"label":["monitored=true"]}')
  t.match(explained(text, 'GET /containers/json'), { forwarded: { path: `/containers/json?filters=${filters}` } })
})

t.test('it says why the container is in scope, or is not', async (t) => {
  const scopeOf = (given: string) => explained(HEALER_POLICY_TEXT, 'GET /containers/web/json', given)
  t.match(scopeOf('{ labels: { autoheal: "true" }, name: db, state: paused }'), {
    container: 'db, paused, autoheal=true',
    scope: ['in scope by scope.1: autoheal=true'],
  })
  t.match(scopeOf('{ labels: { Monitored: "true" } }'), {
    container: 'web, running, Monitored=true',
    scope: ['not by scope.0: no label monitored; it has Monitored=true: is that meant?', 'not by scope.1: no label autoheal'],
  })
})

const wrongGiven: readonly (readonly [given: string, says: string])[] = [
  ['web', 'expected labels, name and state'],
  ['{ lables: { a: b } }', 'lables: unknown; did you mean labels?'],
  ['{ container: web }', 'container: unknown; expected labels, name and state'],
  ['{ labels: { monitored: true } }', "labels: monitored: expected a label's value as text; write it in quotes"],
  ['{ name: /web }', 'name: no container can have this name'],
  ['{ state: up }', 'state: expected a container state: created, running'],
  ['{ labels: { a: b }', 'Flow map'],
  ['{ name: &n web, labels: { a: *n } }', '*n: aliases are not taken'],
]

t.test('a container that is said wrongly is told with what is wrong', async (t) => {
  for (const [given, says] of wrongGiven) {
    const message = (() => {
      try {
        return `taken as ${JSON.stringify(parseGiven(given))}`
      } catch (error) {
        return (error as Error).message
      }
    })()
    t.match(message, says, given)
  }
})

t.test('as text it fits a terminal, and is about the file that was named', async (t) => {
  for (const [line, given] of [...refused, ...allowed.map(([line]) => [line, MONITORED] as const)]) {
    const text = renderExplained('some/p.yaml', explained(HEALER_POLICY_TEXT, line, given))
    t.match(text, /^(allowed|refused) /, line)
    for (const each of text.split('\n')) t.ok(each.length <= 100 || !each.trim().includes(' '), each)
  }
  const text = renderExplained('some/p.yaml', explained(HEALER_POLICY_TEXT, 'GET /_ping'))
  t.match(text, `rule        some/p.yaml:${lineWith('SystemPing:')}  allow.SystemPing\n`)
})

t.test('the command ends with 0 where it is allowed, 1 where it is refused, and 2 where it is asked wrongly', async (t) => {
  const directory = temporaryDirectory(t)
  chmodSync(directory, 0o755)
  const [broken, failing] = ['broken.yaml', 'failing.yaml'].map((name) => join(directory, name))
  if (!broken || !failing) throw new Error('two names')
  writeFileSync(broken, 'version: 2\n')
  writeFileSync(failing, `${policyText(['SystemPing: {}'])}tests:\n  - deny: GET /_ping\n`)
  const restart = [HEALER_POLICY_FILE, 'POST', '/containers/web/restart']
  const cases: readonly (readonly [args: readonly string[], code: number, says: RegExp])[] = [
    [[...restart, '--given', MONITORED], 0, /^allowed .*POST \/containers\/\{id\}\/restart\n/s],
    [restart, 1, /^refused +404 policy\.scope: No such container: web\n/],
    [[...restart, '--json'], 1, /"verdict": "deny",\s+"status": 404/],
    [[failing, 'GET', '/_ping'], 0, /^allowed /],
    [[broken, 'GET', '/_ping'], 2, /broken\.yaml:1:10: version: expected 1/],
    [[HEALER_POLICY_FILE, 'get', '/_ping'], 2, /“get” is not a method; write it in capitals/],
    [[HEALER_POLICY_FILE, 'GET', '_ping'], 2, /“_ping” is not a path of the Engine API/],
    [[HEALER_POLICY_FILE, 'GET'], 2, /missing required argument 'path'/],
    [[...restart, '--given', '{ state: up }'], 2, /state: expected a container state/],
  ]
  const runs = await Promise.all(cases.map(([args]) => runProgram(t, ['explain', ...args])))
  for (const [i, [args, code, says]] of cases.entries()) {
    t.equal(runs[i]?.code, code, args.join(' '))
    t.match(`${runs[i]?.stdout}${runs[i]?.stderr}`, says)
  }
  t.match(JSON.parse(runs[2]?.stdout ?? ''), { file: HEALER_POLICY_FILE, rule: 'policy.scope', place: { path: 'scope' } })
})
