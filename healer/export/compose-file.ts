// The services of a compose file that opted in, best from `docker compose config`, which has resolved it. Resolves nothing by itself:
// where that would matter it says so instead of taking the file for something else.
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import { parse } from 'yaml'
import * as z from 'zod'
import { parseDuration } from '../settings/duration.ts'
import { optedIn } from '../settings/labels.ts'
import type { Healthcheck, Service } from './service.ts'

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]).transform((value) => String(value ?? ''))
const port = z.union([
  z.string(),
  z.number(),
  z.object({ target: z.union([z.string(), z.number()]), protocol: z.string().optional() }),
])
const healthcheckSchema = z.object({
  test: z.union([z.string(), z.array(scalar)]).optional(),
  interval: scalar.optional(),
  timeout: scalar.optional(),
  retries: z.coerce.number().int().min(1).optional(),
  start_period: scalar.optional(),
  disable: z.boolean().optional(),
})
const serviceSchema = z.object({
  labels: z.union([z.record(z.string(), scalar), z.array(z.string())]).nullish(),
  expose: z.array(z.union([z.string(), z.number()])).nullish(),
  ports: z.array(port).nullish(),
  healthcheck: healthcheckSchema.nullish(),
  network_mode: z.string().nullish(),
  extends: z.unknown().optional(),
})
const fileSchema = z.object({
  name: z.string().optional(),
  include: z.unknown().optional(),
  services: z.record(z.string(), z.unknown()),
})

const CURE = 'give the output of `docker compose config` instead'

/** `-` is standard input. Rejects as `parseComposeFile` throws. */
export async function readComposeFile(file: string): Promise<readonly Service[]> {
  if (file === '-') return parseComposeFile(await text(process.stdin), 'standard input')
  const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${file} cannot be read: ${error.code}`)
  })
  return parseComposeFile(content, file)
}

/** Reads `content`, which came from `file`. Throws an error that names the place and what to do. */
export function parseComposeFile(content: string, file: string): readonly Service[] {
  const { name: project, include, services } = read(fileSchema, parseYaml(content, file), file, [])
  if (include !== undefined) throw new Error(`${file}: include: names other files; ${CURE}`)
  return Object.entries(services).flatMap(([name, element]) => {
    const at = ['services', name]
    const { extends: base, ...found } = read(serviceSchema, element, file, at)
    if (base !== undefined) throw new Error(`${file}: ${at.join('.')}.extends: names another service; ${CURE}`)
    const labels = labelsOf(found.labels)
    if (!optedIn(labels)) return []
    const ports = [...(found.expose ?? []), ...(found.ports ?? [])]
    const tcpPorts = [...new Set(ports.flatMap((each) => readPort(each, file, [...at, 'ports'])))]
    const sharesNetwork = /^(?:service|container):/.test(found.network_mode ?? '')
    const healthcheck = readHealthcheck(resolved(found.healthcheck, file, [...at, 'healthcheck']), file, at)
    return [{ name, project, labels: resolved(labels, file, [...at, 'labels']), tcpPorts, sharesNetwork, healthcheck }]
  })
}

function parseYaml(content: string, file: string): unknown {
  try {
    return parse(content, { merge: true })
  } catch (error) {
    throw new Error(`${file}: no YAML: ${(error as Error).message.split('\n')[0]}`)
  }
}

function read<T>(schema: z.ZodType<T>, element: unknown, file: string, at: readonly string[]): T {
  const result = schema.safeParse(element)
  if (result.success) return result.data
  const [issue] = result.error.issues
  const place = [...at, ...(issue?.path ?? [])].join('.')
  throw new Error(
    `${file}: ${place === '' ? '' : `${place}: `}not as a compose file has it (${issue?.message}); does docker compose take it?`,
  )
}

/** With `$$` as the `$` that it stands for, as compose has it. */
function resolved<T>(value: T, file: string, at: readonly string[]): T {
  if (typeof value === 'string') {
    if (/\$(?!\$)/.test(value.replaceAll('$$', '')))
      throw new Error(`${file}: ${at.join('.')}: “${value}” has a variable; ${CURE}`)
    return value.replaceAll('$$', '$') as T
  }
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, each]) => [key, resolved(each, file, [...at, key])] as const)
  return (Array.isArray(value) ? entries.map(([, each]) => each) : Object.fromEntries(entries)) as T
}

function labelsOf(labels: z.infer<typeof serviceSchema>['labels']): Readonly<Record<string, string>> {
  if (!Array.isArray(labels)) return labels ?? {}
  return Object.fromEntries(labels.map((label) => [label.split('=')[0] ?? '', label.split('=').slice(1).join('=')]))
}

/** The ports inside the container; none of UDP. Those on the host may be variables. */
function readPort(given: z.infer<typeof port>, file: string, at: readonly string[]): readonly number[] {
  const text = typeof given === 'object' ? `${given.target}/${given.protocol ?? 'tcp'}` : String(given)
  const [, first, last, protocol = 'tcp'] = /(?:^|:)(\d{1,5})(?:-(\d{1,5}))?(?:\/(\w+))?$/.exec(text) ?? []
  if (first === undefined) resolved(text, file, at)
  if (first === undefined || protocol !== 'tcp') return []
  const count = Math.max(0, Number(last ?? first) - Number(first)) + 1
  return Array.from({ length: count }, (_, index) => Number(first) + index)
}

function readHealthcheck(
  given: z.infer<typeof healthcheckSchema> | null | undefined,
  file: string,
  at: readonly string[],
): Service['healthcheck'] {
  if (given?.disable) return 'none'
  if (given?.test === undefined) return given ? 'hidden' : 'not-given'
  const [how = '', ...rest] = typeof given.test === 'string' ? ['CMD-SHELL', given.test] : given.test
  if (how === 'NONE') return 'none'
  const duration = (key: 'interval' | 'timeout' | 'start_period', byDefault: number) => {
    const found = given[key] === undefined ? byDefault : parseDuration(given[key])
    if (found === undefined)
      throw new Error(`${file}: ${[...at, 'healthcheck', key].join('.')}: “${given[key]}” is no duration such as 1m30s`)
    return found
  }
  return {
    command: how === 'CMD-SHELL' ? ['/bin/sh', '-c', ...rest] : rest,
    intervalMs: duration('interval', 30_000),
    timeoutMs: duration('timeout', 30_000),
    retries: given.retries ?? 3,
    startPeriodMs: duration('start_period', 0),
  } satisfies Healthcheck
}
