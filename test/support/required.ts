// What a test takes that not every machine has: without it the test is skipped, and said to be; where REQUIRE_ENGINE=1 that is a failure.

/** For a test's `skip`. `why`: what is missing. Throws where it has to be there. */
export function skipFor(why: string | undefined): string | false {
  if (why === undefined) return false
  if (process.env.REQUIRE_ENGINE === '1') throw new Error(`${why}, and REQUIRE_ENGINE=1 asks for all tests`)
  return `not run: ${why}`
}
