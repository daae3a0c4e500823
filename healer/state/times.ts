// Times in files of state: on the healer's monotonic clock in memory, as RFC 3339 on the disk, since a monotonic clock starts anew.
import type { Clock } from '../loop/clock.ts'

export function toWallTime(monotonicMs: number, clock: Clock): string {
  return new Date(clock.wallMs() - (clock.monotonicMs() - monotonicMs)).toISOString()
}

export function toMonotonicMs(wallTime: string, clock: Clock): number {
  return clock.monotonicMs() + (Date.parse(wallTime) - clock.wallMs())
}

/** As `toMonotonicMs`; a clock that was set back meanwhile does not put it into the future. */
export function toPastMs(wallTime: string, clock: Clock): number {
  return Math.min(clock.monotonicMs(), toMonotonicMs(wallTime, clock))
}
