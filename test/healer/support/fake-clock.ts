// A clock that stands still until a test moves it.
import type { Clock } from '../../../healer/loop/clock.ts'

export type FakeClock = Clock & {
  /** Moves time forward by `ms`, waking every sleeper in its turn and waiting until `sleepers` sleep again. */
  readonly advance: (ms: number) => Promise<void>
  /** Waits until at least `count` sleep; later calls of `advance` wait for as many. */
  readonly settled: (count: number) => Promise<void>
  /** Moves time forward at once, as for a machine that slept: nobody is woken before the next `advance`. */
  readonly leap: (ms: number) => void
  /** Moves the wall clock alone, as an operator or NTP does. */
  readonly stepWall: (ms: number) => void
}

type Sleeper = { readonly atMs: number; readonly wake: () => void }

const START_MS = Date.parse('2026-01-01T00:00:00Z')

export function createFakeClock(): FakeClock {
  let nowMs = 1000
  let wallOffsetMs = START_MS
  let expected = 0
  const sleepers = new Set<Sleeper>()

  const settled = async (count: number) => {
    expected = count
    const deadline = Date.now() + 120_000
    while (sleepers.size < count) {
      if (Date.now() > deadline) throw new Error(`only ${sleepers.size} of ${count} sleepers came to rest`)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }
  return {
    monotonicMs: () => nowMs,
    wallMs: () => nowMs + wallOffsetMs,
    leap(ms) {
      nowMs += ms
    },
    stepWall(ms) {
      wallOffsetMs += ms
    },
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal.aborted) return resolve()
        const sleeper: Sleeper = {
          atMs: nowMs + ms,
          wake() {
            sleepers.delete(sleeper)
            signal.removeEventListener('abort', sleeper.wake)
            resolve()
          },
        }
        sleepers.add(sleeper)
        signal.addEventListener('abort', sleeper.wake, { once: true })
      }),
    settled,
    async advance(ms) {
      const untilMs = nowMs + ms
      for (;;) {
        const [next] = [...sleepers].sort((a, b) => a.atMs - b.atMs)
        if (!next || next.atMs > untilMs) break
        nowMs = Math.max(nowMs, next.atMs)
        next.wake()
        await settled(expected)
      }
      nowMs = untilMs
    },
  }
}
