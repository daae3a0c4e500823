// `npm start`: the composition on the embedded engine, until Ctrl-C or SIGTERM.
import '../build.ts'
import { StartError, startComposition } from './composition.ts'
import { readLogLine } from './log-line.ts'

const out = (text: string) => process.stdout.write(`${text}\n`)

/** Resolves at a signal, or when who started this (npm, a shell) is there no more. */
function askedToStop(): Promise<void> {
  const parent = process.ppid
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
    setInterval(() => process.ppid !== parent && resolve(), 500).unref()
  })
}

async function main(): Promise<void> {
  const asked = askedToStop()
  const composition = await startComposition({
    env: process.env,
    onLine(service, line) {
      const { time, message } = readLogLine(line)
      out(`${time}  ${service.padEnd(10)}  ${message}`)
    },
  })
  const { urls, notRun } = composition
  out(
    [
      '',
      'Postern on the embedded engine: for trying and testing, without Docker. Nothing is confined here.',
      '',
      `  sample app   ${urls['sample-app']}`,
      `  status       ${urls.healer}`,
      '',
      `Not run, for they take Docker: ${notRun.join(', ')}.`,
      '',
      `Next, in another terminal:  curl -X POST ${urls['sample-app']?.replace('http://', '')}/break`,
      'and watch it being healed below. Also ?mode=hang, slow, stubborn, crash or requests. Ctrl-C stops it all.',
      '',
    ].join('\n'),
  )
  await asked
  out('stopping')
  await composition.stop()
  out('stopped: no process and no socket is left')
}

main().catch((error: unknown) => {
  process.stderr.write(error instanceof StartError ? `${error.message}\n` : `${(error as Error).stack}\n`)
  process.exitCode = 1
})
