// Every kind of mistake in a policy stops it, with the place, what was found and what was expected. One small policy for each
// mistake, and the exact text that a person gets to read.
import t from 'tap'
import { parsePolicy, renderPolicyErrors } from '../../proxy/policy/parse-policy.ts'
import { policyText } from './support/policies.ts'

/** The errors of `text`, rendered; empty where it is taken. */
function errorsOf(text: string): string {
  const parsed = parsePolicy(text, 'p.yaml')
  return 'errors' in parsed ? renderPolicyErrors('p.yaml', parsed.errors) : ''
}

/** Its lines 1 to 5 are `version: 1`, `client: healer`, `scope:`, one selector, `allow:`. */
const allowing = (...lines: readonly string[]) => policyText(lines)
const scoped = (...lines: readonly string[]) => policyText(['SystemPing: {}'], lines)
const testing = (...lines: readonly string[]) =>
  [policyText(['SystemPing: {}']), 'tests:', ...lines, ''].join('\n').replace('\n\n', '\n')

const OPERATIONS = 'SystemPing, SystemVersion, ContainerList, ContainerInspect, ContainerRestart'
const STATES = 'created, running, paused, restarting, removing, exited, dead'
const SHOW = '`all` or a list of field names (a name with a list of fields below it goes into the object)'
const SAYS_NOTHING = 'says nothing; name labels, names or project, or nothing would be left out'

const unknownWords: readonly (readonly [what: string, text: string, errors: string])[] = [
  [
    'an unknown key',
    policyText(['SystemPing: {}']).replace('scope:', 'scop: []\nscope:'),
    '3:1: scop: unknown; did you mean scope?',
  ],
  [
    'an unknown key like no other',
    policyText(['SystemPing: {}']).replace('scope:', 'x-notes: []\nscope:'),
    '3:1: x-notes: unknown; expected one of version, client, scope, allow, tests',
  ],
  [
    'a misspelt operation',
    allowing('ContainerRestrat: {}'),
    '6:3: allow.ContainerRestrat: unknown; did you mean ContainerRestart?',
  ],
  ['another operation', allowing('ImagePrune: {}'), `6:3: allow.ImagePrune: unknown; expected one of ${OPERATIONS}`],
  ['a merge key', allowing('<<: {}'), `6:3: allow.<<: unknown; expected one of ${OPERATIONS}`],
  ['an unknown key of a selector', scoped('- label: { a: "b" }'), '4:5: scope.0.label: unknown; did you mean labels?'],
  [
    'an unknown key of a rule',
    allowing('ContainerRestart:', '  qurey: { t: 0..60 }'),
    '7:5: allow.ContainerRestart.qurey: unknown; did you mean query?',
  ],
  [
    'an unknown query key',
    allowing('ContainerList:', '  query: { filter: [label] }', '  show: [Id]'),
    '7:14: allow.ContainerList.query.filter: unknown; did you mean filters?',
  ],
  [
    'a query key that no policy can allow',
    allowing('ContainerRestart:', '  query: { signal: 0..60 }'),
    '7:14: allow.ContainerRestart.query.signal: unknown; expected one of t',
  ],
  [
    'an unknown key of a budget',
    allowing('ContainerRestart:', '  budget: { containers: 5 per 10m }'),
    '7:15: allow.ContainerRestart.budget.containers: unknown; did you mean container?',
  ],
  [
    'an unknown condition',
    allowing('ContainerRestart:', '  when: { stat: [running] }'),
    '7:13: allow.ContainerRestart.when.stat: unknown; did you mean state?',
  ],
  [
    'an unknown key of what a test is given',
    testing('  - deny: GET /_ping', '    given: { label: { a: "b" } }'),
    '9:14: tests.0.given.label: unknown; did you mean labels?',
  ],
]

t.test('an unknown word is an error at its place, with the nearest right word or all that is known there', async (t) => {
  for (const [what, text, errors] of unknownWords) t.equal(errorsOf(text), `p.yaml:${errors}`, what)
})

const wrongValues: readonly (readonly [what: string, text: string, errors: string])[] = [
  [
    'another version',
    allowing('SystemPing: {}').replace('version: 1', 'version: 2'),
    '1:10: version: expected 1, the version of the policy language',
  ],
  [
    'a version in quotes',
    allowing('SystemPing: {}').replace('version: 1', 'version: "1"'),
    '1:10: version: expected 1, the version of the policy language',
  ],
  [
    'a name with a space',
    allowing('SystemPing: {}').replace('client: healer', 'client: The Healer'),
    '2:9: client: expected a short name in lower case, such as healer',
  ],
  [
    'an unquoted label value',
    scoped('- labels: { monitored: true }'),
    "4:26: scope.0.labels.monitored: expected a label's value as text; write it in quotes",
  ],
  [
    'an empty scope',
    policyText(['SystemPing: {}'], []).replace('scope:', 'scope: []'),
    '3:8: scope: an empty scope would hold no container; name at least one selector',
  ],
  ['a scope without selectors', scoped().replace('scope:\n', ''), '1:1: scope: expected a list of selectors'],
  ['a selector that is no map', scoped('- monitored'), '4:5: scope.0: expected labels, names or project'],
  ['an empty selector', scoped('- {}'), `4:5: scope.0: ${SAYS_NOTHING}`],
  ['an empty list of names', scoped('- names: []'), '4:12: scope.0.names: expected at least one name'],
  [
    'an operation without a rule',
    allowing('SystemPing:'),
    '6:14: allow.SystemPing: expected a rule; `{}` allows the operation without more',
  ],
  ['a missing show', allowing('ContainerInspect: {}'), `6:21: allow.ContainerInspect.show: expected ${SHOW}`],
  [
    'an empty show list',
    allowing('ContainerInspect:', '  show: []'),
    '7:11: allow.ContainerInspect.show: an empty list would show nothing; name fields, or leave the operation out',
  ],
  [
    'an empty list below a field',
    allowing('ContainerInspect:', '  show:', '    - Id', '    - State: []'),
    '9:16: allow.ContainerInspect.show.1.State: an empty list would show nothing; name fields, or leave the operation out',
  ],
  [
    'show on an operation without JSON',
    allowing('ContainerRestart:', '  show: [Id]'),
    '7:11: allow.ContainerRestart.show: ContainerRestart answers no JSON, so there is nothing to show',
  ],
  [
    'a budget on a read',
    allowing('ContainerInspect:', '  show: [Id]', '  budget: { client: 1 per 1m }'),
    '8:13: allow.ContainerInspect.budget: ContainerInspect changes nothing; budget is for operations that do',
  ],
  [
    'a condition on a read',
    allowing('ContainerInspect:', '  show: [Id]', '  when: { state: [running] }'),
    '8:11: allow.ContainerInspect.when: ContainerInspect changes nothing; when is for operations that do',
  ],
  [
    'a limit in unknown units',
    allowing('ContainerRestart:', '  budget: { container: 5 per hour }'),
    '7:26: allow.ContainerRestart.budget.container: expected a limit such as `5 per 10m` (s, m, h or d)',
  ],
  [
    'a limit of none',
    allowing('ContainerRestart:', '  budget: { client: 0 per 10m }'),
    '7:23: allow.ContainerRestart.budget.client: expected a limit such as `5 per 10m` (s, m, h or d)',
  ],
  [
    'a limit without a window',
    allowing('ContainerRestart:', '  budget: { container: 5 }'),
    '7:26: allow.ContainerRestart.budget.container: expected a limit such as `5 per 10m`',
  ],
  [
    'a range with a dash',
    allowing('ContainerRestart:', '  query: { t: 0-60 }'),
    '7:17: allow.ContainerRestart.query.t: expected a range such as `0..60`',
  ],
  [
    'a range the wrong way round',
    allowing('ContainerRestart:', '  query: { t: 60..0 }'),
    '7:17: allow.ContainerRestart.query.t: the range ends before it begins',
  ],
  [
    'a filter that no policy can allow',
    allowing('ContainerList:', '  query: { filters: [lable] }', '  show: [Id]'),
    '7:24: allow.ContainerList.query.filters.0: expected filters out of health, label, status',
  ],
  ['an empty condition', allowing('ContainerRestart:', '  when: {}'), `7:11: allow.ContainerRestart.when: ${SAYS_NOTHING}`],
  [
    'an unknown state',
    allowing('ContainerRestart:', '  when: { state: [runing] }'),
    `7:21: allow.ContainerRestart.when.state.0: expected a container state: ${STATES}`,
  ],
  ['a test that expects nothing', testing('  - given: { state: running }'), '8:5: tests.0: expected either allow or deny'],
  [
    'a test that expects both',
    testing('  - allow: GET /_ping', '    deny: GET /_ping'),
    '8:5: tests.0: expected either allow or deny',
  ],
  [
    'a test without a method',
    testing('  - deny: /containers/json'),
    '8:11: tests.0.deny: expected a method and a path, such as `GET /v1.45/containers/json`',
  ],
  [
    'a test of an unknown state',
    testing('  - deny: GET /_ping', '    given: { state: up }'),
    `9:21: tests.0.given.state: expected a container state: ${STATES}`,
  ],
]

t.test('a wrong value is an error at its place that says what was expected', async (t) => {
  for (const [what, text, errors] of wrongValues) t.equal(errorsOf(text), `p.yaml:${errors}`, what)
})

const notYaml: readonly (readonly [what: string, text: string, place: string])[] = [
  ['a key given twice', allowing('SystemPing: {}').replace('scope:', 'client: other\nscope:'), 'p.yaml:3:1: '],
  ['an operation given twice', allowing('SystemPing: {}', 'SystemPing: {}'), 'p.yaml:7:3: '],
  ['a bracket left open', 'version: 1\nscope: [ { labels: { a: "b" }\nallow: {}\n', 'p.yaml:3:1: '],
  ['a tab for indentation', 'version: 1\nscope:\n\t- labels: { a: "b" }\n', 'p.yaml:3:1: '],
  ['two documents', 'version: 1\n---\nversion: 1\n', 'p.yaml:2:1: '],
  ['a tag', allowing('SystemPing: !danger {}'), 'p.yaml:6:15: '],
  ['nothing', '', 'p.yaml:1:1: '],
  ['a list', '- version: 1\n', 'p.yaml:1:1: '],
  ['an alias of nothing', allowing('SystemPing: *nowhere'), 'p.yaml:6:15: '],
  ['an alias of what holds it', allowing('ContainerInspect:', '  show: &s', '    - State: *s'), 'p.yaml:'],
  [
    'aliases of aliases without end',
    'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c]\n',
    'p.yaml:',
  ],
]

t.test('what is not the YAML of one policy is an error with its place, never an exception', async (t) => {
  for (const [what, text, place] of notYaml) {
    t.doesNotThrow(() => t.match(errorsOf(text), place, what), what)
  }
})

/** Each of these says less than it seems to; taken as said, it would let through what its author meant to keep out. */
const failsOpen: readonly (readonly [what: string, text: string, place: string])[] = [
  ['a selector with no label in labels', scoped('- labels: {}'), 'p.yaml:4:'],
  ['a label that JavaScript has its own use for', scoped('- labels: { __proto__: "x" }'), 'p.yaml:4:'],
  ['a condition with no label in labels', allowing('ContainerRestart:', '  when: { labels: {} }'), 'p.yaml:7:'],
  ['an empty list of conditions', allowing('ContainerRestart:', '  when: []'), 'p.yaml:7:'],
  ['an empty list of states', allowing('ContainerRestart:', '  when: { state: [] }'), 'p.yaml:7:'],
  ['a budget without a limit', allowing('ContainerRestart:', '  budget: {}'), 'p.yaml:7:'],
]

t.test('what would leave nothing out is an error, not a rule without effect', async (t) => {
  for (const [what, text, place] of failsOpen) t.match(errorsOf(text), place, what)
})

t.test('several mistakes are all told, each at its place', async (t) => {
  const errors = errorsOf(
    allowing('ContainerRestart:', '  budget: { client: often }', 'ImagePrune: {}').replace('version: 1', 'version: 3'),
  )
  for (const place of ['p.yaml:1:10: version', 'p.yaml:7:23: allow.ContainerRestart', 'p.yaml:8:3: allow.ImagePrune']) {
    t.match(errors, place)
  }
  t.equal(errors.split('\n').length, 3, 'and nothing else')
})
