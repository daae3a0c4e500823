// What the audit log's chain is made of: hashes of bytes, keys, and seals that are signed to the last byte.
import { createHash, createPrivateKey, sign } from 'node:crypto'
import t from 'tap'
import { fingerprint, hashLine, isSealKey, isSignedSeal, makeSealKey, signSeal } from '../../proxy/audit/chain.ts'

t.test('the hash of a line is that of its bytes', async (t) => {
  const bytes = Buffer.from([0x7b, 0xe9, 0xff, 0x7d])
  t.equal(hashLine(bytes.toString('latin1')), createHash('sha256').update(bytes).digest('hex'))
})

t.test('a key is 43 characters of base64url, and nothing else', async (t) => {
  const { public: key, secret } = makeSealKey()
  t.same([isSealKey(key), isSealKey(secret)], [true, true])
  for (const value of [[key], `${key}A`, ` ${key}`, key.slice(1), `${key.slice(1)}+`, '', undefined, 43])
    t.equal(isSealKey(value), false)
})

t.test('a log is known by 32 digits of its first key’s hash', async (t) => {
  const key = 'A'.repeat(43)
  t.equal(fingerprint(key), `sha256:${createHash('sha256').update(Buffer.alloc(32)).digest('hex').slice(0, 32)}`)
})

t.test('a seal is signed by its key, from its first byte to its last', async (t) => {
  const [own, other] = [makeSealKey(), makeSealKey()]
  const line = signSeal('{"event":"seal","sig":""}', own)
  t.equal(isSignedSeal(line, own.public), true)
  const changed = [
    '',
    '{}',
    line.slice(1),
    `x\r${line}`,
    `\u2028${line}`,
    `${line} `,
    `${line}${line}`,
    line.replace('seal', 'meal'),
  ]
  for (const text of [...changed, line.replace(/"sig":".*"/, '"sig":""')]) t.equal(isSignedSeal(text, own.public), false, text)
  for (const key of [other.public, 'x', '', '!'.repeat(43)]) t.equal(isSignedSeal(line, key), false, key)
})

t.test('what is signed is the line without its signature, behind words that nothing else is signed with', async (t) => {
  const { public: x, secret: d } = makeSealKey()
  const key = createPrivateKey({ key: { kty: 'OKP', crv: 'Ed25519', x, d }, format: 'jwk' })
  const signed = (words: string, sig: string) => `${words},"sig":"${sig}"}`
  for (const words of ['{"event":"seal"', '{', '']) {
    const signature = sign(null, Buffer.from(`postern audit seal 1\n${words}`), key)
    const line = signed(words, signature.toString('base64url'))
    t.equal(signSeal(signed(words, ''), { public: x, secret: d }), line)
    t.equal(isSignedSeal(line, x), true)
    const bare = sign(null, Buffer.from(words), key).toString('base64url')
    t.equal(isSignedSeal(signed(words, bare), x), false, 'without those words')
  }
})
