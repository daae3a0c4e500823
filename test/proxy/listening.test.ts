// Listening on a unix socket: a stale socket is taken over, one that answers is left alone, and nothing else is removed.
import { linkSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { listen } from '../../proxy/serve/listen.ts'
import { type Owner, temporaryDirectory } from '../support/temporary.ts'
import { ask } from './support/raw-client.ts'

function namedServer(owner: Owner, name: string): Server {
  const server = createServer((_request, response) => response.setHeader('content-length', name.length).end(name))
  owner.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return server
}

const close = (server: Server) => new Promise((resolve) => server.close(resolve))

t.test('a socket that nobody answers on is replaced', async (t) => {
  const directory = temporaryDirectory(t)
  const [path, elsewhere] = [join(directory, 's.sock'), join(directory, 'gone.sock')]
  const dead = namedServer(t, 'dead')
  await listen(dead, elsewhere)
  // Closing removes the name that was listened on; the second name stays, as after a crash.
  linkSync(elsewhere, path)
  await close(dead)
  await listen(namedServer(t, 'new'), path)
  t.equal((await ask(path, 'GET /')).body, 'new')
})

t.test('a socket that answers is an error, and goes on answering', async (t) => {
  const path = join(temporaryDirectory(t), 's.sock')
  await listen(namedServer(t, 'first'), path)
  await t.rejects(listen(namedServer(t, 'second'), path), new Error(`${path} is in use: another process answers on it`))
  t.equal((await ask(path, 'GET /')).body, 'first')
})

t.test('a file that is no socket is an error, and stays', async (t) => {
  const path = join(temporaryDirectory(t), 'audit.jsonl')
  writeFileSync(path, 'precious')
  await t.rejects(listen(namedServer(t, 'x'), path))
  t.equal(readFileSync(path, 'utf8'), 'precious')
})

t.test('a directory, or a place in none, is an error', async (t) => {
  const directory = temporaryDirectory(t)
  mkdirSync(join(directory, 'd'))
  await t.rejects(listen(namedServer(t, 'x'), join(directory, 'd')))
  const [missing, path] = [join(directory, 'missing'), join(directory, 'missing', 's.sock')]
  const makeIt = `there is no directory ${missing}; make it, for the user that the proxy runs as, or mount a volume there`
  await t.rejects(listen(namedServer(t, 'y'), path), new Error(`${path}: ${makeIt}`))
  t.ok(statSync(join(directory, 'd')).isDirectory())
})
