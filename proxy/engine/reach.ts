// Whether the Engine can still be reached. A socket that was made anew under a mount refuses connections for as long as the proxy
// runs: only a restart of its container mounts the new one.

export type Reach = {
  /** To be told of every try to connect. */
  readonly tried: (reached: boolean) => void
  /** Resolves with a sentence once the Engine has been out of reach for too long. */
  readonly lost: Promise<string>
}

/** Out of reach for this long, in at least so many tries, is lost. Longer than an Engine takes to restart. */
const LOST_AFTER_MS = 30_000
const LOST_TRIES = 3

/** `now` gives milliseconds that never go back. */
export function watchReach(now: () => number): Reach {
  let failures: { readonly sinceMs: number; count: number } | undefined
  let lose: (why: string) => void = () => undefined
  const lost = new Promise<string>((resolve) => {
    lose = resolve
  })
  return {
    tried(reached) {
      if (reached) {
        failures = undefined
        return
      }
      failures ??= { sinceMs: now(), count: 0 }
      failures.count++
      const forMs = now() - failures.sinceMs
      if (failures.count >= LOST_TRIES && forMs >= LOST_AFTER_MS) {
        lose(`the Engine's socket has refused every connection for ${Math.round(forMs / 1000)} s`)
      }
    },
    lost,
  }
}
