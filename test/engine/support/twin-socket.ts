// A socket for Docker's clients that sends each request twice: to the Engine, and through the proxy. What reads is sent as it is, at the same
// moment; what changes something, or knows an exec, is sent to the proxy for a twin of the container. The client gets the Engine's answer;
// what the other was is kept, to be compared.
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Test } from 'tap'
import { temporaryDirectory } from '../../support/temporary.ts'

/** An answer as it came. */
export type Heard = {
  readonly status: number
  /** By names in small letters. */
  readonly headers: ReadonlyMap<string, string>
  body: string
  /** The other side has ended it, not the client. */
  whole: boolean
}

/** One request's two answers; what they say of the twin is written as it would be of the container. */
export type Pair = {
  readonly line: string
  readonly engine: Heard
  readonly proxy: Heard
  /** Asks both once more: of what reads, where something else on the machine may have changed between the two. */
  readonly again?: () => Promise<Pair>
}

export type TwinSocket = {
  readonly socketPath: string
  readonly pairs: () => readonly Pair[]
}

const READS = /^(?:GET|HEAD) \/(?!(?:v[\d.]+\/)?exec\/)/

/** `engine` and `proxy` are sockets; `names` what a container's name begins with, and the twin's, which is as long. */
export async function startTwinSocket(
  t: Test,
  engine: string,
  proxy: string,
  names: readonly [of: string, twin: string],
): Promise<TwinSocket> {
  const made: (() => Pair)[] = []
  const way: Way = { engine, proxy, naming: createNaming(names), keep: (pair) => void made.push(pair) }
  const server = createServer((asked, response) => void take(way, asked, response).catch(() => response.destroy()))
  server.on('upgrade', (asked: IncomingMessage, client: Socket, first: Buffer) => takeUpgrade(way, asked, client, first))
  const socketPath = join(temporaryDirectory(t), 'twin.sock')
  await new Promise<void>((resolve) => server.listen(socketPath, resolve))
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return { socketPath, pairs: () => made.map((pair) => pair()) }
}

type Way = {
  readonly engine: string
  readonly proxy: string
  readonly naming: Naming
  readonly keep: (pair: () => Pair) => void
}

type Naming = {
  readonly toTwin: (text: string) => string
  readonly pairOf: (line: string, of: Heard, twin: Heard) => Pair
  /** The ids that both were given, of answers that give any. */
  readonly learn: (of: Heard, twin: Heard) => void
}

function createNaming(names: readonly [of: string, twin: string]): Naming {
  /** What is called otherwise at the twin. */
  const calls: (readonly [string, string])[] = [names]
  const fromTwin = (text: string) => calls.reduce((all, [of, twin]) => all.replaceAll(twin, of), text)
  const asOne = (heard: Heard): Heard => ({
    ...heard,
    headers: new Map([...heard.headers].map(([name, value]) => [name, fromTwin(value)])),
    body: fromTwin(heard.body),
  })
  return {
    toTwin: (text) => calls.reduce((all, [of, twin]) => all.replaceAll(of, twin), text),
    pairOf: (line, of, twin) => ({ line, engine: asOne(of), proxy: asOne(twin) }),
    learn(of, twin) {
      const [id, other] = [of, twin].map(({ body }) => /^\{"Id":"([0-9a-f]{64})"/.exec(body)?.[1])
      if (id !== undefined && other !== undefined && id !== other) calls.push([id, other], [id.slice(0, 12), other.slice(0, 12)])
    },
  }
}

async function take({ engine, proxy, naming, keep }: Way, asked: IncomingMessage, response: ServerResponse): Promise<void> {
  const { method = '', url = '', rawHeaders } = asked
  const line = `${method} ${url}`
  const body = await readBytes(asked)
  const isRead = READS.test(line)
  const twin = isRead ? (text: string) => text : naming.toTwin
  const sendBoth = () =>
    Promise.all([
      send(engine, method, url, rawHeaders, body),
      send(proxy, method, twin(url), rawHeaders, Buffer.from(twin(body.toString('latin1')), 'latin1')),
    ])
  const again = async (): Promise<Pair> => {
    const [of, other] = await sendBoth()
    const [heard, through] = [hear(of), hear(other)]
    await Promise.all([over(of), over(other)])
    return { ...naming.pairOf(line, heard, through), again }
  }
  const [of, other] = await sendBoth()
  const [heard, through] = [hear(of), hear(other)]
  response.on('close', () => [of, other].map((answer) => answer.destroy()))
  keep(() => ({ ...naming.pairOf(line, heard, through), ...(isRead && heard.whole ? { again } : {}) }))
  const ended = Promise.all([over(of), over(other)])
  const isOpen = of.headers['transfer-encoding'] === 'chunked'
  // What changes something is over at the twin's, too, before the client goes on; what goes on is passed on while it comes.
  if (!isOpen) await ended.then(() => naming.learn(heard, through))
  response.writeHead(of.statusCode ?? 0, withoutFraming(of.rawHeaders))
  response.flushHeaders()
  response.write(Buffer.from(heard.body, 'latin1'))
  if (isOpen) of.on('data', (chunk) => response.write(chunk))
  await ended
  response.end()
}

function takeUpgrade({ engine, proxy, naming, keep }: Way, asked: IncomingMessage, client: Socket, first: Buffer): void {
  const line = `${asked.method} ${asked.url}`
  const lines = asked.rawHeaders.flatMap((name, i) => (i % 2 ? [] : [`${name}: ${asked.rawHeaders[i + 1]}`]))
  const begin = [`${line} HTTP/1.1`, ...lines, '', ''].join('\r\n') + first.toString('latin1')
  const reach = (path: string, change: (text: string) => string) => {
    const socket = connect({ path, allowHalfOpen: true })
    const side = { socket, text: '', ended: new Promise((resolve) => socket.once('end', resolve).once('close', resolve)) }
    socket.write(change(begin), 'latin1')
    socket.on('error', () => client.destroy())
    socket.on('data', (chunk) => {
      side.text += chunk.toString('latin1')
    })
    client.on('data', (chunk) => socket.write(change(chunk.toString('latin1')), 'latin1')).on('end', () => socket.end())
    return side
  }
  const [of, twin] = [reach(engine, (text) => text), reach(proxy, naming.toTwin)]
  keep(() => naming.pairOf(line, readHead(of.text), readHead(twin.text)))
  // The client goes on once it has the connection: not before the twin has it, too.
  let passed = 0
  const pass = () => {
    if (twin.text === '') return
    client.write(of.text.slice(passed), 'latin1')
    passed = of.text.length
  }
  of.socket.on('data', pass)
  twin.socket.once('data', pass)
  void Promise.all([of.ended, twin.ended]).then(() => client.end())
  client.on('error', () => 'it is gone').on('close', () => [of, twin].map(({ socket }) => socket.destroy()))
}

function send(
  socketPath: string,
  method: string,
  path: string,
  headers: readonly string[],
  body: Buffer,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers: headers as never, setHost: false, agent: false }, resolve)
    sent.on('error', reject).end(body)
  })
}

function hear(answer: IncomingMessage): Heard {
  const heard: Heard = { status: answer.statusCode ?? 0, headers: headersOf(answer.rawHeaders), body: '', whole: false }
  answer.on('data', (chunk: Buffer) => {
    heard.body += chunk.toString('latin1')
  })
  answer.on('end', () => {
    heard.whole = true
  })
  answer.on('error', () => 'the client has gone')
  return heard
}

const over = (answer: IncomingMessage) => new Promise<void>((resolve) => answer.on('close', resolve))

function headersOf(raw: readonly string[]): Map<string, string> {
  return new Map(raw.flatMap((name, i) => (i % 2 ? [] : [[name.toLowerCase(), raw[i + 1] ?? ''] as const])))
}

function withoutFraming(raw: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    [...headersOf(raw)].filter(([name]) => !['transfer-encoding', 'content-length', 'connection'].includes(name)),
  )
}

function readHead(text: string): Heard {
  const end = text.indexOf('\r\n\r\n')
  const [status = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = new Map(
    lines.map((line) => [line.split(':')[0]?.toLowerCase() ?? '', line.slice(line.indexOf(':') + 1).trim()]),
  )
  return { status: Number(status.split(' ')[1]), headers, body: text.slice(end + 4), whole: true }
}

async function readBytes(asked: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of asked) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
