// What comes in over HTTP for the healer to do: Alertmanager's webhook, and control. Garbage is answered with 4xx, never with 5xx; what fires
// after it was named in it, for a container that is watched; and nothing is paused that nobody asked for.
import fc from 'fast-check'
import { Hono } from 'hono'
import { pino } from 'pino'
import { type FiringRules, MAX_RULES_OF_CONTAINER, takeAlerts } from '../../../healer/health/rules.ts'
import { addAlertmanagerHook } from '../../../healer/serve/alertmanager-hook.ts'
import { addControl, type ControlResult } from '../../../healer/serve/control.ts'
import { createGuard } from '../../../healer/serve/guard.ts'
import { createFakeClock } from '../../healer/support/fake-clock.ts'
import { edited } from '../edits.ts'
import { defineTarget, must } from '../target.ts'

const TOKEN = '0123456789abcdef0123456789abcdef'
const WATCHED = ['web', 'db']
const clock = createFakeClock()

// ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────────

const odd = fc.oneof(fc.constant(null), fc.constant(7), fc.constant([]), fc.constant({}), fc.string({ unit: 'binary' }))
const mostly = <T>(right: fc.Arbitrary<T>) =>
  fc.oneof<fc.MaybeWeightedArbitrary<unknown>[]>({ weight: 30, arbitrary: right }, odd)
const alert = fc.record(
  {
    status: mostly(fc.constantFrom('firing', 'firing', 'resolved')),
    labels: mostly(
      fc.record(
        {
          alertname: mostly(fc.constantFrom('Down', 'PosternContainer', '__proto__', '', '\u001b[2J\u202e')),
          container: mostly(fc.constantFrom('web', 'web', 'db', 'other', '', 'WEB', '__proto__')),
        },
        { requiredKeys: [] },
      ),
    ),
    annotations: mostly(fc.record({ summary: mostly(fc.string({ unit: 'binary' })) }, { requiredKeys: [] })),
    endsAt: mostly(
      fc.constantFrom(
        '0001-01-01T00:00:00Z',
        '2020-01-01T00:00:00Z',
        '2030-01-01T00:00:00.123456789+02:00',
        '2024-02-30T00:00:00Z',
      ),
    ),
    fingerprint: mostly(fc.constantFrom('a', 'b', 'c', '1a30ba71cca2921f', 'f'.repeat(64))),
  },
  { requiredKeys: ['status', 'labels', 'fingerprint'] },
)
const webhook = edited(
  fc
    .record(
      {
        version: mostly(fc.constant('4')),
        alerts: mostly(fc.array(alert, { maxLength: 30, size: '+1' })),
        truncatedAlerts: mostly(fc.nat()),
      },
      { requiredKeys: ['version', 'alerts'] },
    )
    .map((body) => JSON.stringify(body)),
  ['"container":', '"web"', '"firing"', '"fingerprint":"x"', '[[[[', '"__proto__":{'],
  1,
)
const token = fc.oneof(
  { weight: 20, arbitrary: fc.constant(`Bearer ${TOKEN}`) },
  fc.constantFrom('', 'Bearer x', TOKEN, `bearer  ${TOKEN}`),
)
const input = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      path: fc.constant('/api/hooks/alertmanager'),
      method: fc.oneof({ weight: 20, arbitrary: fc.constant('POST') }, fc.constantFrom('GET', 'PUT')),
      body: webhook,
      token,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      path: fc
        .tuple(
          fc.constantFrom('web', 'db', 'other', '__proto__', '%2e%2e', '%ff', 'web%00'),
          fc.constantFrom('pause', 'resume', 'reset', 'restart'),
          edited(fc.constantFrom('', '?for=2h', '?for=31d'), ['for=', '&'], 1),
        )
        .map(([name, action, query]) => `/api/containers/${name}/${action}${query.replace(/[#\s]/g, '')}`),
      method: fc.constantFrom('POST', 'POST', 'POST', 'GET'),
      body: edited(fc.constantFrom('', '{}', '{"for":"2h"}', '{"for":7}', '[]'), ['"for":', '"1s"'], 1),
      token,
    }),
  },
)

// ── The healer ──────────────────────────────────────────────────────────────────────────────────────────────────────

function start() {
  const app = new Hono()
  const said: string[] = []
  const log = pino({}, { write: (line: string) => void said.push(String(JSON.parse(line).msg)) })
  const guard = createGuard({ token: TOKEN, clock, log })
  const names = () => WATCHED
  let rules: FiringRules = new Map()
  const paused: string[] = []
  const pause = async (name: string, untilMs: number | undefined): Promise<ControlResult> => {
    if (!WATCHED.includes(name)) return { outcome: 'unknown' }
    if (untilMs !== undefined) paused.push(name)
    return { outcome: 'done', pausedUntilMs: untilMs }
  }
  addAlertmanagerHook(app, {
    ...{ guard, names, clock, log, isReady: () => true },
    rules: {
      take: async (alerts) => {
        const { rules: next, ...taken } = takeAlerts(rules, alerts, clock.monotonicMs())
        rules = next
        return taken
      },
    },
  })
  const control = { pause, resume: (name: string) => pause(name, undefined), reset: (name: string) => pause(name, undefined) }
  addControl(app, { guard, names, clock, log, control })
  const forget = () => {
    rules = new Map()
    said.length = 0
    paused.length = 0
  }
  return { app, said, paused, firing: () => [...rules.values()], forget }
}

const healer = start()

/** The containers that the text names in the alerts of a webhook, by a reading of its own. */
function namedIn(body: string): readonly string[] {
  const { alerts }: { readonly alerts: readonly { readonly labels: { readonly container?: string } }[] } = JSON.parse(body)
  return alerts.flatMap(({ labels }) => labels.container ?? [])
}

async function ask({ path, method, body, token }: { path: string; method: string; body: string; token: string }): Promise<void> {
  const { app, said, paused, firing, forget } = healer
  forget()
  const headers = { authorization: token, 'content-length': String(Buffer.byteLength(body)) }
  const answer = await app.request(path, { method, headers, ...(method === 'GET' ? {} : { body }) }, { incoming: { socket: {} } })
  const text = await answer.text()
  must(answer.status === 200 || (answer.status >= 400 && answer.status < 500), `it is answered with ${answer.status}: ${text}`)
  must(answer.status === 404 || typeof JSON.parse(text) === 'object', 'the answer is not JSON')
  must(!said.some((line) => /[^\P{C}]/u.test(line)), 'what is said of it could move a cursor')
  const rules = firing()
  if (answer.status !== 200) {
    must(rules.length === 0 && paused.length === 0, `it is refused with ${answer.status}, and has an effect`)
    return
  }
  must(new RegExp(`^bearer +${TOKEN}$`, 'i').test(token) && method === 'POST', 'it was let in')
  if (paused.length > 0) {
    must(paused.length === 1 && path.startsWith(`/api/containers/${paused[0]}/pause`), `${paused} is paused`)
    return
  }
  const named = rules.length > 0 ? namedIn(body) : []
  for (const container of new Set(rules.map((rule) => rule.container))) {
    const count = rules.filter((rule) => rule.container === container).length
    const times = named.filter((each) => each === container).length
    must(WATCHED.includes(container), `${container} is not watched`)
    must(count <= times && count <= MAX_RULES_OF_CONTAINER, `${count} alerts fire for ${container}, and ${times} were named`)
  }
  for (const { name, summary } of rules)
    must(!/[\p{C}]/u.test(name + summary) && name.length <= 202 && summary.length <= 402, 'a text is not plain, or is long')
}

export const hook = defineTarget(
  'garbage is answered with 4xx and has no effect, and what fires was named in what came, for a container that is watched',
  1000,
  input,
  ask,
)
