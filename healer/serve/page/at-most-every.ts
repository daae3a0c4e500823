// Does something for all who ask within a while, once.

/** What `act` gave, or will give, to the first who asked within the last `ms` milliseconds. */
export function atMostEvery<T>(ms: number, act: () => Promise<T>): () => Promise<T> {
  let last: Promise<T> | undefined
  return () => {
    last ??= act().finally(() => {
      setTimeout(() => {
        last = undefined
      }, ms).unref()
    })
    return last
  }
}
