// The report on audit files: who asked for what, how often it passed, was refused or failed, and who was refused why. Pure.
import type { Verdicts } from '../terminal.ts'
import { asciiJson, printable } from './printable.ts'
import type { AuditRecord, RecordedDecision, RecordedOutcome } from './read-records.ts'

export type Counts = {
  allowed: number
  refused: number
  /** Would have been refused, and was let through to be seen. */
  observed: number
  /** Of those that passed: answered with an error. */
  failed: number
}

/** What one client asked of one operation about one target. Times are RFC 3339. */
export type ReportRow = Counts & {
  readonly client: string
  readonly operation: string
  /** The container's name; of what is about none that is known, `-`. */
  readonly target: string
  last: string
}

/** What was refused to one client by one rule; of observed ones, what would have been. */
export type RefusalRow = {
  readonly client: string
  readonly rule: string
  times: number
  last: string
  /** The last reason. */
  reason: string
}

export type Report = { readonly rows: readonly ReportRow[]; readonly refusals: readonly RefusalRow[]; readonly total: Counts }

export type ReportBuilder = { readonly add: (record: AuditRecord) => void; readonly report: () => Report }

/** Counts records in the order of the log. */
export function createReport(): ReportBuilder {
  const rows = new Map<string, ReportRow>()
  const refusals = new Map<string, RefusalRow>()
  const pending = new Map<number, ReportRow>()
  return {
    add({ says }) {
      if (says.event === 'other') {
        // Another log counts its lines anew.
        if (says.isBeginning) pending.clear()
        return
      }
      if (says.event === 'outcome') {
        const row = pending.get(says.of)
        if (row && isFailure(says)) row.failed++
        pending.delete(says.of)
        return
      }
      const row = rowOf(rows, says)
      count(row, says)
      if (says.verdict !== 'deny' && says.status === undefined) pending.set(says.seq, row)
      if (says.verdict !== 'allow') countRefusal(refusals, says)
    },
    report: () => ({
      rows: [...rows.values()].sort(by(({ client, operation, target }) => [client, operation, target])),
      refusals: [...refusals.values()].sort(by(({ client, rule }) => [client, rule])),
      total: [...rows.values()].reduce(sum, { allowed: 0, refused: 0, observed: 0, failed: 0 }),
    }),
  }
}

const isFailure = ({ status }: Pick<RecordedOutcome, 'status'>) => status >= 400

function rowOf(rows: Map<string, ReportRow>, { client, operation = '-', target, time }: RecordedDecision): ReportRow {
  const about = target?.name ?? '-'
  const key = JSON.stringify([client, operation, about])
  const row = rows.get(key) ?? {
    ...{ client, operation, target: about },
    ...{ allowed: 0, refused: 0, observed: 0, failed: 0, last: time },
  }
  rows.set(key, row)
  return row
}

function count(row: ReportRow, { verdict, count: times, status, time }: RecordedDecision): void {
  row[({ allow: 'allowed', deny: 'refused', observe: 'observed' } as const)[verdict]] += times
  if (verdict !== 'deny' && status !== undefined && isFailure({ status })) row.failed += times
  row.last = later(row.last, time)
}

function countRefusal(
  refusals: Map<string, RefusalRow>,
  { client, rule, count: times, time, reason = '' }: RecordedDecision,
): void {
  const key = JSON.stringify([client, rule])
  const row = refusals.get(key) ?? { client, rule, times: 0, last: time, reason }
  refusals.set(key, row)
  row.times += times
  if (later(row.last, time) === time) Object.assign(row, { last: time, reason })
}

const later = (a: string, b: string) => (Date.parse(b) >= Date.parse(a) ? b : a)

function sum(total: Counts, { allowed, refused, observed, failed }: Counts): Counts {
  return {
    allowed: total.allowed + allowed,
    refused: total.refused + refused,
    observed: total.observed + observed,
    failed: total.failed + failed,
  }
}

/** In the order of characters' codes, which no locale changes. */
function by<T>(fields: (row: T) => readonly string[]): (a: T, b: T) => number {
  const key = (row: T) => fields(row).join('\0')
  return (a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0)
}

/** For machines: one object, in ASCII. */
export function renderReportJson(report: Report): string {
  return `${asciiJson(report, 2)}\n`
}

/** A longer reason is cut, so that a row stays a row. */
const MAX_REASON = 160

/** Of `renderReport`. */
export const REPORT_VERDICTS: Verdicts = { doubtful: /^refused, by rule:$/gm }

/** For people: what passed and what did not, then who was refused what and why. Nothing in it moves a cursor. */
export function renderReport({ rows, refusals, total }: Report): string {
  if (rows.length === 0) return 'no request is recorded\n'
  const columns = (['allowed', 'refused', 'observed', 'failed'] as const).filter(
    (name) => name !== 'observed' || total.observed > 0,
  )
  const numbers = (counts: Counts) => columns.map((name) => String(counts[name]))
  const asked = [
    ['client', 'operation', 'target', ...columns, 'last'],
    ...rows.map((row) => [row.client, row.operation, row.target, ...numbers(row), row.last]),
    ['total', '', '', ...numbers(total), ''],
  ]
  const refused = refusals.map(({ client, rule, times, last, reason }) => [client, rule, String(times), last, cut(reason)])
  const right = columns.map((_, i) => i + 3)
  return [
    ...align(asked, right),
    ...(refused.length > 0 ? ['', 'refused, by rule:'] : []),
    ...(refused.length > 0 ? align([['client', 'rule', 'times', 'last', 'last reason'], ...refused], [2]) : []),
    '',
  ].join('\n')
}

function cut(text: string): string {
  return text.length > MAX_REASON ? `${text.slice(0, MAX_REASON)}…` : text
}

/** Rows of cells as lines; the columns numbered in `right` are flush right. */
function align(cells: readonly (readonly string[])[], right: readonly number[]): string[] {
  const safe = cells.map((row) => row.map(printable))
  const widths = (safe[0] ?? []).map((_, i) => safe.reduce((width, row) => Math.max(width, row[i]?.length ?? 0), 0))
  return safe.map((row) =>
    row
      .map((cell, i) => (right.includes(i) ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
