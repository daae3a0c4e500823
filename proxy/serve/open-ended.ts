// An approved request whose answer, or body, goes on: sent, and given back with what was shown of it passing through, to be recorded
// when it is over.
import { addAbortSignal, type Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { EngineError, READ_TIMEOUT_MS } from '../engine/engine.ts'
import { requestBody, requestHeaders, requestPath, WRITE_TIMEOUT_MS } from '../engine/forward.ts'
import type { OpenEngineAnswer, OpenRequest } from '../engine/open-ended.ts'
import type { Tunnel } from '../engine/tunnel.ts'
import type { Approved } from '../policy/decide.ts'
import { parseContainerId } from '../policy/target.ts'
import type { ContainerRef } from '../request/api-request.ts'
import { operationOf } from '../request/catalogue.ts'
import type { Refusal } from '../request/refusal.ts'
import { DONE, failed } from '../show/answer.ts'
import { openHeaders } from '../show/open-headers.ts'
import type { AnyAnswer } from './any-answer.ts'
import { cutterOf } from './cut-objects.ts'
import type { Client } from './handle.ts'
import { inTime } from './in-time.ts'
import type { Incoming } from './incoming.ts'
import type { Result } from './record.ts'

/** To be told once when an answer that goes on is over. */
type Over = (result: Result, error?: string) => Promise<void>

/** The text of a failure is read for the log, as far as this. */
const MAX_FAILURE_BYTES = 64 * 1024

/**
 * Sends `approved` and resolves with the head of the answer and what follows it, or with what is told of a failure. `opened` is called
 * once the answer goes on. Throws `EngineError`.
 */
export async function askOpenEnded(
  client: Client,
  approved: Approved,
  incoming: Incoming,
  opened: () => Over,
): Promise<AnyAnswer | Refusal> {
  const signal = inTime(WRITE_TIMEOUT_MS, incoming.gone())
  const answer = approved.upgrade
    ? await client.engine.tunnel({ ...tunnelRequest(approved), signal })
    : await client.engine.open({ ...openRequest(approved, incoming.body), signal })
  if ('connection' in answer) return passTunnel(client, approved, answer, opened())
  if (!DONE.includes(answer.status)) {
    const text = await readSome(answer.body, incoming.gone())
    const refusal = failed(approved, answer)
    client.log.warn({ operation: approved.operation, engine: text.slice(0, 1000) }, refusal.reason)
    return refusal
  }
  if (approved.upgrade) {
    answer.body.destroy()
    throw new EngineError('answer', `the Engine answered ${answer.status} to ${approved.operation} instead of handing over`)
  }
  if (operationOf(approved.operation).answer === 'nothing') {
    await readSome(answer.body, incoming.gone())
    return { status: answer.status, headers: {}, body: '' }
  }
  return passStream(client, approved, answer, opened())
}

function tunnelRequest(approved: Approved) {
  const { protocol = 'tcp' } = operationOf(approved.operation)
  const body = requestBody(approved)
  return {
    ...{ path: requestPath(approved), headers: requestHeaders(approved), protocol },
    ...(body === undefined ? {} : { body }),
  }
}

function openRequest(approved: Approved, incoming: Readable): Omit<OpenRequest, 'signal'> {
  const { method, body: kind } = operationOf(approved.operation)
  const json = requestBody(approved)
  const sent =
    kind === 'tar' && approved.announced
      ? { type: 'application/x-tar', content: incoming, ...approved.announced }
      : json !== undefined && { type: 'application/json', content: json }
  return { method, path: requestPath(approved), headers: requestHeaders(approved), ...(sent ? { body: sent } : {}) }
}

function passStream(client: Client, approved: Approved, answer: OpenEngineAnswer, over: Over): AnyAnswer {
  const { policy, open, targets } = client
  const { status } = answer
  const operation = operationOf(approved.operation)
  const knows = async (id: string) => {
    const known = parseContainerId(id)
    return known !== undefined && (await targets.find(known as string as ContainerRef)) !== undefined
  }
  const stream = cutterOf(approved, knows)
  let bytes = 0
  stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  stream.pause()
  // Both ways: whoever goes takes the other along.
  answer.body.on('error', (error) => stream.destroy(error))
  stream.on('close', () => answer.body.destroy())
  answer.body.pipe(stream)
  const ended = finished(stream).then(
    () => over({ status, bytes }),
    (error: NodeJS.ErrnoException) => over({ status, bytes }, whyEnded(error)),
  )
  open.add({ operation: approved.operation, policy, cut: () => stream.destroy(new Error(CUT)), over: ended })
  return { status, headers: openHeaders(answer.headers, operation), stream }
}

function passTunnel(client: Client, approved: Approved, { headers, connection }: Tunnel, over: Over): AnyAnswer {
  const { policy, open } = client
  const operation = operationOf(approved.operation)
  let bytes = 0
  connection.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  connection.pause()
  let why: string | undefined
  connection.once('error', (error) => {
    why ??= whyEnded(error)
  })
  const ended = new Promise<void>((resolve) => connection.once('close', () => resolve(over({ status: 101, bytes }, why))))
  const cut = () => {
    why ??= CUT
    connection.destroy()
  }
  open.add({ operation: approved.operation, policy, cut, over: ended })
  const upgrade = { upgrade: operation.protocol ?? 'tcp' }
  return { status: 101, headers: { ...openHeaders(headers, operation), ...upgrade }, tunnel: connection }
}

const CUT = 'it was cut off: the policy changed, or the proxy stopped'

function whyEnded(error: NodeJS.ErrnoException): string | undefined {
  // The client has hung up, which is how most streams end.
  if (error.code === 'ERR_STREAM_PREMATURE_CLOSE') return undefined
  return error.message === CUT ? CUT : `it broke off: ${error.message}`
}

/** What comes of `body` in time: where it breaks off, its head has said already what is to be told. */
async function readSome(body: Readable, gone: AbortSignal): Promise<string> {
  let text = ''
  try {
    for await (const chunk of addAbortSignal(inTime(READ_TIMEOUT_MS, gone), body)) {
      text += String(chunk)
      if (text.length > MAX_FAILURE_BYTES) break
    }
  } catch {
    body.destroy()
  }
  return text
}
