// What many measurements come to: the middle, and how far they lie apart. Pure.

/** The median, and the quartiles around it. */
export type Spread = { readonly low: number; readonly median: number; readonly high: number }

/** Of at least one value. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  return { low: quantile(sorted, 0.25), median: quantile(sorted, 0.5), high: quantile(sorted, 0.75) }
}

/** Of at least one value, between 0 and 1; what lies between two values is taken from both. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share
  const [below, above] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]]
  if (below === undefined || above === undefined) throw new Error('nothing was measured')
  return below + (above - below) * (at - Math.floor(at))
}

/** Each of `ours` to the one of `theirs` that was measured beside it. */
export function ratios(ours: readonly number[], theirs: readonly number[]): Spread {
  return spreadOf(
    ours.map((value, i) => {
      const beside = theirs[i]
      if (beside === undefined || ours.length !== theirs.length) throw new Error('two were not measured equally often')
      return value / beside
    }),
  )
}
