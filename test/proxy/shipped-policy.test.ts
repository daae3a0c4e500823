// The policy that ships with the project: what it says, that its own tests hold, and that a failing test keeps a policy out.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { loadPolicy } from '../../proxy/policy/load-policy.ts'
import { PolicyFileError } from '../../proxy/policy/policy-error.ts'
import { runPolicyTests } from '../../proxy/policy/run-tests.ts'
import { temporaryDirectory } from '../support/temporary.ts'
import { HEALER_POLICY_FILE, HEALER_POLICY_TEXT, healerPolicy, policyOf, policyText } from './support/policies.ts'

t.test('the healer’s policy says what its head promises', async (t) => {
  const policy = healerPolicy()
  t.equal(policy.client, 'healer')
  t.same(policy.scope, [{ labels: { monitored: 'true' } }, { labels: { autoheal: 'true' } }])
  t.same([...policy.allow.keys()], ['SystemPing', 'SystemVersion', 'ContainerList', 'ContainerInspect', 'ContainerRestart'])
  t.match(policy.hash, /^[0-9a-f]{16}$/)

  const restart = policy.allow.get('ContainerRestart')
  t.same(restart?.budget, { container: { count: 5, windowMs: 600_000 }, client: { count: 20, windowMs: 600_000 } })
  t.same(restart?.when, [{ state: ['running'] }])
  t.same([...(restart?.query ?? [])], [['t', { type: 'integer', ranges: [{ min: 0, max: 60 }] }]])
  t.same(
    [...(policy.allow.get('ContainerList')?.query ?? [])],
    [
      ['all', { type: 'boolean', values: [true, false] }],
      ['filters', { type: 'filters', names: ['label', 'status', 'health'] }],
    ],
  )
  t.same(policy.allow.get('ContainerInspect')?.show, [
    { name: 'Id', fields: 'all' },
    { name: 'Name', fields: 'all' },
    { name: 'RestartCount', fields: 'all' },
    {
      name: 'State',
      fields: [
        ...['Status', 'StartedAt', 'ExitCode', 'OOMKilled'].map((name) => ({ name, fields: 'all' as const })),
        { name: 'Health', fields: ['Status', 'FailingStreak'].map((name) => ({ name, fields: 'all' as const })) },
      ],
    },
    {
      name: 'Config',
      fields: [{ name: 'Healthcheck', fields: ['Interval', 'Retries'].map((name) => ({ name, fields: 'all' as const })) }],
    },
    { name: 'HostConfig', fields: ['AutoRemove', 'NetworkMode'].map((name) => ({ name, fields: 'all' as const })) },
  ])
})

t.test('its tests hold, and it is loaded from its file', async (t) => {
  t.same(runPolicyTests(healerPolicy()), [])
  t.ok(healerPolicy().tests.length >= 10, 'it has tests')
  t.match(await loadPolicy(HEALER_POLICY_FILE), { client: 'healer', file: 'healer.yaml' })
})

t.test('another text is another hash', async (t) => {
  t.not(policyOf(`${HEALER_POLICY_TEXT}# a comment\n`).hash, healerPolicy().hash)
})

const failing: readonly (readonly [test: string, message: RegExp])[] = [
  ['- deny: GET /_ping', /^test failed: expected deny of GET \/_ping, but it is allowed$/],
  [
    '- allow: POST /containers/web/restart',
    /^test failed: expected allow of POST \/containers\/web\/restart, but it is refused: /,
  ],
  ['- allow: GET /containers/%2e/json', /but it is refused: the path is not a plain path/],
  ['- allow: GET /event', /but it is refused: the request is no operation of the Engine API/],
  [
    '- deny: GET /contianers/json',
    /^test failed: the request is no operation of the Engine API.*; a test of it holds whatever the policy says$/,
  ],
  ['- deny: GET /v1.99/info', /^test failed: the API version is not one of/],
  ['- allow: GET /events', /but it is refused: SystemEvents is not allowed to healer/],
  ['- { allow: GET /containers/web/json, given: { labels: { monitored: "no" } } }', /it is refused: No such container: web$/],
]

t.test('a test that does not hold is told with its line and what happened instead', async (t) => {
  for (const [test, message] of failing) {
    const text = `${policyText(['SystemPing: {}', 'ContainerInspect: { show: [Id] }'])}tests:\n  - deny: POST /build\n  ${test}\n`
    t.match(runPolicyTests(policyOf(text)), [{ offset: text.lastIndexOf('- ') + 2, message }], test)
    t.equal(runPolicyTests(policyOf(text)).length, 1, 'the other holds')
  }
})

t.test('a test’s container is what `given:` says, and running where it does not say', async (t) => {
  const allow = ['ContainerRestart:', '  when: { state: [running], names: [web] }']
  const given = (yaml: string, expect: string) =>
    `  - { ${expect}: POST /containers/web/restart, given: { labels: { monitored: "true" }${yaml} } }`
  const tests = [given('', 'allow'), given(', state: paused', 'deny'), given(', name: db', 'deny'), given(', name: web', 'allow')]
  t.same(runPolicyTests(policyOf(`${policyText(allow)}tests:\n${tests.join('\n')}\n`)), [])
})

t.test('a policy that fails in any way does not come out of loading', async (t) => {
  const directory = temporaryDirectory(t)
  const [failing, broken, missing] = ['failing.yaml', 'broken.yaml', 'missing.yaml'].map((name) => join(directory, name))
  if (!failing || !broken || !missing) throw new Error('three names')
  writeFileSync(failing, `${policyText(['SystemPing: {}'])}tests:\n  - deny: GET /_ping\n`)
  writeFileSync(broken, 'version: 1\n  client: x\n')
  await t.rejects(
    loadPolicy(failing),
    new PolicyFileError(
      `${failing}:8:5: test failed: expected deny of GET /_ping, but it is allowed\n 8 |   - deny: GET /_ping\n   |     ^^^^^^^^^^^^^^^^`,
    ),
  )
  await t.rejects(loadPolicy(broken), { name: 'PolicyFileError', message: new RegExp(`^${broken}:\\d+:\\d+: `) })
  await t.rejects(loadPolicy(missing), new PolicyFileError(`${missing}: there is no such file`))
  await t.rejects(loadPolicy(directory), { name: 'PolicyFileError', message: `${directory}: EISDIR` })
})
