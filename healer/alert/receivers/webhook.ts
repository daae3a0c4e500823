// Any program of one's own: alerts as JSON by a published schema, signed as GitHub signs its webhooks. The address, the key of the
// signature and the headers are secrets.
import { createHmac } from 'node:crypto'
import * as z from 'zod'
import { anyText, headerValue, httpUrl } from '../../settings/value.ts'
import type { Receiver } from '../receiver.ts'
import { JSON_HEADERS } from '../render-text.ts'
import { type Common, secret } from '../setting.ts'
import { renderWebhookBody } from './webhook-body.ts'

export const SIGNATURE_HEADER = 'X-Postern-Signature-256'

/** Headers that are Postern's own, or say how a message is framed and whom it is for. */
const OWN_HEADERS = [
  ...Object.keys(JSON_HEADERS),
  SIGNATURE_HEADER.toLowerCase(),
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

export const webhookSettings = z
  .strictObject({
    url: secret(httpUrl),
    secret: secret(anyText).optional(),
    headers: z.record(z.string(), secret(headerValue), { error: 'expected a map of headers' }).optional(),
  })
  .superRefine(({ headers = {} }, context) => {
    for (const name of Object.keys(headers)) {
      if (OWN_HEADERS.includes(name.toLowerCase()))
        context.addIssue({
          code: 'custom',
          path: ['headers', name],
          message: 'expected a header that Postern does not set itself',
        })
      else if (!/^[!#$%&'*+.^_`|~0-9a-z-]{1,128}$/i.test(name))
        context.addIssue({ code: 'custom', path: ['headers'], message: 'expected names of HTTP headers' })
    }
  })

export function createWebhook(settings: z.infer<typeof webhookSettings>, common: Common): Receiver {
  const { url, secret: key, headers = {} } = settings
  return {
    ...common,
    maxBatch: 20,
    resends: false,
    request(alerts) {
      const body = JSON.stringify(renderWebhookBody(alerts))
      const own = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.reveal()]))
      const signed = key && { [SIGNATURE_HEADER]: sign(body, key.reveal()) }
      return { url: url.reveal(), headers: { ...own, ...JSON_HEADERS, ...signed }, body }
    },
  }
}

/** HMAC-SHA256 of the very bytes that are sent, as in GitHub's `X-Hub-Signature-256`. */
function sign(body: string, key: string): string {
  return `sha256=${createHmac('sha256', key).update(body).digest('hex')}`
}
