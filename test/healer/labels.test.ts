// A container's own settings by label: read strictly, wrong ones reported with the nearest right one.
import t from 'tap'
import { readEnvironment } from '../../healer/settings/environment.ts'
import { optedIn, readLabels } from '../../healer/settings/labels.ts'
import { fuzzBriefly } from '../fuzz/target.ts'
import { labels } from '../fuzz/targets/labels.ts'

const environment = readEnvironment({})

fuzzBriefly(t, 'labels', labels)

await t.test('a word that objects have from birth is sent like any other', async (t) => {
  for (const word of ['toString', 'constructor', '__proto__']) {
    const { settings, problems } = readLabels({ 'healer.send': `${word}\\n`, 'healer.expect': word }, environment)
    t.same([settings.probing.send?.toString(), settings.probing.expect?.toString(), problems], [`${word}\n`, word, []])
  }
})

await t.test('labels are over the environment', async (t) => {
  const { settings, problems } = readLabels(
    {
      'healer.interval': '5s',
      'healer.timeout': '500ms',
      'healer.retries': '2',
      'healer.start_period': '1m',
      'healer.port': '3000',
      'healer.path': '/live?full=1',
      'healer.status': '200-204,401',
      'healer.arm': 'immediately',
    },
    environment,
  )
  t.same(problems, [])
  t.match(settings, {
    intervalMs: 5000,
    retryIntervalMs: 5000,
    timeoutMs: 500,
    retries: 2,
    startPeriodMs: 60_000,
    probing: {
      kind: 'http',
      port: 3000,
      path: '/live?full=1',
      status: [
        { min: 200, max: 204 },
        { min: 401, max: 401 },
      ],
    },
    armImmediately: true,
  })
})

await t.test('without labels the environment holds', async (t) => {
  const { settings } = readLabels({ monitored: 'true', 'com.example.team': 'web' }, environment)
  t.match(settings, { intervalMs: 15_000, retries: 3 })
  t.same(settings.probing, {
    kind: undefined,
    port: undefined,
    maxLatencyMs: undefined,
    scheme: 'http',
    hostname: undefined,
    caFile: undefined,
    tlsVerify: true,
    method: 'GET',
    path: '/health',
    headers: new Map(),
    status: [{ min: 200, max: 299 }],
    contains: undefined,
    matches: undefined,
    send: undefined,
    expect: undefined,
    service: '',
  })
})

await t.test('each probe has its labels', async (t) => {
  const read = (labels: Record<string, string>) => {
    const { settings, problems } = readLabels(labels, environment)
    t.same(problems, [])
    return settings.probing
  }
  const http = read({
    'healer.method': 'POST',
    'healer.scheme': 'https',
    'healer.hostname': 'web.example.com',
    'healer.ca_file': '/run/ca.pem',
    'healer.max_latency': '1s',
    'healer.headers.X-Token': 'a: b',
    'healer.headers.Accept': 'application/json',
    'healer.contains': 'ok',
    'healer.matches': '^o(k|kay)$',
  })
  t.match(http, {
    kind: 'http',
    method: 'POST',
    scheme: 'https',
    hostname: 'web.example.com',
    caFile: '/run/ca.pem',
    maxLatencyMs: 1000,
    contains: 'ok',
    matches: { text: '^o(k|kay)$' },
  })
  t.same(
    [...http.headers],
    [
      ['x-token', 'a: b'],
      ['accept', 'application/json'],
    ],
  )
  t.match(read({ 'healer.send': 'PING\\r\\n\\x00\\\\', 'healer.expect': '+PONG', 'healer.port': '6379' }), {
    kind: 'tcp',
    send: Buffer.from('PING\r\n\0\\'),
    expect: Buffer.from('+PONG'),
  })
  t.match(read({ 'healer.service': 'shop.Cart', 'healer.scheme': 'https', 'healer.tls_verify': 'false' }), {
    kind: 'grpc',
    service: 'shop.Cart',
    scheme: 'https',
    tlsVerify: false,
  })
})

for (const [labels, kind] of [
  ['healer.probe=tcp', 'tcp'],
  ['healer.probe=docker', 'docker'],
  ['healer.port=1', 'http'],
  ['healer.max_latency=1', 'http'],
  ['healer.scheme=https', 'http'],
  ['healer.headers.X=1', 'http'],
  ['healer.port=1 healer.expect=x', 'tcp'],
  ['healer.service=x healer.scheme=https', 'grpc'],
  ['healer.probe=grpc healer.port=1', 'grpc'],
  ['healer.interval=5s healer.timeout=1s healer.retries=2 healer.arm=immediately', undefined],
] as const) {
  await t.test(`${labels} describes ${kind ?? 'no probe'}`, async (t) => {
    const { settings, problems } = readLabels(Object.fromEntries(labels.split(' ').map((each) => each.split('='))), environment)
    t.equal(settings.probing.kind, kind)
    t.same(problems, [])
  })
}

const BYTES = 'a text of 1 to 1024 characters, in which \\r \\n \\t \\\\ and \\x00 to \\xff stand for one byte each'
const PATTERN = "a pattern in RE2's syntax, of at most 256 characters and small when compiled"

/** Whether it leaves the container without a probe. */
const wrong: [label: string, value: string, message: string, decidesProbe: boolean][] = [
  ['healer.prot', '8080', 'healer.prot is not a setting; did you mean healer.port?', true],
  ['healer.Retries', '3', 'healer.Retries is not a setting; did you mean healer.retries?', false],
  ['healer.colour', 'red', 'healer.colour is not a setting', false],
  ['healer.start-period', '1s', 'healer.start-period is not a setting; did you mean healer.start_period?', false],
  ['healer.maxLatency', '1s', 'healer.maxLatency is not a setting; did you mean healer.max_latency?', true],
  ['healer.header.X-Token', 'x', 'healer.header.X-Token is not a setting; did you mean healer.headers.X-Token?', true],
  ['healer.headers', 'X: y', 'healer.headers is not a setting; did you mean healer.headers.NAME?', true],
  ['healer.headers.X Y', 'x', 'healer.headers.X Y names no HTTP header', true],
  ['healer.headers.Host', 'web', 'healer.headers.Host is not for labels; set healer.hostname', true],
  ['healer.headers.Content-Length', '1', 'healer.headers.Content-Length is set by the probe itself; remove it', true],
  ['healer.headers.X-Token', 'a\nb', 'healer.headers.X-Token holds something else; it takes printable ASCII characters', true],
  ['healer.port', '80 80', 'healer.port is “80 80”; it takes a whole number from 1 to 65535', true],
  ['healer.probe', 'tpc', 'healer.probe is “tpc”; it takes http, tcp, grpc or docker', true],
  ['healer.status', '2xx', 'healer.status is “2xx”; it takes HTTP status codes and ranges such as 200-299,401', true],
  ['healer.status', '299-200', 'healer.status is “299-200”; it takes HTTP status codes and ranges such as 200-299,401', true],
  [
    'healer.interval',
    '1 hour',
    'healer.interval is “1 hour”; it takes a number of seconds or a duration such as 1m30s, at least 1 s and at most 24 h',
    false,
  ],
  [
    'healer.timeout',
    '11m',
    'healer.timeout is “11m”; it takes a number of seconds or a duration such as 1m30s, at least 0.1 s and at most 10 min',
    false,
  ],
  ['healer.method', 'DELETE', 'healer.method is “DELETE”; it takes GET, HEAD, OPTIONS or POST', true],
  ['healer.scheme', 'HTTPS', 'healer.scheme is “HTTPS”; it takes http or https', true],
  ['healer.hostname', '10.0.0.1', 'healer.hostname is “10.0.0.1”; it takes a host name such as web.example.com', true],
  ['healer.hostname', 'a b', 'healer.hostname is “a b”; it takes a host name such as web.example.com', true],
  [
    'healer.ca_file',
    'ca.pem',
    'healer.ca_file is “ca.pem”; it takes the absolute path of a file in the healer’s container',
    true,
  ],
  ['healer.tls_verify', 'no', 'healer.tls_verify is “no”; it takes true or false', true],
  ['healer.contains', '', 'healer.contains is “”; it takes a text of 1 to 1024 characters', true],
  ['healer.matches', '(a', `healer.matches is “(a”; it takes ${PATTERN}`, true],
  ['healer.matches', '(?=a)', `healer.matches is “(?=a)”; it takes ${PATTERN}`, true],
  ['healer.send', 'a\\q', `healer.send is “a\\q”; it takes ${BYTES}`, true],
  ['healer.expect', '\\x0', `healer.expect is “\\x0”; it takes ${BYTES}`, true],
]
for (const [label, value, message, decidesProbe] of wrong) {
  await t.test(`${label}=${value} is reported`, async (t) => {
    const { settings, problems } = readLabels({ [label]: value }, environment)
    t.same(problems, [{ label, message, decidesProbe }])
    t.same(settings, readLabels({}, environment).settings, 'and nothing else is taken for it')
  })
}

await t.test('probe and tell, never restart: healer.action=none', async (t) => {
  const actionOf = (labels: Record<string, string>) => readLabels(labels, environment).settings.action
  t.equal(actionOf({}), 'restart')
  t.equal(actionOf({ 'healer.action': 'restart' }), 'restart')
  t.equal(actionOf({ 'healer.action': 'none' }), 'none')
})

await t.test('a wrong healer.action restarts nothing', async (t) => {
  const { settings, problems } = readLabels({ 'healer.action': 'None' }, environment)
  t.equal(settings.action, 'none')
  t.match(problems, [{ message: 'healer.action is “None”; it takes restart or none' }])
})

await t.test('maintenance windows are read from healer.maintenance, and what is wrong in them is told', async (t) => {
  t.same(readLabels({}, environment).settings.maintenance, [])
  const { settings } = readLabels({ 'healer.maintenance': 'Sun 02:00-03:00 Europe/Berlin; daily 12:00-12:30' }, environment)
  t.same(
    settings.maintenance.map(({ timeZone }) => timeZone),
    ['Europe/Berlin', 'UTC'],
  )
  const wrong = readLabels({ 'healer.maintenance': 'Sum 02:00-03:00' }, environment)
  t.same(wrong.settings.maintenance, [])
  t.match(wrong.problems, [
    {
      message: /^healer\.maintenance is “Sum 02:00-03:00”; it takes windows such as .*; “Sum” is not a day, did you mean Sun\?$/,
    },
  ])
})

await t.test('opting in takes the very word', async (t) => {
  t.equal(optedIn({ monitored: 'true' }), 'monitored')
  t.equal(optedIn({ autoheal: 'true' }), 'autoheal')
  t.equal(optedIn({ monitored: 'True' }), undefined)
  t.equal(optedIn({}), undefined)
})

for (const [given, label, message, decidesProbe] of [
  [
    { 'healer.path': '/x', 'healer.service': 'y' },
    'healer.service',
    'healer.path is for http and healer.service for grpc; set healer.probe',
    true,
  ],
  [
    { 'healer.probe': 'tcp', 'healer.headers.X': 'y' },
    'healer.headers.X',
    'healer.headers.X is for http; its probe is tcp',
    false,
  ],
  [
    { 'healer.probe': 'docker', 'healer.retries': '5' },
    'healer.retries',
    'healer.retries is for http, tcp or grpc; its probe is docker',
    false,
  ],
  [
    { autoheal: 'true', 'healer.port': '80' },
    'healer.port',
    'healer.port is for http, tcp or grpc; autoheal=true goes by its HEALTHCHECK; label it monitored=true',
    false,
  ],
  [
    { 'healer.method': 'HEAD', 'healer.contains': 'x' },
    'healer.contains',
    'healer.contains asks for a body, and HEAD has none',
    true,
  ],
  [{ 'healer.ca_file': '/x' }, 'healer.ca_file', 'healer.ca_file has no effect; set healer.scheme=https as well', false],
  [
    { 'healer.ca_file': '/x', 'healer.scheme': 'https', 'healer.tls_verify': 'false' },
    'healer.ca_file',
    'healer.ca_file has no effect with healer.tls_verify=false',
    false,
  ],
  [
    { 'healer.max_latency': '5s' },
    'healer.max_latency',
    'healer.max_latency has no effect; it is not less than the timeout',
    false,
  ],
  [{ 'healer.headers.X': '1', 'healer.headers.x': '2' }, 'healer.headers.x', 'healer.headers.x is given twice', true],
] as const) {
  await t.test(`labels that cannot be meant together: ${message}`, async (t) => {
    t.same(readLabels(given, environment).problems, [{ label, message, decidesProbe }])
  })
}

await t.test('a label of another probe than the one that is named decides nothing, though it is wrong', async (t) => {
  const { problems } = readLabels({ 'healer.probe': 'docker', 'healer.port': 'x' }, environment)
  t.match(problems, [{ label: 'healer.port', decidesProbe: false }])
  t.match(readLabels({ 'healer.probe': 'x', 'healer.port': '1' }, environment).problems, [{ decidesProbe: true }])
})
