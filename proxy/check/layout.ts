// Text for a terminal: lines of at most 100 columns, with nothing in them that would move a cursor.
import { printable } from '../policy/policy-error.ts'

const COLUMNS = 100

/** `head` filled up to `indent` columns, then `text`; where that is longer than a line, it goes on below, indented as well. */
export function hang(head: string, indent: number, text: string): string {
  const lines: string[] = []
  let line = head.padEnd(indent - 1)
  let isEmpty = true
  for (const word of printable(text).split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > COLUMNS) {
      lines.push(line)
      line = ' '.repeat(indent - 1)
    }
    line = `${line} ${word}`
    isEmpty = false
  }
  return [...lines, line].map((each) => `${each.trimEnd()}\n`).join('')
}
