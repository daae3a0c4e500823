// `npm run demo`: start → break → heal → verified, on the embedded engine, as a timeline. Exit 0 if it healed, 1 if not.
import '../build.ts'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { startComposition } from './composition.ts'
import { createDemoScreen, type Step } from './demo-screen.ts'
import { readLogLine } from './log-line.ts'

/** Quick enough to be watched: the healer looks every 2 s instead of every 15 s. */
const SETTINGS = { CHECK_INTERVAL: '2', REQUEST_TIMEOUT: '2' }
const HEALED_WITHIN_MS = 45_000

/** What the healer says of the sample app when a step is reached. */
const SAID: readonly (readonly [words: RegExp, step: Step])[] = [
  [/— healthy/, 'started'],
  [/— unhealthy/, 'suspect'],
  [/^RESTARTING/, 'restarting'],
  [/— recovered/, 'recovered'],
]

const screen = createDemoScreen(process.stdout, process.env)

async function freePort(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return String(port)
}

async function main(): Promise<boolean> {
  const lines: string[] = []
  let wake: () => void = () => undefined
  const said = async (words: string): Promise<boolean> => {
    const deadline = Date.now() + HEALED_WITHIN_MS
    while (!lines.some((line) => line.includes(words))) {
      if (Date.now() > deadline) return false
      await new Promise<void>((resolve) => {
        wake = resolve
        setTimeout(resolve, 1000).unref()
      })
    }
    return true
  }
  screen.tell('starting proxy, healer and sample app on the embedded engine')
  const composition = await startComposition({
    env: { ...process.env, ...SETTINGS, SAMPLE_APP_PORT: await freePort(), HEALER_PORT: await freePort() },
    onLine(service, line) {
      const { message } = readLogLine(line)
      lines.push(message)
      const step = SAID.find(([words]) => words.test(message))?.[1]
      if (service === 'healer' && /sample-app/.test(message)) screen.tell(`healer: ${message}`, step)
      wake()
    },
  })
  try {
    const app = composition.urls['sample-app'] ?? ''
    if (!(await said('sample-app — healthy'))) return false
    await fetch(`${app}/break`, { method: 'POST' })
    screen.tell('the sample app is broken: POST /break; from now on it answers 503', 'broken')
    if (!(await said('sample-app — recovered'))) return false
    const { status } = await fetch(`${app}/health`)
    screen.tell(`verified: GET /health answers ${status}`, status === 200 ? 'verified' : undefined)
    const audit = readFileSync(join(composition.directory, 'audit/audit.jsonl'), 'utf8').trim().split('\n')
    const restarts = audit.filter((line) => line.includes('"event":"decision"') && line.includes('"ContainerRestart"'))
    screen.tell(`on record: ${restarts.length} restart let through by the proxy, among ${audit.length} lines of its audit log`)
    return status === 200 && restarts.length === 1
  } finally {
    await composition.stop()
  }
}

let failure: Error | undefined
const healed = await main().catch((error: unknown) => {
  failure = error as Error
  return false
})
screen.end(
  healed,
  healed ? 'healed' : `not healed within ${HEALED_WITHIN_MS / 1000} s; the healer’s lines above say how far it came`,
)
if (failure) process.stderr.write(`${failure.message}\n`)
process.exitCode = healed ? 0 : 1
