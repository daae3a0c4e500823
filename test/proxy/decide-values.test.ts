// What a decision makes of single values: of types that do not fit, of filters and what they tell of, of what is meant by none, and of the
// files, the execs and the time to stop of a container.
import t from 'tap'
import { decide } from '../../proxy/policy/decide.ts'
import type { AllowedValues, Policy, Rule } from '../../proxy/policy/policy.ts'
import type { QueryValue } from '../../proxy/request/api-request.ts'
import type { OperationId } from '../../proxy/request/catalogue.ts'
import { decideLine, inspected, inWords, NOW_MS, requestOf } from './support/deciding.ts'
import { policyOf, policyText } from './support/policies.ts'

const filters = (value: unknown) => `filters=${encodeURIComponent(JSON.stringify(value))}`

/** `policy` with another rule for one operation: such as the reading of a policy never makes. */
function withRule(policy: Policy, id: OperationId, change: Partial<Rule>): Policy {
  const rule = policy.allow.get(id)
  if (!rule) throw new Error(`${id} is not allowed`)
  return { ...policy, allow: new Map(policy.allow).set(id, { ...rule, ...change }) }
}

const restarts = policyOf(
  policyText(['ContainerRestart: { query: { t: [5, 10] } }', 'ContainerList: { show: [Labels: [tier]] }']),
)

t.test('a value of another type than the policy lists is refused, whatever it is', async (t) => {
  const allowed: readonly AllowedValues[] = [
    { type: 'boolean', values: [true, false] },
    { type: 'integer', ranges: [{ min: -9, max: 9 }] },
    { type: 'text', patterns: ['*'] },
    { type: 'filters', names: ['label'] },
  ]
  const given: readonly QueryValue[] = [
    { type: 'boolean', value: true },
    { type: 'integer', value: 1 },
    { type: 'text', value: '1' },
    { type: 'filters', value: new Map([['label', ['tier']]]) },
  ]
  for (const listed of allowed) {
    for (const value of given) {
      const policy = withRule(restarts, 'ContainerList', { query: new Map([['filters', listed]]) })
      const request = { ...requestOf('GET /containers/json'), query: new Map([['filters', value]]) }
      const decision = decide(policy, request, { target: 'not asked' }, [], NOW_MS)
      if (listed.type === value.type) t.equal(decision.verdict, 'allow', `${value.type} is listed`)
      else
        t.match(
          decision,
          { rule: 'policy.query', reason: /“filters” has another type under/ },
          `${value.type}, not ${listed.type}`,
        )
    }
  }
})

t.test('a filter tells of one field, and passes where that is shown', async (t) => {
  const cases: readonly (readonly [show: string, filter: unknown, outcome: string, why: string])[] = [
    ['all', { volume: ['x'] }, 'allow', 'all is shown'],
    ['[Mounts, Labels]', { volume: ['x'] }, 'allow', 'the field is shown whole'],
    ['[Mounts: [Name], Labels]', { volume: ['x'] }, '403 policy.query', 'it is shown in part'],
    ['[Mounts, Labels: [tier]]', { label: ['tier=web=2'] }, 'allow', 'a value may have an equals sign'],
    ['[Mounts, Labels: [tier]]', { label: ['tie'] }, '403 policy.query', 'a label that begins like one that is shown'],
    ['[Mounts, Labels, State]', { status: ['running'] }, '403 policy.query', 'a filter that is not listed, of what is shown'],
  ]
  for (const [show, filter, outcome, why] of cases) {
    const policy = policyOf(policyText([`ContainerList: { query: { filters: [volume, label] }, show: ${show} }`]))
    t.equal(inWords(decideLine(policy, `GET /containers/json?${filters(filter)}`)), outcome, `${show}: ${why}`)
  }
  const unlisted = decideLine(restarts, `GET /containers/json?${filters({ label: ['tier'] })}`)
  t.match(unlisted, { reason: /“filters” is not listed/ })
})

t.test('a filter that nobody knows is refused, and one where nothing is shown', async (t) => {
  const listed = { query: new Map([['filters', { type: 'filters', names: ['label', 'odd'] } as const]]) }
  const ask = (policy: Policy, name: string) => {
    const query = new Map([['filters', { type: 'filters', value: new Map([[name, ['tier']]]) } as const]])
    return decide(policy, { ...requestOf('GET /containers/json'), query }, { target: 'not asked' }, [], NOW_MS)
  }
  t.match(ask(withRule(restarts, 'ContainerList', listed), 'odd'), { reason: /may only filter by odd where that is shown/ })
  const { show: _, ...blind } = restarts.allow.get('ContainerList') ?? { query: new Map(), when: [] }
  const policy = { ...restarts, allow: new Map(restarts.allow).set('ContainerList', { ...blind, ...listed }) }
  t.match(ask(policy, 'label'), { reason: /may only filter by label where that is shown/ })
})

t.test('a number that is not listed is refused with those that are', async (t) => {
  const policy = policyOf(policyText(['ContainerRestart: { query: { t: [5, 10] } }', 'ContainerStop: { query: { t: 0..60 } }']))
  t.match(decideLine(policy, 'POST /containers/web/restart?t=7'), { reason: /“t” may only be 5 or 10 under/ })
  t.match(decideLine(policy, 'POST /containers/web/stop?t=61'), { reason: /“t” may only be 0 to 60 under/ })
  for (const t5 of ['0', '60']) t.equal(inWords(decideLine(policy, `POST /containers/web/stop?t=${t5}`, inspected())), 'allow')
})

t.test('what is meant without a query key is refused where it is not listed, and the key is named', async (t) => {
  const policy = policyOf(
    policyText([
      'ContainerKill: { query: { signal: [SIGHUP] } }',
      'ContainerTop: { query: { ps_args: ["-e*"] }, show: [Titles] }',
      'VolumePrune: { query: { filters: [label] }, show: [VolumesDeleted] }',
    ]),
  )
  const kill = decideLine(policy, 'POST /containers/web/kill')
  t.match(kill, {
    rule: 'policy.query',
    reason:
      "ContainerKill: without the query “signal” it means SIGKILL, which is not listed under `allow: ContainerKill: query:` of healer's policy",
  })
  t.same('at' in kill && kill.at, ['allow', 'ContainerKill', 'query', 'signal'])
  t.match(decideLine(policy, 'POST /volumes/prune'), { reason: /without the query “filters” it means all there is, which/ })
  t.equal(inWords(decideLine(policy, 'GET /containers/web/top', inspected())), 'allow', 'without arguments it is -ef')
  // A key whose absence means nothing that could be listed is none that a text fits, however wide.
  const anyText = new Map([['filters', { type: 'text', patterns: ['*'] } as const]])
  t.match(decideLine(withRule(policy, 'VolumePrune', { query: anyText }), 'POST /volumes/prune'), { reason: /all there is/ })
  const anyFilters = new Map([['signal', { type: 'filters', names: ['*'], patterns: ['*'] } as unknown as AllowedValues]])
  t.match(decideLine(withRule(policy, 'ContainerKill', { query: anyFilters }), 'POST /containers/web/kill'), {
    reason: /means SIGKILL/,
  })
})

const files = policyOf(
  `${policyText(['ContainerArchive: { query: { path: ["/etc/*"] }, show: all }', 'ExecInspect: { show: [ID] }', 'ContainerExec: { show: [Id] }'])}allow_root_equivalent: [ContainerExec]\n`,
)

t.test('the files of a container are read after an inspect, and those of Postern never', async (t) => {
  const archive = 'GET /containers/web/archive?path=/etc/hosts'
  t.equal(inWords(decideLine(files, archive)), 'resolve inspected')
  t.equal(inWords(decideLine(files, archive, inspected())), 'allow')
  const refused = decideLine(files, archive, inspected({ isProtected: true }))
  t.match(refused, { rule: 'policy.protected', reason: /web is a part of Postern; no policy can allow a look at its files$/ })
  t.notOk('charge' in decideLine(files, archive, inspected()), 'reading costs nothing')
})

t.test('an exec of a container that is not in scope is not there, by its own name', async (t) => {
  t.match(decideLine(files, 'GET /exec/abc/json', { target: 'not found' }), { status: 404, reason: 'No such exec instance: abc' })
  const { container: _, ...nameless } = requestOf('POST /containers/web/exec')
  const decision = decide(files, nameless, { target: 'not found' }, [], NOW_MS)
  t.match(decision, { status: 404, reason: 'No such container: the request names none' })
})

t.test('only a restart is made of what a restart has left exited', async (t) => {
  const when = 'when: { state: [running, paused] }'
  const policy = policyOf(policyText([`ContainerRestart: { ${when} }`, `ContainerStop: { ${when} }`]))
  const left = inspected({ state: 'exited', failedToStart: true })
  t.equal(inWords(decideLine(policy, 'POST /containers/web/restart', left)), 'allow')
  t.equal(inWords(decideLine(policy, 'POST /containers/web/stop', left)), '409 policy.when')
  t.equal(
    inWords(decideLine(policy, 'POST /containers/web/stop', inspected({ state: 'paused' }))),
    'allow',
    'either state will do',
  )
})

t.test('a restart without a time to stop has the container’s own, where the Engine has to be told it', async (t) => {
  const policy = policyOf(policyText(['ContainerRestart: { query: { t: [5, 10] } }', 'ContainerStop: {}']))
  const queryOf = (line: string, stopSeconds?: number) => {
    const decision = decideLine(policy, line, inspected(stopSeconds === undefined ? {} : { stopSeconds }))
    return decision.verdict === 'allow' ? [...decision.query] : decision
  }
  t.same(queryOf('POST /containers/web/restart', 30), [['t', { type: 'integer', value: 30 }]])
  t.same(queryOf('POST /containers/web/restart?t=5', 30), [['t', { type: 'integer', value: 5 }]])
  t.same(queryOf('POST /containers/web/restart'), [])
  t.same(queryOf('POST /containers/web/stop', 30), [], 'a stop is told nothing')
})

t.test('`scope: all` is every container', async (t) => {
  const policy = policyOf(policyText(['ContainerInspect: { show: [Id] }']).replace(/scope:\n.*\n/, 'scope: all\n'))
  t.equal(inWords(decideLine(policy, 'GET /containers/web/json', inspected({ labels: {} }))), 'allow')
})
