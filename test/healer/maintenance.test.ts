// Maintenance windows: what is one, and when the one that a moment is in ends, by the clock on the wall of its time zone.
import fc from 'fast-check'
import t from 'tap'
import { endsAt, type MaintenanceWindow, maintenance, parseMaintenance } from '../../healer/settings/maintenance.ts'

const DAY_MS = 86_400_000

function windowsOf(text: string): readonly MaintenanceWindow[] {
  const windows = parseMaintenance(text)
  if (!windows) throw new Error(`${text}: ${maintenance.explain?.(text)}`)
  return windows
}

const ends = (text: string, at: string) => {
  const endMs = endsAt(windowsOf(text), Date.parse(at))
  return endMs === undefined ? undefined : new Date(endMs).toISOString().replace(':00.000Z', 'Z')
}

await t.test('windows are days, times and a time zone', async (t) => {
  t.same(windowsOf('Sun 02:00-03:00 Europe/Berlin'), [{ days: [0], startMinute: 120, endMinute: 180, timeZone: 'Europe/Berlin' }])
  t.same(windowsOf('Fri-Mon 22:00-06:00'), [{ days: [5, 6, 0, 1], startMinute: 1320, endMinute: 360, timeZone: 'UTC' }])
  t.same(
    windowsOf(' daily 03:00-04:00  America/New_York;Sat 00:00-24:00 UTC,\n Mon 00:00-00:01').map(({ days }) => days.length),
    [7, 1, 1],
  )
})

const wrong: [text: string, message: string][] = [
  ['', '“” is not a day, a time and a time zone'],
  ['Sun', '“Sun” is not a day, a time and a time zone'],
  ['Sat,Sun 02:00-03:00', '“Sat” is not a day, a time and a time zone'],
  ['Sun 02:00-03:00,', '“” is not a day, a time and a time zone'],
  ['Sun 02:00 - 03:00', '“Sun 02:00 - 03:00” is not a day, a time and a time zone'],
  ['Sunday 02:00-03:00', '“Sunday” is not a day, did you mean Sun?'],
  ['Mon-fri 02:00-03:00', '“fri” is not a day, did you mean Fri?'],
  ['dialy 02:00-03:00', '“dialy” is not a day, did you mean daily?'],
  ['weekends 02:00-03:00', '“weekends” is not a day'],
  ['Mon-Wed-Fri 02:00-03:00', '“Mon-Wed-Fri” is not a day'],
  ['Sun 2:00-3:00', '“2:00-3:00” is not a time such as 02:00-03:00'],
  ['Sun 02:00-25:00', '“02:00-25:00” is not a time such as 02:00-03:00'],
  ['Sun 02:00-24:01', '“02:00-24:01” is not a time such as 02:00-03:00'],
  ['Sun 24:00-03:00', '“24:00-03:00” is not a time such as 02:00-03:00'],
  ['Sun 02:00–03:00', '“02:00–03:00” is not a time such as 02:00-03:00'],
  ['Sun 02:00', '“02:00” is not a time such as 02:00-03:00'],
  ['Sun 02:00-02:00', '“02:00-02:00” has no length; a whole day is 00:00-24:00'],
  ['Sun 02:00-03:00 Europe/Berln', '“Europe/Berln” is not a time zone, did you mean Europe/Berlin?'],
  ['Sun 02:00-03:00 berlin', '“berlin” is not a time zone, did you mean Europe/Berlin?'],
  ['Sun 02:00-03:00 utc', '“utc” is not a time zone, did you mean UTC?'],
  ['Sun 02:00-03:00 IST', '“IST” is not a time zone'],
  ['Sun 02:00-03:00 +02:00', '“+02:00” is not a time zone'],
  [Array(17).fill('Sun 02:00-03:00').join(), 'at most 16 windows and 1000 characters'],
  [`Sun 02:00-03:00${' '.repeat(1000)}`, 'at most 16 windows and 1000 characters'],
]
for (const [text, message] of wrong) {
  await t.test(`“${text.slice(0, 40)}” is wrong, and why is told`, async (t) => {
    t.equal(parseMaintenance(text), undefined)
    t.equal(maintenance.explain?.(text), message)
  })
}

const moments: [windows: string, at: string, ends: string | undefined][] = [
  // 2026-01-04 is a Sunday.
  ['Sun 02:00-03:00', '2026-01-04T01:59Z', undefined],
  ['Sun 02:00-03:00', '2026-01-04T02:00Z', '2026-01-04T03:00Z'],
  ['Sun 02:00-03:00', '2026-01-04T02:59Z', '2026-01-04T03:00Z'],
  ['Sun 02:00-03:00', '2026-01-04T03:00Z', undefined],
  ['Sun 02:00-03:00', '2026-01-05T02:00Z', undefined],
  // In Berlin it is Sunday before it is so in UTC.
  ['Sun 00:00-01:00 Europe/Berlin', '2026-01-03T23:30Z', '2026-01-04T00:00Z'],
  // Across midnight it belongs to the day on which it began.
  ['Mon-Fri 22:00-06:00', '2026-01-03T05:59Z', '2026-01-03T06:00Z'],
  ['Mon-Fri 22:00-06:00', '2026-01-03T22:00Z', undefined],
  ['Mon-Fri 22:00-06:00', '2026-01-05T05:00Z', undefined],
  ['Sat 22:00-06:00', '2026-01-04T05:00Z', '2026-01-04T06:00Z'],
  // Windows that touch or overlap are one.
  ['Sun 02:00-03:00, Sun 03:00-04:00', '2026-01-04T02:30Z', '2026-01-04T04:00Z'],
  ['Sun 03:30-05:00 Europe/Berlin; Sun 02:00-03:00', '2026-01-04T02:30Z', '2026-01-04T04:00Z'],
  ['Sat-Sun 00:00-24:00', '2026-01-03T12:00Z', '2026-01-05T00:00Z'],
  ['daily 00:00-24:00', '2026-01-03T12:00Z', '2026-01-11T12:00Z'],
  // The hour that does not exist: Berlin's clocks go from 02:00 to 03:00 at 01:00Z.
  ['Sun 02:00-03:00 Europe/Berlin', '2026-03-29T00:59Z', undefined],
  ['Sun 02:00-03:00 Europe/Berlin', '2026-03-29T01:00Z', undefined],
  ['Sun 01:30-02:30 Europe/Berlin', '2026-03-29T00:40Z', '2026-03-29T01:00Z'],
  ['Sun 02:30-03:30 Europe/Berlin', '2026-03-29T01:00Z', '2026-03-29T01:30Z'],
  ['Sun 01:00-04:00 Europe/Berlin', '2026-03-29T00:00Z', '2026-03-29T02:00Z'],
  // The hour that exists twice: Berlin's clocks go from 03:00 back to 02:00 at 01:00Z.
  ['Sun 02:00-03:00 Europe/Berlin', '2026-10-25T00:00Z', '2026-10-25T02:00Z'],
  ['Sun 02:00-02:30 Europe/Berlin', '2026-10-25T00:10Z', '2026-10-25T00:30Z'],
  ['Sun 02:00-02:30 Europe/Berlin', '2026-10-25T00:40Z', undefined],
  ['Sun 02:00-02:30 Europe/Berlin', '2026-10-25T01:10Z', '2026-10-25T01:30Z'],
  ['Sat 22:00-06:00 Europe/Berlin', '2026-10-24T20:00Z', '2026-10-25T05:00Z'],
  // Others: New York at 07:00Z and 06:00Z, and Lord Howe, whose clocks change by half an hour.
  ['daily 02:00-03:00 America/New_York', '2026-03-08T07:00Z', undefined],
  ['daily 01:00-02:00 America/New_York', '2026-11-01T05:00Z', '2026-11-01T07:00Z'],
  ['daily 02:00-03:00 Australia/Lord_Howe', '2026-10-03T15:30Z', '2026-10-03T16:00Z'],
  ['daily 01:30-02:00 Australia/Lord_Howe', '2026-04-04T14:30Z', '2026-04-04T15:30Z'],
]
for (const [windows, at, end] of moments) {
  await t.test(`${windows}: at ${at} ${end ? `until ${end}` : 'outside'}`, async (t) => t.equal(ends(windows, at), end))
}

const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kathmandu',
  'America/St_Johns',
  'Pacific/Apia',
]
/** Changes of the clocks in some of these zones. */
const CHANGES = [
  '2026-03-29T01:00Z',
  '2026-10-25T01:00Z',
  '2026-03-08T07:00Z',
  '2026-11-01T06:00Z',
  '2026-04-04T15:00Z',
  '2026-10-03T15:30Z',
]

const time = fc.integer({ min: 0, max: 1439 }).map((minute) => {
  const [hours, minutes] = [Math.floor(minute / 60), minute % 60]
  return `${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`
})
const day = fc.constantFrom('Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat')
const days = fc.oneof(
  day,
  fc.constant('daily'),
  fc.tuple(day, day).map(([from, to]) => `${from}-${to}`),
)
const windowText = fc
  .tuple(days, time, fc.oneof(time, fc.constant('24:00')), fc.constantFrom(...ZONES))
  .filter(([, from, to]) => from !== to)
  .map(([on, from, to, zone]) => `${on} ${from}-${to} ${zone}`)
const severalWindows = fc.array(windowText, { minLength: 1, maxLength: 4 })
const moment = fc.oneof(
  fc.date({ min: new Date('2024-01-01'), max: new Date('2031-01-01'), noInvalidDate: true }).map((date) => date.getTime()),
  fc
    .tuple(fc.constantFrom(...CHANGES), fc.integer({ min: -36 * 60, max: 36 * 60 }))
    .map(([at, by]) => Date.parse(at) + by * 60_000),
)

/** Whether a clock on the wall shows a time in the window, told from its text in another way than the code does. */
function isIn(text: string, ms: number): boolean {
  const [on = '', span = '', timeZone = ''] = text.split(' ')
  const [from = '', to = ''] = span.split('-')
  const names = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']
  const shown = new Date(ms).toLocaleString('en-GB', {
    timeZone,
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    hourCycle: 'h23',
  })
  const today = names.indexOf(shown.slice(0, 3))
  const clock = shown.slice(-5)
  const holdsOn = (weekday: number): boolean => {
    if (on === 'daily') return true
    const [first = 0, last = first] = on.split('-').map((name) => names.indexOf(name))
    return first <= last ? weekday >= first && weekday <= last : weekday >= first || weekday <= last
  }
  if (from < to) return holdsOn(today) && clock >= from && clock < to
  return (holdsOn(today) && clock >= from) || (holdsOn((today + 6) % 7) && clock < to)
}

await t.test('the end is after the moment, within eight days, with the windows all the way up to it and none there', async () => {
  const property = fc.property(
    severalWindows,
    moment,
    fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 40 }),
    (texts, atMs, shares) => {
      const inAny = (ms: number) => texts.some((text) => isIn(text, ms))
      const endMs = endsAt(windowsOf(texts.join(', ')), atMs)
      if (endMs === undefined) return !inAny(atMs)
      const isWithin = shares.every((share) => inAny(Math.min(endMs - 1, Math.floor(atMs + share * (endMs - atMs)))))
      const isBound = endMs === atMs + 8 * DAY_MS
      return endMs > atMs && endMs <= atMs + 8 * DAY_MS && inAny(endMs - 1) && isWithin && (isBound || !inAny(endMs))
    },
  )
  fc.assert(property, { numRuns: 2000 })
})

await t.test('windows without a gap, in whatever order, ask the clocks of their zone no more than twice a day', async (t) => {
  const clock = (minute: number) => `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
  const texts = Array.from({ length: 16 }, (_, i) => `daily ${clock(i * 90)}-${clock((i + 1) * 90)} Europe/Berlin`)
  const { prototype } = Intl.DateTimeFormat
  const { formatToParts } = prototype
  let reads = 0
  prototype.formatToParts = function (this: Intl.DateTimeFormat, date) {
    reads += 1
    return formatToParts.call(this, date)
  }
  t.teardown(() => {
    prototype.formatToParts = formatToParts
  })
  const atMs = Date.parse('2026-11-23T12:00Z')
  for (const inOrder of [texts, texts.toReversed()]) {
    reads = 0
    t.equal(endsAt(windowsOf(inOrder.join(',')), atMs), atMs + 8 * DAY_MS)
    t.ok(reads > 0 && reads <= 2 * 9, `${reads}`)
  }
})

await t.test('whatever the text, it is windows, or a problem is told', async () => {
  const pieces = fc.array(
    fc.constantFrom('Sun', 'Mon-Fri', 'daily', ' ', '02:00', '-', '03:00', 'Europe/Berlin', 'Europe/', ',', ';', '24:00', '/'),
    { maxLength: 12 },
  )
  const property = fc.property(
    fc.oneof(
      fc.string(),
      pieces.map((each) => each.join('')),
    ),
    (text) => {
      const windows = parseMaintenance(text)
      return windows === undefined
        ? Boolean(maintenance.explain?.(text))
        : windows.length > 0 && maintenance.explain?.(text) === undefined
    },
  )
  fc.assert(property, { numRuns: 3000 })
})
