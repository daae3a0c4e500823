// The authorization plugin in this process: a real socket, and a recording Engine that asks it about every request, as the real one does.
import { readFileSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { join } from 'node:path'
import { pino } from 'pino'
import { type AuditLog, openAuditLog } from '../../../proxy/audit/audit-log.ts'
import { createPlugin } from '../../../proxy/authz/create-plugin.ts'
import { createOwnRequests } from '../../../proxy/authz/own-requests.ts'
import type { PluginLimits } from '../../../proxy/authz/plugin-server.ts'
import { connectEngine } from '../../../proxy/engine/engine.ts'
import type { ContainerId } from '../../../proxy/policy/target.ts'
import { createChanges } from '../../../proxy/serve/changes.ts'
import { createLedger } from '../../../proxy/serve/ledger.ts'
import { listen } from '../../../proxy/serve/listen.ts'
import { createProxyMetrics } from '../../../proxy/serve/metrics.ts'
import { type Owner, temporaryDirectory } from '../../support/temporary.ts'
import type { FakeContainer } from './containers.ts'
import { type Arrived, type FakeEngine, type Reply, startFakeEngine } from './fake-engine.ts'
import { policyOf } from './policies.ts'
import { usualContainers, whatHappened } from './start-proxy.ts'

/** In scope is what is labelled; a list is of everything, so there is none. */
export const LABELLED_POLICY = `
version: 1
client: host
scope: [{ labels: { monitored: "true" } }]
allow:
  SystemPing: {}
  SystemVersion: { show: all }
  ContainerInspect: { show: all }
  ContainerRestart:
    query: { t: 0..60 }
    when: { state: [running] }
    budget: { container: 2 per 10m }
  ContainerStop: {}
`

export type Answer = { readonly Allow?: boolean; readonly Msg?: string; readonly Err?: string; readonly Implements?: string[] }
export type Posted = { readonly status: number; readonly contentType: string | undefined; readonly answer: Answer }

/** What a message says beside method and target; `docker` sends these headers with what has no body. */
export type Message = {
  readonly RequestHeaders?: Readonly<Record<string, string>>
  readonly RequestBody?: string
  readonly User?: string
  readonly ResponseStatusCode?: number
  readonly ResponseBody?: string
}

const NO_BODY = { 'User-Agent': 'Docker-Client/28.2.2 (linux)', 'Content-Length': '0', 'Content-Type': 'text/plain' }

/** The message that the Engine sends of a request such as `POST /containers/web/restart`. */
export function message(line: string, more: Message = {}): string {
  const [RequestMethod, RequestUri] = line.split(' ')
  const RequestHeaders = RequestMethod === 'GET' ? {} : NO_BODY
  return `${JSON.stringify({ RequestMethod, RequestUri, RequestHeaders, ...more })}\n`
}

/** Posts `text` as the Engine does: without a content type, over a connection of its own. */
export function post(socketPath: string, path: string, text: string): Promise<Posted> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, path, method: 'POST', agent: false }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        body += part
      })
      response.on('end', () => {
        const contentType = response.headers['content-type']
        resolve({ status: response.statusCode ?? 0, contentType, answer: JSON.parse(body) })
      })
    })
    request.on('error', reject)
    request.end(text)
  })
}

export type RunningPlugin = {
  readonly socketPath: string
  readonly engine: FakeEngine
  readonly clock: { nowMs: number }
  /** The plugin's answer before a request is carried out. */
  readonly ask: (line: string, more?: Message) => Promise<Answer>
  /** The plugin's answer before what came of it is sent. */
  readonly tell: (line: string, more?: Message) => Promise<Answer>
  readonly auditText: () => string
  readonly auditLines: () => readonly Record<string, unknown>[]
  readonly metrics: () => Promise<string>
  readonly log: () => string
}

export type PluginOptions = {
  readonly policyText?: string
  readonly containers?: readonly FakeContainer[]
  readonly ownId?: ContainerId
  readonly limits?: PluginLimits
  /** In place of a log in a file. */
  readonly audit?: Pick<AuditLog, 'append' | 'appendDurably'>
}

export async function startPlugin(owner: Owner, options: PluginOptions = {}): Promise<RunningPlugin> {
  const { policyText = LABELLED_POLICY, containers = usualContainers(), ownId } = options
  const directory = temporaryDirectory(owner)
  const [socketPath, auditFile] = [join(directory, 'plugin.sock'), join(directory, 'audit.jsonl')]
  const clock = { nowMs: Date.parse('2024-06-01T12:00:00Z') }
  const now = () => clock.nowMs
  const fake = await startFakeEngine(owner, containers)
  const policy = policyOf(policyText)
  const own = createOwnRequests()
  const engine = connectEngine(fake.socketPath, undefined, own.headers)
  const file = await openAuditLog({ file: auditFile, keyFile: join(directory, 'audit-keys.json'), now })
  const metrics = createProxyMetrics()
  let logged = ''
  const write = (line: string) => {
    logged += line
  }
  const log = pino({}, { write })
  const shared = { engine, own, audit: options.audit ?? file, now, monotonic: now, metrics, log }
  const known = { ledger: createLedger([policy], now), changes: createChanges(), ownId, socketPaths: [socketPath] }
  const { server } = createPlugin(policy, { ...shared, ...known }, options.limits)
  await listen(server, socketPath)
  fake.answer = (arrived) => askFirst(socketPath, arrived)
  owner.teardown(async () => {
    server.close()
    server.closeAllConnections()
    await engine.close()
    await file.close()
  })
  return {
    socketPath,
    engine: fake,
    clock,
    ask: async (line, more) => (await post(socketPath, '/AuthZPlugin.AuthZReq', message(line, more))).answer,
    tell: async (line, more) => (await post(socketPath, '/AuthZPlugin.AuthZRes', message(line, more))).answer,
    auditText: () => readFileSync(auditFile, 'utf8'),
    auditLines: () => whatHappened(readFileSync(auditFile, 'utf8')),
    metrics: () => metrics.render(),
    log: () => logged,
  }
}

/** As the Engine's middleware: what its plugin refuses is answered with 403. */
export async function askFirst(socketPath: string, { line, headers }: Arrived): Promise<Reply | undefined> {
  const RequestHeaders = Object.fromEntries(headers.map((header) => header.split(': ') as [string, string]))
  const { answer } = await post(socketPath, '/AuthZPlugin.AuthZReq', message(line, { RequestHeaders }))
  return answer.Allow ? undefined : { status: 403, body: { message: `authorization denied by plugin postern: ${answer.Msg}` } }
}
