// What is fuzzed: inputs of one kind, and what must hold of each of them. Inputs come in batches, each from a seed of its own, so that a
// batch is the same on every machine and an input that fails can be had again.
import fc from 'fast-check'
import type { Test } from 'tap'

export type Target = {
  /** What must hold, as a sentence. */
  readonly holds: string
  /** Inputs in a batch, which takes about a second. */
  readonly batch: number
  /** Runs the batch that `seed` gives. An input that takes longer than `slowMs` fails as well. */
  readonly run: (seed: number, inputs?: number, slowMs?: number) => Promise<Failure | undefined>
}

/** The smallest input found that fails, as code, and why it does. */
export type Failure = { readonly input: string; readonly why: string }

/** `check` throws what does not hold of an input. */
export function defineTarget<Input>(
  holds: string,
  batch: number,
  inputs: fc.Arbitrary<Input>,
  check: (input: Input) => void | Promise<void>,
): Target {
  const run = async (seed: number, numRuns = batch, slowMs = Number.POSITIVE_INFINITY) => {
    const property = fc.asyncProperty(inputs, async (input) => {
      const fromMs = performance.now()
      await check(input)
      const tookMs = performance.now() - fromMs
      if (tookMs > slowMs) throw new Error(`it took ${Math.round(tookMs)} ms`)
    })
    const { counterexample, errorInstance } = await fc.check(property, { seed, numRuns })
    if (counterexample === null) return undefined
    return { input: fc.stringify(counterexample[0]), why: String((errorInstance as Error | null)?.stack ?? errorInstance) }
  }
  return { holds, batch, run }
}

/** What `check` throws. */
export function must(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise)
}

/** The short form, for the tests: one small batch, always the same. New inputs are for `npm run fuzz`. */
export function fuzzBriefly(t: Test, name: string, { holds, batch, run }: Target): void {
  t.test(`fuzzed: ${holds}`, async (t) => {
    t.same(await run(SEED, Math.ceil(batch / 2)), undefined, `to repeat: npm run fuzz -- --target ${name} --seed ${SEED}`)
  })
}

const SEED = 1

export function newSeed(): number {
  return Math.floor(Math.random() * 2 ** 31)
}
