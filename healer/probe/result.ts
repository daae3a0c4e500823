// What a probe found. Exactly three results; `unknown` never reads as healthy and never restarts anything.

export type ProbeResult = {
  /** `failure`: it answered wrongly, refused or timed out. `unknown`: the healer could not tell. */
  readonly result: 'success' | 'failure' | 'unknown'
  /** In words, such as “answered 503” or “no answer within 5 s”. */
  readonly reason: string
  /** Of an HTTP answer. */
  readonly httpStatus?: number
}

export const success = (reason: string): ProbeResult => ({ result: 'success', reason })
export const failure = (reason: string): ProbeResult => ({ result: 'failure', reason })
export const unknown = (reason: string): ProbeResult => ({ result: 'unknown', reason })
