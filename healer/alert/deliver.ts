// One request to a receiver, and what its answer means. Never rejects. What a receiver answers is shown only where it holds nothing of what
// the request is kept secret for.
import { request } from 'undici'
import type { AlertRequest } from './receiver.ts'

export type Delivery =
  | { readonly outcome: 'delivered'; readonly answer: string }
  /** It may be taken another time; not before `afterMs` from now, if the receiver said so. */
  | { readonly outcome: 'later'; readonly answer: string; readonly afterMs?: number }
  /** It will never be taken as it is. */
  | { readonly outcome: 'never'; readonly answer: string }

export type Deliver = (sent: AlertRequest) => Promise<Delivery>

const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 4096
/** A receiver that asks for more patience than this is tried again sooner. */
const MAX_RETRY_AFTER_MS = 3_600_000
/** Client errors that say nothing of the request itself. */
const PASSING = [408, 425, 429]

/** Takes no longer than `timeoutMs`, the answer's body included. */
export async function deliver(sent: AlertRequest, timeoutMs = TIMEOUT_MS): Promise<Delivery> {
  try {
    const { statusCode, headers, body } = await request(sent.url, {
      method: 'POST',
      headers: sent.headers,
      body: sent.body,
      signal: AbortSignal.timeout(timeoutMs),
    })
    const text = await readStart(body)
    const answer = `it answered ${statusCode}${detail(text, sent)}`
    if (statusCode >= 200 && statusCode < 300) return { outcome: 'delivered', answer }
    // A redirect is not followed: what is sent is secret.
    if (statusCode < 500 && !PASSING.includes(statusCode)) return { outcome: 'never', answer }
    const afterMs = readRetryAfter(headers['retry-after'], Date.now())
    return { outcome: 'later', answer, ...(afterMs === undefined ? {} : { afterMs }) }
  } catch (error) {
    const { code, name, cause } = error as NodeJS.ErrnoException & { cause?: { code?: string } }
    const why = name === 'TimeoutError' ? `no answer within ${timeoutMs / 1000} s` : (code ?? cause?.code ?? name)
    return { outcome: 'later', answer: `it cannot be reached (${why})` }
  }
}

/**
 * The beginning of an answer; the rest is not waited for. Nothing of one that breaks off or comes late: the status has said what the answer
 * means, and half of a secret would not be known as one.
 */
async function readStart(body: AsyncIterable<Buffer> & { destroy(): unknown }): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of body) {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes >= MAX_ANSWER_BYTES) break
    }
  } catch {
    return ''
  }
  return Buffer.concat(chunks).subarray(0, MAX_ANSWER_BYTES).toString()
}

/** Seconds, or a date. Source: RFC 9110, section 10.2.3. */
function readRetryAfter(header: string | string[] | undefined, nowMs: number): number | undefined {
  if (typeof header !== 'string') return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs
  return Number.isFinite(ms) && ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : undefined
}

/** Printable, on one line, short; nothing where it repeats what only the two of them should know. */
function detail(text: string, sent: AlertRequest): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ').trim()
  const short = line.length > 200 ? `${line.slice(0, 200)}…` : line
  return short === '' || secretsOf(sent).some((secret) => line.includes(secret)) ? '' : `: ${short}`
}

/** Whatever of the request may be secret: what follows the host in its address, header values, and the routing key of PagerDuty's. */
function secretsOf({ url, headers, body }: AlertRequest): string[] {
  const { pathname, search, username, password } = new URL(url)
  const words = [...pathname.split('/'), search.slice(1), username, password]
  for (const [name, value] of Object.entries(headers))
    if (!PLAIN_HEADERS.includes(name.toLowerCase())) words.push(...value.split(' '))
  const key = /"routing_key":"([^"]+)"/.exec(body)?.[1]
  return [...words, key ?? ''].filter((word) => word.length >= 6)
}

const PLAIN_HEADERS = ['content-type', 'user-agent']
