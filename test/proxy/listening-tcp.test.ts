// Listening on an address of TCP: what stands in the way is said in a sentence with the address in it.
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { listenTcp } from '../../proxy/serve/listen-tcp.ts'

function server(t: Test): Server {
  const made = createServer()
  t.teardown(() => made.close())
  return made
}
const at = (host: string, port = 0) => ({ kind: 'tcp', host, port }) as const

t.test('it listens at the address that is named, and nowhere else', async (t) => {
  const made = server(t)
  await listenTcp(made, at('127.0.0.2'))
  t.match(made.address(), { address: '127.0.0.2', family: 'IPv4' })
})

t.test('a port that is taken is told, and who has it keeps it', async (t) => {
  const first = server(t)
  await listenTcp(first, at('127.0.0.1'))
  const { port } = first.address() as AddressInfo
  await t.rejects(listenTcp(server(t), at('127.0.0.1', port)), {
    message: `tcp://127.0.0.1:${port}: another process listens there; choose another port, or end that one`,
  })
  t.ok(first.listening)
})

t.test('an address that this machine does not have is told', async (t) => {
  await t.rejects(listenTcp(server(t), at('192.0.2.1', 2376)), {
    message: 'tcp://192.0.2.1:2376: this machine, or this container, has no such address',
  })
})

t.test('a name that nobody knows is told', async (t) => {
  await t.rejects(listenTcp(server(t), at('nowhere.invalid', 2376)), {
    message: 'tcp://nowhere.invalid:2376: no address is known by this name; write the address itself',
  })
})
