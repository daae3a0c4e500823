// What was read at once is parsed in pieces: who ends a connection is asked nothing more over it, whatever else was read.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type RequestListener, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { readInPieces } from '../../proxy/serve/read-in-pieces.ts'
import { temporaryDirectory } from '../support/temporary.ts'

async function serve(t: Test, listener: RequestListener): Promise<string> {
  const server = createServer(listener).on('connection', readInPieces)
  const path = join(temporaryDirectory(t), 'server.sock')
  server.listen(path)
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return path
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'
/** In a piece are fewer requests. */
const FEW = 20

t.test('once its connection is destroyed, nothing more is asked over it, however heads end', async (t) => {
  let asked = 0
  const path = await serve(t, ({ socket }) => {
    asked += 1
    socket.destroy()
  })
  // Whether the others are heads at all is for Node's parser to say.
  for (const head of [REQUEST, REQUEST.replace(/\r\n$/, '\n'), REQUEST.replaceAll('\r', '')]) {
    asked = 0
    const socket = connect(path).on('error', () => 'it was closed')
    socket.write(head.repeat(2000))
    await once(socket.resume(), 'close')
    t.ok(asked < FEW && (asked > 0 || head !== REQUEST), `${asked} of ${JSON.stringify(head)}`)
  }
})

t.test('nor what was read while the connection waited for an answer to be taken', async (t) => {
  let asked = 0
  const path = await serve(t, ({ socket }, response) => {
    asked += 1
    if (asked === 1) response.write('x'.repeat(8_000_000))
    else if (asked > FEW) socket.destroy()
  })
  const socket = connect(path).on('error', () => 'it was closed')
  socket.write(REQUEST)
  await once(socket, 'readable')
  await new Promise((resolve) => socket.write(REQUEST.repeat(2000), resolve))
  await once(socket.resume(), 'close')
  t.ok(asked > FEW && asked < 2 * FEW, `${asked}`)
})

t.test('the healer, which may import nothing of the proxy’s, reads in the same way', async (t) => {
  const [own, its] = ['proxy', 'healer'].map((program) => readFileSync(`${program}/serve/read-in-pieces.ts`, 'utf8'))
  t.equal(its, own)
})

t.test('a body comes whole and in order, wherever it is cut', async (t) => {
  const path = await serve(t, async (request, response) => {
    for await (const chunk of request) if (!response.write(chunk)) await once(response, 'drain')
    response.end()
  })
  const text = Array.from({ length: 30_000 }, (_, i) => `${i}${'\r\n'.repeat(i % 5)}`).join('')
  const asking = request({ socketPath: path, method: 'POST' })
  asking.end(text)
  const [answer] = await once(asking, 'response')
  let echoed = ''
  for await (const chunk of answer.setEncoding('utf8')) echoed += chunk
  t.ok(echoed === text)
})
