// An Engine on a unix socket that writes down every byte it is sent. It reads HTTP by hand, so that whatever a proxy might
// let through, a body, a second request, a strange header, is on the record instead of hidden by a parser.
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { type Owner, temporaryDirectory } from '../../support/temporary.ts'
import { type FakeContainer, inspectBody, listElement } from './containers.ts'

export type Arrived = {
  /** The request line as it came. */
  readonly line: string
  /** The header lines as they came. */
  readonly headers: readonly string[]
  readonly body: string
}

/** An answer, bytes to send before hanging up, or (an empty text) hanging up at once. */
export type Reply = { readonly status: number; readonly body?: unknown; readonly headers?: readonly string[] } | string

export type Conversation = (socket: Socket, first: Buffer) => void

export type FakeEngine = {
  readonly socketPath: string
  readonly arrived: readonly Arrived[]
  /** The request lines that arrived, in order. */
  readonly lines: () => readonly string[]
  /** The containers that a list and an inspect tell of. */
  containers: FakeContainer[]
  /** Asked first; what it does not answer is answered from `containers`. */
  answer: (request: Arrived) => Promise<Reply | undefined> | Reply | undefined
  /**
   * Asked as soon as the head of a request has come: where it gives a function, that has the connection from there on, and the bytes
   * that have come behind the head.
   */
  takeOver: (head: Arrived) => Conversation | undefined
  /** The connections that there are now. */
  readonly connections: () => number
  /** Stops listening and hangs up; the socket is then refused. */
  readonly stop: () => Promise<void>
  readonly start: () => Promise<void>
}

export async function startFakeEngine(owner: Owner, containers: readonly FakeContainer[] = []): Promise<FakeEngine> {
  const socketPath = join(temporaryDirectory(owner), 'engine.sock')
  const arrived: Arrived[] = []
  const sockets = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => socket.destroy())
    const takeOver = (head: Arrived) => {
      const conversation = engine.takeOver(head)
      if (conversation) arrived.push(head)
      return conversation
    }
    readRequests(socket, takeOver, async (request) => {
      arrived.push(request)
      return (await engine.answer(request)) ?? answerFrom(engine.containers, request)
    })
  })
  const engine: FakeEngine = {
    socketPath,
    arrived,
    lines: () => arrived.map(({ line }) => line),
    containers: [...containers],
    answer: () => undefined,
    takeOver: () => undefined,
    connections: () => sockets.size,
    start: () => new Promise((resolve) => server.listen(socketPath, resolve)),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
  await engine.start()
  owner.teardown(() => engine.stop())
  return engine
}

function readRequests(
  socket: Socket,
  takeOver: (head: Arrived) => Conversation | undefined,
  answer: (request: Arrived) => Promise<Reply>,
): void {
  let buffered = ''
  let answering: Promise<void> = Promise.resolve()
  const onEnd = () => socket.end()
  const onData = (bytes: Buffer) => {
    buffered += bytes.toString('latin1')
    for (;;) {
      const head = takeHead(buffered)
      if (!head) return
      const conversation = takeOver({ ...head, body: '' })
      if (conversation) {
        socket.off('data', onData).off('end', onEnd)
        return conversation(socket, Buffer.from(buffered.slice(head.bytes), 'latin1'))
      }
      const length = Number(head.headers.find((header) => /^content-length:/i.test(header))?.split(':')[1] ?? 0)
      if (buffered.length < head.bytes + length) return
      const request = { line: head.line, headers: head.headers, body: buffered.slice(head.bytes, head.bytes + length) }
      // Bytes after its announced body are the next request's, whatever they look like.
      buffered = buffered.slice(head.bytes + length)
      answering = answering.then(async () => send(socket, await answer(request)))
    }
  }
  socket.on('data', onData).on('end', onEnd)
}

/** The head of the first request in `text`, and how many bytes it has. */
function takeHead(
  text: string,
): { readonly line: string; readonly headers: readonly string[]; readonly bytes: number } | undefined {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [line = '', ...headers] = text.slice(0, end).split('\r\n')
  return { line, headers, bytes: end + 4 }
}

function send(socket: Socket, reply: Reply): void {
  if (typeof reply === 'string') {
    socket.end(reply)
    return
  }
  const { status, body, headers = [] } = reply
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body)
  const length = status === 204 ? [] : [`Content-Length: ${Buffer.byteLength(text)}`]
  socket.write([`HTTP/1.1 ${status} Some reason`, 'Server: Docker/26.1', ...length, ...headers, '', text].join('\r\n'))
}

function answerFrom(containers: readonly FakeContainer[], { line }: Arrived): Reply {
  const [method = '', target = ''] = line.split(' ')
  const path = target.replace(/^\/v1\.\d\d(?=\/)/, '').replace(/\?.*$/, '')
  if (method === 'GET' && path === '/_ping')
    return { status: 200, body: 'OK', headers: ['Api-Version: 1.45', 'Docker-Secret: x'] }
  if (method === 'GET' && path === '/version')
    return { status: 200, body: { Version: '26.1', ApiVersion: '1.45', MinAPIVersion: '1.24', KernelVersion: '6' } }
  if (method === 'GET' && path === '/containers/json') return { status: 200, body: containers.map(listElement) }
  const [, id, action] = /^\/containers\/([^/]+)\/(json|restart)$/.exec(path) ?? []
  const container = containers.find((each) => each.id === id)
  if (!container) return { status: 404, body: { message: `No such container: ${id}` } }
  if (method === 'GET' && action === 'json') return { status: 200, body: inspectBody(container) }
  if (method === 'POST' && action === 'restart') return { status: 204 }
  return { status: 405, body: { message: 'the fake Engine does not do that' } }
}
