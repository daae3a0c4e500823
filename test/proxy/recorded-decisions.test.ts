// Every request leaves a line: who asked for what, what it was about, what was decided, by which rule, and what came of it.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { plainRequest } from './support/raw-client.ts'
import { startProxy, WEB } from './support/start-proxy.ts'

const recorded: readonly (readonly [line: string, entry: Record<string, unknown>])[] = [
  ['GET /_ping', { operation: 'SystemPing', verdict: 'allow', rule: 'allow.SystemPing', status: 200, bytes: 2 }],
  ['GET /containers/json?all=1', { operation: 'ContainerList', query: { all: true }, verdict: 'allow', status: 200 }],
  [
    'GET /containers/web/json',
    { operation: 'ContainerInspect', target: { id: WEB, name: 'web' }, verdict: 'allow', status: 200 },
  ],
  ['GET /containers/hidden/json', { operation: 'ContainerInspect', verdict: 'deny', rule: 'policy.scope', status: 404 }],
  ['GET /containers//json', { path: '/containers//json', verdict: 'deny', rule: 'request.target', status: 400 }],
  ['DELETE /containers/web', { operation: 'ContainerDelete', verdict: 'deny', rule: 'policy.operation', status: 403 }],
  ['PUT /containers/web', { method: 'PUT', verdict: 'deny', rule: 'operation.unknown', status: 403 }],
  [
    'POST /containers/web/restart?t=99',
    {
      operation: 'ContainerRestart',
      query: { t: 99 },
      verdict: 'deny',
      rule: 'policy.query',
      status: 403,
      reason: /may only be 0 to 60/,
    },
  ],
]

t.test('each decision is a line of the log', async (t) => {
  const proxy = await startProxy(t)
  for (const [i, [line, entry]] of recorded.entries()) {
    await proxy.ask(line)
    const [method = '', path = ''] = line.split(' ')
    t.match(
      proxy.auditLines()[i],
      { v: 1, seq: i + 2, event: 'decision', client: 'healer', method, path, ms: Number, ...entry },
      line,
    )
  }
  t.equal(proxy.auditLines().length, recorded.length)
})

t.test('a client’s bytes cannot forge, break or swell a line', async (t) => {
  const proxy = await startProxy(t)
  const paths = [
    '/containers/web/json?x="},{"verdict":"allow"',
    '/\x1b[2J\x1b[31m',
    '/%0a{"seq":99}',
    `/${'\xff'.repeat(8000)}`,
    '/\u0085\u009b',
    `/containers/json?${'a'.repeat(12_000)}=1`,
  ]
  for (const path of paths) await proxy.talk(plainRequest(`GET ${path}`))
  await proxy.ask('GET /_ping')
  const lines = readFileSync(proxy.auditFile, 'utf8').split('\n').slice(0, -1)
  for (const line of lines) {
    t.match(line, /^[\x20-\x7e]+$/)
    t.ok(line.length < 8192, `${line.length} bytes`)
  }
  t.same(
    proxy.auditLines().map(({ seq }) => seq),
    lines.slice(1).map((_, i) => i + 2),
  )
  t.match(proxy.auditLines().at(-1), { operation: 'SystemPing' })
})
