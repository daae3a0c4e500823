// A container that has what the healer's has, and nothing else, with programs of an attacker's in place of the healer. It is made from
// the composition's own service, so that what is given to that later is given to this.
import { spawn } from 'node:child_process'
import type { Test } from 'tap'
import { type Composition, docker } from './composition.ts'

const NAME = 'postern-hostile'

export type TakenOver = {
  /** Runs a program of Node's in it, with `input` as JSON on its standard input; what it prints, as JSON. */
  readonly run: (program: string, input?: unknown) => Promise<unknown>
}

export async function takeOver(t: Test, { compose }: Composition): Promise<TakenOver> {
  t.teardown(() => docker('rm', '--force', NAME))
  const idle = ['--entrypoint', 'node', 'healer', '-e', 'setInterval(() => undefined, 1e9)']
  await compose('run', '--detach', '--no-deps', '--name', NAME, ...idle)
  return {
    run: (program, input = null) =>
      new Promise((resolve, reject) => {
        const child = spawn('docker', ['exec', '--interactive', NAME, 'node', '-e', program], {
          stdio: ['pipe', 'pipe', 'inherit'],
        })
        let printed = ''
        child.stdout.setEncoding('utf8').on('data', (text: string) => {
          printed += text
        })
        child.on('error', reject).on('close', (code) => {
          if (code === 0) resolve(JSON.parse(printed))
          else reject(new Error(`the attacker's program ended with ${code}`))
        })
        child.stdin.end(JSON.stringify(input))
      }),
  }
}

const PRELUDE = `
const net = require('net'), fs = require('fs'), http = require('http')
const input = JSON.parse(fs.readFileSync(0, 'utf8'))
const SOCKET = '/run/postern/healer.sock', METRICS = '/run/postern/metrics.sock'
const print = (value) => process.stdout.write(JSON.stringify(value))
`

/** Takes raw requests, as Latin-1; prints what came back for each, on a connection of its own, until that was closed or quiet. */
export const SEND = `${PRELUDE}
const QUIET_MS = 60
const send = (bytes) => new Promise((resolve) => {
  let said = ''
  const socket = net.connect(SOCKET, () => socket.write(Buffer.from(bytes, 'latin1')))
  const done = () => { clearTimeout(timer); socket.destroy(); resolve(said) }
  let timer = setTimeout(done, 15000)
  socket.on('data', (chunk) => {
    said += chunk.toString('latin1')
    clearTimeout(timer)
    timer = setTimeout(done, QUIET_MS)
  })
  socket.on('error', done).on('close', done)
})
;(async () => {
  const answers = []
  let next = 0
  const one = async () => { while (next < input.length) { const at = next++; answers[at] = await send(input[at]) } }
  await Promise.all(Array.from({ length: 24 }, one))
  print(answers)
})()
`

/** Takes \`[method, path]\`, all at once; prints the status of each. */
export const ASK_AT_ONCE = `${PRELUDE}
const agent = new http.Agent({ maxSockets: 100 })
const ask = ([method, path]) => new Promise((resolve) => http.request({ socketPath: SOCKET, method, path, agent }, (response) =>
  response.resume().on('end', () => resolve(response.statusCode))).on('error', () => resolve(0)).end())
Promise.all(input.map(ask)).then(print)
`

/** Holds every connection that it can get at both sockets, with heads that never end, and floods the rest, for so many milliseconds. */
export const EXHAUST = `${PRELUDE}
const until = Date.now() + input
const isOver = () => Date.now() > until
const padding = 'a'.repeat(12000)
let made = 0
const hold = (path) => {
  if (isOver()) return
  made++
  const socket = net.connect(path, () => socket.write('GET /containers/json HTTP/1.1\\r\\nHost: x\\r\\nX-A: ' + padding))
  socket.on('error', () => undefined).on('close', () => setTimeout(hold, 20, path)).resume()
}
const flood = (i) => {
  if (isOver()) return
  made++
  const target = i % 2 ? '/containers/json?all=1' : '/x/' + i + '/' + padding
  const socket = net.connect(SOCKET, () => socket.write(('GET ' + target + ' HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n').repeat(8)))
  // Half of them never read what they asked for.
  if (i % 4 < 2) setTimeout(() => socket.destroy(), 300)
  else socket.once('data', () => socket.destroy())
  socket.on('error', () => undefined).on('close', () => setTimeout(flood, 5, i + 20))
}
// With some connections left to itself to flood by.
for (let i = 0; i < 100; i++) hold(SOCKET)
for (let i = 0; i < 300; i++) hold(METRICS)
for (let i = 0; i < 19; i++) flood(i)
setTimeout(() => { print(made); process.exit() }, input + 200)
`

/** Tries to get at more than it was given; prints what each try came to. */
export const BREAK_OUT = `${PRELUDE}
const tried = {}
const attempt = (what, work) => { try { tried[what] = String(work()) } catch (error) { tried[what] = error.code ?? String(error) } }
const sockets = fs.readdirSync('/run/postern')
const processes = fs.readdirSync('/proc').flatMap((id) => {
  try { return /^\\d+$/.test(id) ? [fs.readFileSync('/proc/' + id + '/cmdline', 'latin1')] : [] } catch { return [] }
}).filter((line) => line !== '')
attempt('remove the socket', () => fs.unlinkSync(SOCKET))
attempt('put a socket in its place', () => fs.renameSync(METRICS, SOCKET))
attempt('write beside it', () => fs.writeFileSync('/run/postern/x', ''))
attempt('open it to all', () => fs.chmodSync(SOCKET, 0o777))
attempt('become root', () => process.setuid(0))
attempt('join another group', () => process.setgroups([0]))
attempt('write the program', () => fs.appendFileSync('/app/healer.mjs', ''))
attempt('read the memory of the host', () => fs.openSync('/dev/mem'))
attempt('ask the kernel', () => fs.writeFileSync('/proc/sysrq-trigger', 'b'))
const reach = (path) => new Promise((resolve) => net.connect(path, () => resolve('connected')).on('error', (error) => resolve(error.code)))
const others = ['/var/run/docker.sock', '/run/docker.sock', '/run/containerd/containerd.sock', '/run/postern/readonly/docker.sock']
;(async () => {
  for (const path of others) tried[path] = await reach(path)
  print({ tried, sockets, processes })
})()
`

/** Prints the proxy's metrics, as the healer gets them. */
export const READ_METRICS = `${PRELUDE}
http.get({ socketPath: METRICS, path: '/metrics' }, (response) => {
  let text = ''
  response.on('data', (chunk) => { text += chunk }).on('end', () => print(text))
})
`
