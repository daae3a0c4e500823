// Maintenance windows: `Sun 02:00-03:00 Europe/Berlin, Mon-Fri 22:00-06:00`. A moment is in a window if the clock on the wall of
// its time zone says so: an hour that the change to summer time skips is skipped, one that comes twice is in it twice. Pure.
import { nearest } from './nearest.ts'
import type { ValueKind } from './value.ts'

export type MaintenanceWindow = {
  /** The days on which it begins, 0 for Sunday to 6. */
  readonly days: readonly number[]
  /** Minutes since midnight. */
  readonly startMinute: number
  /** Up to 1440; below `startMinute` it is on the next day. */
  readonly endMinute: number
  /** As Intl calls it. */
  readonly timeZone: string
}

/** `healer.maintenance`: one or several windows. */
export const maintenance: ValueKind<readonly MaintenanceWindow[]> = {
  takes: 'windows such as Sun 02:00-03:00 Europe/Berlin or Mon-Fri 22:00-06:00 (without a time zone: UTC), separated by commas',
  parse: parseMaintenance,
  explain(text) {
    const parsed = parseWindows(text)
    return 'problem' in parsed ? parsed.problem : undefined
  },
}

/** The windows in `text`, or `undefined` where any of them is none. */
export function parseMaintenance(text: string): readonly MaintenanceWindow[] | undefined {
  const parsed = parseWindows(text)
  return 'problem' in parsed ? undefined : parsed
}

/**
 * When the window that `wallMs` is in ends, both in milliseconds since 1970; `undefined` outside all of them. Windows that touch or
 * overlap are one. Never more than eight days away, also where the windows leave no gap at all.
 */
export function endsAt(windows: readonly MaintenanceWindow[], wallMs: number): number | undefined {
  // To ask a zone's clocks is what costs, and there may be a hundred windows in a row: they are asked for a day at once.
  const asked = new Map<string, Clocks>()
  const clocksAt = (timeZone: string, ms: number): Clocks => {
    const known = asked.get(timeZone)
    if (known && ms < known.untilMs) return known
    const clocks = readClocks(timeZone, ms)
    asked.set(timeZone, clocks)
    return clocks
  }
  let endMs = wallMs
  while (endMs - wallMs < MAX_AHEAD_MS) {
    const fromMs = endMs
    for (const window of windows) endMs = Math.max(endMs, endOf(window, fromMs, clocksAt(window.timeZone, fromMs)) ?? fromMs)
    if (endMs === fromMs) break
  }
  return endMs === wallMs ? undefined : Math.min(endMs, wallMs + MAX_AHEAD_MS)
}

/** From the moment they were asked about up to `untilMs`, the clocks of a zone are `offsetMs` ahead of UTC. */
type Clocks = { readonly offsetMs: number; readonly untilMs: number }

const MINUTE_MS = 60_000
const DAY_MINUTES = 24 * 60
const DAY_MS = DAY_MINUTES * MINUTE_MS
const MAX_AHEAD_MS = 8 * DAY_MS
/** Labels come from strangers. */
const MAX_WINDOWS = 16
const MAX_TEXT_LENGTH = 1000

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
const EVERY_DAY = 'daily'

type Problem = { readonly problem: string }

function parseWindows(text: string): readonly MaintenanceWindow[] | Problem {
  const parts = text.length > MAX_TEXT_LENGTH ? [] : text.split(/[,;]/)
  if (parts.length === 0 || parts.length > MAX_WINDOWS)
    return { problem: `at most ${MAX_WINDOWS} windows and ${MAX_TEXT_LENGTH} characters` }
  const windows: MaintenanceWindow[] = []
  for (const part of parts) {
    const window = parseWindow(part.trim())
    if ('problem' in window) return window
    windows.push(window)
  }
  return windows
}

function parseWindow(text: string): MaintenanceWindow | Problem {
  const [dayWords, timeWords, zoneWord = 'UTC', ...rest] = text.split(/\s+/)
  if (!dayWords || timeWords === undefined || rest.length > 0)
    return { problem: `“${text}” is not a day, a time and a time zone` }
  const days = parseDays(dayWords)
  if ('problem' in days) return days
  const times = parseTimes(timeWords)
  if ('problem' in times) return times
  const timeZone = findTimeZone(zoneWord)
  return timeZone === undefined ? { problem: explainTimeZone(zoneWord) } : { days, ...times, timeZone }
}

/** `daily`, `Sun`, or `Fri-Mon`. */
function parseDays(text: string): readonly number[] | Problem {
  if (text === EVERY_DAY) return DAYS.map((_, day) => day)
  const words = text.split('-')
  const wrong = words.find((word) => !DAYS.includes(word))
  if (wrong !== undefined || words.length > 2) {
    const long = DAYS.find((day) => wrong?.toLowerCase().startsWith(day.toLowerCase()))
    return { problem: `“${wrong ?? text}” is not a day${meant(long ?? nearest(wrong ?? text, [...DAYS, EVERY_DAY]))}` }
  }
  const [first = 0, last = first] = words.map((word) => DAYS.indexOf(word))
  return Array.from({ length: ((last - first + 7) % 7) + 1 }, (_, index) => (first + index) % 7)
}

function parseTimes(text: string): Pick<MaintenanceWindow, 'startMinute' | 'endMinute'> | Problem {
  const [from = '', to = '', ...rest] = text.split('-')
  const [startMinute, endMinute] = [from, to].map(parseTime)
  if (startMinute === undefined || startMinute === DAY_MINUTES || endMinute === undefined || rest.length > 0)
    return { problem: `“${text}” is not a time such as 02:00-03:00` }
  if (startMinute === endMinute) return { problem: `“${text}” has no length; a whole day is 00:00-24:00` }
  return { startMinute, endMinute }
}

function parseTime(text: string): number | undefined {
  const [, hours, minutes] = /^([01]\d|2[0-4]):([0-5]\d)$/.exec(text) ?? []
  const minute = Number(hours) * 60 + Number(minutes)
  return minute <= DAY_MINUTES ? minute : undefined
}

/** Abbreviations are not taken: Intl has `IST` in India, which is not what Ireland means by it. */
function findTimeZone(text: string): string | undefined {
  if (text !== 'UTC' && !/^[A-Za-z_]+(?:\/[A-Za-z0-9_+-]+)+$/.test(text)) return undefined
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: text }).resolvedOptions().timeZone
  } catch {
    return undefined
  }
}

function explainTimeZone(text: string): string {
  const zones = ['UTC', ...Intl.supportedValuesOf('timeZone')]
  const ofCity = zones.find((zone) => `/${zone}`.toLowerCase().endsWith(`/${text.toLowerCase()}`))
  const near = text.includes('/') ? nearest(text.slice(0, 64), zones) : undefined
  return `“${text}” is not a time zone${meant(ofCity ?? near)}`
}

function meant(word: string | undefined): string {
  return word === undefined ? '' : `, did you mean ${word}?`
}

/**
 * A moment until which `window` lasts without a break, if `wallMs` is in it: its end, or an earlier one that its zone's clocks are known up to,
 * after which one has to look again.
 */
function endOf(window: MaintenanceWindow, wallMs: number, clocks: Clocks): number | undefined {
  const { days, startMinute, endMinute } = window
  const localMs = wallMs + clocks.offsetMs
  const midnightMs = Math.floor(localMs / DAY_MS) * DAY_MS
  const weekday = new Date(midnightMs).getUTCDay()
  const sinceMidnightMs = localMs - midnightMs
  const [startMs, endMs] = [startMinute * MINUTE_MS, endMinute * MINUTE_MS]
  const overMidnight = endMs < startMs
  const remainingMs = (): number | undefined => {
    if (days.includes(weekday) && sinceMidnightMs >= startMs && (overMidnight || sinceMidnightMs < endMs))
      return (overMidnight ? endMs + DAY_MS : endMs) - sinceMidnightMs
    if (overMidnight && days.includes((weekday + 6) % 7) && sinceMidnightMs < endMs) return endMs - sinceMidnightMs
    return undefined
  }
  const leftMs = remainingMs()
  return leftMs === undefined ? undefined : Math.min(wallMs + leftMs, clocks.untilMs)
}

/** For a day from `fromMs` on, or up to the first moment at which the clocks are changed. */
function readClocks(timeZone: string, fromMs: number): Clocks {
  const offsetMs = readOffset(fromMs, timeZone)
  let [same, changed] = [fromMs, fromMs + DAY_MS]
  if (readOffset(changed, timeZone) === offsetMs) return { offsetMs, untilMs: changed }
  while (changed - same > 1) {
    const middle = Math.floor((same + changed) / 2)
    if (readOffset(middle, timeZone) === offsetMs) same = middle
    else changed = middle
  }
  return { offsetMs, untilMs: changed }
}

/** How far the clocks in `timeZone` are ahead of UTC at `ms`, in milliseconds. */
function readOffset(ms: number, timeZone: string): number {
  const fields: Record<string, number> = {}
  for (const { type, value } of formatterFor(timeZone).formatToParts(ms)) fields[type] = Number(value)
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = fields
  return Date.UTC(year, month - 1, day, hour, minute, second) - Math.floor(ms / 1000) * 1000
}

/** To make one costs a hundred times what it costs to use it. There are no more than Intl has time zones. */
const formatters = new Map<string, Intl.DateTimeFormat>()

function formatterFor(timeZone: string): Intl.DateTimeFormat {
  const known = formatters.get(timeZone)
  if (known) return known
  const formatter = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  formatters.set(timeZone, formatter)
  return formatter
}
