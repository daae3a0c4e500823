// A few at a time: the others wait for their turn.

export type Turns = {
  /** Resolves when it is this one's turn, with what ends it; ending it twice is ending it once. */
  readonly take: () => Promise<() => void>
}

export function createTurns(atOnce: number): Turns {
  const waiting: (() => void)[] = []
  let taken = 0
  const begin = () => {
    taken++
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      taken--
      waiting.shift()?.()
    }
  }
  return {
    take: () => (taken < atOnce ? Promise.resolve(begin()) : new Promise((resolve) => waiting.push(() => resolve(begin())))),
  }
}
