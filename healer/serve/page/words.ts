// Times, shares and numbers as the status page writes them. A time is written in UTC; where scripts run, the browser makes “in 12 s” or
// “3 min ago” of it.
import { html } from 'hono/html'
import { renderDuration } from '../../settings/duration.ts'
import type { Html } from './parts.ts'

/** What the browser makes of it: a countdown, or how long ago it was. */
type TimeKind = 'until' | 'ago'

/** `iso`: RFC 3339 in UTC. */
export function time(iso: string, kind: TimeKind): Html {
  return html`<time datetime="${iso}" data-kind="${kind}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>`
}

/** The same, where the day is known anyway. */
export function clock(iso: string, kind: TimeKind): Html {
  return html`<time datetime="${iso}" data-kind="${kind}">${iso.slice(11, 19)} UTC</time>`
}

/** `null`: nobody knows. Rounded down, so that 100 % means all of it. */
export function percent(ratio: number | null): string {
  if (ratio === null) return '–'
  const hundredths = Math.floor(ratio * 10_000) / 100
  return `${ratio === 1 ? '100' : hundredths.toFixed(hundredths >= 99 ? 2 : 1)} %`
}

export function latency(durationMs: number): string {
  if (durationMs >= 1000) return renderDuration(durationMs)
  return `${durationMs < 10 ? durationMs.toFixed(1) : Math.round(durationMs)} ms`
}

/** Ends with a full stop, unless it ends by itself: what is in it may be a stranger's. */
export function sentence(text: string): string {
  return /[.!?…]$/.test(text) ? text : `${text}.`
}

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number.toLocaleString('en')} ${number === 1 ? one : many}`
}

/** Until `ended`, or until it was made where it is open. */
export function lasted(since: string, ended: string): string {
  return renderDuration(Math.max(0, Date.parse(ended) - Date.parse(since)))
}
