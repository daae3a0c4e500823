// Lines at the bottom of a terminal that are drawn anew, while what is printed scrolls by above them. The cursor is never hidden, no mode
// outlives a write, and each line keeps to its row: however the program ends, nothing has to be put right.
import { styleText } from 'node:util'

export type Tone = 'green' | 'red' | 'yellow' | 'cyan' | 'dim' | 'bold'
/** Pieces of text side by side, each in a tone of its own; nothing in them moves the cursor. */
export type Line = readonly (readonly [text: string, tone?: Tone | undefined])[]

/** What is used of `process.stdout`. */
export type Terminal = Pick<NodeJS.WriteStream, 'write' | 'columns' | 'rows' | 'on' | 'off'>

export type LiveRegion = {
  /** A line that stays, above the region; it may be longer than a row. */
  readonly print: (line: Line) => void
  readonly refresh: () => void
  /** Draws a last time and leaves it there. */
  readonly end: () => void
}

const [NO_WRAP, WRAP] = ['\x1b[?7l', '\x1b[?7h']
const [ERASE_TO_END_OF_LINE, ERASE_BELOW] = ['\x1b[K', '\x1b[J']

/** Whether `stream` can show such a region, and whoever looks at it wants one. */
export function isLive(stream: { readonly isTTY?: boolean }, env: NodeJS.ProcessEnv): boolean {
  return stream.isTTY === true && env.TERM !== 'dumb' && !env.CI
}

/** `draw` gives the lines for a terminal of this size; those that do not fit are left out, the last first. */
export function createLiveRegion(terminal: Terminal, draw: (columns: number, rows: number) => readonly Line[]): LiveRegion {
  /** How wide each line is that was drawn. */
  let drawn: readonly number[] = []

  const write = (printed: readonly Line[]) => {
    const { columns = 80, rows = 24 } = terminal
    // A terminal that was made narrower has broken longer lines.
    const above = drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0)
    const lines = draw(columns, rows)
      .slice(0, Math.max(0, rows - 2))
      .map((line) => cut(line, columns - 1))
    drawn = lines.map(widthOf)
    terminal.write(
      [
        above > 0 ? `\r\x1b[${above}A` : '\r',
        // Before it: after a line that fills its row, many terminals would erase the last character.
        ...printed.map((line) => `${ERASE_BELOW}${paint(line, terminal)}\n`),
        NO_WRAP,
        ...lines.map((line) => `${paint(line, terminal)}${ERASE_TO_END_OF_LINE}\n`),
        WRAP,
        ERASE_BELOW,
      ].join(''),
    )
  }
  const refresh = () => write([])
  // Whoever had the terminal meanwhile has written below the region.
  const onContinued = () => {
    drawn = []
    refresh()
  }
  terminal.on('resize', refresh)
  process.on('SIGCONT', onContinued)
  return {
    print: (line) => write([line]),
    refresh,
    end() {
      refresh()
      terminal.off('resize', refresh)
      process.off('SIGCONT', onContinued)
    },
  }
}

/** `line` as text, in colour where `stream` takes it and NO_COLOR is not set, or where FORCE_COLOR is. */
function paint(line: Line, stream: Terminal): string {
  return line.map(([text, tone]) => (tone ? styleText(tone, text, { stream: stream as NodeJS.WriteStream }) : text)).join('')
}

/** In characters: where one is as wide as two, the terminal cuts the rest. */
const widthOf = (line: Line) => line.reduce((sum, [text]) => sum + [...text].length, 0)

function cut(line: Line, columns: number): Line {
  if (widthOf(line) <= columns) return line
  let room = columns - 1
  return line.map(([text, tone]) => {
    const characters = [...text]
    const kept = characters.slice(0, Math.max(0, room)).join('')
    const ends = room >= 0 && characters.length > room
    room -= characters.length + (ends ? 1 : 0)
    return [ends ? `${kept}…` : kept, tone] as const
  })
}
