// The addresses on the command line: what is taken, and the sentence that is said of what is not.
import t from 'tap'
import { parseServing, parseUnixAddress } from '../../proxy/listen-address.ts'

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

t.test('a policy is served at the address after its @', async (t) => {
  t.same(parseServing('policies/healer.yaml@unix:///run/postern/healer.sock'), {
    policyFile: 'policies/healer.yaml',
    socketPath: '/run/postern/healer.sock',
  })
  t.same(parseServing('a@b.yaml@unix:///x'), { policyFile: 'a@b.yaml', socketPath: '/x' })
  for (const text of ['', 'healer.yaml', '@unix:///x', 'unix:///x']) {
    t.throws(
      () => parseServing(text),
      { message: /is not POLICY@LISTEN, such as healer.yaml@unix:\/\/\/run\/postern\/healer.sock$/ },
      text,
    )
  }
  for (const text of ['healer.yaml@', 'healer.yaml@/run/x', 'healer.yaml@tcp://0.0.0.0:2375']) {
    t.throws(() => parseServing(text), { message: /is not an address of the form unix:\/\/\/path\/to\/socket$/ }, text)
  }
})
