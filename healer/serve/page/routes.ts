// The status page over HTTP: the document, what it is made with, and what changes on it, as server-sent events. Nothing here changes
// anything or asks Docker anything, and who listens is bounded in number.
import { randomBytes } from 'node:crypto'
import type { HttpBindings } from '@hono/node-server'
import type { Context, Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import type { Times } from '../api/containers.ts'
import { refuse } from '../guard.ts'
import { PAGE_CSS, PAGE_ICON, PAGE_SCRIPT } from './assets.ts'
import { renderDocument } from './document.ts'
import { createFeed, type FeedOptions } from './feed.ts'

export type PageOptions = Pick<FeedOptions, 'makeParts'> & { readonly clock: Times }

const LOOK_EVERY_MS = 1000
/** Something is said at least this often, so that a browser knows that it is still told. */
const SAY_EVERY_MS = 10_000
/** Containers on a shared network reach this port as well; each listener holds a connection. */
export const MAX_LISTENERS = 64

const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
  // Text becomes elements in one place of the script alone.
  ...["require-trusted-types-for 'script'", 'trusted-types postern'],
].join('; ')

/** Adds the routes to `app`. */
export function addPage(app: Hono, { makeParts, clock }: PageOptions): void {
  const feed = createFeed({ makeParts, run: randomBytes(8).toString('hex'), ...clock })
  let listeners = 0
  app.get('/', async (context) => {
    const document = renderDocument(await feed.parts(), clock.wallMs())
    return context.html(document, 200, { 'content-security-policy': CONTENT_SECURITY_POLICY })
  })
  app.get('/page/page.css', (context) => context.body(PAGE_CSS, 200, { 'content-type': 'text/css; charset=utf-8' }))
  app.get('/page/page.js', (context) => context.body(PAGE_SCRIPT, 200, { 'content-type': 'text/javascript; charset=utf-8' }))
  app.get('/page/icon.svg', (context) => context.body(PAGE_ICON, 200, { 'content-type': 'image/svg+xml' }))
  app.get('/events', (context: Context<{ Bindings: HttpBindings }>) => {
    // It has no body, so that nobody would take, or end, what is written to it.
    if (context.req.method === 'HEAD') return context.body(null, 200, { 'content-type': 'text/event-stream' })
    if (listeners >= MAX_LISTENERS)
      return refuse(context, 503, `${MAX_LISTENERS} listen already; the page itself can be loaded again`, { 'retry-after': '15' })
    listeners += 1
    return streamSSE(context, async (stream) => {
      context.env.outgoing.once('close', () => {
        listeners -= 1
        stream.abort()
      })
      let since = context.req.header('last-event-id') ?? context.req.query('since') ?? ''
      let quietMs = Number.POSITIVE_INFINITY
      while (!stream.aborted) {
        const update = await feed.since(since)
        if (update.version !== since || quietMs >= SAY_EVERY_MS) {
          await stream.writeSSE({ data: JSON.stringify(update), id: update.version })
          quietMs = 0
        }
        since = update.version
        await stream.sleep(LOOK_EVERY_MS)
        quietMs += LOOK_EVERY_MS
      }
    })
  })
}
