// Who may tell the healer something over HTTP: who has HEALER_TOKEN, and nobody by way of somebody else's page. What is refused is
// answered as JSON with a `message` that says what to do.
import { createHash, timingSafeEqual } from 'node:crypto'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { Context, MiddlewareHandler } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Logger } from 'pino'
import type { Clock } from '../loop/clock.ts'

export type GuardOptions = {
  /** `undefined`: everything is refused. */
  readonly token: string | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** Refused attempts are told of this often at most, so that they cannot fill the log. */
const TELL_REFUSALS_MS = 60_000

/**
 * Lets through who has the token. The token comes in a header that no browser adds by itself, so a page of somebody else's cannot use
 * it; a request from one, which its `Origin` tells, is refused all the same.
 */
export function createGuard({ token, clock, log }: GuardOptions): MiddlewareHandler {
  const tell = createRefusalLog(clock, log)
  return async (context, next) => {
    if (token === undefined) return refuse(context, 403, 'control is off; set HEALER_TOKEN, or HEALER_TOKEN_FILE, to turn it on')
    if (isForeign(context.req.header('origin'), context.req.header('host'))) {
      tell(context)
      return refuse(context, 403, 'a page of another origin may not ask this')
    }
    const [, given] = /^Bearer +(\S+)$/i.exec(context.req.header('authorization') ?? '') ?? []
    if (given === undefined || !isSame(given, token)) {
      tell(context)
      return refuse(context, 401, 'it takes the header “Authorization: Bearer” with HEALER_TOKEN', {
        'www-authenticate': 'Bearer',
      })
    }
    await next()
    return undefined
  }
}

/** Their digests are compared, in a time that depends on neither, nor on where they differ. */
function isSame(given: string, token: string): boolean {
  const [a, b] = [given, token].map((text) => createHash('sha256').update(text).digest())
  return a !== undefined && b !== undefined && timingSafeEqual(a, b)
}

/** A client that is no browser sends no `Origin`. */
function isForeign(origin: string | undefined, host: string | undefined): boolean {
  return origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`
}

function createRefusalLog(clock: Clock, log: Logger): (context: Context) => void {
  let untold = 0
  let toldMs = Number.NEGATIVE_INFINITY
  return (context) => {
    untold += 1
    if (clock.monotonicMs() - toldMs < TELL_REFUSALS_MS) return
    const by = remoteAddress(context)
    const more = untold === 1 ? '' : ` (${untold} attempts since the last such line)`
    log.warn(
      { event: 'control-refused', by },
      `control was refused to ${by}: without the token, or from a page of another origin${more}`,
    )
    toldMs = clock.monotonicMs()
    untold = 0
  }
}

/** Refuses a body of more than `maxBytes`, told its length or in pieces. */
export function boundBody(maxBytes: number): MiddlewareHandler {
  return bodyLimit({
    maxSize: maxBytes,
    onError: (context) => refuse(context, 413, `the body is larger than ${maxBytes} bytes`),
  })
}

/** Of the connection itself: what a header says of it may be anything. */
export function remoteAddress(context: Context): string {
  return getConnInfo(context).remote.address?.replace(/^::ffff:/, '') ?? 'unknown'
}

export function refuse(
  context: Context,
  status: 400 | 401 | 403 | 404 | 405 | 413 | 503,
  message: string,
  headers: Record<string, string> = {},
) {
  return context.json({ message }, status, headers)
}
