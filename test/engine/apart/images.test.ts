// What is in the images, file by file, is what the lists in `../images` say; and what `npm run sbom` says of it. A change of a list is to be read before it is
// committed: UPDATE_LISTS=1 writes them anew.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { docker, imageOf } from '../support/composition.ts'
import { filesOf } from '../support/image.ts'

const IMAGES = ['proxy', 'healer', 'sample-app'] as const

/** Of Debian's packages and Node: not there where the base image was stripped of them. */
const LICENCE = /^\/usr\/share\/doc\/(?!node_modules)[^/]+(?:\/copyright)?$/
/** Shells, and what installs. */
const TOOLS = /^-.*\/(?:(?:ba|da|a)?sh|apt|apt-get|dpkg|npm|npx|corepack|yarn|busybox)$/

type Bom = {
  readonly bomFormat: string
  readonly metadata: { readonly component: { readonly name: string } }
  readonly components: readonly { readonly name: string; readonly version: string; readonly purl: string }[]
}

if (process.env.IMAGES_BUILT !== '1') await docker('compose', '-f', 'compose/compose.yaml', 'build', '--quiet', ...IMAGES)

/** `drwxr-xr-x 0/0 /app`, a line for each; the places of libraries as on amd64. */
async function listOf(name: (typeof IMAGES)[number]): Promise<string> {
  const files = (await filesOf(imageOf(name))).filter(({ path }) => !LICENCE.test(path))
  const lines = files.map(({ path, mode, owner }) => ({ path, line: `${mode} ${owner} ${path}\n` }))
  return lines
    .sort((one, other) => (one.path < other.path ? -1 : 1))
    .map(({ line }) => line)
    .join('')
}

for (const name of IMAGES) {
  await t.test(
    `${name}: each file, its owner and its mode, is on the list`,
    { skip: process.arch === 'x64' ? false : 'the lists are of amd64' },
    async (t) => {
      const list = `test/engine/images/${name}.txt`
      const found = await listOf(name)
      if (process.env.UPDATE_LISTS === '1') writeFileSync(list, found)
      t.equal(found, readFileSync(list, 'utf8'))
      const lines = found.trim().split('\n')
      const odd = lines.filter((line) => !/^(?:d..[x-]..[xs-]..[x-]|-..[x-]..[x-]..[x-]) /.test(line) || /^.{8}w/.test(line))
      t.same(odd, [], 'directories and files, none with the rights of another, none for the world to write')
      t.same(
        lines.filter((line) => TOOLS.test(line)),
        [],
      )
    },
  )
}

for (const name of ['proxy', 'healer'] as const) {
  await t.test(`${name}: what npm run sbom lists is what is in it`, async (t) => {
    const bom = JSON.parse(
      execFileSync(process.execPath, ['--import=tsx', 'compose/sbom.ts', imageOf(name)], { encoding: 'utf8' }),
    ) as Bom
    t.match(bom, { bomFormat: 'CycloneDX', metadata: { component: { name: `postern-${name}` } } })
    const has = (kind: string) => bom.components.filter(({ purl }) => purl.startsWith(`pkg:${kind}/`))
    const files = (await filesOf(imageOf(name))).map(({ path }) => path)
    const debian = files.flatMap((path) => /^\/var\/lib\/dpkg\/status\.d\/(.+)$/.exec(path)?.[1] ?? [])
    t.same(
      has('deb')
        .map((each) => each.name)
        .sort(),
      debian.sort(),
    )
    t.ok(has('deb').some((each) => each.name === 'libc6' && /^2\.\d+/.test(each.version)))
    const manifests = readdirSync(`dist/packages/${name}`, { recursive: true, encoding: 'utf8' }).filter((file) =>
      file.endsWith('package.json'),
    )
    const used = manifests.map((file) => JSON.parse(readFileSync(`dist/packages/${name}/${file}`, 'utf8')))
    const named = (each: { name: string; version: string }) => `${each.name}@${each.version}`
    t.same(has('npm').map(named).sort(), used.map(named).sort())
    t.match(has('generic').map(named), [/^node@24\.\d+\.\d+$/])
  })
}
