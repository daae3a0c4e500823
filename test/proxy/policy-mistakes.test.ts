// Every kind of mistake in a policy stops it, with the place, the words underlined and what was expected. invalid-policies/ has one
// policy for each mistake, and beside it the exact text that a person gets to read.
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { parsePolicy } from '../../proxy/policy/parse-policy.ts'
import { renderPolicyErrors } from '../../proxy/policy/policy-error.ts'
import { fuzzBriefly } from '../fuzz/target.ts'
import { loader } from '../fuzz/targets/loader.ts'
import { policyText } from './support/policies.ts'

const DIRECTORY = new URL('invalid-policies/', import.meta.url)
const files = readdirSync(DIRECTORY)
const read = (file: string) => readFileSync(new URL(file, DIRECTORY), 'utf8')

/** The errors of `text`, rendered; empty where it is taken. */
function errorsOf(text: string, file = 'p.yaml'): string {
  const parsed = parsePolicy(text, file)
  return 'errors' in parsed ? `${renderPolicyErrors(file, text, parsed.errors)}\n` : ''
}

for (const file of files.filter((name) => name.endsWith('.yaml'))) {
  t.test(file.replace('.yaml', '').replaceAll('-', ' '), async (t) => {
    const expected = read(file.replace('.yaml', '.txt'))
    t.equal(errorsOf(read(file), file), expected)
    t.match(expected, new RegExp(`^${file}:\\d+:\\d+: \\S`), 'it has its place')
  })
}

t.test('each mistake has its message, and each message its mistake', async (t) => {
  const names = (ending: string) => files.filter((name) => name.endsWith(ending)).map((name) => name.replace(ending, ''))
  t.same(names('.yaml'), names('.txt'))
  t.ok(names('.yaml').length >= 80)
})

t.test('several mistakes are all told, each at its place', async (t) => {
  const allow = ['ContainerRestart:', '  budget: { client: often }', 'ImagePruned: {}']
  const errors = errorsOf(policyText(allow).replace('version: 1', 'version: 3'))
  for (const place of ['p.yaml:1:10: version', 'p.yaml:7:23: allow.ContainerRestart', 'p.yaml:8:3: allow.ImagePruned']) {
    t.match(errors, place)
  }
  t.equal(errors.match(/^p\.yaml:/gm)?.length, 3, 'and nothing else')
})

t.test('a message shows its line whole, and nothing in it that would move a cursor', async (t) => {
  const errors = errorsOf(`version: 1\r\nclient:\t"\u001b[2J"\r\nscope: []\r\nallow: {}\r\n`)
  t.match(
    errors,
    'p.yaml:2:9: client: expected a short name in lower case, such as healer\n 2 | client:\t"\ufffd[2J"\n   |        \t^^^^^^\n',
  )
})

t.test('a file that is nothing but an empty line is wrong at its beginning', async (t) => {
  t.match(errorsOf('\n'), 'p.yaml:1:1: expected a policy')
})

t.test('what a message repeats of a policy moves no cursor either', async (t) => {
  const errors = errorsOf(policyText(['"\\e[2J\\n": {}']))
  t.match(errors, 'p.yaml:6:3: allow.\ufffd[2J\ufffd: unknown')
  t.notMatch(errors, /[^\n\P{C}]/u)
})

fuzzBriefly(t, 'loader', loader)

t.test('a very long line and one at the end of the file are told like any other', async (t) => {
  const long = policyText(['SystemPing: {}'], [`- names: [${'web, '.repeat(500)}3]`])
  t.match(errorsOf(long), /^p\.yaml:4:2513: scope\.0\.names\.500: .*\n 4 \| [web, ]{80}3\]\n {3}\| {81}\^\n$/)
  // The part that is shown begins or ends in the middle of a character, whose half is none.
  for (const pad of ['', 'x']) {
    const faces = errorsOf(policyText(['SystemPing: {}'], [`- names: [3, ${pad}${'😀'.repeat(200)}]`]))
    t.notMatch(faces, /\p{Cs}/u)
    t.match(faces, '😀😀')
  }
  const end = `${policyText(['SystemPing: {}'])}x`
  t.match(errorsOf(end), /^p\.yaml:7:1: .*\n 7 \| x\n {3}\| \^\n$/)
})
