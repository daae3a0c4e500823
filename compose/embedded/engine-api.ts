// The few operations of the Engine API that the healer needs, over process containers, on a unix socket. For trying and
// testing without Docker. What it does not do it refuses by name, with 501.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { inspectBody, listElement } from './describe.ts'
import type { ProcessContainer } from './process-container.ts'

const API_VERSION = '1.45'
const FILTERS = ['label', 'status', 'health'] as const

/** The server; `containers` gives those that there are at the moment. */
export function createEngineServer(containers: () => readonly ProcessContainer[]): Server {
  return createServer((request, response) => {
    request.resume()
    answer(request, response, containers()).catch((error: unknown) => send(response, 500, { message: (error as Error).message }))
  })
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  containers: readonly ProcessContainer[],
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://engine')
  const path = url.pathname.replace(/^\/v1\.\d+(?=\/)/, '')
  const asked = `${request.method} ${path}`
  if (asked === 'GET /_ping' || asked === 'HEAD /_ping') {
    response
      .writeHead(200, { 'api-version': API_VERSION, 'content-type': 'text/plain; charset=utf-8' })
      .end(request.method === 'GET' ? 'OK' : undefined)
    return
  }
  if (asked === 'GET /version') return send(response, 200, version())
  if (asked === 'GET /containers/json') return list(response, url.searchParams, containers)

  const [, ref = '', action] = /^\/containers\/([^/]+)\/(json|restart)$/.exec(path) ?? []
  const method = action === 'json' ? 'GET' : 'POST'
  if (action === undefined || request.method !== method) {
    return send(response, 501, { message: `the embedded engine does not do ${asked}; it is for trying Postern without Docker` })
  }
  const container = find(ref, containers)
  if (!container) return send(response, 404, { message: `No such container: ${ref}` })
  if (action === 'json') return send(response, 200, inspectBody(container))
  const t = url.searchParams.get('t')
  try {
    await container.restart(t === null ? undefined : Number(t) * 1000)
    response.writeHead(204).end()
  } catch (error) {
    send(response, 500, { message: `Cannot restart container ${ref}: ${(error as Error).message}` })
  }
}

function version(): object {
  const arch = process.arch === 'x64' ? 'amd64' : process.arch
  return {
    Version: 'embedded',
    ApiVersion: API_VERSION,
    MinAPIVersion: '1.24',
    Os: process.platform,
    Arch: arch,
    GoVersion: '',
    GitCommit: '',
  }
}

function list(response: ServerResponse, query: URLSearchParams, containers: readonly ProcessContainer[]): void {
  const filters = readFilters(query.get('filters'))
  if (typeof filters === 'string') {
    send(response, 400, { message: filters })
    return
  }
  const all = ['1', 'true'].includes(query.get('all') ?? '') || filters.has('status')
  const shown = containers.filter(
    (container) => (all || container.state === 'running' || container.state === 'restarting') && matches(container, filters),
  )
  send(response, 200, shown.map(listElement))
}

/** What is wrong, as a sentence, where they are no filters that it knows. */
function readFilters(text: string | null): ReadonlyMap<string, readonly string[]> | string {
  if (text === null || text === '') return new Map()
  try {
    const given = Object.entries(JSON.parse(text) as Record<string, string[] | Record<string, boolean>>)
    const unknown = given.find(([name]) => !FILTERS.some((known) => known === name))
    if (unknown) return `invalid filter '${unknown[0]}'`
    return new Map(given.map(([name, values]) => [name, Array.isArray(values) ? values : Object.keys(values)]))
  } catch {
    return 'invalid filters: not JSON'
  }
}

/** Kinds and labels must all hold, of the values of other kinds any. */
function matches({ spec, state, health }: ProcessContainer, filters: ReadonlyMap<string, readonly string[]>): boolean {
  const any = (name: string, value: string) => filters.get(name)?.includes(value) ?? true
  const labels = filters.get('label') ?? []
  const hasLabel = (label: string) => {
    const equals = label.indexOf('=')
    return equals < 0 ? Object.hasOwn(spec.labels, label) : spec.labels[label.slice(0, equals)] === label.slice(equals + 1)
  }
  return labels.every(hasLabel) && any('status', state) && any('health', health?.status ?? 'none')
}

function find(ref: string, containers: readonly ProcessContainer[]): ProcessContainer | undefined {
  const exact = containers.find(({ id, spec }) => id === ref || spec.name === ref)
  const [byPrefix, ...others] = containers.filter(({ id }) => id.startsWith(ref))
  return exact ?? (others.length === 0 ? byPrefix : undefined)
}

function send(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}
