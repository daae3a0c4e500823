// --observe: what the policy refuses passes and is recorded with the rule that refuses it; what amounts to root, what is no request, and
// the proxy itself stay as they are.
import t from 'tap'
import { containerId, fakeContainer } from './support/containers.ts'
import type { FakeEngine } from './support/fake-engine.ts'
import { HEALER_POLICY_FILE, HEALER_POLICY_TEXT, policyText } from './support/policies.ts'
import { preparePlace, runProgram, startServing } from './support/proxy-process.ts'
import { ask } from './support/raw-client.ts'
import { HIDDEN, startProxy, usualContainers } from './support/start-proxy.ts'

const passes: readonly (readonly [line: string, status: number, recorded: Record<string, unknown>])[] = [
  ['GET /containers/json', 200, { verdict: 'allow', rule: 'allow.ContainerList' }],
  ['GET /info', 200, { verdict: 'observe', rule: 'policy.operation', operation: 'SystemInfo' }],
  ['GET /containers/json?size=1', 200, { verdict: 'observe', rule: 'policy.query', query: { size: true } }],
  ['GET /containers/hidden/json', 200, { verdict: 'observe', rule: 'policy.scope', target: { id: HIDDEN, name: 'hidden' } }],
  ['POST /containers/hidden/restart?t=99', 204, { verdict: 'observe', rule: 'policy.query', target: { name: 'hidden' } }],
  ['POST /containers/web/kill', 204, { verdict: 'observe', rule: 'policy.operation', target: { name: 'web', state: 'running' } }],
  ['POST /volumes/prune', 200, { verdict: 'observe', rule: 'policy.operation' }],
]

const stays: readonly (readonly [line: string, status: number, rule: string])[] = [
  ['GET /containers/none/json', 404, 'policy.scope'],
  ['POST /containers/create', 403, 'policy.operation'],
  ['POST /containers/web/exec', 403, 'policy.operation'],
  ['GET /containers/web/attach/ws', 403, 'policy.operation'],
  ['GET /swarm', 403, 'policy.operation'],
  ['GET /containers//json', 400, 'request.target'],
  ['GET /no/such/thing', 403, 'operation.unknown'],
  ['GET /containers/json?all=maybe', 400, 'request.query'],
  ['GET /containers/json?limit=5', 400, 'request.query'],
]

/** An Engine that does whatever the usual one does not know. */
const obliging: FakeEngine['answer'] = ({ line }) => {
  if (line.includes('prune') || line.includes('/info')) return { status: 200, body: {} }
  return line.startsWith('POST') ? { status: 204 } : undefined
}

t.test('what the policy refuses passes, whole, and is recorded with why it would be refused', async (t) => {
  const proxy = await startProxy(t, { observe: true })
  proxy.engine.answer = obliging
  for (const [i, [line, status, recorded]] of passes.entries()) {
    const answer = await proxy.ask(line)
    t.equal(answer.status, status, line)
    const decisions = proxy.auditLines().filter(({ event }) => event === 'decision')
    t.match(decisions[i], recorded, line)
  }
  t.match(await proxy.metrics(), /postern_proxy_decisions_total\{.*verdict="observe".*\} 1/)
})

t.test('a list that the policy allows is cut as ever; an inspect of what it hides is not', async (t) => {
  const proxy = await startProxy(t, { observe: true })
  const list: { Names: string[] }[] = JSON.parse((await proxy.ask('GET /containers/json')).body)
  t.same(list.map(({ Names: [name] }) => name).sort(), ['/db', '/web'])
  t.ok(JSON.parse((await proxy.ask('GET /containers/hidden/json')).body).Config.Env)
})

t.test('what amounts to root, and what is no request, is refused all the same', async (t) => {
  const proxy = await startProxy(t, { observe: true })
  for (const [line, status, rule] of stays) {
    t.equal((await proxy.ask(line)).status, status, line)
    t.match(proxy.auditLines().at(-1), { verdict: 'deny', rule }, line)
  }
  t.notMatch(proxy.engine.lines().join('\n'), 'POST')
})

t.test('the proxy itself is not changed', async (t) => {
  const own = fakeContainer({ id: containerId('0e11'), name: 'proxy' })
  const proxy = await startProxy(t, { observe: true, ownId: containerId('0e11'), containers: [...usualContainers(), own] })
  t.equal((await proxy.ask('POST /containers/proxy/restart')).status, 403)
  t.match(proxy.auditLines().at(-1), { verdict: 'deny', rule: 'policy.protected' })
  t.notMatch(proxy.engine.lines().join('\n'), 'POST')
})

t.test('restarts beyond the budget pass, one at a time for each container', async (t) => {
  const proxy = await startProxy(t, {
    observe: true,
    policyText: policyText(['ContainerRestart: { budget: { client: 1 per 1h } }']),
  })
  const statuses = await proxy.inTurn(Array.from({ length: 3 }, () => 'POST /containers/web/restart'))
  t.same(statuses, [204, 204, 204])
  const verdicts = proxy.auditLines().flatMap(({ event, verdict }) => (event === 'decision' ? [verdict] : []))
  t.same(verdicts, ['allow', 'observe', 'observe'])
})

t.test('without it, all of these are refused', async (t) => {
  const proxy = await startProxy(t, { policyText: HEALER_POLICY_TEXT })
  for (const [line] of passes.slice(1)) t.ok((await proxy.ask(line)).status >= 403, line)
})

t.test('the flag and the variable turn it on, which the log and a metric say; other values are an error', async (t) => {
  for (const [args, env, on] of [
    [['--observe'], {}, '1'],
    [[], { POSTERN_OBSERVE: 'true' }, '1'],
    [[], { POSTERN_OBSERVE: 'false' }, '0'],
    [[], { POSTERN_OBSERVE: '' }, '0'],
  ] as const) {
    const place = await preparePlace(t)
    const { child, ended } = await startServing(t, { ...place, args: [...place.args, ...args] }, { env })
    t.match((await ask(place.metrics, 'GET /metrics')).body, `postern_proxy_observing ${on}\n`)
    child.kill('SIGTERM')
    t.equal((await ended).stdout.includes('this protects nothing'), on === '1')
  }
  const args = ['serve', `${HEALER_POLICY_FILE}@unix:///nowhere/x.sock`, '--audit', '/nowhere/audit.jsonl']
  t.match(await runProgram(t, args, { env: { POSTERN_OBSERVE: 'maybe' } }), { code: 2, stderr: /neither true nor false/ })
})
