// A few at a time: the others wait for their turn, and not for ever.

export type Turns = {
  /** Resolves when it is this one's turn, with what ends it (ending it twice is ending it once); `undefined`: it waited too long. */
  readonly take: () => Promise<(() => void) | undefined>
}

export function createTurns(atOnce: number, maxWaitMs: number): Turns {
  const waiting = new Set<() => void>()
  let taken = 0

  const begin = (): (() => void) => {
    taken++
    let isOver = false
    return () => {
      if (isOver) return
      isOver = true
      taken--
      const [next] = waiting
      next?.()
    }
  }
  return {
    take() {
      if (taken < atOnce) return Promise.resolve(begin())
      return new Promise((resolve) => {
        const turn = () => {
          clearTimeout(timer)
          waiting.delete(turn)
          resolve(begin())
        }
        const timer = setTimeout(() => {
          waiting.delete(turn)
          resolve(undefined)
        }, maxWaitMs)
        waiting.add(turn)
      })
    },
  }
}
