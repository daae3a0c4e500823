// Reads compose/compose.yaml for the embedded engine: the services that are built here, as plain processes would run them.
// The rest (other people's images) is named, not run.
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import * as z from 'zod'
import { type Image, readImage } from './dockerfile.ts'

export type Service = {
  readonly name: string
  readonly containerName: string
  readonly image: Image
  readonly imageName: string
  readonly labels: Readonly<Record<string, string>>
  /** Set values; a variable that is only named takes its value from the surrounding environment, if that has one. */
  readonly env: Readonly<Record<string, string>>
  readonly mounts: readonly Mount[]
  readonly port: { readonly container: number; readonly host: number; readonly variable: string } | undefined
  readonly dependsOn: readonly string[]
  readonly restart: 'no' | 'unless-stopped'
  /** Numeric supplementary groups. */
  readonly groups: readonly number[]
}

/** `source` is a path on this machine, or a volume's name. */
export type Mount = {
  readonly source: string
  readonly target: string
  readonly readOnly: boolean
  readonly kind: 'bind' | 'volume'
}

export type Project = { readonly name: string; readonly services: readonly Service[]; readonly notRun: readonly string[] }

const volumeSchema = z.union([
  z.string(),
  z.object({ type: z.enum(['bind', 'volume']), source: z.string(), target: z.string(), read_only: z.boolean().default(false) }),
])
const serviceSchema = z.object({
  build: z.object({ context: z.string(), dockerfile: z.string(), target: z.string() }).optional(),
  image: z.string(),
  container_name: z.string().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  environment: z.record(z.string(), z.string().nullable()).default({}),
  volumes: z.array(volumeSchema).default([]),
  secrets: z.array(z.union([z.string(), z.object({ source: z.string(), target: z.string() })])).default([]),
  ports: z.array(z.string()).default([]),
  depends_on: z.union([z.array(z.string()), z.record(z.string(), z.unknown()).transform((map) => Object.keys(map))]).default([]),
  restart: z.enum(['no', 'unless-stopped']).default('no'),
  group_add: z.array(z.string()).default([]),
})
const projectSchema = z.object({
  name: z.string(),
  services: z.record(z.string(), serviceSchema),
  secrets: z.record(z.string(), z.object({ file: z.string() })).default({}),
})

/** Reads `file` with the variables of `env`. Throws where it holds what this reader does not know. */
export function readProject(file: string, env: Readonly<Record<string, string | undefined>>): Project {
  const { name, services, secrets } = projectSchema.parse(parse(readFileSync(file, 'utf8'), { merge: true }))
  const secretMounts = (given: z.infer<typeof serviceSchema>['secrets']) =>
    given.map((secret): Mount => {
      const { source, target } = typeof secret === 'string' ? { source: secret, target: secret } : secret
      const path = interpolate(secrets[source]?.file ?? '', env)
      return { source: resolve(dirname(file), path), target: `/run/secrets/${target}`, readOnly: true, kind: 'bind' }
    })
  const built = Object.entries(services).flatMap(([service, given]) => {
    if (!given.build) return []
    const dockerfile = resolve(dirname(file), given.build.context, given.build.dockerfile)
    const image = readImage(readFileSync(dockerfile, 'utf8'), given.build.target)
    const variables = Object.entries(given.environment).map(
      ([key, value]) => [key, value === null ? env[key] : interpolate(value, env)] as const,
    )
    return [
      {
        name: service,
        containerName: given.container_name ?? `${name}-${service}-1`,
        image,
        imageName: interpolate(given.image, env),
        labels: { ...given.labels, 'com.docker.compose.project': name, 'com.docker.compose.service': service },
        env: Object.fromEntries(variables.filter((entry): entry is [string, string] => entry[1] !== undefined)),
        mounts: [...given.volumes.map((volume) => readMount(volume, dirname(file), env)), ...secretMounts(given.secrets)],
        port: given.ports[0] === undefined ? undefined : readPort(given.ports[0], env),
        dependsOn: given.depends_on,
        restart: given.restart,
        groups: given.group_add.map(Number),
      },
    ]
  })
  return { name, services: built, notRun: Object.keys(services).filter((service) => !services[service]?.build) }
}

/** `${NAME}`, `${NAME:-default}` and `${NAME:+instead}`, as compose has them. */
function interpolate(text: string, env: Readonly<Record<string, string | undefined>>): string {
  return text.replace(/\$\{(\w+)(?::([-+])([^}]*))?\}/g, (_all, name: string, sign?: string, other = '') =>
    sign === '+' ? (env[name] ? other : '') : env[name] || other,
  )
}

function readMount(
  volume: z.infer<typeof volumeSchema>,
  directory: string,
  env: Readonly<Record<string, string | undefined>>,
): Mount {
  if (typeof volume === 'string') {
    const [source = '', target = '', mode] = interpolate(volume, env).split(':')
    return { source, target, readOnly: mode === 'ro', kind: 'volume' }
  }
  const { type, target, read_only: readOnly } = volume
  const source = interpolate(volume.source, env)
  return { source: type === 'bind' ? resolve(join(directory, '.'), source) : source, target, readOnly, kind: type }
}

/** `127.0.0.1:${SAMPLE_APP_PORT:-8080}:8080`. */
function readPort(text: string, env: Readonly<Record<string, string | undefined>>): NonNullable<Service['port']> {
  const [, host = '', container] = interpolate(text, env).split(':')
  return { host: Number(host), container: Number(container), variable: /\$\{(\w+)/.exec(text)?.[1] ?? '' }
}
