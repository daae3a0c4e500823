// docs/faults.md is held to the tests: each fault names one that exists, and each file of tests of faults is named.
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { readPage, tableRows } from './support/pages.ts'

const page = readPage('faults.md')
const SECTIONS = ['Of Postern itself', 'Of what it depends on', 'Of what it heals']
const rows = SECTIONS.flatMap((heading) => tableRows(page, heading))

await t.test('each fault has a test, which has those words for its title', async (t) => {
  t.ok(rows.length > 20)
  for (const [fault = '', , shown = ''] of rows) {
    const named = [...shown.matchAll(/`(test\/\S+\.ts)`: “([^”]+)”/g)]
    t.ok(named.length > 0, fault)
    for (const [, file = '', title = ''] of named) t.ok(readFileSync(file, 'utf8').includes(title), `${file}: ${title}`)
  }
})

await t.test('each file of tests of faults is on the page', async (t) => {
  const files = readdirSync('test/faults').filter((name) => name.endsWith('.test.ts'))
  t.ok(files.length > 3)
  for (const file of files) t.ok(page.includes(`\`test/faults/${file}\``), file)
})
