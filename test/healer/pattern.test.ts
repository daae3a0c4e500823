// Patterns of strangers' making over strangers' bytes: found in linear time, or refused.
import t from 'tap'
import { pattern } from '../../healer/settings/pattern.ts'

await t.test('a pattern is searched for anywhere', async (t) => {
  for (const [text, searched, found] of [
    ['ok', 'not ok', true],
    ['^ok$', 'not ok', false],
    ['(?i)STATUS: *up', 'status:   UP', true],
    ['(?m)^up$', 'db\nup\n', true],
    ['a.b', 'a\nb', false],
    ['é+', 'caféé', true],
  ] as const)
    t.equal(pattern.parse(text)?.isIn(searched), found, text)
})

await t.test('what is wrong, or large, or needs to go back is refused', async (t) => {
  const nested = `${'('.repeat(8)}a${'{9})'.repeat(8)}`
  for (const text of ['', '(', 'a**', '(?=a)', '(a)\\1', 'a{1001}', 'a{999}', nested, 'a'.repeat(257)])
    t.equal(pattern.parse(text), undefined, text.slice(0, 40))
})

await t.test('no pattern and no bytes make a search long', async (t) => {
  const hard = ['(a+)+$', '(a|aa)+$', '^(([a-z])+.)+[A-Z]([a-z])+$', '(x+x+)+y', '[ab].{200}[cd]$', '(.*)(.*)(.*)(.*)(.*)x']
  const bodies = ['a'.repeat(65_536), 'ab'.repeat(32_768), 'xé'.repeat(32_768)]
  for (const text of hard) {
    const startedMs = performance.now()
    for (const body of bodies) pattern.parse(text)?.isIn(body)
    const tookMs = performance.now() - startedMs
    t.ok(tookMs < 10_000, `${text}: ${tookMs} ms`)
  }
})
