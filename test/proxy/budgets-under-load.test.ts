// Budgets, conditions and one change at a time hold exactly, however many ask at once and whenever the proxy is killed.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { containerId, fakeContainer } from './support/containers.ts'
import type { FakeEngine } from './support/fake-engine.ts'
import { HEALER_POLICY_TEXT } from './support/policies.ts'
import { preparePlace, startServing } from './support/proxy-process.ts'
import { ask } from './support/raw-client.ts'
import { parseLines, startProxy } from './support/start-proxy.ts'

const many = (count: number) =>
  Array.from({ length: count }, (_, i) => fakeContainer({ id: containerId(String(100 + i)), name: `c${i}` }))
const restartsOf = (engine: FakeEngine) => engine.lines().filter((line) => line.startsWith('POST'))
const countOf = <T>(values: readonly T[]): ReadonlyMap<T, number> => {
  const counts = new Map<T, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return counts
}

/** Makes every restart take a moment; the most that were under way at once for one container. */
function slowRestarts(engine: FakeEngine, ms: number): () => number {
  const underWay = new Map<string, number>()
  let most = 0
  engine.answer = async ({ line }) => {
    if (!line.startsWith('POST')) return undefined
    const now = (underWay.get(line) ?? 0) + 1
    underWay.set(line, now)
    most = Math.max(most, now)
    await delay(ms)
    underWay.set(line, (underWay.get(line) ?? 0) - 1)
    return { status: 204 }
  }
  return () => most
}

t.test('of a hundred restarts of fifty containers at once, exactly the client’s twenty go out', async (t) => {
  const proxy = await startProxy(t, { containers: many(50) })
  const most = slowRestarts(proxy.engine, 100)
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => proxy.ask(`POST /containers/c${i % 50}/restart`)))
  const statuses = countOf(answers.map(({ status }) => status))
  t.equal(statuses.get(204), 20)
  t.equal((statuses.get(429) ?? 0) + (statuses.get(409) ?? 0), 80)
  t.equal(restartsOf(proxy.engine).length, 20)
  t.equal(most(), 1)
  for (const { headers } of answers.filter(({ status }) => status === 429)) {
    t.match(headers.join('\n'), /^retry-after: (600|599|5\d\d)$/m)
  }
  t.equal(proxy.auditLines().filter(({ verdict }) => verdict === 'allow').length, 20)
})

t.test('of hundreds of restarts of one container at once, its five go out, one after the other', async (t) => {
  const proxy = await startProxy(t)
  const most = slowRestarts(proxy.engine, 50)
  const answers = []
  for (let round = 0; round < 4; round++) {
    answers.push(...(await Promise.all(Array.from({ length: 100 }, () => proxy.ask('POST /containers/web/restart')))))
  }
  const statuses = countOf(answers.map(({ status }) => status))
  t.equal(statuses.get(204), 5)
  t.equal((statuses.get(409) ?? 0) + (statuses.get(429) ?? 0), 395)
  t.ok((statuses.get(409) ?? 0) > 0, 'while one was under way, others were told so')
  t.equal(restartsOf(proxy.engine).length, 5)
  t.equal(most(), 1)
})

t.test('of a hundred restarts, those whose inspect found the container stopped do not go out', async (t) => {
  const proxy = await startProxy(t, { containers: many(100) })
  for (const [i, container] of proxy.engine.containers.entries()) container.state = i % 10 === 0 ? 'running' : 'exited'
  const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => proxy.ask(`POST /containers/c${i}/restart`)))
  t.same(Object.fromEntries(countOf(answers.map(({ status }) => status))), { 204: 10, 409: 90 })
  t.match(answers[1], { status: 409, body: /c1 is exited/ })
  t.equal(restartsOf(proxy.engine).length, 10)
})

t.test('killed at any moment and started again, the proxy lets no more out than the budget', async (t) => {
  const place = await preparePlace(t)
  place.engine.containers = many(6)
  slowRestarts(place.engine, 15)
  const policy = join(place.directory, 'policy.yaml')
  writeFileSync(
    policy,
    HEALER_POLICY_TEXT.replaceAll('per 10m', 'per 1d')
      .replace('client: 20', 'client: 16')
      .replace('container: 5', 'container: 4'),
  )
  const args = [...place.args.slice(0, 1), `${policy}@unix://${place.client}`, ...place.args.slice(2)]
  for (let kill = 0; kill < 8; kill++) {
    const { child, ended } = await startServing(t, { ...place, args })
    const asking = Array.from({ length: 6 }, (_, i) =>
      ask(place.client, `POST /containers/c${(kill + i) % 6}/restart`).catch(() => 'killed'),
    )
    await delay(kill * 5)
    child.kill('SIGKILL')
    await Promise.all([...asking, ended])
  }
  const { child, ended } = await startServing(t, { ...place, args })
  let refused = 0
  while (refused < 12) {
    refused = 0
    for (let i = 0; i < 12; i++) if ((await ask(place.client, `POST /containers/c${i % 6}/restart`)).status === 429) refused++
  }
  child.kill('SIGTERM')
  await ended

  const arrived = restartsOf(place.engine)
  t.ok(arrived.length <= 16 && arrived.length > 0, `${arrived.length} of 16 went out`)
  for (const [line, count] of countOf(arrived)) t.ok(count <= 4, `${line}: ${count}`)
  const lines = parseLines(readFileSync(place.audit, 'utf8').replace(/^[^{].*$|^.*[^}]$/gm, ''))
  const allowed = lines.filter(
    ({ event, verdict, operation }) => event === 'decision' && verdict === 'allow' && operation === 'ContainerRestart',
  )
  t.equal(allowed.length, 16, 'what the log let through is the budget, to the last')
  t.ok(arrived.length <= allowed.length, 'nothing went out that is not on the record')
})
