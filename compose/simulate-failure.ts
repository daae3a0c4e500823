// `npm run simulate-failure`: checks the sample app, breaks it, and waits for it to be healed, whatever heals it.
// Asks what answers on localhost:8080, or at SAMPLE_APP_PORT. Exit 0 once healed, 1 if not within a minute.

/** An argument is other seconds to wait. */
const WAIT_MS = Number(process.argv[2] ?? 60) * 1000
const EVERY_MS = 1000
const port = Number(process.env.SAMPLE_APP_PORT ?? 8080)
const app = `http://localhost:${port}`

const say = (text: string) => process.stdout.write(`${text}\n`)

/** The status of `GET /health`, or why there is none within `patienceMs`. */
async function health(patienceMs: number): Promise<string> {
  try {
    const { status } = await fetch(`${app}/health`, { signal: AbortSignal.timeout(patienceMs) })
    return String(status)
  } catch (error) {
    return (error as Error).name === 'TimeoutError' ? 'no answer' : 'no connection'
  }
}

async function main(): Promise<boolean> {
  say(`1. Checking ${app}/health …`)
  // A machine that is busy, as one that has just started all parts is, may take a while; nothing is lost by waiting.
  const before = await health(20_000)
  say(`   ${before}`)
  if (before !== '200') {
    say(
      `\nIt is not healthy to begin with. Is it running? Start it with \`npm start\`, or with \`docker compose -f compose/compose.yaml --profile demo up\`.`,
    )
    return false
  }
  say(`2. Breaking it: POST ${app}/break`)
  const answer = await fetch(`${app}/break`, { method: 'POST', signal: AbortSignal.timeout(20_000) })
  say(`   ${(await answer.text()).trim()}`)
  say(`3. Waiting to see it healed (up to ${WAIT_MS / 1000} s) …`)
  const brokenMs = Date.now()
  const seconds = () => `${Math.round((Date.now() - brokenMs) / 1000)} s`
  let last = ''
  while (Date.now() - brokenMs < WAIT_MS) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS))
    const now = await health(2000)
    if (now !== last) say(`   ${seconds()}: ${now}`)
    last = now
    if (now === '200') {
      say(`\nHealed after ${seconds()}.`)
      return true
    }
  }
  say(
    [
      `\nNot healed within ${WAIT_MS / 1000} s. What to look at:`,
      '- the status page, http://localhost:8081: what the healer sees, and why it does not restart',
      '- the healer’s log: docker compose -f compose/compose.yaml logs healer',
      '- the proxy’s log, if a restart was refused: docker compose -f compose/compose.yaml logs proxy',
    ].join('\n'),
  )
  return false
}

process.exitCode = (await main()) ? 0 : 1

export {}
