// The fleet of containers that a healer is measured on, as a program of its own: the Docker API on a unix socket, and behind it one
// server that answers for every container, at an address of its own. Told of: the
// socket, how many there are, and the port. It answers `GET /noted`, and makes a container ill at `POST /containers/ID/ill`.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createTcpServer, type Socket } from 'node:net'
import type { Noted } from './fleet.ts'

const [socketPath = '', count = '0', port = '0'] = process.argv.slice(2)

const answer = (status: string, body: string) =>
  `HTTP/1.1 ${status}\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`
const WELL = answer('200 OK', 'ok')
const ILL = answer('503 Service Unavailable', 'ill')

type Container = {
  readonly id: string
  readonly name: string
  readonly address: string
  startedMs: number
  isIll: boolean
  lastProbedMs: number | undefined
  lastFailedMs: number | undefined
}

const containers: readonly Container[] = Array.from({ length: Number(count) }, (_, i) => ({
  id: (i + 1).toString(16).padStart(64, '0'),
  name: `shop-web-${i + 1}`,
  // The healer probes in networks of its own interfaces only, and all of 127.0.0.0/8 is one.
  address: `127.1.${Math.floor(i / 200)}.${(i % 200) + 1}`,
  // Up for hours, as most are.
  startedMs: Date.now() - 4 * 3_600_000 - i * 1000,
  isIll: false,
  lastProbedMs: undefined,
  lastFailedMs: undefined,
}))
const byId = new Map(containers.map((each) => [each.id, each]))
const byAddress = new Map(containers.map((each) => [each.address, each]))

const nothing = () => ({ probes: 0, gapsMs: [] as number[], restartsAfterMs: [] as number[], looks: 0, lists: 0 }) satisfies Noted
let noted = nothing()

function answerProbe(socket: Socket): void {
  socket.setNoDelay(true).on('error', () => socket.destroy())
  const container = byAddress.get(socket.localAddress ?? '')
  if (!container) return void socket.destroy()
  const nowMs = performance.now()
  noted.probes += 1
  if (container.lastProbedMs !== undefined) noted.gapsMs.push(nowMs - container.lastProbedMs)
  container.lastProbedMs = nowMs
  socket.once('data', () => {
    if (container.isIll) container.lastFailedMs = performance.now()
    socket.end(container.isIll ? ILL : WELL)
  })
}

type Answer = { readonly status: number; readonly body?: object }

function answerDocker({ method, url = '' }: IncomingMessage): Answer {
  const path = url.replace(/^\/v1\.\d+/, '').replace(/\?.*$/, '')
  if (path === '/_ping') return { status: 200, body: {} }
  if (path === '/version') return { status: 200, body: { Version: '26.1.5', ApiVersion: '1.45', MinAPIVersion: '1.24' } }
  if (path === '/containers/json') {
    noted.lists += 1
    return { status: 200, body: containers.map(listed) }
  }
  if (path === '/noted') {
    const told = noted
    noted = nothing()
    return { status: 200, body: told }
  }
  const [, id = '', action] = /^\/containers\/(\w+)\/(json|restart|ill)$/.exec(path) ?? []
  const container = byId.get(id)
  if (!container) return { status: 404, body: { message: `No such container: ${id}` } }
  if (action === 'json') {
    noted.looks += 1
    return { status: 200, body: inspected(container) }
  }
  if (method !== 'POST') return { status: 405, body: { message: 'a change is a POST' } }
  if (action === 'ill') container.isIll = true
  else noteRestart(container)
  return { status: 204 }
}

function noteRestart(container: Container): void {
  if (container.lastFailedMs !== undefined) noted.restartsAfterMs.push(performance.now() - container.lastFailedMs)
  container.isIll = false
  container.startedMs = Date.now()
}

const labelsOf = (name: string) => ({
  monitored: 'true',
  'healer.port': port,
  'healer.path': '/health',
  'com.docker.compose.project': 'shop',
  'com.docker.compose.service': name,
  'com.docker.compose.depends_on': '',
})

const listed = ({ id, name, address, startedMs }: Container) => ({
  Id: id,
  Names: [`/${name}`],
  ImageID: `sha256:${'3d4e'.repeat(16)}`,
  Created: 1_700_000_000,
  Ports: [{ PrivatePort: Number(port), Type: 'tcp' }],
  Labels: labelsOf(name),
  State: 'running',
  Status: upFor(Date.now() - startedMs),
  HostConfig: { NetworkMode: 'shop_default' },
  NetworkSettings: { Networks: { shop_default: { IPAddress: address, GlobalIPv6Address: '' } } },
  Mounts: [],
})

function upFor(ms: number): string {
  const [seconds, minutes, hours] = [Math.floor(ms / 1000), Math.floor(ms / 60_000), Math.round(ms / 3_600_000)]
  if (seconds < 1) return 'Up Less than a second'
  if (seconds < 60) return `Up ${seconds} second${seconds === 1 ? '' : 's'}`
  if (minutes < 60) return minutes === 1 ? 'Up About a minute' : `Up ${minutes} minutes`
  return hours === 1 ? 'Up About an hour' : `Up ${hours} hours`
}

const inspected = ({ id, name, startedMs }: Container) => ({
  Id: id,
  Name: `/${name}`,
  RestartCount: 0,
  State: {
    Status: 'running',
    Running: true,
    Paused: false,
    Restarting: false,
    OOMKilled: false,
    Dead: false,
    Pid: 4242,
    ExitCode: 0,
    Error: '',
    StartedAt: new Date(startedMs).toISOString(),
    FinishedAt: '0001-01-01T00:00:00Z',
  },
  Config: { Labels: labelsOf(name) },
  HostConfig: { AutoRemove: false, NetworkMode: 'shop_default' },
  Mounts: [],
})

createTcpServer(answerProbe).listen({ port: Number(port), host: '0.0.0.0', backlog: 4096 })
createServer({ keepAliveTimeout: 60_000 }, (request: IncomingMessage, response: ServerResponse) => {
  const { status, body } = answerDocker(request)
  response.writeHead(status, { 'content-type': 'application/json' }).end(body && JSON.stringify(body))
}).listen(socketPath)
