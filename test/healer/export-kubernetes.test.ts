// `export kubernetes`: what becomes of each probe, each setting and each name, and what is said where Kubernetes has no counterpart.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { parseAllDocuments } from 'yaml'
import { parseComposeFile } from '../../healer/export/compose-file.ts'
import { type Exported, exportServices } from '../../healer/export/kubernetes.ts'
import { kubernetesNames } from '../../healer/export/names.ts'
import { renderManifests, summarise } from '../../healer/export/render.ts'
import { listServices } from '../../healer/export/running-services.ts'
import type { Service } from '../../healer/export/service.ts'
import { readEnvironment } from '../../healer/settings/environment.ts'
import { builtProgram, plainNode } from '../support/programs.ts'
import { createFakeClock } from './support/fake-clock.ts'
import { createFakeDocker } from './support/fake-docker.ts'

const HEALTHCHECK = { command: ['/bin/ok'], intervalMs: 30_000, timeoutMs: 2000, retries: 4, startPeriodMs: 0 }

const service = (labels: Record<string, string> = {}, change: Partial<Service> = {}): Service => ({
  name: 'web',
  project: 'shop',
  labels: { monitored: 'true', ...labels },
  tcpPorts: [8080],
  healthcheck: 'none',
  sharesNetwork: false,
  ...change,
})
const exportOne = (one: Service, env: NodeJS.ProcessEnv = {}): Exported => {
  const [exported] = exportServices([one], readEnvironment(env))
  if (!exported) throw new Error('nothing was exported')
  return exported
}
const live = (of: Exported) => ('probes' in of ? of.probes.livenessProbe : undefined)

for (const [what, one, handler] of [
  ['its only port by HTTP', service(), { httpGet: { path: '/health', port: 8080 } }],
  [
    'HTTPS, with a path, a host name and headers',
    service({ 'healer.scheme': 'https', 'healer.path': '/live?x=1', 'healer.hostname': 'a.example', 'healer.headers.X-Y': 'z' }),
    {
      httpGet: {
        path: '/live?x=1',
        port: 8080,
        scheme: 'HTTPS',
        httpHeaders: [
          { name: 'Host', value: 'a.example' },
          { name: 'x-y', value: 'z' },
        ],
      },
    },
  ],
  ['TCP', service({ 'healer.probe': 'tcp', 'healer.port': '5432' }), { tcpSocket: { port: 5432 } }],
  ['gRPC of a service', service({ 'healer.service': 'shop.Cart' }), { grpc: { port: 8080, service: 'shop.Cart' } }],
  ['gRPC of the whole server', service({ 'healer.probe': 'grpc' }), { grpc: { port: 8080 } }],
  ['its HEALTHCHECK', service({}, { healthcheck: HEALTHCHECK }), { exec: { command: ['/bin/ok'] } }],
  [
    'its HEALTHCHECK with autoheal=true, whatever else is labelled',
    service({ monitored: 'no', autoheal: 'true', 'healer.port': '1' }, { healthcheck: HEALTHCHECK }),
    { exec: { command: ['/bin/ok'] } },
  ],
] as const)
  await t.test(`what it is probed by: ${what}`, async (t) => {
    const { periodSeconds, timeoutSeconds, failureThreshold, ...found } = live(exportOne(one)) ?? {}
    t.same(found, handler)
    for (const number of [periodSeconds, timeoutSeconds, failureThreshold]) t.ok(Number.isInteger(number) && Number(number) >= 1)
  })

for (const [what, one, leftOut] of [
  ['a HEALTHCHECK that cannot be seen', service({}, { healthcheck: 'hidden' }), 'what that runs cannot be seen here'],
  ['no HEALTHCHECK where one is asked for', service({ 'healer.probe': 'docker' }), 'has none here'],
  ['a request that Kubernetes does not make', service({ 'healer.method': 'POST' }), 'healer.method=POST: '],
  ['a status that is ill to Kubernetes', service({ 'healer.status': '200-299,401' }), 'healer.status=200-299,401: '],
  ['gRPC over TLS', service({ 'healer.probe': 'grpc', 'healer.scheme': 'https' }), 'without TLS'],
  ['two ports', service({}, { tcpPorts: [1, 2] }), 'set healer.port'],
  ['a wrong label that decides', service({ 'healer.port': 'x' }), 'healer.port is “x”'],
] as const)
  await t.test(`what would restart the well is left out, with the reason: ${what}`, async (t) => {
    const exported = exportOne(one)
    t.notOk('probes' in exported)
    t.match('leftOut' in exported ? exported.leftOut : '', leftOut)
    t.match(renderManifests([exported]), `#   shop/web: `)
    t.equal(parseAllDocuments(renderManifests([exported])).filter((document) => document.toJS() !== null).length, 0)
  })

for (const [labels, note] of [
  [{ 'healer.method': 'HEAD' }, 'it asks by GET'],
  [{ 'healer.status': '200' }, 'every status from 200 to 399 is well'],
  [{ 'healer.contains': 'ok' }, 'the body is not read'],
  [{ 'healer.matches': 'ok' }, 'the body is not read'],
  [{ 'healer.scheme': 'https' }, 'the certificate is not verified'],
  [{ 'healer.headers.Authorization': 'Bearer x' }, 'may read their values'],
  [{ 'healer.expect': 'PONG' }, 'a connection is enough'],
  [{ 'healer.probe': 'grpc', 'healer.hostname': 'a.example' }, 'called by its address'],
  [{ 'healer.retry_interval': '5' }, 'at the same pace'],
  [{ 'healer.maintenance': 'Sun 02:00-03:00' }, 'know no windows'],
  [{ 'healer.depends_on': 'db' }, 'no restart waits for another'],
  [{ 'healer.action': 'none' }, 'never restarted'],
  [{ 'healer.max_latency': '800ms' }, 'rounded up'],
  [{ 'healer.intervall': '5' }, 'did you mean healer.interval?'],
] as const)
  await t.test(`what is otherwise is said, once: ${Object.keys(labels).join(' ')}`, async (t) => {
    const { notes, ...exported } = exportOne(service(labels))
    t.ok('probes' in exported)
    t.equal(notes.length, 1, notes.join('\n'))
    t.match(notes[0], note)
  })

await t.test('nothing is said of what is the same', async (t) => {
  const same = {
    'healer.interval': '10s',
    'healer.timeout': '2',
    'healer.retries': '2',
    'healer.path': '/x',
    'healer.tls_verify': 'false',
  }
  t.same(exportOne(service({ ...same, 'healer.scheme': 'https', 'healer.arm': 'immediately' })).notes, [])
})

for (const [what, one, env, probes] of [
  [
    'the healer’s defaults: the start period, and then as many failures as make it unhealthy',
    service(),
    {},
    {
      startupProbe: { periodSeconds: 5, timeoutSeconds: 5, failureThreshold: (30 + 3 * 15) / 5 },
      livenessProbe: { periodSeconds: 15, timeoutSeconds: 5, failureThreshold: 3 },
    },
  ],
  [
    'variables and labels',
    service({ 'healer.interval': '2', 'healer.start_period': '7' }),
    { FAILURE_THRESHOLD: '2', REQUEST_TIMEOUT: '1' },
    {
      startupProbe: { periodSeconds: 2, timeoutSeconds: 1, failureThreshold: 6 },
      livenessProbe: { periodSeconds: 2, timeoutSeconds: 1, failureThreshold: 2 },
    },
  ],
  ['without a start period', service({ 'healer.start_period': '0' }), {}, { livenessProbe: {}, startupProbe: undefined }],
  ['a right answer that is too late', service({ 'healer.max_latency': '2s' }), {}, { livenessProbe: { timeoutSeconds: 2 } }],
  [
    'the Engine’s own times for a HEALTHCHECK',
    service({ 'healer.start_period': '0' }, { healthcheck: { ...HEALTHCHECK, startPeriodMs: 10_000 } }),
    {},
    {
      startupProbe: { periodSeconds: 5, timeoutSeconds: 2, failureThreshold: (10 + 4 * 30) / 5 },
      livenessProbe: { periodSeconds: 30, timeoutSeconds: 2, failureThreshold: 4 },
    },
  ],
  [
    'what is never restarted is only taken out of its Services',
    service({ 'healer.action': 'none' }),
    {},
    { readinessProbe: { failureThreshold: 3 }, livenessProbe: undefined, startupProbe: undefined },
  ],
] as const)
  await t.test(`when: ${what}`, async (t) => {
    const exported = exportOne(one, env)
    t.match('probes' in exported ? { startupProbe: undefined, livenessProbe: undefined, ...exported.probes } : {}, probes)
  })

await t.test('names are labels of RFC 1123, and each has its own', async (t) => {
  const names = kubernetesNames([
    { name: 'web_App.1', project: 'shop' },
    { name: 'db', project: 'shop' },
    { name: 'db', project: 'blog' },
    { name: 'x'.repeat(80), project: undefined },
    { name: `${'x'.repeat(80)}y`, project: undefined },
    { name: '-_-', project: undefined },
  ])
  t.same(names, ['web-app-1', 'shop-db', 'blog-db', 'x'.repeat(63), `${'x'.repeat(57)}-2`, 'service'])
  for (const name of names) t.match(name, /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
})

await t.test('the manifests: one Deployment for each, with its probes and nothing that the cluster has otherwise', async (t) => {
  const hostile = service({ 'healer.port': '9', 'healer.x\n\u2028y': '1' }, { name: 'a_b', project: 'p\nkind: Secret' })
  const exported = exportServices([service(), hostile, service({}, { name: 'old', healthcheck: 'hidden' })], readEnvironment({}))
  const text = renderManifests(exported)
  const documents = parseAllDocuments(text).map((document) => {
    t.same([...document.errors, ...document.warnings], [])
    return document.toJS()
  })
  t.same(
    documents.map(({ metadata }) => metadata.name),
    ['a-b', 'web'],
  )
  for (const { metadata, spec, ...kind } of documents) {
    t.same(kind, { apiVersion: 'apps/v1', kind: 'Deployment' })
    const [container, ...others] = spec.template.spec.containers
    t.same(others, [])
    t.equal(container.name, metadata.name)
    t.same(Object.keys(container), ['name', 'startupProbe', 'livenessProbe'])
  }
  t.notMatch(text, /[\u2028&*]/)
  t.equal(summarise(exported), '2 services exported, 1 left out, 1 note on what is otherwise in Kubernetes: see the comments')
})

await t.test('what Docker runs: the containers of one service are one, and a HEALTHCHECK is known of, not seen', async (t) => {
  const docker = createFakeDocker(createFakeClock())
  const labels = { monitored: 'true', 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'web' }
  docker.add('shop-web-1', 80, { summary: { labels } })
  docker.add('shop-web-2', 80, { summary: { labels }, detail: { engineHealth: { status: 'healthy', failingStreak: 0 } } })
  const task = { monitored: 'true', 'com.docker.swarm.service.name': 'blog_web' }
  docker.add('blog_web.1.x', 80, { summary: { labels: task } })
  docker.add('blog_web.2.y', 80, { summary: { labels: task } })
  docker.add('alone', undefined, { summary: { networkMode: 'container:x' } })
  t.match(await listServices(docker), [
    { name: 'web', project: 'shop', tcpPorts: [80], healthcheck: 'hidden', sharesNetwork: false },
    { name: 'blog_web', project: undefined, tcpPorts: [80] },
    { name: 'alone', project: undefined, tcpPorts: [], healthcheck: 'none', sharesNetwork: true },
  ])
})

const COMPOSE = `
name: shop
x-common: &common { labels: { monitored: true } }
services:
  merged: { <<: *common, expose: ["80/tcp", "81/udp"] }
  listed:
    labels: [monitored=true, "healer.contains=a=$$b"]
    ports: ["127.0.0.1:\${PORT:-80}:8080", "9000-9001:9000-9001", "53/udp", { target: 7, protocol: tcp }, { target: 8, protocol: udp }]
    network_mode: service:merged
  db:
    labels: { autoheal: "true" }
    healthcheck: { test: "pg_isready -U $$USER", interval: 1m30s, retries: 5 }
  exact: { labels: { monitored: "true" }, healthcheck: { test: [CMD, /ok, 1], timeout: 3s, start_period: 1h } }
  off: { labels: { monitored: "true" }, healthcheck: { disable: true } }
  none: { labels: { monitored: "true" }, healthcheck: { test: [NONE] } }
  image: { labels: { monitored: "true" }, healthcheck: { interval: 5s } }
  other: { labels: { monitored: "\${X}" } }
`

await t.test('a compose file: what opted in, with its ports and its HEALTHCHECK', async (t) => {
  const services = parseComposeFile(COMPOSE, 'compose.yaml')
  t.match(services, [
    { name: 'merged', project: 'shop', labels: { monitored: 'true' }, tcpPorts: [80], healthcheck: 'not-given' },
    { name: 'listed', labels: { 'healer.contains': 'a=$b' }, tcpPorts: [8080, 9000, 9001, 7], sharesNetwork: true },
    {
      name: 'db',
      healthcheck: { command: ['/bin/sh', '-c', 'pg_isready -U $USER'], intervalMs: 90_000, timeoutMs: 30_000, retries: 5 },
    },
    { name: 'exact', healthcheck: { command: ['/ok', '1'], timeoutMs: 3000, retries: 3, startPeriodMs: 3_600_000 } },
    { name: 'off', healthcheck: 'none' },
    { name: 'none', healthcheck: 'none' },
    { name: 'image', healthcheck: 'hidden' },
  ])
  t.equal(services.length, 7)
})

for (const [text, message] of [
  [
    'services: {a: {labels: {monitored: "true", healer.path: "/$X"}}}',
    /f: services\.a\.labels\.healer\.path: “\/\$X” has a variable; give /,
  ],
  ['services: {a: {labels: {monitored: "true"}, ports: ["$P"]}}', /f: services\.a\.ports: “\$P” has a variable/],
  ['services: {a: {extends: b}}', /f: services\.a\.extends: names another service; give the output of `docker compose config`/],
  ['include: [b]\nservices: {}', /f: include: names other files; give/],
  ['services: {a: {labels: 3}}', /f: services\.a\.labels: not as a compose file has it/],
  [
    'services: {a: {labels: {autoheal: "true"}, healthcheck: {test: x, interval: soon}}}',
    /f: services\.a\.healthcheck\.interval: “soon” is no duration/,
  ],
  ['a: [', /f: no YAML: /],
  ['', /f: not as a compose file has it/],
] as const)
  await t.test(`a compose file that cannot be taken as it stands is refused: ${text}`, async (t) => {
    t.throws(() => parseComposeFile(text, 'f'), { message })
  })

await t.test('the command: manifests on stdout, what came of it on stderr; from a file, or from stdin', async (t) => {
  const file = join(t.testdir({ 'compose.yaml': COMPOSE, 'empty.yaml': 'services: {a: {}}' }), 'compose.yaml')
  const run = (input: string, ...args: string[]) => {
    const [command, given] = plainNode(builtProgram('healer'), 'export', ...args)
    return spawnSync(command, given, { encoding: 'utf8', input, env: { PATH: process.env.PATH, CHECK_INTERVAL: '7' } })
  }
  const fromFile = run('', 'kubernetes', file)
  t.equal(fromFile.status, 0, fromFile.stderr)
  t.match(fromFile.stdout, /periodSeconds: 7\n/)
  t.match(fromFile.stderr, /^\d services exported, \d left out, \d+ notes? .*: see the comments\n$/)
  t.equal(run(COMPOSE, 'kubernetes', '-').stdout, fromFile.stdout)
  t.match(run('', 'kubernetes', file.replace('compose', 'empty')), {
    status: 1,
    stdout: '',
    stderr: /nothing opted in; label it monitored=true/,
  })
  t.match(run('', 'kubernetes', `${file}.no`), { status: 1, stdout: '', stderr: /compose\.yaml\.no cannot be read: ENOENT/ })
  t.match(run('', 'nomad'), { status: 2, stdout: '', stderr: /Allowed choices are kubernetes/ })
})
