// `npm start`: the composition on the embedded engine, until Ctrl-C or SIGTERM.
import '../build.ts'
import { StartError, startComposition } from './composition.ts'
import { readLogLine } from './log-line.ts'
import { createStartScreen, type StartScreen } from './start-screen.ts'

/** Resolves at a signal, or when who started this (npm, a shell) is there no more. */
function askedToStop(): Promise<void> {
  const parent = process.ppid
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve())
    setInterval(() => process.ppid !== parent && resolve(), 500).unref()
  })
}

async function main(screen: StartScreen): Promise<void> {
  const asked = askedToStop()
  const composition = await startComposition({
    env: process.env,
    onLine: (service, line) => screen.line(service, readLogLine(line)),
  })
  screen.started(composition)
  await asked
  screen.stopping()
  await composition.stop()
  screen.end('stopped: no process and no socket is left')
}

const screen = createStartScreen(process.stdout, process.env)
main(screen).catch((error: unknown) => {
  screen.end()
  process.stderr.write(error instanceof StartError ? `${error.message}\n` : `${(error as Error).stack}\n`)
  process.exitCode = 1
})
