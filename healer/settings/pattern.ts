// Patterns that are searched for in what a container answers. Found in time linear in the answer's length, whatever the
// pattern and whatever the answer: a container must not be able to keep the healer busy. docs/decisions/0010-patterns-in-linear-time.md says how.
import { RE2JS } from 're2js'
import type { ValueKind } from './value.ts'

export type Pattern = {
  /** As written. */
  readonly text: string
  /** Whether it is found anywhere in `text`. */
  readonly isIn: (text: string) => boolean
}

const MAX_CHARACTERS = 256
/** Time is this times the answer's length, at worst: half a second for the longest answer that is read. */
const MAX_PROGRAM_SIZE = 256

export const pattern: ValueKind<Pattern> = {
  takes: `a pattern in RE2's syntax, of at most ${MAX_CHARACTERS} characters and small when compiled`,
  parse(text) {
    if (text === '' || text.length > MAX_CHARACTERS) return undefined
    try {
      const compiled = RE2JS.compile(text)
      if (compiled.programSize() > MAX_PROGRAM_SIZE) return undefined
      return { text, isIn: (searched) => compiled.test(searched) }
    } catch {
      // It throws nothing but that the pattern is wrong or too large.
      return undefined
    }
  },
}
