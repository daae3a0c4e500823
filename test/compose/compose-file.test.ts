// compose/compose.yaml as the embedded engine reads it.
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import t from 'tap'
import { parse } from 'yaml'
import { readProject } from '../../compose/embedded/compose-file.ts'
import { readPage, tableRows, words } from '../support/pages.ts'

const SECRETS = {
  SLACK_WEBHOOK_URL_FILE: '/run/secrets/slack-webhook-url',
  PAGERDUTY_ROUTING_KEY_FILE: '/run/secrets/pagerduty-routing-key',
  WEBHOOK_URL_FILE: '/run/secrets/webhook-url',
  WEBHOOK_SECRET_FILE: '/run/secrets/webhook-secret',
  ALERTS_FILE: '/run/secrets/alerts.yaml',
  HEALER_TOKEN_FILE: '/run/secrets/healer-token',
}

const serviceOf = (name: string, env: Readonly<Record<string, string>>) => {
  const service = readProject('compose/compose.yaml', env).services.find((each) => each.name === name)
  return { ...service, sourceOf: (path: string) => service?.mounts.find(({ target }) => target === path)?.source }
}

await t.test('the healer has each secret from a file where one is named, and else from none', async (t) => {
  for (const [variable, path] of Object.entries(SECRETS)) {
    const { env, sourceOf } = serviceOf('healer', { [variable]: '/etc/a-secret' })
    t.equal(env?.[variable], path)
    for (const [other, target] of Object.entries(SECRETS)) {
      t.equal(sourceOf(target), other === variable ? '/etc/a-secret' : '/dev/null')
      if (other !== variable) t.equal(env?.[other], '', other)
    }
  }
  t.equal(serviceOf('healer', { HEALER_TOKEN_FILE: 'token' }).sourceOf(SECRETS.HEALER_TOKEN_FILE), resolve('compose/token'))
})

await t.test('the proxy serves the policy in its image, or the one in the directory that is named', async (t) => {
  const own = serviceOf('proxy', { POSTERN_POLICIES: '/etc/postern' })
  t.equal(own.env?.POSTERN_SERVE, '/policies/own/healer.yaml@unix:///run/postern/healer.sock')
  t.equal(own.sourceOf('/policies/own'), '/etc/postern')
  const { env, image } = serviceOf('proxy', {})
  t.equal(env?.POSTERN_SERVE, image?.env.POSTERN_SERVE)
})

/** What the file has where a value cannot be left out. */
const NOTHING = ['/dev/null', 'no-new-privileges=true']

await t.test('docs/compose.md has every variable of the file, with its default, and every profile', async (t) => {
  const page = readPage('compose.md')
  const text = readFileSync('compose/compose.yaml', 'utf8')
  const inFile = new Map<string, string>()
  for (const [, name = '', fallback] of text.matchAll(/\$\{(\w+)(?::-([^}]*))?/g))
    inFile.set(name, inFile.get(name) || (NOTHING.includes(fallback ?? '') ? '' : (fallback ?? '')))
  const rows = tableRows(page, 'Variables').map(([name, byDefault]) => [words(name)[0], words(byDefault)[0] ?? ''] as const)
  const secrets = tableRows(page, 'Secrets').map(([name]) => [words(name)[0], ''] as const)
  t.same([...rows, ...secrets].sort(), [...inFile].sort())
  const { services } = parse(text, { merge: true }) as { services: Record<string, { profiles?: readonly string[] }> }
  const byProfile = tableRows(page, 'The composition').map(([profile, adds]) => [words(profile)[0] ?? '', words(adds)] as const)
  for (const [profile, adds] of byProfile)
    t.same(
      adds,
      Object.keys(services).filter((name) => services[name]?.profiles?.includes(profile)),
      profile,
    )
  t.same(
    Object.keys(services).filter((name) => services[name]?.profiles === undefined),
    ['proxy', 'healer'],
  )
})

await t.test('no service may use the machine without bounds, write to its root, or gain a right', async (t) => {
  const { services } = parse(readFileSync('compose/compose.yaml', 'utf8'), { merge: true })
  for (const [name, service] of Object.entries<Record<string, unknown>>(services)) {
    for (const bound of ['mem_limit', 'pids_limit', 'cpu_quota', 'logging']) t.ok(service[bound], `${name}: ${bound}`)
    t.match(service, { read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] }, name)
    const { healthcheck } = service as { healthcheck?: { test: readonly string[] } }
    // Those that are built here have theirs in the image.
    t.equal(healthcheck?.test[0] ?? 'CMD', 'CMD', `${name} is checked without a shell`)
  }
})

await t.test('each profile of seccomp is one that exists, and refuses what it does not name', async (t) => {
  const { services } = parse(readFileSync('compose/compose.yaml', 'utf8'), { merge: true })
  for (const service of ['proxy', 'healer']) {
    const [, name] = /\$\{POSTERN_SECCOMP:\+\/([\w-]+\.json)\}$/.exec(services[service].security_opt[1]) ?? []
    const { defaultAction, syscalls } = JSON.parse(readFileSync(`compose/seccomp/${name}`, 'utf8'))
    t.equal(defaultAction, 'SCMP_ACT_ERRNO', service)
    const allowed = syscalls.flatMap((rule: { action: string; names: string[] }) =>
      rule.action === 'SCMP_ACT_ALLOW' ? rule.names : [],
    )
    for (const call of ['ptrace', 'mount', 'unshare', 'setns', 'bpf', 'fork', 'vfork', 'clone3', 'execveat', 'memfd_create'])
      t.notOk(allowed.includes(call), `${service}: ${call}`)
  }
})

await t.test('what is not built here is named, not run', async (t) => {
  const { services, notRun } = readProject('compose/compose.yaml', {})
  t.same(
    services.map(({ name }) => name),
    ['proxy', 'healer', 'sample-app'],
  )
  t.same(notRun, ['prometheus', 'alertmanager', 'grafana'])
})
