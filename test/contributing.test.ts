// CONTRIBUTING.md is held to the tests and to the code: what a person may set for a test is there, and the files that it names exist.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import t from 'tap'

const page = readFileSync('CONTRIBUTING.md', 'utf8')

/** What tests set for the programs that they start, and what every program reads. */
const OF_PROGRAMS = ['DOCKER_HOST', 'FAULTS', 'FORCE_COLOR', 'ILL', 'IMAGES_BUILT', 'NO_COLOR', 'PATH', 'PORT', 'SHIFTED_CLOCK']

t.test('every variable that a person may set for a test is there, and no other', async (t) => {
  const files = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.ts') && !file.includes('node_modules'),
  )
  const read = files.flatMap((file) =>
    [...readFileSync(`test/${file}`, 'utf8').matchAll(/process\.env\.([A-Z_]+)/g)].map(([, name]) => name),
  )
  const known = new Set(read.filter((name) => name !== undefined && !OF_PROGRAMS.includes(name)))
  const named = new Set([...page.matchAll(/\b([A-Z]{2,}(?:_[A-Z]+)*)=|`(CHROMIUM)`/g)].map(([, set, other]) => set ?? other))
  t.same([...named].sort(), [...known].sort())
})

t.test('every file that it names is there', async (t) => {
  const files = [...page.matchAll(/`((?:healer|proxy|test|docs|policies|compose)\/[\w./-]+\.\w+)`/g)].flatMap(
    ([, file]) => file ?? [],
  )
  t.ok(files.length > 10)
  for (const file of files) if (!/NAME/.test(file)) t.ok(existsSync(file), file)
})
