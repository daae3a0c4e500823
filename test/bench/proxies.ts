// The proxies that are measured, each before the same stub Engine: Postern as it ships, and its peers as far as they are installed.
import { chmodSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { Pool } from 'undici'
import { freePort } from '../support/free-port.ts'
import { builtProgram, imageFlags } from '../support/programs.ts'
import { found, startOn } from './machine.ts'
import { type Stage, type Started, untilListening } from './started.ts'
import { inspectAnswer, listAnswer } from './stub-containers.ts'

/** A proxy that is up, and the process that does its work. */
export type MeasuredProxy = { readonly name: string; readonly url: string; readonly pid: number }

/** What stands behind every proxy. */
export type Upstream = {
  readonly socketPath: string
  readonly pid: number
  /** How many requests have come so far. */
  readonly requests: () => Promise<number>
}

/**
 * Starts an Engine on the other core that answers at once: nginx with answers by heart, so that what is measured is whoever stands
 * before it. Throws where nginx is not installed.
 */
export async function startStub(stage: Stage): Promise<Upstream> {
  const nginx = found('nginx')
  if (nginx === undefined) throw new Error('nginx is not installed, which plays the Engine: apt-get install nginx-light')
  const socketPath = join(stage.directory, 'engine.sock')
  const answer = (path: string, status: number, text: string) =>
    `location ~ ^(/v1[.][0-9]+)?${path}$ { ${returns(status, text)} }`
  const version = { Version: '26.1.5', ApiVersion: '1.45', MinAPIVersion: '1.24', Os: 'linux', Arch: 'amd64' }
  const server = `listen unix:${socketPath};
    default_type application/json;
    keepalive_requests 1000000000;
    keepalive_timeout 1h;
    location = /counted { stub_status; }
    ${answer('/_ping', 200, 'OK')}
    ${answer('/version', 200, JSON.stringify(version))}
    ${answer('/containers/json', 200, listAnswer())}
    ${answer('/containers/[^/]+/json', 200, inspectAnswer())}
    ${answer('/containers/[^/]+/restart', 204, '')}`
  const { pid } = stage.keep(
    startOn('other', [nginx, '-e', '/dev/null', '-c', stage.file('stub.conf', nginxConfig(stage, server))]),
  )
  await untilListening(socketPath)
  // The proxy runs as nobody.
  chmodSync(socketPath, 0o777)
  const asking = new Pool('http://engine', { socketPath })
  stage.atEnd(() => asking.close())
  const requests = async () => {
    const { body } = await asking.request({ method: 'GET', path: '/counted' })
    // The third number is that of all requests, this one among them. Source: nginx.org, ngx_http_stub_status_module.
    return Number(/^\s*\d+\s+\d+\s+(\d+)/m.exec(await body.text())?.[1]) - ++counted
  }
  let counted = 0
  return { socketPath, pid, requests }
}

/** A word of its configuration can have 4096 bytes. */
function returns(status: number, text: string): string {
  const parts = text.match(/.{1,2000}/gs) ?? []
  const variables = parts.map((part, i) => `set $part${i} '${part}';`)
  return `${variables.join(' ')} return ${status} "${parts.map((_, i) => `$part${i}`).join('')}";`
}

function nginxConfig({ directory }: Stage, server: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((of) => `${of}_temp_path ${directory};`)
  return `daemon off;
master_process off;
pid ${join(directory, `nginx-${++configured}.pid`)};
error_log /dev/null;
events { worker_connections 1024; }
http {
  access_log off;
  ${temporary.join('\n  ')}
  server {
    ${server}
  }
}
`
}
let configured = 0

const NOBODY = 65_534

/** Postern, by the names of the policies that it serves. */
export type Postern<Name extends string> = Started & { readonly clients: Readonly<Record<Name, MeasuredProxy>> }

/** Starts Postern, as its image does, with policy, audit log and metrics, serving each of `policies` at a port of its own. */
export async function startPostern<Name extends string>(
  stage: Stage,
  engineSocket: string,
  policies: Readonly<Record<Name, string>>,
): Promise<Postern<Name>> {
  const served = await Promise.all(
    Object.entries<string>(policies).map(async ([name, text]) => {
      const port = await freePort()
      return { name, port, at: `${stage.file(`${name}.yaml`, text)}@tcp://127.0.0.1:${port}` }
    }),
  )
  const [audit, metrics] = [join(stage.directory, 'audit.jsonl'), join(stage.directory, 'metrics.sock')]
  const args = ['--engine', `unix://${engineSocket}`, '--audit', audit, '--metrics', `unix://${metrics}`]
  const command = [
    process.execPath,
    ...imageFlags('proxy'),
    builtProgram('proxy'),
    'serve',
    ...served.map(({ at }) => at),
    ...args,
  ]
  // It refuses to serve as root, unless it is told whom to become.
  const child = startOn('measured', command, isRoot ? { uid: NOBODY, gid: groupOf(engineSocket) } : {})
  const started = stage.keep(child)
  await untilListening(metrics)
  const clients = served.map(({ name, port }) => {
    return [name, { name: `Postern, ${name}`, url: `http://127.0.0.1:${port}`, pid: started.pid }]
  })
  return { ...started, clients: Object.fromEntries(clients) }
}

const isRoot = process.getuid?.() === 0

/** Who may use a socket is its group. */
const groupOf = (socketPath: string) => statSync(socketPath).gid || NOBODY

/** HAProxy as docker-socket-proxy configures it: method and path checked, each request logged, a connection of its own to the Engine. */
export async function startHaproxy(stage: Stage, socketPath: string): Promise<MeasuredProxy | undefined> {
  const haproxy = found('haproxy')
  if (haproxy === undefined) return undefined
  const port = await freePort()
  const config = stage.file('haproxy.cfg', haproxyConfig(port, socketPath))
  const { pid } = stage.keep(startOn('measured', [haproxy, '-db', '-f', config]))
  await untilListening(port)
  return { name: 'HAProxy', url: `http://127.0.0.1:${port}`, pid }
}

/** What may be reached, as its environment switches it on or off. */
const SECTIONS = [
  ...['auth', 'build', 'commit', 'configs', 'containers', 'distribution', 'events', 'exec', 'grpc', 'images', 'info', 'networks'],
  ...['nodes', '_ping', 'plugins', 'secrets', 'services', 'session', 'swarm', 'system', 'tasks', 'version', 'volumes'],
]
const OPEN = ['containers', 'events', '_ping', 'version']

function haproxyConfig(port: number, socketPath: string): string {
  const rule = (section: string) =>
    `    http-request allow if { path,url_dec -m reg -i ^(/v[\\d\\.]+)?(/\\w+)?/${section} } { env(${variableOf(section)}) -m bool }`
  return `global
    log stdout format raw daemon info
    nbthread 1
    maxconn 4000
${[...SECTIONS.map((section) => `    setenv ${variableOf(section)} ${OPEN.includes(section) ? 1 : 0}`), '    setenv POST 0'].join('\n')}
defaults
    mode http
    log global
    option httplog
    option dontlognull
    option http-server-close
    option redispatch
    retries 3
    timeout http-request 10s
    timeout connect 10s
    timeout client 10m
    timeout server 10m
    timeout http-keep-alive 10s
backend engine
    server engine ${socketPath}
frontend clients
    bind 127.0.0.1:${port}
    http-request deny unless METH_GET || { env(POST) -m bool }
${SECTIONS.map(rule).join('\n')}
    http-request deny
    default_backend engine
`
}

const variableOf = (section: string) => section.replace('_', '').toUpperCase()

/** nginx as a plain proxy: nothing checked, nothing logged, a connection of its own to the Engine for each request. */
export async function startNginx(stage: Stage, socketPath: string): Promise<MeasuredProxy | undefined> {
  const nginx = found('nginx')
  if (nginx === undefined) return undefined
  const port = await freePort()
  const config = nginxConfig(stage, `listen 127.0.0.1:${port}; location / { proxy_pass http://unix:${socketPath}:; }`)
  const file = stage.file('nginx.conf', config)
  const { pid } = stage.keep(startOn('measured', [nginx, '-e', '/dev/null', '-c', file]))
  await untilListening(port)
  return { name: 'nginx', url: `http://127.0.0.1:${port}`, pid }
}
