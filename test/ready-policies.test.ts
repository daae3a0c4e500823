// The policies in policies/: each says whom it is for and keeps to that, lets its client ask what it asks and nothing else, and has its place
// in docs/policies.md and in the proxy's image.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { checkPolicy } from '../proxy/check/check.ts'
import { runPolicyTests } from '../proxy/policy/run-tests.ts'
import { parseContainerId, type Target } from '../proxy/policy/target.ts'
import { readRequest } from '../proxy/request/read-request.ts'
import { policyOf } from './proxy/support/policies.ts'
import { refusedBy } from './proxy/support/policy-examples.ts'
import { firstColumn, readPage, tableRows, words } from './support/pages.ts'
import { READY_CLIENTS } from './support/ready-clients.ts'
import { isComposition, READY_POLICIES, readyPolicyText, SNIPPETS } from './support/ready-policies.ts'

const page = readPage('policies.md')
const ID = '0'.repeat(64)

/** The comment at the top, as one text. */
const headOf = (name: string) =>
  (/^(?:#.*\n)+/.exec(readyPolicyText(name))?.[0] ?? '').replace(/^# ?/gm, '').replace(/\n +/g, ' ')

const isUntried = (name: string) => /^Not tried with the real client: /m.test(headOf(name))
/** The healer has the composition itself. */
const OTHERS = READY_POLICIES.filter((name) => name !== 'healer')

await t.test(
  'each is a policy of the client it is named after; its tests hold, and show what passes and what is refused',
  async (t) => {
    for (const name of READY_POLICIES) {
      const policy = policyOf(readyPolicyText(name), `${name}.yaml`)
      t.equal(policy.client, name)
      t.same(runPolicyTests(policy), [], name)
      for (const expect of ['allow', 'deny'])
        t.ok(policy.tests.filter((test) => test.expect === expect).length >= 2, `${name}: ${expect}`)
      for (const method of ['POST /containers/create', 'POST /containers/web/exec', 'PUT /containers/web/archive?path=/'])
        t.equal(
          refusedBy(policy, method, { labels: READY_CLIENTS[name]?.labels ?? {} }),
          'policy.operation',
          `${name}: ${method}`,
        )
    }
  },
)

await t.test('the head of each says for whom it is, what passes, what is hidden, and whether it was tried', async (t) => {
  for (const name of READY_POLICIES) {
    const head = headOf(name)
    for (const line of ['For', 'Lets through', 'Hides']) t.match(head, new RegExp(`^${line}: +\\S`, 'm'), `${name}: ${line}`)
    t.not(/^Tried with: +\S/m.test(head), isUntried(name), `${name} was tried with the real client, or was not`)
  }
})

await t.test('what `check` warns of is explained in the head, and nothing else', async (t) => {
  for (const name of READY_POLICIES) {
    const { warnings } = checkPolicy(`${name}.yaml`, policyOf(readyPolicyText(name)), readyPolicyText(name))
    const [, explained = ''] = /^Warned of: +(.*)$/m.exec(headOf(name)) ?? []
    t.same(
      [...explained.matchAll(/([a-z]+(?:-[a-z]+)*): /g)].map(([, warning]) => warning).sort(),
      [...new Set(warnings.map((warning) => warning.name as string))].sort(),
      name,
    )
  }
})

await t.test(
  'each lets through what its client asks, of containers in scope alone, and names no operation that it never asks for',
  async (t) => {
    t.same(Object.keys(READY_CLIENTS).sort(), [...READY_POLICIES].sort())
    for (const [name, { labels, requests, streams = {}, headers = [] }] of Object.entries(READY_CLIENTS)) {
      const policy = policyOf(readyPolicyText(name))
      const asked = new Set<string>()
      for (const line of [...requests, ...Object.keys(streams)].map((text) => text.replace('NAME', 'web').replace('ID', ID))) {
        const [method = '', target = ''] = line.split(' ')
        const rawHeaders = headers.flatMap((header) => header.split(': '))
        const request = readRequest({ method, target, rawHeaders: ['Host', 'docker', ...rawHeaders] })
        if ('verdict' in request) throw new Error(`${name}: ${line}: ${request.reason}`)
        asked.add(request.operation.id)
        const seen: Partial<Target> = { labels, id: parseContainerId(ID) as Target['id'] }
        t.equal(refusedBy(policy, line, seen), undefined, `${name}: ${line}`)
        if (request.container !== undefined && name !== 'readonly')
          t.equal(refusedBy(policy, line, { ...seen, labels: {} }), 'policy.scope', `${name}, out of scope: ${line}`)
      }
      t.same([...policy.allow.keys()].sort(), [...asked].sort(), name)
    }
  },
)

await t.test('docs/policies.md lists them, and says which were not tried with the real client', async (t) => {
  t.same([...firstColumn(page, 'Ready policies')].sort(), [...READY_POLICIES].sort())
  for (const [first, , scope = '', tried = ''] of tableRows(page, 'Ready policies')) {
    const [name = ''] = words(first)
    const told = policyOf(readyPolicyText(name)).scope.flatMap(({ labels = {} }) =>
      Object.entries(labels).map(([label, value]) => `${label}=${value}`),
    )
    t.same(words(scope), told, `${name}: its scope`)
    t.equal(/not the client/.test(tried), isUntried(name), `${name}: tried or not`)
  }
})

type Service = Readonly<Record<string, unknown>> & {
  readonly security_opt?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly unknown[]
}
type Composition = { readonly services: Readonly<Record<string, Service>>; readonly volumes?: Readonly<Record<string, unknown>> }

const composition = (text: string): Composition => parse(text, { merge: true }) as Composition

await t.test(
  'one proxy serves them all, as hardened as that of the composition, each at a socket on a volume of its own',
  async (t) => {
    const { services, volumes = {} } = composition(SNIPPETS.get('postern') ?? '')
    const { postern = {} } = services
    const { proxy = {} } = composition(readFileSync('compose/compose.yaml', 'utf8')).services
    const hardening = [
      'image',
      'restart',
      'network_mode',
      'read_only',
      'cap_drop',
      'cap_add',
      'pids_limit',
      'mem_limit',
      'cpu_period',
      'cpu_quota',
    ]
    for (const key of hardening) t.same(postern[key], proxy[key], key)
    // The profile of the kernel's calls is for who has a checkout, and asks for it.
    t.same(
      postern.security_opt,
      proxy.security_opt?.filter((option) => !option.includes('seccomp')),
    )
    t.same(
      postern.environment?.POSTERN_SERVE?.split(' '),
      OTHERS.map((name) => `/policies/${name}.yaml@unix:///run/postern/${name}/docker.sock`),
    )
    const mounted = ['sockets:/run/postern', ...OTHERS.map((name) => `${name}:/run/postern/${name}`), 'audit:/var/log/postern']
    t.same(
      postern.volumes?.filter((volume) => typeof volume === 'string'),
      mounted,
    )
    t.same(
      Object.keys(volumes),
      mounted.map((volume) => volume.split(':')[0]),
    )
  },
)

await t.test(
  'each client’s snippet mounts its own socket and no other, in the group of the sockets, once the proxy serves',
  async (t) => {
    t.same([...SNIPPETS.keys()].filter((name) => name !== 'postern').sort(), [...OTHERS].sort())
    for (const name of OTHERS) {
      const text = SNIPPETS.get(name) ?? ''
      const [client = {}, ...more] = Object.values(composition(text).services)
      t.equal(more.length, 0, name)
      t.same(client.depends_on, { postern: { condition: 'service_healthy' } }, name)
      t.same(client.group_add, ['10000'], name)
      t.ok(client.volumes?.includes(`${name}:/run/postern:ro,nocopy`), name)
      t.notMatch(
        JSON.stringify(client.volumes),
        new RegExp(`(?:${['sockets', ...OTHERS].filter((other) => other !== name).join('|')}):/run`),
        name,
      )
      t.match(text, '/run/postern/docker.sock', `${name} is told where`)
      t.notMatch(text, '/var/run/docker.sock', name)
    }
  },
)

await t.test('all are in the proxy’s image, each with a directory for its socket', async (t) => {
  const dockerfile = readFileSync('compose/Dockerfile', 'utf8')
  t.match(dockerfile, 'COPY policies/*.yaml /policies/\n')
  t.match(readFileSync('.dockerignore', 'utf8'), '\n!policies/*.yaml\n')
  t.notOk(isComposition(readyPolicyText('healer')))
})
