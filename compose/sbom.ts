// `npm run sbom -- IMAGE`: lists, as CycloneDX, what is in a built image: Node, and each package of Debian's and of npm's that the image has an entry
// of. Takes Docker. Starts the image once, to ask Node for its version; changes nothing.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

type Component = {
  readonly type: 'library' | 'platform'
  readonly name: string
  readonly version: string
  readonly purl: string
  readonly cpe?: string
  readonly licenses?: readonly { readonly expression: string }[]
}

const docker = (...args: readonly string[]) =>
  execFileSync('docker', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })

const [image] = process.argv.slice(2)
if (image === undefined) {
  process.stderr.write('name an image: npm run sbom -- postern-proxy:0.1.0\n')
  process.exit(2)
}
try {
  process.stdout.write(`${JSON.stringify(describe(image), null, 2)}\n`)
} catch (error) {
  // Docker has said what is wrong.
  process.stderr.write(`${image} cannot be described: ${(error as Error).message.split('\n')[0]}\n`)
  process.exitCode = 1
}

function describe(image: string) {
  const [{ Id, Architecture, Config }] = JSON.parse(docker('image', 'inspect', image)) as [
    { Id: string; Architecture: string; Config: { Labels?: Record<string, string> } },
  ]
  const label = (key: string) => Config.Labels?.[`org.opencontainers.image.${key}`]
  const node = docker('run', '--rm', '--network', 'none', '--entrypoint', 'node', image, '--version').trim().slice(1)
  const components = [describeNode(node), ...fromFiles(image, Architecture)]
  return {
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    version: 1,
    metadata: {
      component: { type: 'container', name: label('title') ?? image, version: label('version') ?? Id, hashes: hashOf(Id) },
    },
    components: components.sort((one, other) => one.purl.localeCompare(other.purl, 'en')),
  }
}

function hashOf(id: string) {
  return [{ alg: 'SHA-256', content: id.replace(/^sha256:/, '') }]
}

function describeNode(version: string): Component {
  const cpe = `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`
  return { type: 'platform', name: 'node', version, purl: `pkg:generic/node@${version}`, cpe }
}

/** What the image says of the packages in it. */
function fromFiles(image: string, architecture: string): Component[] {
  const directory = mkdtempSync(join(tmpdir(), 'postern-sbom-'))
  const container = docker('create', image).trim()
  try {
    for (const path of ['/var/lib/dpkg/status.d', '/usr/share/doc/node_modules']) docker('cp', `${container}:${path}`, directory)
    const packages = join(directory, 'node_modules')
    const manifests = readdirSync(packages, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('package.json'))
    return [
      ...readdirSync(join(directory, 'status.d')).map((file) =>
        ofDebian(readFileSync(join(directory, 'status.d', file), 'utf8'), architecture),
      ),
      ...manifests.map((file) => ofNpm(readFileSync(join(packages, file), 'utf8'))),
    ]
  } finally {
    docker('rm', container)
    rmSync(directory, { recursive: true, force: true })
  }
}

function ofDebian(status: string, architecture: string): Component {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(status)?.[1] ?? ''
  const [name, version] = [field('Package'), field('Version')]
  const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}&distro=debian-12`
  return { type: 'library', name, version, purl }
}

function ofNpm(manifest: string): Component {
  const { name, version, license } = JSON.parse(manifest) as { name: string; version: string; license?: string }
  const purl = `pkg:npm/${name.replace(/^@/, '%40')}@${version}`
  return { type: 'library', name, version, purl, ...(license ? { licenses: [{ expression: license }] } : {}) }
}
