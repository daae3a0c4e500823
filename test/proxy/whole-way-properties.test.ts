// Tens of thousands of generated requests on the whole way through the proxy, from the request's head to its answer, before an Engine
// that writes down what it is asked and answers any JSON. What is asked of it is always in the set that the policy allows.
import { PassThrough, Readable } from 'node:stream'
import fc from 'fast-check'
import { pino } from 'pino'
import t from 'tap'
import { createApiRange } from '../../proxy/engine/api-range.ts'
import type { Engine, EngineRequest } from '../../proxy/engine/engine.ts'
import { createTargets } from '../../proxy/engine/targets.ts'
import { matchesName } from '../../proxy/policy/name-pattern.ts'
import type { Policy, Show } from '../../proxy/policy/policy.ts'
import { CATALOGUE, whyNotServed } from '../../proxy/request/catalogue.ts'
import { readRequest } from '../../proxy/request/read-request.ts'
import { createChanges } from '../../proxy/serve/changes.ts'
import { createExecs } from '../../proxy/serve/execs.ts'
import { handle } from '../../proxy/serve/handle.ts'
import type { Incoming } from '../../proxy/serve/incoming.ts'
import { createLedger } from '../../proxy/serve/ledger.ts'
import { createProxyMetrics } from '../../proxy/serve/metrics.ts'
import { createOpenAnswers } from '../../proxy/serve/open-answers.ts'
import { createTurns } from '../../proxy/serve/turns.ts'
import { containerId, fakeContainer, inspectBody, listElement } from './support/containers.ts'
import { NOW_MS } from './support/deciding.ts'
import { everythingPolicy } from './support/everything.ts'
import { healerPolicy, policyOf } from './support/policies.ts'

const [WEB, DB, HIDDEN] = [containerId('aa11'), containerId('aa12'), containerId('cc33')]
const EXEC = 'e'.repeat(64)
const containers = [
  fakeContainer({ id: WEB, name: 'web' }),
  fakeContainer({ id: DB, name: 'db', labels: { autoheal: 'true' }, state: 'exited' }),
  fakeContainer({ id: HIDDEN, name: 'hidden', labels: {} }),
]

type World = {
  readonly asked: string[]
  answer: (request: EngineRequest) => unknown
  /** What a request that takes JSON says in its body. */
  body: string
  readonly ask: (line: string, headers?: readonly string[]) => ReturnType<typeof handle>
}

/** The proxy for one client, in memory; what the Engine is asked is in `asked`. */
function world(policy: Policy): World {
  const asked: string[] = []
  const usual = ({ method, path }: EngineRequest): unknown => {
    const [, id] = /\/containers\/([0-9a-f]{64})\/json/.exec(path) ?? []
    if (method === 'GET' && path.includes('/containers/json')) return containers.map(listElement)
    const found = containers.find((each) => each.id === id)
    return found ? inspectBody(found) : path.endsWith('/version') ? { ApiVersion: '1.45', MinAPIVersion: '1.24' } : {}
  }
  const engine: Engine = {
    ask: async (request) => {
      asked.push(`${request.method} ${request.path}`)
      const writes = request.method === 'POST' || request.method === 'DELETE'
      return { status: writes ? 204 : 200, headers: {}, body: JSON.stringify(made.answer(request) ?? usual(request)) }
    },
    open: async ({ method, path, body }) => {
      asked.push(`${method} ${path}`)
      if (body && typeof body.content !== 'string') body.content.resume()
      return { status: 200, headers: {}, body: Readable.from([]) }
    },
    tunnel: async ({ path }) => {
      asked.push(`POST ${path}`)
      const connection = new PassThrough()
      connection.destroy()
      return { headers: {}, connection }
    },
    close: async () => undefined,
  }
  let seq = 0
  const execs = createExecs()
  execs.note(EXEC, WEB)
  const client = {
    policy,
    engine,
    apiRange: createApiRange(engine, () => 0),
    targets: createTargets({ engine, scope: policy.scope, ownId: undefined, socketPaths: ['/run/postern/healer.sock'] }),
    ledger: createLedger([policy], () => NOW_MS),
    audit: { append: async () => ++seq, appendDurably: async () => ++seq, close: async () => undefined },
    metrics: createProxyMetrics(),
    log: pino({ level: 'silent' }),
    changes: createChanges(),
    turns: createTurns(4, 1000),
    bodyTurns: createTurns(4, 1000),
    open: createOpenAnswers(),
    execs,
    now: () => NOW_MS,
  }
  const made: World = {
    asked,
    answer: () => undefined,
    body: '{}',
    ask: async (line, rawHeaders = []) => {
      const space = line.indexOf(' ')
      const body = Readable.from([]) as Incoming['body']
      const incoming = { isGone: () => false, gone: () => new AbortController().signal, body, readBody: async () => made.body }
      const answer = await handle(client, { method: line.slice(0, space), target: line.slice(space + 1), rawHeaders }, incoming)
      if ('stream' in answer) answer.stream.destroy()
      else if ('taken' in answer) answer.taken?.()
      return answer
    },
  }
  return made
}

const names = fc.constantFrom(
  'web',
  'db',
  'hidden',
  'aa1',
  'aa11',
  'cc',
  WEB,
  DB,
  HIDDEN,
  EXEC,
  'nginx',
  'a/b:1',
  '..',
  'json',
  'prune',
  '%2e',
  '',
)
const value = fc.oneof(
  fc.constantFrom('1', '0', 'true', '5', '60', '61', '-1', 'SIGTERM', 'SIGKILL', 'x', '%7B%7D', '%00', '+', ''),
  fc.jsonValue().map((json) => encodeURIComponent(JSON.stringify(json))),
  fc
    .dictionary(
      fc.constantFrom('label', 'status', 'name', 'before', 'Label'),
      fc.array(fc.constantFrom('monitored', 'secret=1', 'running'), { maxLength: 2 }),
    )
    .map((filters) => encodeURIComponent(JSON.stringify(filters))),
)
/** A request of the catalogue, with its own query keys or others. */
const likely = fc
  .tuple(
    fc.oneof(fc.constantFrom(...CATALOGUE), fc.constantFrom(...CATALOGUE.filter(({ id }) => healerPolicy().allow.has(id)))),
    fc.array(names, { minLength: 2, maxLength: 2 }),
    fc.constantFrom('', '', '', '/v1.24', '/v1.45', '/v1.45', '/v1.46', '/v1.57'),
    fc.oneof(
      fc.constant([]),
      fc.array(fc.tuple(fc.constantFrom('t', 'all', 'filters', 'signal', 'limit', 'size', 'x', 'T'), value), { maxLength: 3 }),
    ),
    fc.oneof({ weight: 8, arbitrary: fc.constant('') }, fc.constantFrom('GET', 'POST', 'DELETE', 'HEAD')),
  )
  .map(([{ method, path }, given, version, query, otherMethod]) => {
    const rest = [...given]
    const filled = path.map((part) => (part.startsWith('{') ? (rest.shift() ?? 'web') : part)).join('/')
    const parameters = query.map(([key, text]) => `${key}=${text}`).join('&')
    return `${otherMethod || method} ${version}/${filled}${parameters === '' ? '' : `?${parameters}`}`
  })
/** The same with a few characters changed. */
const edited = fc
  .tuple(
    likely,
    fc.array(
      fc.tuple(
        fc.nat(80),
        fc.constantFrom('', '/', '.', '%', '?', '&', '=', '#', '\\', ' ', '\0', '\n', 'a', '\u017f', '//', '..'),
      ),
      { maxLength: 3 },
    ),
  )
  .map(([line, edits]) => edits.reduce((text, [at, put]) => text.slice(0, at) + put + text.slice(at + (at % 2)), line))
const line = fc.oneof(
  { weight: 3, arbitrary: likely },
  { weight: 3, arbitrary: edited },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
)
const headers = fc.oneof(
  { weight: 9, arbitrary: fc.constant([]) },
  {
    weight: 1,
    arbitrary: fc.array(
      fc.oneof(fc.string(), fc.constantFrom('Host', 'Upgrade', 'Content-Length', '0', 'Origin', 'Connection', 'close')),
      { maxLength: 6 },
    ),
  },
)

const FILTERS = /^filters=(.*)$/
/** What the healer's policy allows to be asked, written down once more and otherwise. */
function isAllowedByHealerPolicy(asked: string): boolean {
  const [, method, version = '/v1.45', path, query = ''] = /^([A-Z]+) (\/v1\.\d\d)?(\/[^?]*)(?:\?(.*))?$/.exec(asked) ?? []
  const minor = Number(version.slice('/v1.'.length))
  if (minor < 24 || minor > 45) return false
  const parameters = query === '' ? [] : query.split('&')
  if (method === 'GET' && (path === '/_ping' || path === '/version')) return query === ''
  if (method === 'GET' && path === '/containers/json') {
    return parameters.every((parameter) => {
      const filters = FILTERS.exec(parameter)?.[1]
      if (filters === undefined) return /^all=[01]$/.test(parameter)
      const parsed: Record<string, string[]> = JSON.parse(decodeURIComponent(filters))
      return Object.entries(parsed).every(
        ([name, values]) =>
          ['label', 'status', 'health'].includes(name) && values.every((given) => name !== 'label' || given === 'monitored'),
      )
    })
  }
  if (path === `/containers/${WEB}/json` || path === `/containers/${DB}/json`) return method === 'GET' && query === ''
  return method === 'POST' && path === `/containers/${WEB}/restart` && /^(?:t=(?:[0-9]|[1-5][0-9]|60))?$/.test(query)
}

t.test('whatever is asked of the proxy, what it asks of the Engine is in the set that the healer’s policy allows', async (t) => {
  const { asked, ask } = world(healerPolicy())
  const statuses = new Set<number>()
  await fc.assert(
    fc.asyncProperty(line, headers, async (line, headers) => {
      asked.length = 0
      const { status } = await ask(line, headers)
      statuses.add(status)
      return status !== 500 && asked.every(isAllowedByHealerPolicy)
    }),
    { numRuns: 20_000 },
  )
  for (const status of [200, 204, 400, 403, 404, 409]) t.ok(statuses.has(status), `some were answered ${status}`)
})

const everything = policyOf(everythingPolicy('everything', [{ labels: { monitored: 'true' } }]))

t.test(
  'with every operation allowed, each request that arrives is one of the catalogue, about a container in scope',
  async (t) => {
    const { asked, ask } = world(everything)
    let arrived = 0
    await fc.assert(
      fc.asyncProperty(line, headers, async (line, headers) => {
        asked.length = 0
        const { status } = await ask(line, headers)
        arrived += asked.length
        return (
          status !== 500 &&
          asked.every((each) => {
            const read = readRequest({ method: each.split(' ')[0] ?? '', target: each.split(' ')[1] ?? '', rawHeaders: [] })
            return (
              !('verdict' in read) &&
              whyNotServed(read.operation) === undefined &&
              (read.container === undefined || String(read.container) === WEB)
            )
          })
        )
      }),
      { numRuns: 20_000 },
    )
    t.ok(arrived > 1500, `${arrived} requests arrived`)
  },
)

/** Whether every field of `value` is named by `show`, by a reading of its own. */
function isShown(value: unknown, show: Show): boolean {
  if (show === 'all') return true
  if (Array.isArray(value))
    return value.every((element) => typeof element === 'object' && element !== null && isShown(element, show))
  if (value === null) return true
  if (typeof value !== 'object') return false
  return Object.entries(value).every(([name, below]) =>
    show.some((field) => matchesName(field.name, name) && (field.fields === 'all' || isShown(below, mergedBelow(show, name)))),
  )
}
const mergedBelow = (show: Exclude<Show, 'all'>, name: string): Show => {
  const below = show.filter((field) => matchesName(field.name, name)).map(({ fields }) => fields)
  return below.includes('all') ? 'all' : below.flatMap((fields) => (fields === 'all' ? [] : fields))
}

/** JSON whose names are often those of the policy. */
const anyJson = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.string(),
    fc.integer(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.dictionary(
    fc.oneof(
      fc.constantFrom(
        'Id',
        'Names',
        'Name',
        'State',
        'Status',
        'Health',
        'Config',
        'Env',
        'Labels',
        'monitored',
        'Networks',
        'NetworkSettings',
        'HostConfig',
        'Binds',
        '__proto__',
        'constructor',
        'toString',
      ),
      fc.string(),
    ),
    tie('value'),
    { maxKeys: 6 },
  ),
})).value

t.test('whatever JSON the Engine answers, no field appears that the policy does not show', async (t) => {
  const policy = healerPolicy()
  const proxy = world(policy)
  const shows = new Map([...policy.allow].map(([id, rule]) => [id, rule.show]))
  let shown = 0
  await fc.assert(
    fc.asyncProperty(anyJson, fc.constantFrom('ContainerInspect', 'SystemVersion', 'ContainerList'), async (json, id) => {
      const target = {
        ContainerInspect: `/containers/${WEB}/json`,
        SystemVersion: '/version',
        ContainerList: '/containers/json',
      }[id]
      await proxy.ask(`GET /containers/${WEB}/json`)
      const overlay = typeof json === 'object' && json !== null && !Array.isArray(json) ? json : {}
      proxy.answer = ({ path }) => {
        if (id === 'ContainerList')
          return path === target
            ? [{ ...listElement(containers[0] ?? fakeContainer({ id: WEB, name: 'web' })), ...overlay }, json]
            : undefined
        return path === target ? json : undefined
      }
      const answer = await proxy.ask(`GET ${target}`)
      const { status, body } = 'body' in answer ? answer : { status: answer.status, body: '' }
      proxy.answer = () => undefined
      if (status === 200 && body.length > 5) shown++
      return status !== 200 || isShown(JSON.parse(body), shows.get(id as 'SystemVersion') ?? [])
    }),
    { numRuns: 10_000 },
  )
  t.ok(shown > 1000, `${shown} answers showed something`)
})
