// The proxy's client server in this process: a real socket, a recording Engine behind it, a clock that the test moves.
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { pino } from 'pino'
import { auditLineSchema } from '../../../proxy/audit/audit-line.ts'
import { type AuditLog, openAuditLog } from '../../../proxy/audit/audit-log.ts'
import { connectEngine } from '../../../proxy/engine/engine.ts'
import type { ContainerId } from '../../../proxy/policy/target.ts'
import type { Limits } from '../../../proxy/serve/bounded-server.ts'
import { createChanges } from '../../../proxy/serve/changes.ts'
import { createLedger } from '../../../proxy/serve/ledger.ts'
import { listen } from '../../../proxy/serve/listen.ts'
import { listenTcp } from '../../../proxy/serve/listen-tcp.ts'
import { createProxyMetrics, type ProxyMetrics } from '../../../proxy/serve/metrics.ts'
import { createServedClient } from '../../../proxy/serve/served-client.ts'
import type { Transport } from '../../../proxy/serve/transport.ts'
import { type Owner, temporaryDirectory } from '../../support/temporary.ts'
import { containerId, type FakeContainer, fakeContainer } from './containers.ts'
import { type FakeEngine, startFakeEngine } from './fake-engine.ts'
import { HEALER_POLICY_TEXT, policyOf } from './policies.ts'
import { ask, type RawAnswer, talk, talkInTurn } from './raw-client.ts'

export const WEB = containerId('aa11')
export const DB = containerId('bb22')
export const HIDDEN = containerId('cc33')

/** `web` and `db` opted in; `hidden` did not. */
export function usualContainers(): FakeContainer[] {
  return [
    fakeContainer({ id: WEB, name: 'web' }),
    fakeContainer({ id: DB, name: 'db', labels: { autoheal: 'true' } }),
    fakeContainer({ id: HIDDEN, name: 'hidden', labels: { monitored: 'True' } }),
  ]
}

type TestedLog = Pick<AuditLog, 'append' | 'appendDurably' | 'close'>

export type RunningProxy = {
  readonly socketPath: string
  /** Where it has a transport of TCP: the port on 127.0.0.1. */
  readonly port: number
  readonly engine: FakeEngine
  readonly auditFile: string
  readonly audit: TestedLog
  readonly clock: { nowMs: number }
  readonly ask: (line: string, headers?: readonly string[]) => Promise<RawAnswer>
  readonly talk: (bytes: string | Buffer, answers?: number) => Promise<readonly RawAnswer[]>
  /** Asks one after the other over one connection; the statuses. */
  readonly inTurn: (lines: readonly string[]) => Promise<readonly number[]>
  /** The lines of the audit log but for its own: its beginning and its seals. */
  readonly auditLines: () => readonly Record<string, unknown>[]
  /** How many decisions, by this rule, its lines tell of; of those that were counted, once it is closed. */
  readonly decisions: (rule?: string) => number
  readonly metrics: () => Promise<string>
  /** Puts it under another policy. */
  readonly govern: (policyText: string) => void
}

export type ProxyOptions = {
  readonly policyText?: string
  readonly containers?: readonly FakeContainer[]
  readonly ownId?: ContainerId
  readonly limits?: Limits
  readonly observe?: boolean
  /** A real Engine's, in place of the recording one. */
  readonly engineSocket?: string
  /** In place of a log in `auditFile`. */
  readonly audit?: TestedLog
  /** In place of a unix socket; made with the metrics that it counts in. */
  readonly transport?: (metrics: ProxyMetrics) => Transport
}

export async function startProxy(owner: Owner, options: ProxyOptions = {}): Promise<RunningProxy> {
  const { policyText = HEALER_POLICY_TEXT, containers = usualContainers(), ownId } = options
  const directory = temporaryDirectory(owner)
  const [socketPath, auditFile] = [join(directory, 'client.sock'), join(directory, 'audit.jsonl')]
  const clock = { nowMs: Date.parse('2024-06-01T12:00:00Z') }
  const now = () => clock.nowMs
  const fake = await startFakeEngine(owner, containers)
  const policy = policyOf(policyText)
  const engine = connectEngine(options.engineSocket ?? fake.socketPath)
  const audit = options.audit ?? (await openAuditLog({ file: auditFile, keyFile: join(directory, 'audit-keys.json'), now }))
  const metrics = createProxyMetrics()
  const ledger = createLedger([policy], now)
  const shared = { engine, audit, now, monotonic: now, ledger, metrics, log: pino({ level: 'silent' }), changes: createChanges() }
  const asked = { ownId, socketPaths: [socketPath], observe: options.observe ?? false }
  const transport = options.transport?.(metrics)
  const { server, govern } = createServedClient(policy, { ...shared, ...asked }, options.limits, transport)
  await (transport ? listenTcp(server, { kind: 'tcp', host: '127.0.0.1', port: 0 }) : listen(server, socketPath))
  owner.teardown(async () => {
    server.close()
    server.closeAllConnections()
    await engine.close()
    await audit.close().catch(() => 'a test has closed it')
  })
  return {
    socketPath,
    port: transport ? (server.address() as AddressInfo).port : 0,
    engine: fake,
    auditFile,
    audit,
    clock,
    ask: (line, headers) => ask(socketPath, line, headers),
    inTurn: (lines) => talkInTurn(socketPath, lines),
    talk: (bytes, answers) => talk(socketPath, bytes, answers),
    metrics: () => metrics.render(),
    govern(text) {
      govern(policyOf(text))
      ledger.follow([policyOf(text)])
    },
    decisions: (rule) => countDecisions(readFileSync(auditFile, 'utf8'), rule),
    auditLines: () => whatHappened(readFileSync(auditFile, 'utf8')),
  }
}

function countDecisions(text: string, by?: string): number {
  const decisions = parseLines(text).filter(({ event, rule }) => event === 'decision' && (by === undefined || rule === by))
  return decisions.reduce((total, { count }) => total + Number(count ?? 1), 0)
}

/** The lines of an audit log but for its own: its beginning and its seals. */
export function whatHappened(text: string): readonly Record<string, unknown>[] {
  return parseLines(text).filter(({ event }) => event !== 'log' && event !== 'seal')
}

/** Each line of an audit log; one that is not as published fails the test. */
export function parseLines(text: string): readonly Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { success, data, error } = auditLineSchema.safeParse(JSON.parse(line))
      if (!success) throw new Error(`not a line of the log: ${line}\n${error.message}`)
      return data
    })
}
