// A restart that is let through: what arrives at the Engine, what is on the disk by then, one at a time, and within budget.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { containerId, fakeContainer, inspectBody } from './support/containers.ts'
import { plainRequest } from './support/raw-client.ts'
import { DB, parseLines, startProxy, usualContainers, WEB } from './support/start-proxy.ts'

const RESTART = 'POST /containers/web/restart'
const isRestart = ({ line }: { readonly line: string }) => line.startsWith('POST ')

t.test('a restart arrives with the whole id, the asked version and the typed query', async (t) => {
  const proxy = await startProxy(t)
  t.match(await proxy.ask(`POST /v1.44/containers/${WEB.slice(0, 6)}/restart?t=7`), { status: 204, body: '' })
  t.same(proxy.engine.lines(), [
    'GET /version HTTP/1.1',
    'GET /containers/json?all=1 HTTP/1.1',
    `GET /containers/${WEB}/json HTTP/1.1`,
    `POST /v1.44/containers/${WEB}/restart?t=7 HTTP/1.1`,
  ])
})

t.test('the decision is on the disk before the Engine sees the restart, and its outcome after', async (t) => {
  const proxy = await startProxy(t)
  const onDisk: Record<string, unknown>[] = []
  proxy.engine.answer = (request) => {
    if (isRestart(request)) onDisk.push(...parseLines(readFileSync(proxy.auditFile, 'utf8')).slice(1))
    return undefined
  }
  await proxy.ask(`${RESTART}?t=5`)
  t.match(onDisk, [
    {
      v: 1,
      seq: 2,
      event: 'decision',
      client: 'healer',
      method: 'POST',
      path: '/containers/web/restart?t=5',
      operation: 'ContainerRestart',
      target: { id: WEB, name: 'web', state: 'running' },
      query: { t: 5 },
      verdict: 'allow',
      rule: 'allow.ContainerRestart',
    },
    {},
  ])
  t.match(onDisk.slice(1), [{ event: 'seal' }], 'sealed')
  t.equal(onDisk.length, 2)
  t.match(proxy.auditLines()[1], { event: 'outcome', of: 2, status: 204, bytes: 0 })
})

t.test('of many restarts at once one goes out; the others are told that it is under way', async (t) => {
  const proxy = await startProxy(t)
  let release = (): void => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  proxy.engine.answer = async (request) => {
    if (isRestart(request)) await released
    return undefined
  }
  let answered = 0
  const answers = await Promise.all(
    Array.from({ length: 60 }, async () => {
      const answer = await proxy.ask(RESTART)
      answered += 1
      if (answered === 59) release()
      return answer.status
    }),
  )
  t.equal(answers.filter((status) => status === 204).length, 1)
  t.equal(answers.filter((status) => status === 409).length, 59)
  t.equal(proxy.engine.arrived.filter(isRestart).length, 1)
})

t.test('sixty restarts at once never run two at a time, and together with all that follow stay within the budget', async (t) => {
  const proxy = await startProxy(t)
  let [underWay, mostUnderWay] = [0, 0]
  proxy.engine.answer = async (request) => {
    if (!isRestart(request)) return undefined
    underWay += 1
    mostUnderWay = Math.max(mostUnderWay, underWay)
    await new Promise((resolve) => setImmediate(resolve))
    underWay -= 1
    return { status: 204 }
  }
  const answers = await Promise.all(Array.from({ length: 60 }, () => proxy.talk(plainRequest(RESTART))))
  const statuses = answers.flat().map(({ status }) => status)
  t.equal(statuses.length, 60)
  t.same(
    [...new Set(statuses)].filter((status) => ![204, 409, 429].includes(status)),
    [],
  )
  t.equal(mostUnderWay, 1)
  t.equal(proxy.engine.arrived.filter(isRestart).length, statuses.filter((status) => status === 204).length)

  for (let i = 0; i < 6; i++) await proxy.ask(RESTART)
  t.equal(proxy.engine.arrived.filter(isRestart).length, 5, 'exactly as many as one at a time')
})

t.test('a spent budget is answered with 429 and the seconds to wait, and fills again as time passes', async (t) => {
  const proxy = await startProxy(t)
  for (let i = 0; i < 5; i++) {
    t.equal((await proxy.ask(RESTART)).status, 204)
    proxy.clock.nowMs += 60_000
  }
  const spent = await proxy.ask(RESTART)
  t.equal(spent.status, 429)
  t.ok(spent.headers.includes('retry-after: 300'), spent.headers.join('\n'))
  t.equal((await proxy.ask('POST /containers/db/restart')).status, 204, 'another container has its own')
  proxy.clock.nowMs += 299_000
  t.equal((await proxy.ask(RESTART)).status, 429)
  proxy.clock.nowMs += 1000
  t.equal((await proxy.ask(RESTART)).status, 204)
  t.equal(proxy.engine.arrived.filter(isRestart).length, 7)
})

t.test('a container that is made anew under its old name has the old budget', async (t) => {
  const proxy = await startProxy(t)
  for (let i = 0; i < 5; i++) await proxy.ask(RESTART)
  proxy.engine.containers = [fakeContainer({ id: containerId('ee55'), name: 'web' })]
  t.equal((await proxy.ask(RESTART)).status, 429)
})

t.test('a hostile client cannot restart more than its own budget over all containers', async (t) => {
  const containers = Array.from({ length: 30 }, (_, i) => fakeContainer({ id: containerId(`c${i + 10}`), name: `c${i}` }))
  const proxy = await startProxy(t, { containers })
  const statuses: number[] = []
  for (const { name } of containers) statuses.push((await proxy.ask(`POST /containers/${name}/restart`)).status)
  t.same(statuses, [...Array.from({ length: 20 }, () => 204), ...Array.from({ length: 10 }, () => 429)])
})

t.test('a container that a restart could not start may be restarted again; one that was stopped may not', async (t) => {
  const proxy = await startProxy(t)
  const [web] = proxy.engine.containers
  if (!web) throw new Error('there is web')
  web.state = 'exited'
  t.equal((await proxy.ask(RESTART)).status, 409, 'stopped by an operator')
  web.state = 'running'
  proxy.engine.answer = (request) => {
    if (!isRestart(request)) return undefined
    web.state = 'exited'
    return { status: 500, body: { message: 'no' } }
  }
  t.equal((await proxy.ask(RESTART)).status, 500)
  t.equal((await proxy.ask(RESTART)).status, 500, 'let through, and failed again')
  t.match(proxy.auditLines().at(-1), { event: 'outcome', status: 500, left: 'exited' })
  proxy.engine.answer = () => undefined
  t.equal((await proxy.ask(RESTART)).status, 204)
  t.equal((await proxy.ask(RESTART)).status, 409, 'it was started, so who stopped it since was an operator')
})

t.test('a restart that failed and left its container running is no reason to bring back what is stopped later', async (t) => {
  const proxy = await startProxy(t)
  const [web] = proxy.engine.containers
  if (!web) throw new Error('there is web')
  proxy.engine.answer = (request) => (isRestart(request) ? { status: 500, body: { message: 'cannot be stopped' } } : undefined)
  t.equal((await proxy.ask(RESTART)).status, 500)
  web.state = 'exited'
  t.equal((await proxy.ask(RESTART)).status, 409, 'an operator stopped it, in the same run')
})

t.test('what was inspected before another change ended is looked at anew', async (t) => {
  const proxy = await startProxy(t)
  const [web] = proxy.engine.containers
  if (!web) throw new Error('there is web')
  let [inspects, release] = [0, (): void => undefined]
  const slow = new Promise<void>((resolve) => {
    release = resolve
  })
  proxy.engine.answer = async (request) => {
    if (isRestart(request)) web.state = 'exited'
    if (!request.line.startsWith(`GET /containers/${WEB}/json`) || ++inspects !== 1) return undefined
    // Inspected as running, and told late.
    const body = inspectBody(web)
    await slow
    return { status: 200, body }
  }
  const late = proxy.ask(RESTART)
  while (inspects === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  t.equal((await proxy.ask(RESTART)).status, 204, 'another one meanwhile')
  release()
  t.match(await late, { status: 409, body: /web is exited/ })
})

t.test('a container that failed to start, was started by an operator and stopped again, is left alone', async (t) => {
  const proxy = await startProxy(t)
  const [web] = proxy.engine.containers
  if (!web) throw new Error('there is web')
  proxy.engine.answer = (request) => {
    if (!isRestart(request)) return undefined
    web.state = 'exited'
    return { status: 500, body: { message: 'no' } }
  }
  t.equal((await proxy.ask(RESTART)).status, 500)
  web.startedAt = '2024-06-01T12:30:00Z'
  t.equal((await proxy.ask(RESTART)).status, 409)
})

t.test('the proxy itself and what shares its socket are not restarted', async (t) => {
  const own = containerId('0e11')
  const volume = { Source: '/volumes/postern/_data', Destination: '/run/postern' }
  const directory = { Source: volume.Source, Destination: '' }
  const proxy = await startProxy(t, { ownId: own, containers: usualContainers() })
  const socketMount = { ...directory, Destination: proxy.socketPath.replace(/\/[^/]*$/, '') }
  proxy.engine.containers.push(
    fakeContainer({ id: own, name: 'proxy', mounts: [socketMount] }),
    fakeContainer({ id: containerId('0e22'), name: 'healer', mounts: [volume] }),
    fakeContainer({ id: containerId('0e33'), name: 'neighbour', mounts: [{ Source: '/srv', Destination: '/run/postern' }] }),
  )
  for (const name of ['proxy', 'healer']) {
    const { status, body } = await proxy.ask(`POST /containers/${name}/restart`)
    t.equal(status, 403)
    t.match(body, `${name} is a part of Postern`)
  }
  t.equal((await proxy.ask('POST /containers/neighbour/restart')).status, 204)
  t.equal((await proxy.ask('POST /containers/db/restart')).status, 204)
  t.same(
    proxy.engine.lines().filter((line) => line.startsWith('POST')),
    [`POST /containers/${containerId('0e33')}/restart HTTP/1.1`, `POST /containers/${DB}/restart HTTP/1.1`],
  )
})
