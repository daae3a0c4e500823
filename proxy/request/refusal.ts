// A refusal: why a request went no further, in words that let the person behind the client mend it.

/** The checks that refuse, each by a stable name that stands in the audit log, the metrics and docs/proxy.md. */
export const REFUSAL_RULES = [
  'request.body',
  'request.browser',
  'request.busy',
  'request.certificate',
  'request.framing',
  'request.header',
  'request.id',
  'request.path',
  'request.query',
  'request.target',
  'request.timeout',
  'request.upgrade',
  'request.version',
  'operation.unknown',
  'policy.operation',
  'policy.query',
  'policy.scope',
  'policy.protected',
  'policy.when',
  'policy.busy',
  'policy.budget',
  'engine.missing',
  'engine.unreachable',
  'engine.timeout',
  'engine.answer',
  'engine.failed',
  'audit.unwritable',
  'proxy.error',
] as const

export type RefusalRule = (typeof REFUSAL_RULES)[number]

export type Refusal = {
  readonly verdict: 'deny'
  /** The HTTP status to answer with. */
  readonly status: 400 | 401 | 403 | 404 | 406 | 408 | 409 | 429 | 431 | 500 | 501 | 502 | 503 | 504
  readonly rule: RefusalRule
  readonly reason: string
  /** Whole seconds until the same request could pass; sent as `Retry-After`. */
  readonly retryAfterSeconds?: number
  /** Where it was the policy that refused: the path to what in it did, or to where it would have to allow. */
  readonly at?: readonly string[]
}

export function refuse(status: Refusal['status'], rule: RefusalRule, reason: string, at?: readonly string[]): Refusal {
  return { verdict: 'deny', status, rule, reason, ...(at === undefined ? {} : { at }) }
}
