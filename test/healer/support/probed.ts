// Servers that a probe can be sent at: right ones of each kind, and ones that break the connection in between.
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttp2Server, createSecureServer, type ServerHttp2Stream } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import type { Writable } from 'node:stream'
import type { Test } from 'tap'
import type { GrpcProbe } from '../../../healer/probe/grpc.ts'
import type { HttpProbe } from '../../../healer/probe/http.ts'
import type { TcpProbe } from '../../../healer/probe/tcp.ts'

const CERTIFICATES = 'test/healer/support/certificates'
export const CA_FILE = `${CERTIFICATES}/ca.pem`
export const readCertificate = (name: 'web' | 'expired' = 'web') => ({
  cert: readFileSync(`${CERTIFICATES}/${name}.pem`),
  key: readFileSync(`${CERTIFICATES}/web.key`),
})

/** Long enough for any answer that comes at all; a test of one that does not come gives a shorter one. */
const target = (port: number) => ({ address: '127.0.0.1', port, timeoutMs: 20_000, maxLatencyMs: undefined })
const PLAIN = { scheme: 'http', hostname: undefined, caFile: undefined, tlsVerify: true } as const

export const httpProbe = (port: number, change: Partial<HttpProbe> = {}): HttpProbe => ({
  ...target(port),
  ...PLAIN,
  kind: 'http',
  method: 'GET',
  path: '/health',
  headers: new Map(),
  status: [{ min: 200, max: 299 }],
  contains: undefined,
  matches: undefined,
  ...change,
})
export const tcpProbe = (port: number, change: Partial<TcpProbe> = {}): TcpProbe => ({
  ...target(port),
  kind: 'tcp',
  send: undefined,
  expect: undefined,
  ...change,
})
export const grpcProbe = (port: number, change: Partial<GrpcProbe> = {}): GrpcProbe => ({
  ...target(port),
  ...PLAIN,
  kind: 'grpc',
  service: '',
  ...change,
})

/** Listens on loopback until the test ends, when every connection is closed too. */
export async function listen(t: Test, server: Server, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('close', () => sockets.delete(socket))
  })
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** A server that hands each connection to `onSocket`. */
export const rawServer = (t: Test, onSocket: (socket: Socket) => void) => listen(t, createServer(onSocket))

/** A server that says `bytes` to whoever has sent something, and then closes, or not. */
export const saying = (t: Test, bytes: string | Buffer, close = true) =>
  rawServer(t, (socket) => socket.once('data', () => (close ? socket.end(bytes) : socket.write(bytes))))

/** A port at which nobody listens. */
export async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Hands on to `port`; what comes back goes through `onAnswer`, piece after piece, before the connection is closed. */
export function relay(t: Test, port: number, onAnswer: (chunk: Buffer, client: Socket) => unknown): Promise<number> {
  return rawServer(t, (client) => {
    const upstream = connect(port, '127.0.0.1')
    let handedOn: Promise<unknown> = Promise.resolve()
    upstream.on('error', () => client.destroy())
    client.on('data', (chunk) => upstream.write(chunk))
    client.on('close', () => upstream.destroy())
    upstream.on('data', (chunk) => {
      handedOn = handedOn.then(() => onAnswer(chunk, client))
    })
    upstream.on('close', () => void handedOn.then(() => client.end()))
  })
}

/** Writes without end, as fast as it is read. */
export function writeEndlessly(stream: Writable): void {
  const chunk = Buffer.alloc(64 * 1024, 'a')
  const more = () => {
    while (!stream.destroyed && stream.write(chunk));
    if (!stream.destroyed) stream.once('drain', more)
  }
  more()
}

export type GrpcAnswer = { readonly frame?: Buffer; readonly status?: string; readonly trailersOnly?: boolean }

/** Answers a call of the health service; `frame` is the message with its head. */
export function answerCall(stream: ServerHttp2Stream, { frame, status = '0', trailersOnly = false }: GrpcAnswer): void {
  const headers = { ':status': 200, 'content-type': 'application/grpc' }
  if (trailersOnly) stream.respond({ ...headers, 'grpc-status': status }, { endStream: true })
  else {
    stream.respond(headers, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status }))
    stream.end(frame)
  }
}

export const SERVING_FRAME = Buffer.from([0, 0, 0, 0, 2, 8, 1])

type OnStream = (stream: ServerHttp2Stream, headers: Readonly<Record<string, unknown>>) => void

export function grpcServer(t: Test, onStream: OnStream, options: { readonly tls?: boolean; readonly host?: string } = {}) {
  const server = options.tls ? createSecureServer(readCertificate()) : createHttp2Server()
  server.on('sessionError', () => undefined)
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined)
    onStream(stream, headers)
  })
  return listen(t, server, options.host)
}

export function httpServer(
  t: Test,
  onSocket: 'right' | 'endless',
  options: { readonly tls?: boolean; readonly host?: string } = {},
) {
  const server = options.tls ? createHttpsServer(readCertificate()) : createHttpServer()
  server.on('request', (_request, response) => {
    if (onSocket === 'endless') writeEndlessly(response)
    else response.end('ok')
  })
  return listen(t, server, options.host)
}
