// The nearest right word to a wrong one, for error messages.
import { closestMatch } from 'leven'

/** The time that it takes grows with it, and nobody meant a word so long. */
const MAX_LENGTH = 64

/** The candidate with the fewest edits from `word`, if it is near enough to be what was meant; of equals, the one as long. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (word.length > MAX_LENGTH) return undefined
  const byLength = [...candidates].sort((a, b) => Math.abs(a.length - word.length) - Math.abs(b.length - word.length))
  return closestMatch(word, byLength, { maxDistance: Math.max(2, Math.floor(word.length / 3)) })
}
