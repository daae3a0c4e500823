// How long a container has been up, as a list tells it in words, such as `Up 4 hours (healthy)`. Believes no words that it does not know.

const UP =
  /^Up (?<amount>Less than a second|\d+ seconds?|About an? (?:minute|hour)|\d+ (?:minutes|hours|days|weeks|months|years))(?: \((?:healthy|unhealthy|health: starting)\))?$/

const MINUTE_MS = 60_000

/**
 * Milliseconds that a container which is `state`, `status` has been up for at the least, up to a minute: longer times are told too
 * roughly. `undefined`: it is not up, or it is not told.
 */
export function parseUpFor(state: string, status: string): number | undefined {
  const amount = state === 'running' ? UP.exec(status)?.groups?.amount : undefined
  if (amount === undefined) return undefined
  if (amount.startsWith('Less')) return 0
  return amount.includes('second') ? Math.min(Number.parseInt(amount, 10) * 1000, MINUTE_MS) : MINUTE_MS
}
