// Which probe a container gets, and at which address.
import t from 'tap'
import type { ContainerDetail, ContainerSummary } from '../../healer/docker/docker.ts'
import { chooseProbe } from '../../healer/probe/choose.ts'
import { describeProbe } from '../../healer/probe/probes.ts'
import { readEnvironment } from '../../healer/settings/environment.ts'
import { readLabels } from '../../healer/settings/labels.ts'

const OWN = ['127.0.0.1/8', '172.20.0.5/16', 'fd00:1::5/64']

const summary = (change: Partial<ContainerSummary> = {}): ContainerSummary => ({
  id: 'a',
  name: 'web',
  imageId: 'i',
  labels: { monitored: 'true' },
  tcpPorts: [8080],
  networkMode: 'net',
  networks: [
    { name: 'private', addresses: ['10.9.0.2'] },
    { name: 'net', addresses: ['172.20.0.9', 'fd00:1::9'] },
  ],
  ...change,
})
const detail = (change: Partial<ContainerDetail> = {}): ContainerDetail => ({
  id: 'a',
  status: 'running',
  startedAt: '2026-01-01T00:00:00Z',
  restartCount: 0,
  exitCode: 0,
  oomKilled: false,
  autoRemove: false,
  networkMode: 'net',
  ...change,
})
const healthcheck = { engineHealth: { status: 'healthy', failingStreak: 0 } }

const choose = (of: ContainerSummary, more: Partial<ContainerDetail> = {}, others: readonly ContainerSummary[] = []) => {
  const { settings, problems } = readLabels(of.labels, readEnvironment({}))
  return chooseProbe(of, detail(more), settings, problems, { find: (id) => others.find((each) => each.id === id), own: OWN })
}

const labelled = (labels: Record<string, string>) => summary({ labels: { monitored: 'true', ...labels } })

for (const [what, container, more, expected] of [
  ['its only exposed TCP port', summary(), {}, 'http :8080/health'],
  ['its HEALTHCHECK before its port', summary(), healthcheck, 'docker'],
  [
    'HTTP before its HEALTHCHECK where a label describes HTTP',
    labelled({ 'healer.path': '/live' }),
    healthcheck,
    'http :8080/live',
  ],
  ['the labelled port', labelled({ 'healer.port': '9000' }), {}, 'http :9000/health'],
  ['the labelled probe', labelled({ 'healer.probe': 'http' }), healthcheck, 'http :8080/health'],
  ['TCP where it is labelled so', labelled({ 'healer.probe': 'tcp' }), healthcheck, 'tcp :8080'],
  ['TCP where a label describes that', labelled({ 'healer.expect': 'OK', 'healer.port': '25' }), healthcheck, 'tcp :25'],
  ['gRPC where a label describes that', labelled({ 'healer.service': 'shop.Cart' }), healthcheck, 'grpc :8080 shop.Cart'],
  ['gRPC of the whole server', labelled({ 'healer.probe': 'grpc' }), {}, 'grpc :8080'],
  [
    'HTTPS, by another method',
    labelled({ 'healer.scheme': 'https', 'healer.method': 'HEAD' }),
    healthcheck,
    'https HEAD :8080/health',
  ],
  [
    'nothing where labels describe two probes',
    labelled({ 'healer.service': 'x', 'healer.path': '/x' }),
    healthcheck,
    'no probe: healer.service is for grpc and healer.path for http; set healer.probe',
  ],
  [
    'nothing where a label is nearly one that decides',
    labelled({ 'healer.exepct': 'OK' }),
    healthcheck,
    'no probe: healer.exepct is not a setting; did you mean healer.expect?',
  ],
  ['its HEALTHCHECK, whatever else is nearly a label', labelled({ 'healer.intervall': '5s' }), healthcheck, 'docker'],
  [
    'always the Engine’s verdict with autoheal=true',
    summary({ labels: { autoheal: 'true', 'healer.port': '9000' } }),
    {},
    'docker',
  ],
  [
    'nothing without a port',
    summary({ tcpPorts: [] }),
    {},
    'no probe: it exposes no port and has no HEALTHCHECK; set healer.port',
  ],
  [
    'nothing with several',
    summary({ tcpPorts: [80, 443] }),
    {},
    'no probe: it exposes the ports 80, 443; set healer.port to the one to probe',
  ],
  [
    'nothing where the label that decides is wrong',
    labelled({ 'healer.port': 'x' }),
    healthcheck,
    'no probe: healer.port is “x”; it takes a whole number from 1 to 65535',
  ],
  ['nothing on the host’s network', summary({ networkMode: 'host' }), {}, /^no probe: it uses the host's network/],
  ['nothing without a network', summary({ networkMode: 'none' }), {}, /^no probe: it has no network/],
  [
    'nothing without a shared network',
    summary({ networks: [{ name: 'private', addresses: ['10.9.0.2'] }] }),
    {},
    'no probe: no network shared with the healer; join the healer to `private`',
  ],
] as const) {
  await t.test(`a container is probed by ${what}`, async (t) => {
    const words = describeProbe(choose(container, more))
    if (typeof expected === 'string') t.equal(words, expected)
    else t.match(words, expected)
  })
}

await t.test('the address is the one on a network that the healer is on', async (t) => {
  t.match(choose(summary()), { kind: 'http', address: '172.20.0.9', port: 8080 })
  t.match(choose(summary({ networks: [{ name: 'six', addresses: ['fd00:1::9'] }] })), { address: 'fd00:1::9' })
})

await t.test('a container that uses another’s network is probed at that one’s address', async (t) => {
  const provider = summary({ id: 'vpn', name: 'vpn' })
  const sharer = summary({ networkMode: 'container:vpn', networks: [] })
  t.match(choose(sharer, {}, [provider]), { kind: 'http', address: '172.20.0.9' })
  t.match(choose(sharer), { kind: 'none', reason: /label that one monitored=true too/ })
})

await t.test('a probe has all that its labels say', async (t) => {
  const tls = { 'healer.scheme': 'https', 'healer.hostname': 'web.test', 'healer.ca_file': '/ca.pem', 'healer.timeout': '2s' }
  const where = { address: '172.20.0.9', port: 8080, timeoutMs: 2000 }
  const secured = { ...where, scheme: 'https', hostname: 'web.test', caFile: '/ca.pem', tlsVerify: true }
  const http = labelled({
    ...tls,
    'healer.method': 'POST',
    'healer.headers.X-Token': 'abc',
    'healer.contains': 'ok',
    'healer.matches': '^ok',
    'healer.max_latency': '1s',
  })
  t.match(choose(http), {
    ...secured,
    kind: 'http',
    maxLatencyMs: 1000,
    method: 'POST',
    path: '/health',
    headers: new Map([['x-token', 'abc']]),
    contains: 'ok',
    matches: { text: '^ok' },
  })
  t.match(choose(labelled({ 'healer.send': 'a', 'healer.expect': 'b', 'healer.timeout': '2s' })), {
    ...where,
    kind: 'tcp',
    send: Buffer.from('a'),
    expect: Buffer.from('b'),
    maxLatencyMs: undefined,
  })
  t.match(choose(labelled({ ...tls, 'healer.service': 'shop.Cart' })), { ...secured, kind: 'grpc', service: 'shop.Cart' })
})
