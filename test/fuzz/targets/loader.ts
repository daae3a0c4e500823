// The policy loader, held against the JSON Schema that editors go by: what it takes the schema takes, and what it refuses the schema refuses,
// but for what no schema can say. Each error stands where it says, and a policy that was taken is the same when it is written otherwise.
import { readdirSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import fc from 'fast-check'
import { parse, parseDocument, stringify } from 'yaml'
import { parsePolicy } from '../../../proxy/policy/parse-policy.ts'
import type { Policy } from '../../../proxy/policy/policy.ts'
import { renderPolicyErrors } from '../../../proxy/policy/policy-error.ts'
import { policyLines } from '../../../proxy/policy/policy-lines.ts'
import { runPolicyTests } from '../../../proxy/policy/run-tests.ts'
import { CATALOGUE } from '../../../proxy/request/catalogue.ts'
import { edited } from '../edits.ts'
import { defineTarget, must } from '../target.ts'

const read = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')
const yamlIn = (folder: string) =>
  readdirSync(new URL(`../../../${folder}/`, import.meta.url)).flatMap((name) =>
    name.endsWith('.yaml') ? [read(`${folder}/${name}`)] : [],
  )

/** Policies that are right, and one for each mistake that somebody has thought of. */
const KNOWN = [...yamlIn('policies'), ...yamlIn('test/proxy/invalid-policies')].map((text) => text.replace(/^ *#.*\n/gm, ''))

const fitsSchema = new Ajv({ strict: false }).compile(JSON.parse(read('policies/policy.schema.json')))

/** What a schema cannot say: how values go together, and which fields an answer has. */
const BEYOND_SCHEMA = [
  /the range ends before it begins/,
  /no field of the answer/,
  /amounts to root on the host; name it under allow_root_equivalent/,
  /is not under allow; name it there/,
  /ContainerRename would move containers/,
  /, which show does not name/,
  /says nothing; name|an empty map would leave nothing out/,
  /expected either allow or deny/,
]

/** What the YAML itself is refused for: it could be read otherwise than it looks. */
const NOT_TAKEN =
  /aliases are not taken|a key that is no plain word|__proto__: not a name|a second document|given twice; keep one/

// ── Policies ────────────────────────────────────────────────────────────────────────────────────────────────────────

const word = fc.constantFrom('web', 'monitored', 'true', '*', '', 'x*', 'Id', 'State', 'Labels', 'running', 'all', '__proto__')
const scalar = fc.oneof(
  word,
  fc.constantFrom(true, false, null, 0, 1, -1, 60, 0.5, 1e21),
  fc.constantFrom('0..60', '5 per 10m', '9..1', '1 per 0s'),
)
const labels = fc.dictionary(word, fc.oneof({ weight: 5, arbitrary: word }, scalar), { maxKeys: 2 })
const selector = fc.record(
  { labels, names: fc.array(word, { maxLength: 2 }), project: word, state: fc.array(word, { maxLength: 2 }) },
  { requiredKeys: [] },
)
const show: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  list: fc.oneof(
    { depthSize: 'small' },
    fc.constant('all'),
    fc.array(fc.oneof(word, fc.dictionary(word, tie('list'), { maxKeys: 2 })), { maxLength: 3 }),
  ),
})).list
const ruleOf = (keys: readonly string[]) =>
  fc.record(
    {
      query: fc.dictionary(fc.constantFrom('t', 'filters', ...keys), fc.oneof(scalar, fc.array(scalar, { maxLength: 2 })), {
        maxKeys: 2,
      }),
      show,
      when: fc.oneof(selector, fc.array(selector, { maxLength: 2 })),
      budget: fc.dictionary(fc.constantFrom('client', 'container', 'x'), scalar, { maxKeys: 2 }),
    },
    { requiredKeys: [] },
  )
const allow = fc
  .array(
    fc
      .constantFrom(...CATALOGUE)
      .chain(({ id, query }) => fc.tuple(fc.constant(id), fc.oneof(fc.constant({}), ruleOf(Object.keys(query))))),
    { maxLength: 3 },
  )
  .map((rules) => Object.fromEntries(rules))
const test = fc.record(
  {
    allow: fc.constantFrom('GET /_ping', 'POST /containers/web/restart?t=5', 'x'),
    deny: fc.constantFrom('GET /x', 'GET /containers/json'),
    given: selector,
  },
  { requiredKeys: [] },
)
const made = fc
  .record(
    {
      version: fc.constantFrom(1, 1, 1, 1, '1', 2),
      client: fc.constantFrom('healer', 'healer', 'Healer', ''),
      scope: fc.oneof(fc.constant('all'), fc.array(selector, { maxLength: 2 }), scalar),
      allow,
      allow_root_equivalent: fc.array(fc.constantFrom(...CATALOGUE.map(({ id }) => id)), { maxLength: 2 }),
      tests: fc.array(test, { maxLength: 2 }),
    },
    { requiredKeys: ['version', 'client', 'scope', 'allow'] },
  )
  .chain((policy) =>
    fc.constantFrom(stringify(policy), JSON.stringify(policy), stringify(policy, { defaultStringType: 'QUOTE_SINGLE' })),
  )

const words = [
  ...[
    'allow',
    'scope',
    'show',
    'query',
    'when',
    'budget',
    'tests',
    'given',
    'labels',
    'names',
    'project',
    'state',
    'version: 1\n',
  ],
  ...[
    '- ',
    '  ',
    ': ',
    '&a ',
    '*a',
    '<<: ',
    '!!str ',
    '!x ',
    '---\n',
    '...\n',
    '? ',
    '| ',
    '>\n',
    '# ',
    '%YAML 1.1\n',
    '0..60',
    '5 per 10m',
    '.inf',
    '.nan',
    '~',
  ],
  ...CATALOGUE.map(({ id }) => id),
]
const text = fc.oneof(
  { weight: 3, arbitrary: edited(fc.constantFrom(...KNOWN), words) },
  { weight: 3, arbitrary: edited(made, words, 1) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
)

// ── What must hold ──────────────────────────────────────────────────────────────────────────────────────────────────

/** What a policy says, without where it was read from. */
const saying = ({ hash: _, file: __, tests, ...policy }: Policy) =>
  JSON.stringify({ ...policy, tests: tests.map(({ at: _at, ...said }) => said) }, (_key, value) =>
    value instanceof Map ? [...value] : value,
  )

function checkPolicy(policy: Policy, text: string): void {
  const value: unknown = parse(text)
  must(fitsSchema(value), `it is taken, and the schema refuses it: ${JSON.stringify(fitsSchema.errors?.[0])}`)
  const again = parsePolicy(JSON.stringify(value), 'again.json')
  must('policy' in again, 'written as JSON, it is refused')
  must(saying(again.policy) === saying(policy), 'written as JSON, it says something else')
  for (const { offset, length, message } of runPolicyTests(policy))
    must(offset + length <= text.length && message !== '', 'a test that fails has no place')
  const line = policyLines(text)
  const last = text.split('\n').length
  for (const path of [['scope', 0], ...[...policy.allow.keys()].map((id) => ['allow', id, 'show'])])
    must(line(path) >= 1 && line(path) <= last, `${path} is on line ${line(path)}`)
}

function checkErrors(errors: Extract<ReturnType<typeof parsePolicy>, { errors: unknown }>['errors'], text: string): void {
  must(errors.length > 0, 'it is refused without a word')
  const lines = text.split('\n')
  for (const error of errors) {
    must(error.message.trim() !== '', 'it is refused without a word')
    const rendered = renderPolicyErrors('p.yaml', text, [error])
    const [, line = 0, column = 0] = /^p\.yaml:(\d+):(\d+): /.exec(rendered)?.map(Number) ?? []
    must(line >= 1 && line <= lines.length, `line ${line} is not in the file: ${rendered}`)
    must(column >= 1 && column <= (lines[line - 1]?.length ?? 0) + 1, `column ${column} is not on line ${line}: ${rendered}`)
    must(!/[^\n\t\P{C}]/u.test(rendered.replaceAll('\ufffd', '')), 'what is said of it could move a cursor')
  }
  const beyond = errors.every(({ message }) => BEYOND_SCHEMA.some((pattern) => pattern.test(message)))
  if (beyond || errors.some(({ message }) => NOT_TAKEN.test(message))) return
  const document = parseDocument(text, { version: '1.2', merge: false })
  if (document.errors.length + document.warnings.length > 0) return
  must(!fitsSchema(document.toJS()), `it is refused, and the schema takes it: ${errors.map(({ message }) => message).join('; ')}`)
}

export const loader = defineTarget(
  'a policy is taken or refused as its JSON Schema says, each error stands where it says, and another spelling says the same',
  200,
  text,
  (text) => {
    const parsed = parsePolicy(text, 'p.yaml')
    if ('policy' in parsed) checkPolicy(parsed.policy, text)
    else checkErrors(parsed.errors, text)
  },
)
