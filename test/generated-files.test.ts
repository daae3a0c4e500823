// The files that are made from the code are what the code makes, and editors are told by them what the proxy will say.
import { readdirSync, readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import t from 'tap'
import { parse, parseDocument } from 'yaml'
import { renderGeneratedFiles } from '../compose/generated-files.ts'

await t.test('each is what `npm run generate` writes', async (t) => {
  for (const [path, text] of renderGeneratedFiles()) t.equal(readFileSync(path, 'utf8'), text, path)
})

const validate = new Ajv({ allErrors: true }).compile(JSON.parse(readFileSync('policies/policy.schema.json', 'utf8')))
const yamlFiles = (folder: string) => readdirSync(folder).filter((name) => name.endsWith('.yaml'))

await t.test('the JSON Schema takes every policy that ships, each of which names it in its first line', async (t) => {
  for (const name of yamlFiles('policies')) {
    const text = readFileSync(`policies/${name}`, 'utf8')
    t.match(text, /^# yaml-language-server: \$schema=\.\/policy\.schema\.json\n/, name)
    t.ok(validate(parse(text)), `${name}: ${JSON.stringify(validate.errors)}`)
  }
})

/** What a JSON Schema cannot say: the proxy alone tells of these. */
const BEYOND_JSON_SCHEMA = [
  'a-condition-with-no-label-in-labels',
  'a-budget-without-a-limit',
  'a-selector-with-no-label-in-labels',
  'an-empty-condition',
  'an-empty-selector',
  'a-range-the-wrong-way-round',
  'a-label-that-javascript-has-its-own-use-for',
  'a-test-that-expects-both',
  'a-test-that-expects-nothing',
  'an-operation-that-amounts-to-root',
  'an-operation-named-as-root-and-not-allowed',
  'a-filter-on-what-is-not-shown',
  'a-rename-where-the-scope-goes-by-names',
  'a-key-that-is-a-map',
]

await t.test('the JSON Schema refuses every policy that the proxy refuses, as far as one can say it', async (t) => {
  const folder = 'test/proxy/invalid-policies'
  for (const name of yamlFiles(folder)) {
    const mistake = name.replace('.yaml', '')
    const text = readFileSync(`${folder}/${name}`, 'utf8')
    // Mistakes of YAML are found before any schema; those of fields are for the proxy.
    const document = parseDocument(text)
    const expected = readFileSync(`${folder}/${mistake}.txt`, 'utf8')
    if (
      document.errors.length > 0 ||
      /no field of the answer|aliases|given twice|Unresolved/.test(expected) ||
      BEYOND_JSON_SCHEMA.includes(mistake)
    )
      continue
    t.notOk(validate(document.toJS()), mistake)
  }
})
