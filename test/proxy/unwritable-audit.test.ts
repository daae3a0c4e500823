// An audit log that cannot be written: what changes something is refused and does not go out; reads go on; then it mends.
import t from 'tap'
import type { AuditEvent } from '../../proxy/audit/audit-line.ts'
import { messageOf, plainRequest } from './support/raw-client.ts'
import { startProxy } from './support/start-proxy.ts'

const RESTART = 'POST /containers/web/restart'
const READS = ['GET /_ping', 'GET /version', 'GET /containers/json', 'GET /containers/web/json']

t.test('a restart is refused with 503 and does not go out; reads and refusals are answered as ever', async (t) => {
  const proxy = await startProxy(t)
  await proxy.audit.close()
  for (let i = 0; i < 30; i++) {
    const answer = await proxy.ask(RESTART)
    t.equal(answer.status, 503)
    t.equal(messageOf(answer), 'ContainerRestart: the audit log cannot be written, so nothing is changed')
  }
  t.notMatch(proxy.engine.lines().join('\n'), 'POST')
  for (const line of READS) t.equal((await proxy.ask(line)).status, 200, line)
  t.equal((await proxy.ask('POST /containers/hidden/restart')).status, 404)
  t.equal((await proxy.ask('POST /containers/create')).status, 403)
})

t.test(
  'refused restarts spend no budget and leave nothing under way: when it can be written again, all five are left',
  async (t) => {
    const broken = { now: true }
    const written: AuditEvent[] = []
    const append = async (event: AuditEvent) => {
      if (broken.now) throw new Error('no space left on device')
      return written.push(event)
    }
    const proxy = await startProxy(t, { audit: { append, appendDurably: append, close: async () => undefined } })
    await Promise.all(Array.from({ length: 20 }, () => proxy.talk(plainRequest(RESTART))))
    broken.now = false
    const statuses: number[] = []
    for (let i = 0; i < 6; i++) statuses.push((await proxy.ask(RESTART)).status)
    t.same(statuses, [204, 204, 204, 204, 204, 429])
    t.equal(proxy.engine.lines().filter((line) => line.startsWith('POST')).length, 5)
    t.match(written.slice(0, 2), [
      { event: 'decision', verdict: 'allow' },
      { event: 'outcome', of: 1, status: 204 },
    ])
  },
)

t.test('where only the outcome cannot be written, the client still learns it', async (t) => {
  const append = async (event: AuditEvent) => {
    if (event.event === 'outcome') throw new Error('no space left on device')
    return 1
  }
  const proxy = await startProxy(t, { audit: { append, appendDurably: append, close: async () => undefined } })
  t.equal((await proxy.ask(RESTART)).status, 204)
  t.equal((await proxy.ask(RESTART)).status, 204, 'and the next is not held up')
})
