// The TCP probe, beyond what all probes keep to: a connection is enough, unless something is to be said and heard.
import t from 'tap'
import { probeTcp } from '../../healer/probe/tcp.ts'
import { rawServer, saying, tcpProbe } from './support/probed.ts'

await t.test('a connection is enough', async (t) => {
  const port = await rawServer(t, () => undefined)
  t.same(await probeTcp(tcpProbe(port)), { result: 'success', reason: 'connected' })
})

await t.test('what is to be sent is sent, byte for byte', async (t) => {
  let heard = Buffer.alloc(0)
  const send = Buffer.from([0, 255, 13, 10])
  const port = await rawServer(t, (socket) => socket.on('data', (chunk) => (heard = Buffer.concat([heard, chunk]))))
  t.same(await probeTcp(tcpProbe(port, { send })), { result: 'success', reason: 'connected' })
  while (heard.length < 4) await new Promise((resolve) => setTimeout(resolve, 5))
  t.same(heard, send)
})

await t.test('a greeting may come before anything is sent, and in pieces', async (t) => {
  const port = await rawServer(t, (socket) => {
    socket.write('220 mail.exa')
    setTimeout(() => socket.write('mple ESMTP\r\n'), 30)
  })
  t.same(await probeTcp(tcpProbe(port, { expect: Buffer.from('example') })), {
    result: 'success',
    reason: 'answered “220 mail.example ESMTP\\r\\n”',
  })
})

await t.test('a wrong answer is told, printable and cut', async (t) => {
  const send = Buffer.from('PING\r\n')
  const expect = Buffer.from('+PONG')
  const says = async (bytes: string | Buffer, close: boolean, timeoutMs = 20_000) =>
    (await probeTcp(tcpProbe(await saying(t, bytes, close), { send, expect, timeoutMs }))).reason
  t.equal(await says('-NOAUTH\r\n', false, 1000), 'answered “-NOAUTH\\r\\n”, not “+PONG”, within 1 s')
  t.equal(await says('-LOADING\r\n', true), 'answered “-LOADING\\r\\n” and closed the connection, not “+PONG”')
  t.equal(
    await says(Buffer.from([27, 0x5b, 0xe9, 92]), true),
    'answered “\\x1b[\\xe9\\\\” and closed the connection, not “+PONG”',
  )
  t.equal(await says('x'.repeat(20_000), false), `answered “${'x'.repeat(60)}…”, not “+PONG”`)
})
