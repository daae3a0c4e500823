// The whole truth table: every operation of the catalogue with every method, under each policy that ships. Allowed is exactly what
// the policy names.
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { decide } from '../../proxy/policy/decide.ts'
import { CATALOGUE, type Operation } from '../../proxy/request/catalogue.ts'
import { readRequest } from '../../proxy/request/read-request.ts'
import { inspected, NOW_MS } from './support/deciding.ts'
import { policyOf } from './support/policies.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'CONNECT', 'get', 'post']
const PREFIXES = ['', '/v1.24', '/v1.41', '/v1.56']

const pathOf = ({ path }: Operation) =>
  `/${path
    .join('/')
    .replace('{container}', 'web')
    .replace(/\{[a-z]+\}/g, 'thing')}`

/** As for the Engine, `create` is a network's name like any other where it is asked for by GET. */
const isOn = ({ path }: Operation, target: string) =>
  new RegExp(`^/${path.map((part) => (part.startsWith('{') ? '[^/]+' : part)).join('/')}$`).test(target)

const policies = readdirSync('policies')
  .filter((name) => name.endsWith('.yaml'))
  .map((name) => policyOf(readFileSync(`policies/${name}`, 'utf8'), name))

t.test('the catalogue names each operation once, and each request is one operation', async (t) => {
  const unique = (names: readonly string[]) => t.equal(new Set(names).size, names.length)
  unique(CATALOGUE.map(({ id }) => id))
  unique(CATALOGUE.map((operation) => `${operation.method} ${pathOf(operation)}`))
  t.ok(CATALOGUE.length > 110)
  for (const operation of CATALOGUE) {
    const request = readRequest({ method: operation.method, target: pathOf(operation), rawHeaders: [] })
    t.equal('verdict' in request ? request.reason : request.operation.id, operation.id)
  }
})

t.test('and it is that one whatever the objects in its path are called', async (t) => {
  const words = new Set(CATALOGUE.flatMap(({ path }) => path.filter((part) => !part.startsWith('{'))))
  const others: string[] = []
  for (const { id, method, path } of CATALOGUE) {
    for (const word of words) {
      if (word.startsWith('_')) continue
      for (const reference of [word, `${word}/${word}`, `thing/${word}`]) {
        const segments = path.map((part) => (/^\{(?:image|plugin)\}$/.test(part) ? reference : part.replace(/^\{.*\}$/, word)))
        const target = `/${segments.join('/')}`
        const request = readRequest({ method, target, rawHeaders: [] })
        if ('verdict' in request || request.operation.id !== id) others.push(`${method} ${target}`)
      }
    }
  }
  t.same(others, [])
})

for (const policy of policies) {
  t.test(`${policy.file} allows, of all operations with all methods, exactly those that it names`, async (t) => {
    const allowed = new Set<string>()
    for (const operation of CATALOGUE) {
      for (const method of METHODS) {
        for (const prefix of PREFIXES) {
          const line = `${method} ${prefix}${pathOf(operation)}`
          const request = readRequest({ method, target: prefix + pathOf(operation), rawHeaders: [] })
          const named = CATALOGUE.find((other) => other.method === method && isOn(other, pathOf(operation)))
          const expected = named !== undefined && policy.allow.has(named.id) ? 'allow' : 'deny'
          const labels = policy.scope[0]?.labels ?? {}
          const verdict = 'verdict' in request ? 'deny' : decide(policy, request, inspected({ labels }), [], NOW_MS).verdict
          t.equal(verdict, expected, line)
          if (verdict === 'allow' && named) allowed.add(named.id)
        }
      }
    }
    t.same([...allowed].sort(), [...policy.allow.keys()].sort(), 'and every operation that it names can pass')
  })
}

t.test('what is refused because the policy does not name it says which operation it is', async (t) => {
  const [policy] = policies
  if (!policy) throw new Error('no policy ships')
  for (const operation of CATALOGUE.filter(({ id }) => !policy.allow.has(id))) {
    const request = readRequest({ method: operation.method, target: pathOf(operation), rawHeaders: [] })
    if ('verdict' in request) throw new Error(request.reason)
    t.match(decide(policy, request, { target: 'not asked' }, [], NOW_MS), {
      status: 403,
      rule: 'policy.operation',
      reason: `${operation.id} is not allowed to ${policy.client}; the policy would need it under \`allow:\``,
    })
  }
})

t.test('a wrong method on a path that exists is told with the right one', async (t) => {
  t.match(readRequest({ method: 'GET', target: '/containers/web/restart', rawHeaders: [] }), {
    reason: 'the request is no operation of the Engine API that a policy can name; on this path POST is ContainerRestart',
  })
})
