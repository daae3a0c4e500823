// What the Engine tells its authorization plugin: of a request, before it carries it out, and of the answer, before it is sent.
// Source: the Engine's own `pkg/authorization/api.go`. Pure; never decides.
import * as z from 'zod'
import type { RequestHead } from '../request/read-request.ts'

/**
 * A request as its plugin is told of it. The Engine leaves out of its headers `Host`, `Transfer-Encoding`, a `Content-Length` beside it,
 * and who one is at a registry; of a header that came several times it tells the last.
 */
export type PluginMessage = {
  readonly method: string
  /** The request target as the client sent it. */
  readonly target: string
  /** By their names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** Passed on only where it is JSON, and small enough. Never empty. */
  readonly body?: Buffer
  /** The name in the client's certificate, where it came over TLS. */
  readonly user?: string
  /** Of an answer: its status. Absent where the Engine has failed, which its plugin is not told the status of, and of a stream. */
  readonly status?: number
  /** Of an answer: as much of it as the plugin is told. */
  readonly answer?: Buffer
}

/** What goes back to the Engine. */
export type PluginAnswer = { readonly Allow: boolean; readonly Msg?: string }

export const ALLOWED: PluginAnswer = { Allow: true }

const bytes = z.base64().transform((text) => Buffer.from(text, 'base64'))

/** Fields that newer Engines may add are passed over: none of those here is read otherwise for them. */
const messageSchema = z
  .object({
    RequestMethod: z.string().min(1),
    RequestUri: z.string().min(1),
    RequestHeaders: z.record(z.string(), z.string()).nullish(),
    RequestBody: bytes.nullish(),
    User: z.string().optional(),
    ResponseStatusCode: z.int().optional(),
    ResponseBody: bytes.nullish(),
  })
  .transform(
    ({ RequestMethod, RequestUri, RequestHeaders, RequestBody, User, ResponseStatusCode, ResponseBody }): PluginMessage => ({
      method: RequestMethod,
      target: RequestUri,
      headers: new Map(Object.entries(RequestHeaders ?? {}).map(([name, value]) => [name.toLowerCase(), value])),
      ...(RequestBody?.length ? { body: RequestBody } : {}),
      ...(User ? { user: User } : {}),
      ...(ResponseStatusCode ? { status: ResponseStatusCode } : {}),
      ...(ResponseBody?.length ? { answer: ResponseBody } : {}),
    }),
  )

/** The message in `text`; `undefined` where it is none. */
export function parsePluginMessage(text: string): PluginMessage | undefined {
  let given: unknown
  try {
    given = JSON.parse(text)
  } catch {
    return undefined
  }
  return messageSchema.safeParse(given).data
}

/** The head of the request that `message` tells of, without `left`, names of headers in lower case. */
export function headOf({ method, target, headers, user }: PluginMessage, left: readonly string[] = []): RequestHead {
  const kept = [...headers].filter(([name]) => !left.includes(name))
  return { method, target, rawHeaders: kept.flat(), ...(user === undefined ? {} : { user }) }
}
