// Durations as Docker writes them (`1m30s`), and plain seconds as the environment has had them from the start (`15`).

const UNIT_MS = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

/** Milliseconds, or `undefined` where `text` is no duration. `15` is 15 seconds. */
export function parseDuration(text: string): number | undefined {
  if (/^\d{1,9}(?:\.\d{1,3})?$/.test(text)) return Number(text) * 1000
  if (!/^(?:\d{1,9}(?:\.\d{1,3})?(?:us|ms|s|m|h))+$/.test(text)) return undefined
  let totalMs = 0
  for (const [, number, unit] of text.matchAll(/([\d.]+)(us|ms|s|m|h)/g)) {
    totalMs += Number(number) * UNIT_MS[unit as keyof typeof UNIT_MS]
  }
  return totalMs
}

/** For people: `0.4 s`, `17 s`, `2 min 5 s`, `1 h 3 min`. */
export function renderDuration(durationMs: number): string {
  if (durationMs < 9950) return `${Number((durationMs / 1000).toFixed(1))} s`
  const seconds = Math.round(durationMs / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}
