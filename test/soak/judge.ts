// What a soak is held to, over all that was noted while it ran. Pure.
import type { Kept, Usage } from './usage.ts'

export type Noted = {
  /** How often each was made ill, by name, and all those that may be. */
  readonly illnesses: ReadonlyMap<string, number>
  /** Those that were made ill and were not seen well again. */
  readonly notHealed: readonly string[]
  /** The containers of the restarts that are on record, in order. */
  readonly restarts: readonly string[]
  /** Faults after which a restart may have to be made once more. */
  readonly interruptions: number
  /** The alerts that were taken, without those that came twice. */
  readonly alerts: readonly { readonly container: string; readonly event: string }[]
  /** What `audit verify` said. */
  readonly verified: { readonly holds: boolean; readonly said: string }
  /** Wrote something beside its log. */
  readonly stray: string
  readonly usage: Readonly<Record<'proxy' | 'healer', readonly Usage[]>>
  readonly state: Kept
  readonly audit: Kept
}

export type Verdict = { readonly what: string; readonly holds: boolean; readonly found: string }

export type Bounds = { readonly auditFiles: number; readonly auditKilobytes: number }

/** What the composition gives to a program. */
const MAX_MEGABYTES = 192
/** What comes later may be this much more than what came first: memory is not swept at once. */
const FLAT = 1.25
/** Connections are kept, and let go. */
const MORE_HANDLES = 40
/** healer.json, alerts.json, rules.json. */
const STATE_FILES = 3

export function judge(noted: Noted, bounds: Bounds): readonly Verdict[] {
  const { illnesses, notHealed, restarts, interruptions, alerts, verified, stray, usage, state, audit } = noted
  const made = [...illnesses.values()].reduce((sum, count) => sum + count, 0)
  const neverIll = [...illnesses].flatMap(([name, count]) => (count === 0 ? [name] : []))
  const touched = restarts.filter((name) => !illnesses.has(name))
  const countOf = (event: string, name: string) => alerts.filter((each) => each.event === event && each.container === name).length
  const untold = [...illnesses].filter(([name, count]) => countOf('recovered', name) !== count)
  return [
    {
      what: 'every one that may fail did',
      holds: neverIll.length === 0,
      found: listed(neverIll, `${made} failures of ${illnesses.size}`),
    },
    { what: 'every failure was healed', holds: notHealed.length === 0, found: listed(notHealed, `${made} of ${made}`) },
    {
      what: 'by one restart, or one more where it was interrupted',
      holds: restarts.length >= made && restarts.length <= made + interruptions,
      found: `${restarts.length} restarts on record, ${interruptions} interruptions`,
    },
    { what: 'nothing that was well was restarted', holds: touched.length === 0, found: listed(touched, 'none') },
    {
      what: 'each recovery was told, once',
      holds: untold.length === 0,
      found: listed(
        untold.map(([name, count]) => `${name}: ${countOf('recovered', name)} of ${count}`),
        `${alerts.length} alerts`,
      ),
    },
    { what: 'the chain of the audit log holds', ...verified, found: verified.said },
    { what: 'nothing was written beside the logs', holds: stray === '', found: stray === '' ? 'nothing' : stray },
    ...(['proxy', 'healer'] as const).flatMap((name) => judgeUsage(name, usage[name])),
    {
      what: 'the healer keeps its files, and no other',
      holds: state.files <= STATE_FILES,
      found: `${state.files} files, ${state.kilobytes.toFixed(0)} KB`,
    },
    {
      what: 'the audit log stays within its size',
      holds: audit.kilobytes <= bounds.auditKilobytes && audit.files <= bounds.auditFiles,
      found: `${audit.files} files, ${audit.kilobytes.toFixed(0)} of ${bounds.auditKilobytes} KB`,
    },
  ]
}

function judgeUsage(name: string, usage: readonly Usage[]): readonly Verdict[] {
  const third = Math.max(1, Math.floor(usage.length / 3))
  const flat = (key: keyof Usage, usual: Usual, more: (first: number) => number, most: number, unit: string) => {
    const values = usage.map((each) => each[key])
    const [first, last, highest] = [usual(values.slice(0, third)), usual(values.slice(-third)), Math.max(...values)]
    const found = `${first.toFixed(0)}, then ${last.toFixed(0)}, at most ${highest.toFixed(0)}${unit}`
    return { holds: usage.length > 0 && last <= more(first) && highest <= most, found }
  }
  return [
    {
      what: `the ${name}’s memory is flat, and below ${MAX_MEGABYTES} MB`,
      ...flat('megabytes', median, (first) => first * FLAT, MAX_MEGABYTES, ' MB'),
    },
    {
      what: `the ${name}’s open files are as many as ever`,
      ...flat('handles', fewest, (first) => first + MORE_HANDLES, Number.POSITIVE_INFINITY, ''),
    },
  ]
}

const listed = (names: readonly string[], none: string) => (names.length === 0 ? none : names.join(', '))

type Usual = (values: readonly number[]) => number

/** Without those of the moment: a probe that hangs holds one. */
const fewest: Usual = (values) => Math.min(...values)

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}
