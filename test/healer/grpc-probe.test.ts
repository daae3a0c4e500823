// The gRPC probe, beyond what all probes keep to: what it asks, and what each answer means.
import t from 'tap'
import { type GrpcProbe, probeGrpc } from '../../healer/probe/grpc.ts'
import { answerCall, grpcProbe, grpcServer, SERVING_FRAME } from './support/probed.ts'

const probe = (port: number, change: Partial<GrpcProbe> = {}) => probeGrpc(grpcProbe(port, change))
const frame = (...message: number[]) => Buffer.from([0, 0, 0, 0, message.length, ...message])

await t.test('it calls Check of the health service, for the service it was given', async (t) => {
  let headers: Readonly<Record<string, unknown>> = {}
  let request = Buffer.alloc(0)
  const port = await grpcServer(t, (stream, given) => {
    headers = given
    stream.on('data', (chunk: Buffer) => (request = Buffer.concat([request, chunk])))
    stream.on('end', () => answerCall(stream, { frame: SERVING_FRAME }))
  })
  t.same(await probe(port, { service: 'shop.Cart' }), { result: 'success', reason: 'serving status SERVING' })
  t.match(headers, {
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    ':scheme': 'http',
    ':authority': `127.0.0.1:${port}`,
    'content-type': 'application/grpc',
    te: 'trailers',
    'grpc-timeout': '20000m',
  })
  t.same(request, Buffer.concat([Buffer.from([0, 0, 0, 0, 11, 0x0a, 9]), Buffer.from('shop.Cart')]))
  await probe(port, { hostname: 'cart.test' })
  t.match(headers, { ':authority': 'cart.test' })
})

for (const [what, answer, reason] of [
  ['NOT_SERVING', { frame: frame(8, 2) }, 'serving status NOT_SERVING'],
  ['an empty answer, which is UNKNOWN', { frame: frame() }, 'serving status UNKNOWN'],
  ['a status of the future', { frame: frame(8, 9) }, 'serving status 9'],
  ['no health service', { status: '12', trailersOnly: true }, 'it has no service grpc.health.v1.Health (gRPC status 12)'],
  ['an unknown service', { status: '5', trailersOnly: true }, 'it knows no service “shop.Cart” (gRPC status 5)'],
  ['an unknown service, told at the end', { status: '5' }, 'it knows no service “shop.Cart” (gRPC status 5)'],
  ['another error', { status: '14', trailersOnly: true }, 'answered gRPC status 14'],
  ['an error after a good answer', { frame: SERVING_FRAME, status: '13' }, 'answered gRPC status 13'],
  ['no message', {}, 'answered what is not a health status'],
  ['a message that is cut', { frame: SERVING_FRAME.subarray(0, 6) }, 'answered what is not a health status'],
  ['a status that is none', { frame: SERVING_FRAME, status: 'fine' }, 'answered what is not gRPC'],
] as const) {
  await t.test(`${what} is a failure`, async (t) => {
    const port = await grpcServer(t, (stream) => answerCall(stream, answer))
    t.same(await probe(port, { service: 'shop.Cart' }), { result: 'failure', reason })
  })
}

await t.test('a web server that knows HTTP/2 and no gRPC is a failure', async (t) => {
  const missing = await grpcServer(t, (stream) => stream.respond({ ':status': 404 }, { endStream: true }))
  t.same(await probe(missing), { result: 'failure', reason: 'answered 404' })
  const page = await grpcServer(t, (stream) => {
    stream.respond({ ':status': 200 })
    stream.end('<html>')
  })
  t.same(await probe(page), { result: 'failure', reason: 'answered what is not gRPC' })
})

await t.test('an answer that is broken off is a failure', async (t) => {
  const resets = await grpcServer(t, (stream) => stream.close(2))
  t.same(await probe(resets), { result: 'failure', reason: 'it broke the answer off' })
  const leaves = await grpcServer(t, (stream) => stream.session?.goaway(11))
  t.same(await probe(leaves), { result: 'failure', reason: 'it broke the connection off' })
  const stalls = await grpcServer(t, (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    stream.write(SERVING_FRAME)
  })
  t.same(await probe(stalls, { timeoutMs: 1000 }), { result: 'failure', reason: 'answered, but not to the end within 1 s' })
})
