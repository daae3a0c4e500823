// How `npm run demo` tells what happens: steps that are ticked off on a terminal, plain lines everywhere else.
import { createLiveRegion, isLive, type Line, type Terminal } from './live-region.ts'

export const STEPS = ['started', 'broken', 'suspect', 'restarting', 'recovered', 'verified'] as const
export type Step = (typeof STEPS)[number]

export type DemoScreen = {
  /** Something happened; `step`: that was reached by it. */
  readonly tell: (text: string, step?: Step) => void
  readonly end: (healed: boolean, text: string) => void
}

export function createDemoScreen(stdout: NodeJS.WriteStream, env: NodeJS.ProcessEnv): DemoScreen {
  return isLive(stdout, env) ? createLiveDemo(stdout) : createPlainDemo((text) => void stdout.write(`${text}\n`))
}

/** A clock that begins now: `  1.5 s`. */
function stopwatch(): () => string {
  const startedMs = Date.now()
  return () => `${((Date.now() - startedMs) / 1000).toFixed(1).padStart(5)} s`
}

function createPlainDemo(out: (text: string) => void): DemoScreen {
  const time = stopwatch()
  const tell = (text: string) => out(`${time()}  ${text}`)
  return { tell, end: (_healed, text) => tell(text) }
}

/** `text` in rows of whole words; a word that is wider has a row to itself. */
function wrap(text: string, columns: number): readonly string[] {
  const rows = text.match(new RegExp(`.{1,${Math.max(20, columns)}}(?: |$)|\\S+`, 'g')) ?? []
  return rows.map((row) => row.trimEnd())
}

const TURN_EVERY_MS = 120
const TURNING = ['◐', '◓', '◑', '◒'] as const
const STEP_WIDTH = Math.max(...STEPS.map((step) => step.length)) + 2

export function createLiveDemo(terminal: Terminal): DemoScreen {
  const time = stopwatch()
  let [left, turn]: [readonly Step[], number] = [STEPS, 0]
  const region = createLiveRegion(terminal, () => [
    ...left.map(
      (step, i): Line =>
        i === 0
          ? [
              [` ${TURNING[turn % TURNING.length]} `, 'cyan'],
              [step.padEnd(STEP_WIDTH), 'bold'],
              [time(), 'dim'],
            ]
          : [[`   ${step}`, 'dim']],
    ),
  ])
  const timer = setInterval(() => {
    turn += 1
    region.refresh()
  }, TURN_EVERY_MS).unref()
  region.print([])
  region.print([[' Postern', 'bold'], [' heals a container, on the embedded engine']])
  region.print([])
  return {
    tell(text, step) {
      const reached = step !== undefined && left.includes(step)
      if (reached) left = left.filter((each) => each !== step)
      const head: Line = reached
        ? [
            [' ✓ ', 'green'],
            [step.padEnd(STEP_WIDTH), 'bold'],
          ]
        : [[' '.repeat(3 + STEP_WIDTH)]]
      const at = `${time()}  `
      const indent = 3 + STEP_WIDTH + at.length
      const tone = reached ? undefined : 'dim'
      for (const [i, words] of wrap(text, (terminal.columns ?? 80) - indent).entries())
        region.print(i === 0 ? [...head, [at, 'dim'], [words, tone]] : [[' '.repeat(indent)], [words, tone]])
    },
    end(healed, text) {
      clearInterval(timer)
      const missed = left[0]
      left = []
      if (missed !== undefined)
        region.print([
          [' ✕ ', 'red'],
          [missed.padEnd(STEP_WIDTH), 'bold'],
          ['was not reached', 'red'],
        ])
      region.print([])
      region.print([[' '], [text, healed ? 'green' : 'red'], [`, ${time().trim()}`, 'dim']])
      region.end()
    },
  }
}
