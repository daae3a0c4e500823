/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
// The status page's script, in the browser: keeps the page up to date by what the healer tells, counts times down, and finds containers
// by name. Puts nothing into the page but what the healer rendered.
import morphdom from 'morphdom'
import type { Update } from '../feed.ts'

const RETRY_MS = 15_000
/** The healer says something every ten seconds. */
const SILENT_MS = 35_000

const root = document.documentElement
let version = root.dataset.version ?? ''
/** How far the healer's clock is ahead of the browser's. */
let aheadMs = Number(root.dataset.now) - Date.now()
let heardMs = Date.now()

declare global {
  interface Window {
    /** Where the browser has Trusted Types; TypeScript's library has not. */
    readonly trustedTypes?: {
      readonly createPolicy: (name: string, rules: { createHTML: (text: string) => string }) => typeof rules
    }
  }
}

// With Trusted Types on, as the page's policy has them, this is the only way for text to become elements.
const policy = window.trustedTypes?.createPolicy('postern', { createHTML: (text) => text })

/** Its types are those of its CommonJS build; the bundler takes the other. */
const morph = morphdom as unknown as typeof morphdom.default

function toElement(text: string): Element | null {
  const template = document.createElement('template')
  template.innerHTML = policy ? policy.createHTML(text) : text
  return template.content.firstElementChild
}

/** Makes the element `before` what `element` is, and leaves what is the same. */
function renew(before: Element, element: Element): void {
  morph(before, element, {
    onBeforeElUpdated(from, to) {
      // What the reader has opened or closed stays so.
      if (from instanceof HTMLDetailsElement) to.toggleAttribute('open', from.open)
      if (from.hidden) to.hidden = true
      return !from.isEqualNode(to)
    },
  })
}

/** `fresh`: elements that are not on the page yet, by id. */
function arrange(name: string, ids: readonly string[], fresh: ReadonlyMap<string, Element>): void {
  const list = document.getElementById(name)
  if (!list) return
  const wanted = new Set(ids)
  for (const child of [...list.children]) if (!wanted.has(child.id)) child.remove()
  for (const [i, id] of ids.entries()) {
    const element = document.getElementById(id) ?? fresh.get(id)
    const there = list.children[i] ?? null
    if (element && element !== there) list.insertBefore(element, there)
  }
}

function update({ version: next, nowMs, html, lists }: Update): void {
  version = next
  aheadMs = nowMs - Date.now()
  const fresh = new Map<string, Element>()
  for (const [id, text] of Object.entries(html)) {
    const element = toElement(text)
    const before = document.getElementById(id)
    if (element && before) renew(before, element)
    else if (element) fresh.set(id, element)
  }
  for (const [name, ids] of Object.entries(lists ?? {})) arrange(name, ids, fresh)
  document.title = document.getElementById('attention')?.dataset.title ?? 'Postern'
  tellTimes()
  filter()
}

/** As the healer writes them elsewhere: `12 s`, `3 min`, `2 h`, `4 d`. */
function roughly(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 90) return `${seconds} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

function tellTimes(): void {
  const nowMs = Date.now() + aheadMs
  for (const element of document.querySelectorAll<HTMLTimeElement>('time[data-kind]')) {
    const ms = Date.parse(element.dateTime) - nowMs
    const text = element.dataset.kind === 'until' ? (ms < 500 ? 'now' : `in ${roughly(ms)}`) : `${roughly(Math.max(0, -ms))} ago`
    if (element.textContent !== text) element.textContent = text
    if (element.title === '') element.title = new Date(element.dateTime).toLocaleString()
  }
}

function say(state: 'live' | 'lost', text: string): void {
  const live = document.getElementById('live')
  if (!live || live.dataset.state === state) return
  live.dataset.state = state
  live.textContent = text
}

function listen(): void {
  const events = new EventSource(`/events?since=${encodeURIComponent(version)}`)
  events.onmessage = ({ data }) => {
    heardMs = Date.now()
    say('live', 'live')
    update(JSON.parse(data))
  }
  events.onerror = () => {
    const time = new Date(heardMs).toLocaleTimeString()
    say('lost', `no word from the healer; this is how it was at ${time}`)
    if (events.readyState === EventSource.CLOSED) again(events)
  }
  const timer = setInterval(() => {
    if (Date.now() - heardMs < SILENT_MS) return
    say('lost', `no word from the healer; this is how it was at ${new Date(heardMs).toLocaleTimeString()}`)
    again(events)
  }, 5000)
  const again = (old: EventSource) => {
    old.close()
    clearInterval(timer)
    setTimeout(listen, RETRY_MS)
  }
}

const form = document.getElementById('filter') as HTMLFormElement | null

function filter(): void {
  const given = form && new FormData(form)
  const name = String(given?.get('name') ?? '').toLowerCase()
  const onlyIll = given?.get('ill') === 'on'
  let shown = 0
  for (const element of document.querySelectorAll<HTMLElement>('#containers > li')) {
    const { name: its = '', standing } = element.dataset
    element.hidden = !its.toLowerCase().includes(name) || (onlyIll && standing === 'healthy')
    if (!element.hidden) shown += 1
  }
  const none = document.getElementById('none-found')
  if (none) none.hidden = shown > 0 || !(name !== '' || onlyIll)
}

if (form) {
  form.hidden = false
  form.addEventListener('input', filter)
  form.addEventListener('submit', (event) => event.preventDefault())
  filter()
}
tellTimes()
setInterval(tellTimes, 1000)
listen()
