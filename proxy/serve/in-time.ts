// A bound on time beside another reason to give up.

/** Node 20 forgets a timeout that only `AbortSignal.any` refers to, and then it never comes: so each is kept for as long as what it bounds. */
const timeouts = new WeakMap<AbortSignal, AbortSignal>()

/** Aborts with `other`, or after `ms` milliseconds. */
export function inTime(ms: number, other: AbortSignal): AbortSignal {
  const timeout = AbortSignal.timeout(ms)
  const either = AbortSignal.any([timeout, other])
  timeouts.set(either, timeout)
  return either
}
