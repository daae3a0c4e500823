// Lines of an audit log, as a proxy would write them; only what a test is about needs to be said.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asciiJson } from '../../../proxy/audit/printable.ts'
import { type Owner, temporaryDirectory } from '../../support/temporary.ts'
import { containerId } from './containers.ts'
import { NOW_MS } from './deciding.ts'

export type LineFields = Readonly<Record<string, unknown>>

/** A decision of the second `atSeconds`, which is also its number: `operation` is allowed to the healer. */
export function decisionLine(operation: string, atSeconds = 1, fields: LineFields = {}): LineFields {
  const time = new Date(NOW_MS + atSeconds * 1000).toISOString()
  return {
    ...{ v: 1, time, seq: atSeconds, prev: '', event: 'decision', client: 'healer', policy: 'p', method: 'GET', path: '/' },
    ...{ operation, verdict: 'allow', rule: `allow.${operation}`, ...fields },
  }
}

/** What came of the decision `of`. */
export function outcomeLine(of: number, fields: LineFields = {}): LineFields {
  const time = new Date(NOW_MS + of * 1000).toISOString()
  return { v: 1, time, seq: of, prev: '', event: 'outcome', of, status: 204, bytes: 0, ms: 1, ...fields }
}

/** The container of a change. */
export const changed = (name: string, state = 'running') => ({
  target: { id: containerId(name === 'web' ? 'aa' : 'bb'), name, state, startedAt: '2024-01-01T00:00:00Z' },
})

export const denied = (rule: string, reason: string) => ({ verdict: 'deny', rule, reason, status: 403 })

/** Two clients, of whom one was refused much; a restart that failed. docs/audit.md shows the report on it. */
export const A_DAY: readonly LineFields[] = [
  { v: 1, time: '2024-06-01T12:00:00Z', seq: 1, prev: '', event: 'log', key: 'k' },
  decisionLine('SystemPing', 2, { status: 200, count: 40, since: '2024-06-01T11:00:00Z' }),
  decisionLine('ContainerRestart', 3, changed('web')),
  outcomeLine(3),
  decisionLine('ContainerRestart', 4, changed('web')),
  outcomeLine(4, { status: 500, left: 'exited' }),
  decisionLine('ContainerRestart', 5, changed('db')),
  decisionLine('ContainerCreate', 6, denied('policy.operation', 'ContainerCreate is not allowed to healer')),
  decisionLine('', 7, { operation: undefined, client: 'other', ...denied('operation.unknown', 'no operation') }),
  decisionLine('', 8, { operation: undefined, path: undefined, various: true, count: 900, ...denied('request.path', 'no name') }),
]

/** A file with these lines; a text stands as it is. */
export function auditFile(owner: Owner, lines: readonly (LineFields | string)[], end = '\n'): string {
  const file = join(temporaryDirectory(owner), 'audit.jsonl')
  writeFileSync(file, lines.map((line) => (typeof line === 'string' ? line : asciiJson(line))).join('\n') + end)
  return file
}
