// What GitHub runs is held to what is here, since nothing but GitHub runs it: names, targets and the version exist, every action is pinned to a
// commit, and only the job that pushes an image may write anything.
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { readImage } from '../compose/embedded/dockerfile.ts'
import { readPage } from './support/pages.ts'

type Step = { readonly uses?: string; readonly run?: string; readonly with?: Readonly<Record<string, unknown>> }
type Job = {
  readonly uses?: string
  readonly needs?: readonly string[]
  readonly permissions?: Readonly<Record<string, string>>
  readonly steps?: readonly Step[]
  readonly strategy?: { readonly matrix: Readonly<Record<string, readonly string[]>> }
}
type Workflow = { readonly permissions: Readonly<Record<string, string>>; readonly jobs: Readonly<Record<string, Job>> }

const FOLDER = '.github/workflows'
const texts = new Map(readdirSync(FOLDER).map((name) => [name, readFileSync(`${FOLDER}/${name}`, 'utf8')]))
const workflow = (name: string) => parse(texts.get(name) ?? '') as Workflow
const stepsOf = (name: string) => Object.values(workflow(name).jobs).flatMap(({ steps = [] }) => steps)
const { scripts, version } = JSON.parse(readFileSync('package.json', 'utf8'))

await t.test('every action is pinned to a commit, with its version beside it', async (t) => {
  for (const [name, text] of texts) {
    const uses = [...text.matchAll(/^.*\buses: (.*)$/gm)].map((match) => match[1] ?? '')
    t.ok(uses.length > 0, name)
    for (const used of uses)
      t.match(used, /^(?:\.\/\.github\/workflows\/\w+\.yml|[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$/, used)
  }
})

await t.test('nothing may be written but by the job that pushes an image, which keeps no credentials in its tree', async (t) => {
  for (const name of texts.keys()) {
    const { permissions, jobs } = workflow(name)
    t.same(permissions, { contents: 'read' }, name)
    for (const [id, job] of Object.entries(jobs)) {
      const writes = Object.entries(job.permissions ?? {}).flatMap(([what, right]) => (right === 'write' ? [what] : []))
      t.same(writes, id === 'image' ? ['packages', 'id-token', 'attestations'] : [], `${name}: ${id}`)
    }
    for (const step of stepsOf(name).filter(({ uses }) => uses?.startsWith('actions/checkout@')))
      t.equal(step.with?.['persist-credentials'], false, name)
  }
})

await t.test('what they run of npm exists', async (t) => {
  for (const name of texts.keys()) {
    const runs = stepsOf(name).map(({ run = '' }) => run)
    for (const script of runs.flatMap((run) => [...run.matchAll(/npm run ([\w:-]+)/g)].map((match) => match[1] ?? '')))
      t.ok(script in scripts, script)
  }
})

await t.test(
  'a release is checked first, makes every image for both platforms, lists what is in it and signs how it was made',
  async (t) => {
    const { check, packages, image } = workflow('release.yml').jobs
    t.equal(check?.uses, './.github/workflows/ci.yml')
    t.same(image?.needs, ['check', 'packages'])
    for (const command of ['npm audit', 'npm audit signatures'])
      t.ok(
        packages?.steps?.some(({ run }) => run === command),
        command,
      )
    const dockerfile = readFileSync('compose/Dockerfile', 'utf8')
    const targets = [...dockerfile.matchAll(/^FROM runtime AS (\S+)$/gm)].map((match) => match[1])
    t.same(image?.strategy?.matrix.image, targets)
    for (const target of targets) t.ok(readImage(dockerfile, target ?? '').command.length > 0)
    const [push] = (image?.steps ?? []).filter(({ uses }) => uses?.startsWith('docker/build-push-action@'))
    t.match(push?.with, {
      file: 'compose/Dockerfile',
      platforms: 'linux/amd64,linux/arm64',
      push: true,
      sbom: true,
      provenance: 'mode=max',
    })
    const given = `${push?.with?.['build-args']}`.split('\n').flatMap((line) => /^(\w+)=/.exec(line)?.[1] ?? [])
    t.same(given.sort(), [...dockerfile.matchAll(/^ARG (\w+)=/gm)].map((match) => match[1]).sort())
  },
)

await t.test('nothing that makes the images is of one platform', async (t) => {
  for (const file of ['compose/Dockerfile', 'compose/image-files.sh'])
    t.notMatch(readFileSync(file, 'utf8'), /amd64|x86_64|arm64|aarch64/, file)
})

await t.test('the version is the same wherever it stands', async (t) => {
  const places: readonly (readonly [string, RegExp])[] = [
    ['proxy/version.ts', /VERSION = '(.*)'/],
    ['healer/main.ts', /version\('([^']*)'/],
    ['compose/Dockerfile', /^ARG VERSION=(.*)$/m],
    ['compose/compose.yaml', /-healer:\$\{POSTERN_VERSION:-(.*)\}/],
    ['docs/compose.md', /\| `POSTERN_VERSION` \| `(.*?)`/],
    ['docs/images.md', /Labels}}' postern-proxy:(.*)$/m],
    ['docs/runbook.md', /postern-proxy:(\S+) check/],
    ['docs/policies.md', /-proxy:\$\{POSTERN_VERSION:-(.*)\}/],
  ]
  for (const [file, where] of places) {
    t.equal(where.exec(readFileSync(file, 'utf8'))?.[1], version, file)
    t.match(readPage('releasing.md'), `\`${file}\``)
  }
})
