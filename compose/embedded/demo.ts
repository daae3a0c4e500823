// `npm run demo`: start → break → heal → verified, on the embedded engine, as a timeline. Exit 0 if it healed, 1 if not.
import '../build.ts'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { startComposition } from './composition.ts'
import { readLogLine } from './log-line.ts'

/** Quick enough to be watched: the healer looks every 2 s instead of every 15 s. */
const SETTINGS = { CHECK_INTERVAL: '2', REQUEST_TIMEOUT: '2' }
const HEALED_WITHIN_MS = 45_000

const startedMs = Date.now()
const say = (text: string) => process.stdout.write(`${((Date.now() - startedMs) / 1000).toFixed(1).padStart(5)} s  ${text}\n`)

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
  say('starting proxy, healer and sample app on the embedded engine')
  const composition = await startComposition({
    env: { ...process.env, ...SETTINGS, SAMPLE_APP_PORT: await freePort(), HEALER_PORT: await freePort() },
    onLine(service, line) {
      const { message } = readLogLine(line)
      lines.push(message)
      if (service === 'healer' && /sample-app/.test(message)) say(`healer: ${message}`)
      wake()
    },
  })
  try {
    const app = composition.urls['sample-app'] ?? ''
    if (!(await said('sample-app — healthy'))) return false
    await fetch(`${app}/break`, { method: 'POST' })
    say('the sample app is broken: POST /break; from now on it answers 503')
    if (!(await said('sample-app — recovered'))) return false
    const { status } = await fetch(`${app}/health`)
    say(`verified: GET /health answers ${status}`)
    const audit = readFileSync(join(composition.directory, 'audit/audit.jsonl'), 'utf8').trim().split('\n')
    const restarts = audit.filter((line) => line.includes('"event":"decision"') && line.includes('"ContainerRestart"'))
    say(`on record: ${restarts.length} restart let through by the proxy, among ${audit.length} lines of its audit log`)
    return status === 200 && restarts.length === 1
  } finally {
    await composition.stop()
  }
}

const healed = await main().catch((error: unknown) => {
  process.stderr.write(`${(error as Error).message}\n`)
  return false
})
say(healed ? 'healed' : `not healed within ${HEALED_WITHIN_MS / 1000} s; the healer’s lines above say how far it came`)
process.exitCode = healed ? 0 : 1
