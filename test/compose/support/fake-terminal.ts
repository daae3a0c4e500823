// A terminal that is not there: what a real one would show of what is written to it, by xterm.js.
import { EventEmitter } from 'node:events'
import xterm from '@xterm/headless'
import type { Terminal } from '../../../compose/embedded/live-region.ts'

export type FakeTerminal = {
  readonly stream: Terminal
  /** All that was written. */
  readonly written: () => string
  /** All of its rows, those that scrolled away first, without the empty ones at the end. */
  readonly rows: () => Promise<readonly string[]>
  readonly resize: (columns: number, rows: number) => Promise<void>
  /** Whether a program that ended now would leave it as it was found. */
  readonly isAsFound: () => Promise<boolean>
}

export function createFakeTerminal(columns = 80, rows = 24, colours = 8): FakeTerminal {
  const screen = new xterm.Terminal({ cols: columns, rows, scrollback: 1000, allowProposedApi: true, convertEol: true })
  let written = ''
  const flushed = () => new Promise<void>((resolve) => screen.write('', resolve))
  const stream = Object.assign(new EventEmitter(), {
    columns,
    rows,
    isTTY: true,
    getColorDepth: () => colours,
    write(text: string) {
      written += text
      screen.write(text)
      return true
    },
  })
  return {
    stream: stream as unknown as Terminal,
    written: () => written,
    async rows() {
      await flushed()
      const { active } = screen.buffer
      const lines = Array.from({ length: active.length }, (_, y) => active.getLine(y)?.translateToString(true) ?? '')
      return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1)
    },
    async resize(newColumns, newRows) {
      await flushed()
      screen.resize(newColumns, newRows)
      Object.assign(stream, { columns: newColumns, rows: newRows })
      stream.emit('resize')
    },
    async isAsFound() {
      await flushed()
      return screen.modes.wraparoundMode && screen.buffer.active.cursorX === 0 && !written.includes('\x1b[?25l')
    },
  }
}
