// docs/threat-model.md is held to the tests: each that it names is there, and each class of attacks that is played has its row.
import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { hostileRequests } from './engine/support/hostile-requests.ts'
import { readPage, tableRows } from './support/pages.ts'

const page = readPage('threat-model.md')

/** All classes, of which some are tried otherwise than by requests. */
const CLASSES = [
  ...Object.keys(hostileRequests({ seen: 'a', stopped: 'b', hidden: 'c', proxy: 'd' })),
  ...['time of check, time of use', 'policy that fails open'],
]

await t.test('every class of attacks is on the page, and has a test', (t) => {
  const rows = tableRows(page, 'The healer, taken over')
  t.same(rows.map(([name = '']) => name.trim()).sort(), CLASSES.sort())
  for (const row of rows) t.match(row.at(-1), /`test\/proxy\/[a-z-]+\.test\.ts`/, `${row[0]}`)
  t.end()
})

await t.test('every test that the page names is there, by its file and its words', (t) => {
  const named = [...page.matchAll(/`(test\/[a-z/-]+\.test\.ts)`(?: “([^”]+)”)?/g)]
  t.ok(named.length > 50)
  for (const [, file = '', words = ''] of named) {
    t.ok(existsSync(file), file)
    if (existsSync(file)) t.ok(readFileSync(file, 'utf8').includes(words), `${file}: ${words}`)
  }
  t.notOk(page.includes('test.ts“'), 'words stand one blank after their file')
  t.end()
})

await t.test('a row without a test is one of what can be done', (t) => {
  for (const table of [0, 1])
    for (const row of tableRows(page, 'The healer, taken over', table))
      if (row.at(-1)?.trim() === '') t.match(row[1], /^ it can/, `${row[0]}`)
  for (const row of tableRows(page, 'A hostile container')) t.match(row.at(-1), '.test.ts`', `${row[0]}`)
  t.end()
})
