// One client floods its socket: with connections, with garbage, with requests whose answers it does not wait for. The proxy's memory
// stays flat, and another client is served meanwhile. FLOOD_SECONDS makes the garbage last longer than the few seconds here.

import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { imageFlags } from '../support/programs.ts'
import { containerId, fakeContainer, listElement } from './support/containers.ts'
import { HEALER_POLICY_TEXT } from './support/policies.ts'
import { preparePlace, startServing } from './support/proxy-process.ts'
import { ask, plainRequest } from './support/raw-client.ts'

const CONNECTIONS = 10_000
const AT_ONCE = 200
const GARBAGE_MS = Number(process.env.FLOOD_SECONDS ?? 8) * 1000

/** Connects, writes, and hangs up after a moment or when hung up on. */
function throwAt(path: string, bytes: string | Buffer, holdMs: number): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path, () => socket.write(bytes))
    const timer = setTimeout(() => socket.destroy(), holdMs)
    socket.on('error', () => 'it hung up')
    socket.resume()
    socket.once('close', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}

/** Calls `attack` again and again, `AT_ONCE` of them at a time, until `isOver`. */
async function flood(isOver: (count: number) => boolean, attack: (i: number) => Promise<void>): Promise<number> {
  let count = 0
  const one = async () => {
    while (!isOver(count)) await attack(count++)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
  return count
}

const PIECES = [
  'GET /',
  'POST /containers/',
  'nobody/restart',
  ' HTTP/1.1\r\n',
  'Host: x\r\n',
  '\r\n',
  'Content-Length: 9\r\n',
  '%00',
  '{"a":',
]

function garbage(i: number): string | Buffer {
  if (i % 3 === 0) return randomBytes(1 + (i % 3000))
  const pieces = Array.from(randomBytes(12), (byte) => PIECES[byte % PIECES.length] ?? '')
  return i % 3 === 1 ? pieces.join('') : plainRequest(`GET /containers/json?${pieces[0]}=${pieces[1]}`.replace(/\s/g, '+'))
}

/** Asks with GET, takes the whole answer and forgets it. */
function statusOf(socketPath: string, path: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get({ socketPath, path, agent: false }, (answer) => {
      answer.resume().once('end', () => resolve(answer.statusCode))
    }).once('error', reject)
  })
}

const residentMb = ({ pid }: ChildProcess) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

t.test('the largest answers that are taken in, all at once, do not break it', async (t) => {
  const place = await preparePlace(t)
  const program = await startServing(t, place, { nodeFlags: imageFlags('proxy') })
  const padding = { labels: { monitored: 'true', 'healer.note': 'x'.repeat(3000) } }
  const containers = Array.from({ length: 1000 }, (_, i) =>
    fakeContainer({ id: containerId(String(1000 + i)), name: `web${i}`, ...padding }),
  )
  const [large, tooLarge] = [containers, [...containers, ...containers]].map((list) => JSON.stringify(list.map(listElement)))
  t.ok((large?.length ?? 0) > 3_500_000 && (large?.length ?? 0) < 4 * 1024 * 1024)
  place.engine.containers = containers
  place.engine.answer = ({ line }) => {
    if (line.startsWith('GET /v1.44')) return { status: 200, body: tooLarge }
    return line.startsWith('GET /containers/json') ? { status: 200, body: large } : undefined
  }
  /** But for 503: on a slow machine some wait in vain for their turn, and are told so. */
  const statuses = async (path: string, count: number) => {
    const all = new Set(await Promise.all(Array.from({ length: count }, () => statusOf(place.client, path))))
    return [...all].filter((status) => status !== 503)
  }
  t.same(await statuses('/containers/json', 24), [200])
  t.same(await statuses('/containers/web7/json', 24), [200], 'found in a list as large')
  t.same(await statuses('/v1.44/containers/json', 24), [502], 'larger than is taken in')
  t.comment(`${residentMb(program.child).toFixed(0)} MB resident`)
  program.child.kill('SIGTERM')
  t.match(await program.ended, { code: 0 })
})

/** What one client may have open, less a few for who looks how it is. */
const HELD = 120

/** Connections that have each written the same all at once, and read nothing. */
async function writeAtOnce(t: Test, path: string, bytes: string): Promise<void> {
  const sockets = Array.from({ length: HELD }, () => connect(path).on('error', () => 'it hung up'))
  t.teardown(() => sockets.map((socket) => socket.destroy()))
  await Promise.all(sockets.map((socket) => new Promise<unknown>((resolve) => socket.pause().once('connect', resolve))))
  await Promise.all(sockets.map((socket) => new Promise<unknown>((resolve) => socket.write(bytes, resolve))))
}

const FLOODS = [
  ['thousands of requests', 'GET /_ping HTTP/1.1\r\nHost:x\r\n\r\n'.repeat(2000)],
  ['requests with thousands of headers', `GET /_ping HTTP/1.1\r\nHost:x\r\n${'a:\r\n'.repeat(3900)}\r\n`.repeat(9)],
] as const

for (const [what, bytes] of FLOODS) {
  t.test(`${what} that are written ahead at once, on each connection, do not end it`, async (t) => {
    const place = await preparePlace(t)
    const program = await startServing(t, place, { nodeFlags: imageFlags('proxy') })
    await writeAtOnce(t, place.client, bytes)
    t.equal((await ask(place.client, 'GET /_ping')).status, 200, 'it serves')
    program.child.kill('SIGTERM')
    t.match(await program.ended, { code: 0 })
  })
}

t.test('a flood of connections and of garbage leaves the memory flat, and another client served', async (t: Test) => {
  const place = await preparePlace(t)
  const other = join(place.directory, 'other.sock')
  const policy = join(place.directory, 'other.yaml')
  writeFileSync(policy, HEALER_POLICY_TEXT.replace('client: healer', 'client: other'))
  const program = await startServing(
    t,
    { ...place, args: [...place.args, `${policy}@unix://${other}`] },
    { nodeFlags: imageFlags('proxy') },
  )
  const { child, ended } = program

  let served = 0
  let isOver = false
  const meanwhile = (async () => {
    while (!isOver) {
      t.equal((await ask(other, 'GET /containers/json')).status, 200)
      served++
      await delay(200)
    }
  })()

  await flood(
    (count) => count >= 2000,
    (i) => throwAt(place.client, garbage(i), 50),
  )
  const before = residentMb(child)
  await flood(
    (count) => count >= CONNECTIONS,
    () => throwAt(place.client, '', 20),
  )
  const until = Date.now() + GARBAGE_MS
  const thrown = await flood(
    () => Date.now() > until,
    (i) => throwAt(place.client, garbage(i), 50),
  )
  const after = residentMb(child)
  isOver = true
  await meanwhile

  t.comment(`${thrown} pieces of garbage; ${before.toFixed(0)} MB resident before, ${after.toFixed(0)} MB after`)
  t.ok(after - before < 40, `${before.toFixed(0)} MB became ${after.toFixed(0)} MB`)
  t.ok(served > 5, 'the other client was served')
  await delay(200)
  t.equal((await ask(place.client, 'GET /_ping')).status, 200, 'and so is the first, once it behaves')
  t.notMatch(place.engine.lines().join('\n'), /^POST/m)
  t.ok(place.engine.arrived.every(({ body }) => body === ''))
  child.kill('SIGTERM')
  t.match(await ended, { code: 0 }, 'it never crashed')
})
