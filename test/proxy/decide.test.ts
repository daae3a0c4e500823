// The decision over the five operations under the policy that ships, as a table; budgets have their own file.
import t from 'tap'
import type { Known } from '../../proxy/policy/decide.ts'
import { containerId } from './support/containers.ts'
import { decideLine, inList, inspected, inWords, NOW_MS, restartCharge } from './support/deciding.ts'
import { healerPolicy, policyOf, policyText } from './support/policies.ts'

const RESTART = 'POST /containers/web/restart'
const INSPECT = 'GET /containers/web/json'
const filters = (value: unknown) => `GET /containers/json?filters=${encodeURIComponent(JSON.stringify(value))}`
const notAsked: Known = { target: 'not asked' }
const notFound: Known = { target: 'not found' }

const cases: readonly (readonly [line: string, known: Known, outcome: string, why: string])[] = [
  ['GET /_ping', notAsked, 'allow', 'a ping'],
  ['GET /v1.45/version', notAsked, 'allow', 'the version'],
  ['GET /containers/json', notAsked, 'allow', 'a list'],
  ['GET /containers/json?all=1', notAsked, 'allow', 'a list of all'],
  ['GET /containers/json?all=0', notAsked, 'allow', 'a list of what runs'],
  // containers are looked up before they are judged, and only as far as is needed
  [INSPECT, notAsked, 'resolve listed', 'an inspect needs the scope'],
  [RESTART, notAsked, 'resolve inspected', 'a restart needs a fresh inspect'],
  [RESTART, inList(), 'resolve inspected', 'a restart is never judged on a list'],
  ['POST /containers/web/restart?t=61', notAsked, '403 policy.query', 'a bad query is refused before anything is looked up'],
  // scope
  [INSPECT, notFound, '404 policy.scope', 'nothing so called'],
  [RESTART, notFound, '404 policy.scope', 'nothing so called'],
  [INSPECT, inList(), 'allow', 'in scope by monitored'],
  [INSPECT, inList({ labels: { autoheal: 'true' } }), 'allow', 'in scope by autoheal'],
  [INSPECT, inList({ labels: {} }), '404 policy.scope', 'no label'],
  [INSPECT, inList({ labels: { monitored: 'True' } }), '404 policy.scope', 'a label of another value'],
  [INSPECT, inList({ labels: { Monitored: 'true' } }), '404 policy.scope', 'a label in another case'],
  [INSPECT, inList({ labels: { monitored: 'true ' } }), '404 policy.scope', 'a value with a space'],
  [RESTART, inspected(), 'allow', 'in scope by monitored'],
  [RESTART, inspected({ labels: { autoheal: 'true' } }), 'allow', 'in scope by autoheal'],
  [RESTART, inspected({ labels: {} }), '404 policy.scope', 'no label'],
  [RESTART, inspected({ labels: {}, isProtected: true }), '404 policy.scope', 'hidden comes before protected'],
  [RESTART, inspected({ labels: {}, isBusy: true }), '404 policy.scope', 'hidden comes before busy'],
  // when
  [RESTART, inspected({ state: 'exited' }), '409 policy.when', 'an operator stopped it'],
  [RESTART, inspected({ state: 'paused' }), '409 policy.when', 'paused'],
  [RESTART, inspected({ state: 'created' }), '409 policy.when', 'never started'],
  [RESTART, inspected({ state: 'dead' }), '409 policy.when', 'dead'],
  [RESTART, inspected({ state: 'Running' }), '409 policy.when', 'a state that the Engine does not have'],
  [RESTART, inspected({ state: '' }), '409 policy.when', 'no state'],
  [RESTART, inspected({ state: 'exited', failedToStart: true }), 'allow', 'a restart from here left it exited'],
  [RESTART, inspected({ state: 'paused', failedToStart: true }), '409 policy.when', 'the exception is for exited alone'],
  [RESTART, inspected({ state: 'created', failedToStart: true }), '409 policy.when', 'the exception is for exited alone'],
  // busy and protected
  [RESTART, inspected({ isBusy: true }), '409 policy.busy', 'one change at a time'],
  [RESTART, inspected({ isProtected: true }), '403 policy.protected', 'a part of Postern'],
  [RESTART, inspected({ isProtected: true, state: 'exited', failedToStart: true }), '403 policy.protected', 'a part of Postern'],
  [INSPECT, inspected({ isProtected: true, isBusy: true, state: 'exited' }), 'allow', 'a read asks none of this'],
  // query
  ['POST /containers/web/restart?t=0', inspected(), 'allow', 'the least'],
  ['POST /containers/web/restart?t=60', inspected(), 'allow', 'the most'],
  ['POST /containers/web/restart?t=61', inspected(), '403 policy.query', 'too much'],
  ['POST /containers/web/restart?t=-1', inspected(), '403 policy.query', 'wait without end'],
  // filters tell of what they filter by
  [filters({ label: ['monitored=true'] }), notAsked, 'allow', 'a label that is shown'],
  [filters({ label: ['healer.interval'] }), notAsked, 'allow', 'a label that is shown by a pattern'],
  [filters({ status: ['running'], health: ['unhealthy'] }), notAsked, 'allow', 'what the policy lists'],
  [filters({ label: ['secret=1'] }), notAsked, '403 policy.query', 'a hidden label'],
  [filters({ label: ['monitored', 'secret'] }), notAsked, '403 policy.query', 'a hidden label behind a shown one'],
  [filters({ label: { 'secret=1': true } }), notAsked, '403 policy.query', 'a hidden label in the other spelling'],
  [filters({ label: ['healer=1'] }), notAsked, '403 policy.query', 'not quite the pattern'],
  [filters({ label: ['=healer.x'] }), notAsked, '403 policy.query', 'an empty name'],
  [filters({ label: [''] }), notAsked, '403 policy.query', 'nothing'],
  [
    filters({ label: ['com.docker.compose.project.working_dir'] }),
    notAsked,
    '403 policy.query',
    'a label that begins like a shown one',
  ],
]

t.test('each operation is decided as the healer’s policy says', async (t) => {
  const policy = healerPolicy()
  for (const [line, known, outcome, why] of cases) t.equal(inWords(decideLine(policy, line, known)), outcome, `${line}: ${why}`)
})

t.test('an operation that the policy does not name is refused, whatever its target', async (t) => {
  const policy = policyOf(policyText(['SystemPing: {}']))
  for (const line of ['GET /version', 'GET /containers/json', INSPECT, RESTART]) {
    t.match(decideLine(policy, line, inspected()), {
      status: 403,
      rule: 'policy.operation',
      reason: /the policy would need it under `allow:`$/,
    })
  }
})

t.test('a query key that the policy does not list is refused', async (t) => {
  const policy = policyOf(policyText(['ContainerList: { query: { all: [true] }, show: [Id] }', 'ContainerRestart: {}']))
  t.equal(inWords(decideLine(policy, 'GET /containers/json?all=1')), 'allow')
  t.match(decideLine(policy, 'GET /containers/json?all=0'), { rule: 'policy.query', reason: /may not be false/ })
  t.match(decideLine(policy, filters({ label: ['a'] })), { rule: 'policy.query', reason: /“filters” is not listed/ })
  t.match(decideLine(policy, 'POST /containers/web/restart?t=1', inspected()), {
    rule: 'policy.query',
    reason: /“t” is not listed/,
  })
})

/** A policy with each kind of value, and operations that are about no container. */
const wide = policyOf(
  `${policyText([
    'ContainerTop: { query: { ps_args: ["-ef", "-o *"] }, show: [Titles] }',
    'ContainerStop: { query: { t: [5, 10], signal: [SIGTERM, "SIGUSR*"] } }',
    'ContainerList: { query: { filters: [network, publish, volume] }, show: [Names, NetworkSettings: [Networks: ["*": [IPAddress]]], Ports: [PrivatePort], Mounts: [Name]] }',
    'VolumeList: { query: { filters: [label, dangling] }, show: [Volumes: [Labels: ["tier"]]] }',
    'ImagePrune: { show: [SpaceReclaimed], budget: { client: 1 per 1h } }',
    'NetworkInspect: { show: [Name] }',
    'PluginEnable: { query: { timeout: 0..9 } }',
    'ContainerKill: { query: { signal: [SIGHUP] } }',
    'VolumePrune: { query: { filters: [label] }, show: [VolumesDeleted] }',
  ])}allow_root_equivalent: [PluginEnable]\n`,
)
const volumes = (value: unknown) => `GET /volumes?filters=${encodeURIComponent(JSON.stringify(value))}`

const wideCases: readonly (readonly [line: string, known: Known, outcome: string, why: string])[] = [
  ['GET /containers/web/top', inList(), 'allow', 'a listed key may be absent'],
  ['GET /containers/web/top?ps_args=-ef', inList(), 'allow', 'a text that is listed'],
  ['GET /containers/web/top?ps_args=-o%20pid', inList(), 'allow', 'a text by a pattern'],
  ['GET /containers/web/top?ps_args=-efw', inList(), '403 policy.query', 'a text that only begins like one'],
  ['GET /containers/web/top?ps_args=', inList(), '403 policy.query', 'no text is a text too'],
  ['POST /containers/web/stop?t=5', inspected(), 'allow', 'a number that is listed'],
  ['POST /containers/web/stop?t=7', inspected(), '403 policy.query', 'a number between'],
  ['POST /containers/web/stop?signal=SIGUSR1', inspected(), 'allow', 'a signal by a pattern'],
  ['POST /containers/web/stop?signal=9', inspected(), '403 policy.query', 'a signal by its number'],
  ['POST /containers/web/stop?signal=sigterm', inspected(), '403 policy.query', 'a signal in another case'],
  // what is meant where a listed key is absent is judged like what is given
  ['POST /containers/web/kill?signal=SIGHUP', inspected(), 'allow', 'a signal that is listed'],
  ['POST /containers/web/kill', inspected(), '403 policy.query', 'without a signal it is SIGKILL'],
  ['POST /volumes/prune', notAsked, '403 policy.query', 'without a filter it is all of them'],
  ['POST /volumes/prune?filters=%7B%7D', notAsked, '403 policy.query', 'with none as well'],
  [`POST /volumes/prune?filters=${encodeURIComponent('{"label":[]}')}`, notAsked, '403 policy.query', 'and with one of no value'],
  [
    `POST /volumes/prune?filters=${encodeURIComponent('{"label":["tmp"]}')}`,
    notAsked,
    'allow',
    'with one that is listed, whose effect is shown',
  ],
  // filters tell of one field each
  [filters({ network: ['front'] }), notAsked, '403 policy.query', 'names of networks are shown, and it takes ids as well'],
  [filters({ publish: ['80'] }), notAsked, '403 policy.query', 'the public port is not shown'],
  [filters({ volume: ['data'] }), notAsked, '403 policy.query', 'of mounts only the name is shown'],
  [volumes({ label: ['tier=web'] }), notAsked, 'allow', 'a label below what holds the list'],
  [volumes({ label: ['secret'] }), notAsked, '403 policy.query', 'a hidden label of a volume'],
  [volumes({ dangling: ['true'] }), notAsked, '403 policy.query', 'needs the volumes whole'],
  // what is about no container is decided at once
  ['GET /networks/front', notAsked, 'allow', 'a read'],
  ['POST /images/prune', notAsked, 'allow', 'a change, within its budget'],
  ['POST /plugins/vieux/sshfs/enable?timeout=9', notAsked, 'allow', 'root, and named as such'],
  ['POST /plugins/vieux/sshfs/enable?timeout=10', notAsked, '403 policy.query', 'root, and bounded'],
  ['POST /plugins/vieux/sshfs/disable', notAsked, '403 policy.operation', 'root, and not named'],
]

t.test('values, filters and other objects are decided as a policy says', async (t) => {
  for (const [line, known, outcome, why] of wideCases) t.equal(inWords(decideLine(wide, line, known)), outcome, `${line}: ${why}`)
})

t.test('a change that is about no container is charged to the client alone', async (t) => {
  const first = decideLine(wide, 'POST /images/prune')
  if (first.verdict !== 'allow' || !first.charge) throw new Error('it is allowed, and charged')
  t.same(first.charge, { client: 'healer', operation: 'ImagePrune', atMs: NOW_MS })
  const again = decideLine(wide, 'POST /images/prune', notAsked, [first.charge], NOW_MS + 1000)
  t.match(again, { status: 429, rule: 'policy.budget', retryAfterSeconds: 3599 })
  t.equal(inWords(decideLine(wide, 'POST /images/prune', notAsked, [first.charge], NOW_MS + 3_600_000)), 'allow')
})

t.test('what was judged is what is approved: the id, the asked version, the typed query', async (t) => {
  const id = containerId('fe')
  const decision = decideLine(healerPolicy(), 'POST /v1.44/containers/web/restart?t=7', inspected({ id }))
  t.match(decision, { verdict: 'allow', operation: 'ContainerRestart', container: id, version: '1.44' })
  t.same('query' in decision && [...decision.query], [['t', { type: 'integer', value: 7 }]])
  t.match(decision, { charge: { client: 'healer', container: 'web', operation: 'ContainerRestart' } })
})

t.test('the exception for a failed start lifts the state that `when` asks for, and nothing else of it', async (t) => {
  const policy = policyOf(policyText(['ContainerRestart:', '  when: { state: [running], labels: { tier: web } }']))
  const failed = { state: 'exited', failedToStart: true }
  t.equal(inWords(decideLine(policy, RESTART, inspected({ ...failed, labels: { monitored: 'true', tier: 'web' } }))), 'allow')
  t.equal(inWords(decideLine(policy, RESTART, inspected(failed))), '409 policy.when', 'another tier')
})

t.test('a refusal tells the client’s log what to do', async (t) => {
  const policy = healerPolicy()
  const reasons: readonly (readonly [Known, RegExp])[] = [
    [notFound, /^No such container: web$/],
    [inspected({ state: 'exited' }), /^ContainerRestart: web is exited, which is not what `when:` asks for$/],
    [inspected({ isBusy: true }), /another change to web is under way; one at a time/],
    [inspected({ isProtected: true }), /web is a part of Postern; no policy can allow a change to it/],
  ]
  for (const [known, reason] of reasons) t.match(decideLine(policy, RESTART, known), { reason })
})

const places: readonly (readonly [line: string, over: Parameters<typeof inspected>[0], at: readonly string[] | undefined])[] = [
  ['POST /containers/create', {}, ['allow']],
  ['POST /containers/web/restart?t=61', {}, ['allow', 'ContainerRestart', 'query', 't']],
  ['POST /containers/web/restart', { labels: {} }, ['scope']],
  ['POST /containers/web/restart', { state: 'exited' }, ['allow', 'ContainerRestart', 'when']],
  ['POST /containers/web/restart', { isBusy: true }, undefined],
]

t.test('a refusal names the place in the policy that refuses, where it is the policy', async (t) => {
  for (const [line, over, at] of places) {
    const decision = decideLine(healerPolicy(), line, inspected(over))
    t.same(decision.verdict === 'deny' ? decision.at : 'not refused', at, `${line} ${at?.join('.')}`)
  }
  const spent = Array.from({ length: 5 }, () => restartCharge())
  const decision = decideLine(healerPolicy(), 'POST /containers/web/restart', inspected(), spent)
  t.match(decision, { rule: 'policy.budget', at: ['allow', 'ContainerRestart', 'budget'] })
})
