// What becomes of a container's happenings: incidents, and the alerts that tell of them. Pure; times are milliseconds since 1970.
// An incident that was told of is told to have ended, always.
import type { Happening } from '../health/happening.ts'
import type { Diagnosis } from '../health/state.ts'
import type { Alert, AlertEvent } from './alert.ts'
import { wordsFor } from './alert-words.ts'

export type Incident = {
  /** Of this incident alone, on every host, ever. */
  readonly key: string
  readonly container: string
  readonly containerId: string
  readonly sinceMs: number
  readonly endedMs?: number | undefined
  /** What happened in it, the oldest first; of many the first ones and the last. */
  readonly steps: readonly IncidentStep[]
  readonly diagnosis?: Diagnosis | undefined
  /** What is told once, and was. */
  readonly said: readonly string[]
  /** Alerts that it has made, told or not, the last that was told, and the last that the cooldown kept from being told. */
  readonly alerts: number
  readonly told?: Alert | undefined
  readonly kept?: Pick<Alert, 'event' | 'severity'> | undefined
  /** Who has been told of it, by the names of receivers. */
  readonly toldTo: readonly string[]
}

export type IncidentStep = { readonly atMs: number; readonly what: string; readonly message: string }

/** Of a container that was told of lately: until when only the worst is told, and how many incidents were not told meanwhile. */
export type Cooldown = { readonly untilMs: number; readonly untold: number }

export type Book = {
  /** The oldest first; of a container at most one that has not ended. */
  readonly incidents: readonly Incident[]
  readonly cooldowns: Readonly<Record<string, Cooldown>>
}

export type Telling = {
  readonly cooldownMs: number
  /** 0: never. */
  readonly reminderMs: number
  /** Who wants to hear of `event` about `container`, by name. */
  readonly listeners: (event: AlertEvent, container: string) => readonly string[]
}
export type Noted = { readonly book: Book; readonly sent: readonly { readonly alert: Alert; readonly to: readonly string[] }[] }

export const EMPTY_BOOK: Book = { incidents: [], cooldowns: {} }

/** So many incidents that have ended are kept, and so many steps of one. */
const MAX_ENDED = 100
const MAX_STEPS = 30
const FIRST_STEPS_KEPT = 10
const MAX_COOLDOWNS = 1000

/** The container, and what is known of its illness now, if it is ill: since when it has failed in a row, and how. */
export type Subject = {
  readonly name: string
  readonly id: string
  readonly failingSinceMs: number | undefined
  readonly diagnosis: Diagnosis | undefined
}

/** What `happening` to `subject`, at `nowMs`, makes of the book, and the alerts to send. */
export function note(book: Book, subject: Subject, happening: Happening, nowMs: number, telling: Telling): Noted {
  const words = wordsFor(subject.name, happening)
  const open = openIncident(book, subject.name)
  if (!open && !words.opens) return { book, sent: [] }
  const before = open ?? newIncident(book, subject, nowMs)
  const isNews = words.event !== undefined && !(words.once !== undefined && before.said.includes(words.once))
  const incident: Incident = {
    ...before,
    steps: withStep(before.steps, { atMs: nowMs, what: words.step, message: words.message }),
    diagnosis: subject.diagnosis ?? before.diagnosis,
    said: words.once === undefined || !isNews ? before.said : [...before.said, words.once],
    ...(words.ends ? { endedMs: nowMs } : {}),
  }
  if (words.event === undefined || !isNews) return { book: put(book, incident), sent: [] }
  return tell(book, incident, { event: words.event, severity: words.severity, message: words.message }, nowMs, telling)
}

/** No container but those of `names` is there, or watched: what is open of any other has ended. */
export function forgetOthers(book: Book, names: readonly string[], nowMs: number, telling: Telling): Noted {
  const present = new Set(names)
  return forEachOpen(book, (now, incident) => {
    if (present.has(incident.container)) return { book: now, sent: [] }
    const message = `${incident.container} is not there any more, or not watched.`
    const ended = { ...incident, endedMs: nowMs, steps: withStep(incident.steps, { atMs: nowMs, what: 'gone', message }) }
    return tell(now, ended, { event: 'recovered', severity: 'info', message }, nowMs, telling)
  })
}

/** What is told again at `nowMs` for it lasts, or told at last for the cooldown is over. */
export function remind(book: Book, nowMs: number, telling: Telling): Noted {
  return forEachOpen(book, (now, incident) => {
    const due = findDue(now, incident, nowMs, telling)
    // Who hears of it is not asked again and again what they do not want to hear.
    if (!due || recipients(incident, due.event, telling).length === 0) return { book: now, sent: [] }
    const since = new Date(incident.sinceMs).toISOString()
    const message = `${incident.container} is still ill, since ${since}. Last: ${incident.steps.at(-1)?.message ?? ''}`
    return tell(now, incident, { ...due, message }, nowMs, telling)
  })
}

function forEachOpen(book: Book, act: (book: Book, incident: Incident) => Noted): Noted {
  let noted: Noted = { book, sent: [] }
  for (const incident of book.incidents) {
    if (incident.endedMs !== undefined) continue
    const next = act(noted.book, incident)
    noted = { book: next.book, sent: [...noted.sent, ...next.sent] }
  }
  return noted
}

/** What an incident that was told of is a reminder of; to who was to hear of another, it is what they were to hear. */
function findDue(book: Book, { container, told, kept }: Incident, nowMs: number, telling: Telling) {
  if (!told) return kept && !isQuiet(book.cooldowns[container], nowMs, telling) ? kept : undefined
  // In the future, if the clock was set back: that far, it is told again at once; less far, within twice the interval.
  const isDue = telling.reminderMs > 0 && Math.abs(nowMs - told.atMs) >= telling.reminderMs
  return isDue ? ({ event: 'reminder', severity: told.severity } as const) : undefined
}

/** Whether the cooldown lasts. One that would for longer than any can began on a clock that was set back since, and is over. */
function isQuiet(cooldown: Cooldown | undefined, nowMs: number, { cooldownMs }: Telling): boolean {
  const leftMs = (cooldown?.untilMs ?? 0) - nowMs
  return leftMs > 0 && leftMs <= cooldownMs
}

export function openIncident({ incidents }: Book, name: string): Incident | undefined {
  return incidents.findLast(({ container, endedMs }) => container === name && endedMs === undefined)
}

/** The keys of those that have not ended, by container. */
export function openIncidents(incidents: readonly Incident[]): ReadonlyMap<string, string> {
  return new Map(incidents.filter(({ endedMs }) => endedMs === undefined).map(({ container, key }) => [container, key]))
}

function newIncident({ incidents }: Book, { name, id, failingSinceMs }: Subject, nowMs: number): Incident {
  const keyAt = (ms: number) => `postern/${name.slice(0, 100)}/${id.slice(0, 12)}/${ms}`
  const taken = new Set(incidents.map((each) => each.key))
  let beganMs = nowMs
  // A clock may be set back.
  while (taken.has(keyAt(beganMs))) beganMs += 1
  const key = keyAt(beganMs)
  return { key, container: name, containerId: id, sinceMs: failingSinceMs ?? nowMs, steps: [], said: [], alerts: 0, toldTo: [] }
}

type News = Pick<Alert, 'event' | 'severity' | 'message'>

/** Tells it to who wants to hear it, unless the container was told of lately and this is not the worst. */
function tell(book: Book, incident: Incident, news: News, nowMs: number, telling: Telling): Noted {
  const { container } = incident
  const to = recipients(incident, news.event, telling)
  if (to.length === 0) return { book: put(book, incident), sent: [] }
  const cooldown = book.cooldowns[container] ?? { untilMs: 0, untold: 0 }
  const counted = { ...incident, alerts: incident.alerts + 1 }
  if (!incident.told && isQuiet(cooldown, nowMs, telling) && news.severity !== 'critical') {
    const untold = cooldown.untold + (incident.alerts === 0 ? 1 : 0)
    const { event, severity } = news
    return {
      book: withCooldown(put(book, { ...counted, kept: { event, severity } }), container, { ...cooldown, untold }),
      sent: [],
    }
  }
  // Of those that were not told, this one may be.
  const untold = incident.told ? 0 : cooldown.untold - (incident.alerts > 0 ? 1 : 0)
  const alert: Alert = {
    id: `${incident.key}/${counted.alerts}`,
    incident: incident.key,
    ...news,
    message: untold > 0 ? `${news.message} ${untoldWords(untold)}` : news.message,
    container,
    atMs: nowMs,
    sinceMs: incident.sinceMs,
    resolved: incident.endedMs !== undefined,
    diagnosis: incident.diagnosis,
  }
  const toldTo = [...new Set([...incident.toldTo, ...to])]
  const next = withCooldown(put(book, { ...counted, told: alert, toldTo }), container, {
    untilMs: nowMs + telling.cooldownMs,
    untold: 0,
  })
  return { book: next, sent: [{ alert, to }] }
}

/** The end goes to all who heard of it, whether they asked for it or not; a reminder to those who heard, if anyone has. */
function recipients({ toldTo, endedMs, container }: Incident, event: AlertEvent, { listeners }: Telling): readonly string[] {
  if (endedMs !== undefined) return toldTo
  const who = listeners(event, container)
  return event === 'reminder' && toldTo.length > 0 ? who.filter((name) => toldTo.includes(name)) : who
}

function untoldWords(count: number): string {
  return count === 1 ? 'One incident of it before was not told.' : `${count} incidents of it before were not told.`
}

/** Replaces it, or adds it as the youngest; the oldest that have ended are forgotten. */
function put(book: Book, incident: Incident): Book {
  const isKnown = book.incidents.some(({ key }) => key === incident.key)
  const all = isKnown
    ? book.incidents.map((each) => (each.key === incident.key ? incident : each))
    : [...book.incidents, incident]
  const ended = all.filter(({ endedMs }) => endedMs !== undefined)
  const dropped = new Set(ended.slice(0, Math.max(0, ended.length - MAX_ENDED)))
  return { ...book, incidents: all.filter((each) => !dropped.has(each)) }
}

/** The last to change are kept. */
function withCooldown(book: Book, container: string, cooldown: Cooldown): Book {
  const others = Object.entries(book.cooldowns).filter(([name]) => name !== container)
  return { ...book, cooldowns: Object.fromEntries([...others.slice(1 - MAX_COOLDOWNS), [container, cooldown]]) }
}

function withStep(steps: readonly IncidentStep[], step: IncidentStep): readonly IncidentStep[] {
  const all = [...steps, step]
  if (all.length <= MAX_STEPS) return all
  return [...all.slice(0, FIRST_STEPS_KEPT), ...all.slice(FIRST_STEPS_KEPT - MAX_STEPS)]
}
