// The addresses on the command line: what is taken, and the sentence that is said of what is not.
import t from 'tap'
import {
  isLoopback,
  parseAddress,
  parseMetricsAddress,
  parseServing,
  parseUnixAddress,
  renderAddress,
} from '../../proxy/listen-address.ts'

t.test('a unix address is unix:// and an absolute path', async (t) => {
  t.equal(parseUnixAddress('unix:///run/postern/healer.sock'), '/run/postern/healer.sock')
  t.equal(parseUnixAddress('unix:///var/run/docker.sock'), '/var/run/docker.sock')
  const wrong = [
    '',
    '/run/x.sock',
    'unix:/run/x.sock',
    'unix://run/x.sock',
    'unix://',
    'unix:///',
    'tcp://127.0.0.1:2375',
    'UNIX:///x',
    ' unix:///x',
  ]
  for (const text of [...wrong, 'unix:///a\0b', 'http:///x']) {
    t.throws(
      () => parseUnixAddress(text),
      { message: `“${text}” is not an address of the form unix:///path/to/socket` },
      JSON.stringify(text),
    )
  }
})

t.test('a path that no unix socket can have is refused by its bytes, not cut', async (t) => {
  t.equal(parseUnixAddress(`unix:///${'a'.repeat(106)}`).length, 107)
  for (const path of ['a'.repeat(107), 'ä'.repeat(54)]) {
    t.throws(() => parseUnixAddress(`unix:///${path}`), { message: /is longer than the 107 bytes/ })
  }
})

const addresses: readonly (readonly [text: string, host: string, port: number, loopback: boolean, canonical?: string])[] = [
  ['tcp://127.0.0.1:2375', '127.0.0.1', 2375, true],
  ['tcp://127.255.0.9:1', '127.255.0.9', 1, true],
  ['tcp://localhost:2375', '127.0.0.1', 2375, true, 'tcp://127.0.0.1:2375'],
  ['tcp://LocalHost:65535', '127.0.0.1', 65_535, true, 'tcp://127.0.0.1:65535'],
  ['tcp://[::1]:2375', '::1', 2375, true],
  ['tcp://[0:0:0:0:0:0:0:1]:2375', '::1', 2375, true, 'tcp://[::1]:2375'],
  ['tcp://0.0.0.0:2376', '0.0.0.0', 2376, false],
  ['tcp://128.0.0.1:2376', '128.0.0.1', 2376, false],
  ['tcp://126.255.255.255:2376', '126.255.255.255', 2376, false],
  ['tcp://[::]:2376', '::', 2376, false],
  ['tcp://[::2]:2376', '::2', 2376, false],
  ['tcp://[::127.0.0.1]:2376', '::127.0.0.1', 2376, false],
  ['tcp://[64:ff9b::7f00:1]:2376', '64:ff9b::7f00:1', 2376, false],
  ['tcp://[2001:DB8::1]:2376', '2001:db8::1', 2376, false, 'tcp://[2001:db8::1]:2376'],
  ['tcp://postern:2376', 'postern', 2376, false],
  ['tcp://docker_proxy.example:2376', 'docker_proxy.example', 2376, false],
  ['tcp://127.0.0.1.example.com:2376', '127.0.0.1.example.com', 2376, false],
  ['tcp://localhost.example:2376', 'localhost.example', 2376, false],
  ['tcp://a.localhost:2376', 'a.localhost', 2376, false],
  ['tcp://xn--lcalhost-r4a:2376', 'xn--lcalhost-r4a', 2376, false],
]

t.test('a TCP address is a host and a port; only what is written as a loopback address, or localhost, is one', async (t) => {
  for (const [text, host, port, loopback, canonical = text] of addresses) {
    const address = parseAddress(text)
    t.same(address, { kind: 'tcp', host, port }, text)
    t.equal(address.kind === 'tcp' && isLoopback(address), loopback, text)
    t.equal(renderAddress(address), canonical)
  }
  t.same(parseAddress('unix:///x'), { kind: 'unix', path: '/x' })
  t.equal(renderAddress({ kind: 'unix', path: '/x' }), 'unix:///x')
})

const FORM = 'is not an address of the form tcp://host:port'
const SPELLING = 'is neither a host name nor an IPv4 address of four plain numbers'
const wrongTcp: readonly (readonly [text: string, says: string])[] = [
  ['tcp://', FORM],
  ['tcp://127.0.0.1', FORM],
  ['tcp://::1:2375', FORM],
  ['tcp://[::1]', FORM],
  ['tcp://[::1:2375', FORM],
  ['tcp://[[::1]]:2375', FORM],
  ['tcp://user:password@127.0.0.1:2375', FORM],
  ['tcp://:2375', 'names no host'],
  ['tcp://127.0.0.1:', '“” is not a port'],
  ['tcp://127.0.0.1:0', '“0” is not a port'],
  ['tcp://127.0.0.1:65536', '“65536” is not a port'],
  ['tcp://127.0.0.1:99999999999999999999', 'is not a port'],
  ['tcp://127.0.0.1:02375', '“02375” is not a port'],
  ['tcp://127.0.0.1:-1', '“-1” is not a port'],
  ['tcp://127.0.0.1:2375/', '“2375/” is not a port'],
  ['tcp://127.0.0.1:2375 ', 'is not a port'],
  ['tcp://127.0.0.1:2375\n', 'is not a port'],
  ['tcp://127.0.0.1:http', '“http” is not a port'],
  ['tcp://127.0.0.1:٢٣٧٥', 'is not a port'],
  ['tcp://127.1:2375', SPELLING],
  ['tcp://127.0.0.01:2375', SPELLING],
  ['tcp://0177.0.0.1:2375', SPELLING],
  ['tcp://0x7f.0.0.1:2375', SPELLING],
  ['tcp://0x7f000001:2375', SPELLING],
  ['tcp://127.0.0.0x1:2375', SPELLING],
  ['tcp://2130706433:2375', SPELLING],
  ['tcp://0:2375', SPELLING],
  ['tcp://127.0.0.256:2375', SPELLING],
  ['tcp://127.0.0.1.:2375', SPELLING],
  ['tcp://localhost.:2375', SPELLING],
  ['tcp:// localhost:2375', SPELLING],
  ['tcp://lоcalhost:2375', SPELLING],
  ['tcp://①②⑦.0.0.1:2375', SPELLING],
  ['tcp://127.0.0.1/8:2375', SPELLING],
  ['tcp://*:2375', SPELLING],
  ['tcp://-a:2375', SPELLING],
  [`tcp://${'a.'.repeat(127)}a:2375`, SPELLING],
  ['tcp://[127.0.0.1]:2375', 'is not an IPv6 address'],
  ['tcp://[localhost]:2375', 'is not an IPv6 address'],
  ['tcp://[]:2375', 'is not an IPv6 address'],
  ['tcp://[fe80::1%eth0]:2375', 'is not an IPv6 address'],
  ['tcp://[::ffff:127.0.0.1]:2375', 'write the IPv4 address itself'],
  ['tcp://[::FFFF:7f00:1]:2375', 'write the IPv4 address itself'],
  ['tcp://[0:0:0:0:0:ffff:a00:1]:2375', 'write the IPv4 address itself'],
]

t.test('what could be read as another address than it says is refused, with what is wrong', async (t) => {
  for (const [text, says] of wrongTcp) t.throws(() => parseAddress(text), { message: says }, JSON.stringify(text))
  for (const text of ['TCP://127.0.0.1:2375', 'tcp:127.0.0.1:2375', 'http://127.0.0.1:2375', '127.0.0.1:2375', '']) {
    t.throws(() => parseAddress(text), { message: /or unix:\/\/\/path\/to\/socket$/ }, text)
  }
})

t.test('metrics are for this machine, and the sentence says so', async (t) => {
  t.equal(parseMetricsAddress('unix:///run/postern/metrics.sock'), '/run/postern/metrics.sock')
  t.throws(() => parseMetricsAddress('tcp://127.0.0.1:9090'), { message: /served at a unix socket alone/ })
  t.throws(() => parseMetricsAddress('9090'), { message: /is not an address of the form unix/ })
})

t.test('a policy is served at the address after its @', async (t) => {
  t.same(parseServing('policies/healer.yaml@unix:///run/postern/healer.sock'), {
    policyFile: 'policies/healer.yaml',
    address: { kind: 'unix', path: '/run/postern/healer.sock' },
  })
  t.same(parseServing('a@b.yaml@unix:///x'), { policyFile: 'a@b.yaml', address: { kind: 'unix', path: '/x' } })
  t.match(parseServing('a@b.yaml@tcp://[::1]:2375'), { policyFile: 'a@b.yaml', address: { host: '::1', port: 2375 } })
  for (const text of ['', 'healer.yaml', '@unix:///x', 'unix:///x']) {
    t.throws(
      () => parseServing(text),
      { message: /is not POLICY@LISTEN, such as healer.yaml@unix:\/\/\/run\/postern\/healer.sock$/ },
      text,
    )
  }
  for (const text of ['healer.yaml@', 'healer.yaml@/run/x', 'healer.yaml@0.0.0.0:2375']) {
    t.throws(() => parseServing(text), { message: /is not an address of the form tcp.* or unix:\/\/\/path\/to\/socket$/ }, text)
  }
})
