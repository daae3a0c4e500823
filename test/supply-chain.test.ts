// What is shipped of others' code: each package is on the page that says why, has a licence that is allowed and a hash, and needs nothing run to be
// installed; and no program holds what it is not to hold.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { firstColumn, readPage, tableRows, words } from './support/pages.ts'

type Locked = {
  readonly version: string
  readonly integrity?: string
  readonly resolved?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly hasInstallScript?: boolean
}
type Manifest = { readonly name: string; readonly license?: string; readonly licenses?: readonly { readonly type: string }[] }

const read = (path: string) => JSON.parse(readFileSync(path, 'utf8'))
const { dependencies } = read('package.json') as { dependencies: Record<string, string> }
const locked = Object.entries((read('package-lock.json') as { packages: Record<string, Locked> }).packages).filter(
  ([path]) => path !== '',
)
const production = locked.filter(([, { dev }]) => dev !== true)
const page = readPage('decisions/0020-production-dependencies.md')
const PROGRAMS = ['proxy', 'healer', 'sample-app'] as const

/** Those that ask for nothing but to be named, and their text kept with the code. */
const ALLOWED_LICENCES = ['Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', '0BSD', 'Unlicense']
/** Never run, as nothing is: .npmrc says so to everybody. Optional, or replaced by nothing in the programs. */
const WITH_INSTALL_SCRIPTS = ['cpu-features', 'protobufjs', 'ssh2']

const licenceOf = ({ license, licenses }: Manifest) => license ?? licenses?.map(({ type }) => type).join(' OR ')

/** The manifests of what is in a built program. */
function shippedIn(program: string): readonly Manifest[] {
  const directory = `dist/packages/${program}`
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('package.json'))
  return files.map((file) => read(join(directory, file)) as Manifest)
}

await t.test('the page has every production dependency, with its licence, and no other', async (t) => {
  t.same(firstColumn(page, 'What is shipped').sort(), Object.keys(dependencies).sort())
  for (const [name, , , , licence = ''] of tableRows(page, 'What is shipped')) {
    const [dependency = ''] = words(name)
    t.equal(licence.trim(), licenceOf(read(`node_modules/${dependency}/package.json`)), dependency)
  }
  const counts = /(\d+) are named; with what they bring, (\d+) packages are in the proxy, (\d+) in the healer/
    .exec(page)
    ?.slice(1)
  t.same(counts?.map(Number), [Object.keys(dependencies).length, shippedIn('proxy').length, shippedIn('healer').length])
})

await t.test('every package that production installs has a licence that is allowed', async (t) => {
  for (const [path, { optional }] of production) {
    if (optional && !existsSync(path)) continue
    const licence = licenceOf(read(`${path}/package.json`) as Manifest)
    t.ok(ALLOWED_LICENCES.includes(licence ?? ''), `${path}: ${licence}`)
  }
})

await t.test('every package of the lock file has a hash, and comes from the registry', async (t) => {
  for (const [path, { integrity = '', resolved }] of locked) {
    t.match(integrity, /^sha512-[\w+/]{86}==$/, path)
    t.notOk(resolved, `${path} names no place of its own`)
  }
})

await t.test('nothing that is installed needs a script run, and those who would run one are in no program', async (t) => {
  const scripted = production
    .filter(([, { hasInstallScript }]) => hasInstallScript)
    .map(([path]) => path.replace('node_modules/', ''))
  t.same(scripted.sort(), WITH_INSTALL_SCRIPTS)
  for (const program of PROGRAMS) {
    const names = shippedIn(program).map(({ name }) => name)
    for (const name of WITH_INSTALL_SCRIPTS) t.notOk(names.includes(name), `${program}: ${name}`)
  }
  const installs = ['compose/Dockerfile', '.github/workflows/ci.yml', '.github/workflows/release.yml'].flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => /\bnpm (?:ci|install|i)\b/.test(line)),
  )
  t.ok(installs.length > 2)
  for (const line of installs) t.match(line, /--ignore-scripts/)
})

await t.test('who installs without saying so runs none either, and no script of ours is left out by that', async (t) => {
  t.equal(execFileSync('npm', ['config', 'get', 'ignore-scripts'], { encoding: 'utf8' }).trim(), 'true')
  const { scripts } = read('package.json') as { scripts: Record<string, string> }
  t.same(
    Object.keys(scripts).filter((name) => name.replace(/^(?:pre|post)/, '') in scripts && /^(?:pre|post)/.test(name)),
    [],
  )
})

await t.test('every image that is pulled is named by a version, and docs/images.md says why not by a digest', async (t) => {
  const compose = readFileSync('compose/compose.yaml', 'utf8')
  const pulled = [...compose.matchAll(/^ +image: ([^$\s]+)$/gm)].map((match) => match[1] ?? '')
  const base = /^ARG NODE_IMAGE=(.*)$/m.exec(readFileSync('compose/Dockerfile', 'utf8'))?.[1] ?? ''
  t.same(firstColumn(readPage('images.md'), 'By version, not by digest').sort(), [base, ...pulled].sort())
  for (const image of [base, ...pulled]) t.match(image, /^[\w/-]+:v?\d[\w.-]*(?:@sha256:[0-9a-f]{64})?$/)
})
