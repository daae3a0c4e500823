// What an operator may tell the healer over HTTP: to leave a container alone, to take it up again, to forget what past restarts
// weigh. Only for who has HEALER_TOKEN; nothing here restarts anything or asks Docker.
import type { Context, Hono, MiddlewareHandler } from 'hono'
import type { Logger } from 'pino'
import * as z from 'zod'
import type { Clock } from '../loop/clock.ts'
import { renderDuration } from '../settings/duration.ts'
import { duration } from '../settings/value.ts'
import { boundBody, refuse, remoteAddress } from './guard.ts'

/** What the loop has to offer. Each resolves once it holds, on the disk too. */
export type Control = {
  /** No restarts of the container before `untilMs`, on the healer's monotonic clock; `Infinity`: before it is resumed. */
  readonly pause: (name: string, untilMs: number) => Promise<ControlResult>
  readonly resume: (name: string) => Promise<ControlResult>
  /** Past restarts weigh nothing any more, and giving up has ended. A pause stays. */
  readonly reset: (name: string) => Promise<ControlResult>
}

export type ControlResult =
  /** `undefined`: it is not paused; else as for `pause`. */
  | { readonly outcome: 'done'; readonly pausedUntilMs: number | undefined }
  /** No container of that name is watched. */
  | { readonly outcome: 'unknown' }

export type ControlOptions = {
  readonly control: Control
  /** Lets through who may ask. */
  readonly guard: MiddlewareHandler
  /** The names of the containers that are watched. */
  readonly names: () => readonly string[]
  readonly clock: Clock
  readonly log: Logger
}

/** The paths of what may be asked, below `/api/containers/:name`. */
const ACTIONS = ['reset', 'pause', 'resume'] as const
type Action = (typeof ACTIONS)[number]

const MAX_BODY_BYTES = 1024
/** The longest pause with an end: thirty days. */
const pauseDuration = duration(1000, 30 * 86_400_000)
const noInput = z.strictObject({})
const inputs = { reset: noInput, resume: noInput, pause: z.strictObject({ for: z.unknown().optional() }) }

/** Adds the routes to `app`. Every answer is JSON; a refusal holds a `message` that says what to do. */
export function addControl(app: Hono, options: ControlOptions): void {
  const bounded = boundBody(MAX_BODY_BYTES)
  for (const action of ACTIONS) {
    const path = `/api/containers/:name/${action}`
    app.post(path, options.guard, bounded, (context) => carryOut(context, action, context.req.param('name') ?? '', options))
    app.all(path, (context) => refuse(context, 405, `${action} is asked for by POST`, { allow: 'POST' }))
  }
}

async function carryOut(context: Context, action: Action, name: string, options: ControlOptions): Promise<Response> {
  const { control, clock, log } = options
  const input = readInput(action, context.req.queries(), await context.req.text())
  if ('problem' in input) return refuse(context, 400, input.problem)
  const { forMs } = input
  const result =
    action === 'pause'
      ? await control.pause(name, forMs === undefined ? Number.POSITIVE_INFINITY : clock.monotonicMs() + forMs)
      : await control[action](name)
  if (result.outcome === 'unknown') {
    const names = [...options.names()].sort()
    const known = names.length === 0 ? 'none is' : `these are: ${names.join(', ')}`
    return refuse(context, 404, `no container of that name is watched; ${known}`)
  }
  const by = remoteAddress(context)
  log.info({ container: name, event: action, by }, `${name} — ${describe(action, forMs)}, as ${by} asked`)
  return context.json({ container: name, paused: renderPause(result.pausedUntilMs, clock) })
}

function describe(action: Action, forMs: number | undefined): string {
  switch (action) {
    case 'pause':
      return `paused: no restarts ${forMs === undefined ? 'until it is resumed' : `for ${renderDuration(forMs)}`}`
    case 'resume':
      return 'resumed: it is restarted again when it is ill'
    case 'reset':
      return 'reset: past restarts weigh nothing any more'
    default:
      return action satisfies never
  }
}

/** RFC 3339, or `until resumed`; `null` where it is not paused. */
function renderPause(untilMs: number | undefined, clock: Clock): string | null {
  if (untilMs === undefined) return null
  if (untilMs === Number.POSITIVE_INFINITY) return 'until resumed'
  return new Date(clock.wallMs() + (untilMs - clock.monotonicMs())).toISOString()
}

type Input = { readonly forMs: number | undefined } | { readonly problem: string }

/** A word that is not known is refused: `fo=2h` must not be a pause without an end. */
function readInput(action: Action, query: Readonly<Record<string, readonly string[]>>, body: string): Input {
  const parsedBody = parseJson(body)
  if (parsedBody === undefined) return { problem: 'the body is not JSON; it takes {"for": "2h"}, or none' }
  const given: [string, unknown][] = Object.entries(query).flatMap(([key, values]) =>
    values.map((value): [string, unknown] => [key, value]),
  )
  given.push(...Object.entries(parsedBody))
  if (new Set(given.map(([key]) => key)).size < given.length) return { problem: 'a word is given twice' }
  const parsed = inputs[action].safeParse(Object.fromEntries(given))
  if (!parsed.success)
    return { problem: action === 'pause' ? 'pause takes for, such as for=2h, and nothing else' : `${action} takes nothing` }
  if (!('for' in parsed.data)) return { forMs: undefined }
  const { for: text } = parsed.data
  const forMs = typeof text === 'string' ? pauseDuration.parse(text) : undefined
  return forMs === undefined ? { problem: `for takes ${pauseDuration.takes}, as a text` } : { forMs }
}

/** An empty body is an empty object; `undefined`: it is no object of JSON. */
function parseJson(body: string): object | undefined {
  if (body.trim() === '') return {}
  try {
    const parsed: unknown = JSON.parse(body)
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}
