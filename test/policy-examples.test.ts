// docs/policies.md is run: every example with its tests, each refusal for the rule in the comment beside it; what it shows of an answer;
// and what it says of the order of the checks and of what no policy can allow.
import t from 'tap'
import type { Charge } from '../proxy/policy/decide.ts'
import { parsePolicy } from '../proxy/policy/parse-policy.ts'
import type { Policy } from '../proxy/policy/policy.ts'
import type { Target } from '../proxy/policy/target.ts'
import { project } from '../proxy/show/project.ts'
import { everythingPolicy } from './proxy/support/everything.ts'
import { policyOf } from './proxy/support/policies.ts'
import { checkExample, completed, decided, refusedBy } from './proxy/support/policy-examples.ts'
import { blocks, readPage, tableRows, words } from './support/pages.ts'
import { isComposition } from './support/ready-policies.ts'

const policies = readPage('policies.md')

await t.test('every example is a policy whose tests hold, each refusal for the rule beside it', async (t) => {
  const examples = blocks(policies, 'yaml').filter((block) => !isComposition(block))
  t.equal(examples.length, 9, 'so many examples')
  for (const example of examples) checkExample(t, example)
})

/** The example below `heading` of docs/policies.md, or below its first heading of this level. */
function exampleOf(heading: string): Policy {
  const section = policies.split(/^#+ /m).find((part) => part.startsWith(`${heading}\n`)) ?? ''
  const [example] = blocks(section, 'yaml')
  if (example === undefined) throw new Error(`there is no example below “${heading}”`)
  return policyOf(completed(example))
}

await t.test('the answer is cut as the page shows it', async (t) => {
  const [answer, shown] = blocks(policies, 'json').map((text): unknown => JSON.parse(text))
  const decision = decided(exampleOf('show'), 'GET /containers/web/json')
  t.equal(decision.verdict, 'allow')
  const cut = decision.verdict === 'allow' ? project(answer, decision.show) : undefined
  t.same(JSON.parse(JSON.stringify(cut)), shown)
  t.not(JSON.stringify(answer), JSON.stringify(shown))
})

await t.test('what amounts to root on the host is an error where it is not named again', async (t) => {
  const example = blocks(policies, 'yaml').find((text) => text.includes('allow_root_equivalent: [')) ?? ''
  const parsed = parsePolicy(completed(example.replace(/^allow_root_equivalent: .*\n/m, '')), 'example.yaml')
  t.match('errors' in parsed && parsed.errors, [{ message: /ImageTag amounts to root on the host/ }])
})

await t.test('the budget is spent as the page says', async (t) => {
  const policy = exampleOf('budget')
  const ledger: Charge[] = []
  const restart = (name: string, minute: number) => {
    const decision = decided(policy, `POST /containers/${name}/restart`, container(name), ledger, minute * 60_000)
    if (decision.verdict === 'allow' && decision.charge) ledger.push(decision.charge)
    return decision.verdict === 'deny' ? decision.rule : decision.verdict
  }
  const container = (name: string): Partial<Target> => ({
    labels: { monitored: 'true' },
    id: Buffer.from(name.padEnd(32)).toString('hex') as Target['id'],
  })
  t.same([restart('web', 0), restart('web', 1), restart('web', 9)], ['allow', 'allow', 'policy.budget'])
  t.same(
    [restart('db', 9), restart('db', 10), restart('db', 59), restart('db', 60)],
    ['allow', 'policy.budget', 'policy.budget', 'allow'],
  )
})

/** All that a policy can name, with any value, of the containers labelled `monitored`. */
const WIDEST = policyOf(everythingPolicy('widest', [{ labels: { monitored: 'true' } }]))

await t.test('what the page says no policy can allow, the widest one refuses', async (t) => {
  const labels = { monitored: 'true' }
  const rows = tableRows(policies, 'How a decision is made', 1)
  t.equal(rows.length, 9)
  for (const [requests, rule] of rows)
    for (const request of words(requests))
      t.same([refusedBy(WIDEST, request, { labels, isProtected: request.includes('/postern-') })], words(rule), request)
  t.equal(
    refusedBy(WIDEST, 'POST /containers/web/restart?t=5&signal=SIGKILL', { labels }),
    undefined,
    'it does allow what can be',
  )
  t.same(
    ['before', 'since'].map((key) => refusedBy(WIDEST, `GET /containers/json?${key}=web`)),
    Array(2).fill('request.query'),
  )
  for (const filter of ['id', 'name', 'ancestor'])
    t.equal(refusedBy(WIDEST, `GET /containers/json?filters=%7B%22${filter}%22:%5B%22web%22%5D%7D`), 'request.query', filter)
})

await t.test('the checks are made in the order of the page', async (t) => {
  const rule = 'query: { t: 0..60 }\n    when: { state: [running] }\n    budget: { client: 1 per 1h }'
  const policy = policyOf(completed(`allow:\n  ContainerRestart:\n    ${rule}\n`))
  const spent: Charge[] = [{ client: 'example', operation: 'ContainerRestart', atMs: 0 }]
  // Everything is wrong at first; then one thing after the other is put right.
  const wrong = { labels: {}, isProtected: true, isBusy: true, state: 'exited' }
  const labels = { monitored: 'true' }
  const request = 'POST /containers/web/restart?t=5'
  const found = [
    refusedBy(policy, 'POST /containers/web/stop?t=61', wrong, spent),
    refusedBy(policy, 'POST /containers/web/restart?t=61', wrong, spent),
    refusedBy(policy, request, wrong, spent),
    refusedBy(policy, request, { ...wrong, labels }, spent),
    refusedBy(policy, request, { ...wrong, labels, isProtected: false }, spent),
    refusedBy(policy, request, { ...wrong, labels, isProtected: false, isBusy: false }, spent),
    refusedBy(policy, request, { labels }, spent),
  ]
  const told = tableRows(policies, 'How a decision is made').flatMap(([, rules]) => words(rules))
  t.same(
    told.filter((name) => name.startsWith('policy.')),
    found,
  )
  t.equal(refusedBy(policy, request, { labels }), undefined)
})
