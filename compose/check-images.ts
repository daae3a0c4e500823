// `npm run check:images`: builds each image twice, from the beginning and in another directory, and says whether both are the same, bit by bit.
// Takes Docker with BuildKit, and minutes. What follows `--` goes to `docker build`. Leaves no image behind.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

const TARGETS = ['proxy', 'healer', 'sample-app'] as const
const NOT_BUILT_FROM = ['node_modules', '.git', '.tap', 'dist']

type Image = { readonly Id: string; readonly RootFS: { readonly Layers: readonly string[] } }

const docker = (...args: readonly string[]) =>
  execFileSync('docker', args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    // Some time, the same for both; a release has its commit's.
    env: { ...process.env, DOCKER_BUILDKIT: '1', SOURCE_DATE_EPOCH: process.env.SOURCE_DATE_EPOCH ?? '1' },
  })

/** Builds all from the source in `directory`; each image by its target. */
function buildAll(directory: string): ReadonlyMap<string, Image> {
  // The first from nothing; the others take the stages that all have in common from it.
  return new Map(TARGETS.map((target, i) => [target, build(directory, target, i === 0 ? ['--no-cache'] : [])]))
}

function build(directory: string, target: string, args: readonly string[]): Image {
  const tag = `postern-check-images:${target}`
  const file = join(directory, 'compose/Dockerfile')
  docker('build', '--quiet', '--file', file, '--target', target, '--tag', tag, ...args, ...process.argv.slice(2), directory)
  try {
    const [image] = JSON.parse(docker('image', 'inspect', tag)) as [Image]
    return image
  } finally {
    docker('image', 'rm', tag)
  }
}

const copy = mkdtempSync(join(tmpdir(), 'postern-check-images-'))
try {
  cpSync('.', copy, { recursive: true, filter: (path) => !NOT_BUILT_FROM.includes(basename(path)) })
  const [first, second] = [buildAll('.'), buildAll(copy)]
  for (const target of TARGETS) {
    const [one, other] = [first.get(target), second.get(target)]
    const same = one?.Id === other?.Id
    const layers = one?.RootFS.Layers.filter((layer, i) => layer !== other?.RootFS.Layers[i]) ?? []
    process.stdout.write(
      `${target}: ${same ? `the same both times, ${one?.Id}` : `not the same: ${layers.join(', ') || 'its configuration'} differs`}\n`,
    )
    if (!same) process.exitCode = 1
  }
} finally {
  rmSync(copy, { recursive: true, force: true })
}
