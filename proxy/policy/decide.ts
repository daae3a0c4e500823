// Step 2, decide: whether a request may pass, and as what. Pure and total; every way out but one is a refusal.
// An `Approved` can be made nowhere else, and nothing else can be forwarded.
import type { ApiRequest, ApiVersion, QueryValue } from '../request/api-request.ts'
import type { OperationId } from '../request/catalogue.ts'
import { type Refusal, refuse } from '../request/refusal.ts'
import { matchesName } from './name-pattern.ts'
import type { Limit, Policy, Rule, Selector, Show } from './policy.ts'
import { type ContainerId, inScope, type Listed, matchesCondition, type Target } from './target.ts'

declare const approved: unique symbol

/** A request that passed, in typed values. `forward` takes nothing else. */
export type Approved = {
  readonly verdict: 'allow'
  readonly operation: OperationId
  /** The container that was judged; absent where the operation has none. */
  readonly container?: ContainerId
  readonly version?: ApiVersion
  readonly query: ReadonlyMap<string, QueryValue>
  readonly show: Show
  /** The containers that exist for the client; a list is cut to them. */
  readonly scope: readonly Selector[]
  /** Present for an operation that changes something: what to enter into the ledger before it goes out. */
  readonly charge?: Charge
  readonly [approved]: true
}

/** One forwarded write, as budgets count it. `atMs` is milliseconds since 1970. */
export type Charge = {
  readonly client: string
  readonly container: string
  readonly operation: OperationId
  readonly atMs: number
}

/** The request passes the policy so far; the decision needs to know its container: as listed, or freshly inspected. */
export type NeedsTarget = { readonly verdict: 'resolve'; readonly need: 'listed' | 'inspected' }

export type Decision = Approved | Refusal | NeedsTarget

/** What is known of the request's container: nothing yet; that none in scope is so called; or the container. */
export type Known =
  | { readonly target: 'not asked' }
  | { readonly target: 'not found' }
  | { readonly target: 'listed'; readonly container: Listed }
  | { readonly target: 'inspected'; readonly container: Target }

/** Decides on `request` under `policy`. `ledger` holds the charges made so far; `nowMs` is milliseconds since 1970. */
export function decide(policy: Policy, request: ApiRequest, known: Known, ledger: readonly Charge[], nowMs: number): Decision {
  const { operation } = request
  const rule = policy.allow.get(operation.id)
  if (!rule) {
    return refuse(
      403,
      'policy.operation',
      `${operation.id} is not allowed to ${policy.client}; the policy would need it under \`allow:\``,
    )
  }
  const badQuery = checkQuery(policy, request, rule)
  if (badQuery) return badQuery
  if (request.container === undefined) return approve(policy, request, rule)

  if (known.target === 'not asked') return { verdict: 'resolve', need: operation.kind === 'writes' ? 'inspected' : 'listed' }
  if (known.target === 'not found') return noSuchContainer(request)
  if (!inScope(policy.scope, known.container)) return noSuchContainer(request)
  if (operation.kind === 'reads') return approve(policy, request, rule, known.container.id)
  if (known.target === 'listed') return { verdict: 'resolve', need: 'inspected' }
  return decideWrite(policy, request, rule, known.container, ledger, nowMs)
}

/** The one answer for hidden, missing and ambiguous. */
export function noSuchContainer(request: ApiRequest): Refusal {
  return refuse(404, 'policy.scope', `No such container: ${request.container}`)
}

function decideWrite(
  policy: Policy,
  request: ApiRequest,
  rule: Rule,
  target: Target,
  ledger: readonly Charge[],
  nowMs: number,
): Approved | Refusal {
  const id = request.operation.id
  const name = target.names[0] ?? target.id
  if (target.isProtected) {
    return refuse(403, 'policy.protected', `${id}: ${name} is a part of Postern; no policy can allow a change to it`)
  }
  if (target.isBusy) return refuse(409, 'policy.busy', `${id}: another change to ${name} is under way; one at a time`)
  // What a restart from here left exited is judged as the running container that it was before.
  const isLeftExited = id === 'ContainerRestart' && target.state === 'exited' && target.failedToStart
  const judged = isLeftExited ? { ...target, state: 'running' } : target
  if (rule.when.length > 0 && !rule.when.some((condition) => matchesCondition(condition, judged))) {
    return refuse(409, 'policy.when', `${id}: ${name} is ${target.state}, which is not what \`when:\` asks for`)
  }
  const spent = checkBudget(policy, rule, id, name, ledger, nowMs)
  if (spent) return spent
  return approve(policy, request, rule, target.id, { client: policy.client, container: name, operation: id, atMs: nowMs })
}

function approve(policy: Policy, request: ApiRequest, rule: Rule, container?: ContainerId, charge?: Charge): Approved {
  return {
    verdict: 'allow',
    operation: request.operation.id,
    query: request.query,
    show: rule.show ?? [],
    scope: policy.scope,
    ...(request.version === undefined ? {} : { version: request.version }),
    ...(container === undefined ? {} : { container }),
    ...(charge === undefined ? {} : { charge }),
  } as Approved
}

function checkQuery(policy: Policy, request: ApiRequest, rule: Rule): Refusal | undefined {
  const id = request.operation.id
  for (const [key, given] of request.query) {
    const allowed = rule.query.get(key)
    const wrong = allowed === undefined ? 'is not listed' : checkValue(given, allowed, rule)
    if (wrong) {
      return refuse(
        403,
        'policy.query',
        `${id}: the query “${key}” ${wrong} under \`allow: ${id}: query:\` of ${policy.client}'s policy`,
      )
    }
  }
  return undefined
}

function checkValue(given: QueryValue, allowed: NonNullable<ReturnType<Rule['query']['get']>>, rule: Rule): string | undefined {
  if (given.type === 'boolean' && allowed.type === 'boolean') {
    return allowed.values.includes(given.value) ? undefined : `may not be ${given.value}`
  }
  if (given.type === 'integer' && allowed.type === 'integer') {
    return given.value >= allowed.min && given.value <= allowed.max ? undefined : `may only be ${allowed.min} to ${allowed.max}`
  }
  if (given.type === 'filters' && allowed.type === 'filters') {
    for (const [name, values] of given.value) {
      if (!allowed.names.includes(name)) return `may not filter by ${name}`
      if (name === 'label' && !values.every((value) => showsLabel(rule.show, value)))
        return 'may only filter by labels that are shown'
    }
    return undefined
  }
  return 'has another type'
}

/** A filter on a label that is not shown would tell of it. `value` is `name` or `name=value`. */
function showsLabel(show: Show | undefined, value: string): boolean {
  if (show === undefined) return false
  if (show === 'all') return true
  const name = value.split('=', 1)[0] ?? ''
  return show.some((field) => field.name === 'Labels' && showsField(field.fields, name))
}

function showsField(fields: Show, name: string): boolean {
  return fields === 'all' || fields.some((field) => matchesName(field.name, name))
}

function checkBudget(
  policy: Policy,
  rule: Rule,
  operation: OperationId,
  container: string,
  ledger: readonly Charge[],
  nowMs: number,
): Refusal | undefined {
  const own = ledger.filter((charge) => charge.client === policy.client && charge.operation === operation)
  const limits: readonly (readonly [Limit | undefined, readonly Charge[], string])[] = [
    [rule.budget?.container, own.filter((charge) => charge.container === container), `for ${container}`],
    [rule.budget?.client, own, `of ${policy.client}`],
  ]
  for (const [limit, charges, whose] of limits) {
    const waitMs = limit ? waitFor(limit, charges, nowMs) : 0
    if (waitMs > 0) {
      const retryAfterSeconds = Math.ceil(waitMs / 1000)
      const reason = `${operation}: the budget ${whose} is spent (${limit?.count} in ${(limit?.windowMs ?? 0) / 1000} s); try again in ${retryAfterSeconds} s`
      return { ...refuse(429, 'policy.budget', reason), retryAfterSeconds }
    }
  }
  return undefined
}

/** Milliseconds until one more charge fits into the window; 0 if it fits now. */
function waitFor(limit: Limit, charges: readonly Charge[], nowMs: number): number {
  const inWindow = charges.map(({ atMs }) => atMs).filter((atMs) => atMs > nowMs - limit.windowMs)
  if (inWindow.length < limit.count) return 0
  const freed = inWindow.sort((a, b) => a - b)[inWindow.length - limit.count] ?? nowMs
  return Math.min(freed + limit.windowMs - nowMs, limit.windowMs)
}
