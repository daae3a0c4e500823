// The socket at which the Engine asks its plugin: `/Plugin.Activate`, and a message before each request and before each answer. Bounds
// what is held in memory. Knows no policy; what it cannot read is for others to refuse.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type Refusal, refuse } from '../request/refusal.ts'
import type { BoundedServer } from '../serve/bounded-server.ts'
import { ALLOWED, type PluginAnswer, type PluginMessage, parsePluginMessage } from './plugin-message.ts'

export type PluginLimits = {
  /** Bytes of one message, in which a body of the client's is a third longer than it was. */
  readonly maxMessageBytes: number
  /** Bytes of all messages that are being read or judged. */
  readonly maxHeldBytes: number
  /** Questions that wait for a decision. The plugin's own requests are not among them: they never wait for one of these. */
  readonly maxUnderWay: number
  readonly maxConnections: number
  /** Milliseconds for a message to come. */
  readonly messageTimeoutMs: number
}

export const PLUGIN_LIMITS: PluginLimits = {
  maxMessageBytes: 2 * 1024 * 1024,
  maxHeldBytes: 32 * 1024 * 1024,
  maxUnderWay: 256,
  maxConnections: 1024,
  messageTimeoutMs: 10_000,
}

export type Answering = {
  /** Before a request is carried out. Never rejects. */
  readonly request: (message: PluginMessage) => Promise<PluginAnswer>
  /** The request is one of the plugin's own, which is answered at once. */
  readonly isOwn: (message: PluginMessage) => boolean
  /** Before an answer is sent, which is not judged any more. Never rejects. */
  readonly answer: (message: PluginMessage) => Promise<void>
  /** What cannot be read, or is too much. Never rejects. */
  readonly refused: (refusal: Refusal) => Promise<PluginAnswer>
  /** A connection was closed because there are too many. */
  readonly dropped: () => void
}

const TYPE = 'application/vnd.docker.plugins.v1.1+json'

export function createPluginServer(answering: Answering, limits: PluginLimits = PLUGIN_LIMITS): BoundedServer {
  const underWay = new Set<Promise<unknown>>()
  const read = createReader(limits)
  let judging = 0

  const judge = async (text: string | undefined): Promise<PluginAnswer> => {
    const message = text === undefined ? undefined : parsePluginMessage(text)
    if (message === undefined) return answering.refused(text === undefined ? TOO_LARGE : NO_MESSAGE)
    if (answering.isOwn(message)) return ALLOWED
    if (judging >= limits.maxUnderWay) return answering.refused(TOO_MANY)
    judging++
    try {
      return await answering.request(message)
    } finally {
      judging--
    }
  }
  const answered = async (text: string | undefined): Promise<PluginAnswer> => {
    const message = text === undefined ? undefined : parsePluginMessage(text)
    if (message) await answering.answer(message)
    return ALLOWED
  }
  const take = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { text, over } = await read(request)
    try {
      if (request.method !== 'POST') send(response, 405, { Err: 'the Engine asks its plugins by POST' })
      else if (request.url === '/Plugin.Activate') send(response, 200, { Implements: ['authz'] })
      else if (request.url === '/AuthZPlugin.AuthZReq') send(response, 200, await judge(text))
      else if (request.url === '/AuthZPlugin.AuthZRes') send(response, 200, await answered(text))
      else send(response, 404, { Err: 'this is an authorization plugin, and nothing else' })
    } finally {
      over()
    }
  }

  const server = createServer(
    {
      headersTimeout: limits.messageTimeoutMs,
      requestTimeout: limits.messageTimeoutMs,
      connectionsCheckingInterval: Math.min(limits.messageTimeoutMs, 5000) / 2,
      // The Engine keeps two connections for as long as it runs, and waits a second before it tries another one.
      keepAliveTimeout: 0,
    },
    (request, response) => {
      const taking = take(request, response).catch(() => request.socket.destroy())
      underWay.add(taking)
      void taking.then(() => underWay.delete(taking))
    },
  )
  server.maxConnections = limits.maxConnections
  server.on('drop', answering.dropped)
  const settled = async () => void (await Promise.allSettled(underWay))
  return { server, settled, cutOff: () => server.closeAllConnections() }
}

const TOO_LARGE = refuse(400, 'request.body', 'what the Engine passes on of the request is larger than the plugin takes in')
const NO_MESSAGE = refuse(400, 'request.framing', 'what the Engine has sent is no message to an authorization plugin')
const TOO_MANY = refuse(503, 'request.busy', 'too many requests wait for a decision; try again')

type Read = {
  /** `undefined`: too large. */ readonly text: string | undefined /** Its bytes are not held any more. */
  readonly over: () => void
}

/** Reads messages to their end, holding no more of them than is allowed. Rejects where one does not come whole. */
function createReader({ maxMessageBytes, maxHeldBytes }: PluginLimits): (request: IncomingMessage) => Promise<Read> {
  let held = 0
  return async (request) => {
    let own = 0
    let chunks: Buffer[] | undefined = []
    const over = () => {
      held -= own
      own = 0
      chunks = undefined
    }
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        if (chunks === undefined) continue
        if (own + chunk.length > maxMessageBytes || held + chunk.length > maxHeldBytes) {
          over()
          continue
        }
        chunks.push(chunk)
        own += chunk.length
        held += chunk.length
      }
    } catch (error) {
      over()
      throw error
    }
    return { text: chunks && Buffer.concat(chunks).toString('utf8'), over }
  }
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body)
  response.writeHead(status, { 'content-type': TYPE, 'content-length': Buffer.byteLength(text) }).end(text)
}
