// A line of the table: what was measured, against whom, and what it was to be. Pure.
import type { Spread } from './statistics.ts'

export type Row = {
  /** What was done, and who did it. */
  readonly work: string
  /** What the numbers are: `requests/s`, `ms`, `MB`. */
  readonly unit: string
  readonly ours: Spread
  /** The same work done by another in the same run, and our number to theirs, pair by pair. */
  readonly peer?: { readonly name: string; readonly theirs: Spread; readonly ratio: Spread }
  /** What the ratio is to be, or our own number where there is no peer. */
  readonly target?: { readonly atLeast: number } | { readonly atMost: number }
  /** What a reader has to know of the numbers. */
  readonly note?: string
}

/** Whether the median is what it was to be; `undefined`: it was not to be anything. */
export function holds({ ours, peer, target }: Row): boolean | undefined {
  if (!target) return undefined
  const { median } = peer?.ratio ?? ours
  return 'atLeast' in target ? median >= target.atLeast : median <= target.atMost
}

const HEAD = ['work', 'unit', 'Postern', 'against', 'ratio', 'target', 'held']

/** The rows as a table of Markdown, aligned to be read as it is. */
export function renderTable(rows: readonly Row[]): string {
  const cells = rows.map((row) => {
    const { work, unit, ours, peer, target } = row
    const held = holds(row)
    const word = !target ? '' : 'atLeast' in target ? `≥ ${target.atLeast}` : `≤ ${target.atMost}`
    const against = peer ? `${peer.name}: ${renderSpread(peer.theirs)}` : ''
    const ratio = peer ? renderSpread(peer.ratio) : ''
    return [work, unit, renderSpread(ours), against, ratio, word, held === undefined ? '' : held ? 'yes' : 'no']
  })
  const widths = HEAD.map((head, i) => Math.max(head.length, ...cells.map((line) => (line[i] ?? '').length)))
  const line = (words: readonly string[]) => `| ${words.map((word, i) => word.padEnd(widths[i] ?? 0)).join(' | ')} |`
  const notes = rows.flatMap(({ work, note }) => (note === undefined ? [] : [`${work}: ${note}`]))
  return [
    line(HEAD),
    line(widths.map((width) => '-'.repeat(width))),
    ...cells.map(line),
    ...(notes.length > 0 ? ['', ...notes] : []),
  ].join('\n')
}

/** `1,234 (1,200–1,260)`: the median between the quartiles, to three digits. */
function renderSpread({ low, median, high }: Spread): string {
  return `${renderNumber(median)} (${renderNumber(low)}–${renderNumber(high)})`
}

function renderNumber(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: Math.max(3, Math.ceil(Math.log10(Math.abs(value) + 1))) })
}
