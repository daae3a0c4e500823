// Step 2, decide: whether a request may pass, and as what. Pure and total; every way out but one is a refusal.
// An `Approved` can be made nowhere else, and nothing else can be forwarded.
import type { ApiRequest, ApiVersion, JsonBody, ObjectName, QueryValue } from '../request/api-request.ts'
import { type Filters, hasContainer, MEANT_WHEN_ABSENT, type OperationId, readsFiles } from '../request/catalogue.ts'
import { type Refusal, refuse } from '../request/refusal.ts'
import { chargesOf, waitFor } from './budget.ts'
import { fieldsBelow, matchesName } from './name-pattern.ts'
import type { AllowedValues, Policy, Rule, Selector, Show } from './policy.ts'
import { type ContainerId, inScope, type Listed, matchesCondition, type Target } from './target.ts'

declare const approved: unique symbol

/** A request that passed, in typed values. `forward` takes nothing else. */
export type Approved = {
  readonly verdict: 'allow'
  readonly operation: OperationId
  /** The container that was judged; absent where the operation has none. */
  readonly container?: ContainerId
  readonly names: ReadonlyMap<string, ObjectName>
  readonly version?: ApiVersion
  readonly query: ReadonlyMap<string, QueryValue>
  /** As `ApiRequest` has them. */
  readonly headers: ReadonlyMap<string, readonly string[]>
  readonly upgrade: boolean
  readonly announced?: NonNullable<ApiRequest['announced']>
  readonly body?: JsonBody
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
  /** The container's name and id; absent where the operation is about none. */
  readonly container?: string
  readonly id?: string
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
      ['allow'],
    )
  }
  const badQuery = checkQuery(policy, request, rule)
  if (badQuery) return badQuery
  const isRead = operation.kind === 'reads'
  // The files of what is protected hold secrets of the proxy's own: to judge that, the container must be inspected.
  const need = isRead && !readsFiles(operation) ? 'listed' : 'inspected'
  if (!hasContainer(operation))
    return isRead ? approve(policy, request, rule) : decideCharge(policy, request, rule, ledger, nowMs)

  if (known.target === 'not asked') return { verdict: 'resolve', need }
  if (known.target === 'not found') return noSuchContainer(request)
  if (!inScope(policy.scope, known.container)) return noSuchContainer(request)
  if (need === 'listed') return approve(policy, request, rule, known.container.id)
  if (known.target === 'listed') return { verdict: 'resolve', need }
  if (isRead && !known.container.isProtected) return approve(policy, request, rule, known.container.id)
  return decideWrite(policy, request, rule, known.container, ledger, nowMs)
}

/** The one answer for hidden, missing and ambiguous. */
export function noSuchContainer(request: ApiRequest): Refusal {
  const exec = request.names.get('exec')
  const what = exec === undefined ? `container: ${request.container ?? 'the request names none'}` : `exec instance: ${exec}`
  return refuse(404, 'policy.scope', `No such ${what}`, ['scope'])
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
    const what = readsFiles(request.operation) ? 'a look at its files' : 'a change to it'
    return refuse(403, 'policy.protected', `${id}: ${name} is a part of Postern; no policy can allow ${what}`)
  }
  if (target.isBusy) return refuse(409, 'policy.busy', `${id}: another change to ${name} is under way; one at a time`)
  // What a restart from here left exited is judged as the running container that it was before as well.
  const isLeftExited = id === 'ContainerRestart' && target.state === 'exited' && target.failedToStart
  const judged = isLeftExited ? [target, { ...target, state: 'running' }] : [target]
  if (rule.when.length > 0 && !rule.when.some((condition) => judged.some((each) => matchesCondition(condition, each)))) {
    const reason = `${id}: ${name} is ${target.state}, which is not what \`when:\` asks for`
    return refuse(409, 'policy.when', reason, ['allow', id, 'when'])
  }
  return decideCharge(policy, request, rule, ledger, nowMs, target)
}

/** The budget is the last to be asked, so that a request that is refused anyway costs nothing. */
function decideCharge(
  policy: Policy,
  request: ApiRequest,
  rule: Rule,
  ledger: readonly Charge[],
  nowMs: number,
  target?: Target,
): Approved | Refusal {
  const container = target && { container: target.names[0] ?? target.id, id: target.id }
  const charge = { client: policy.client, operation: request.operation.id, atMs: nowMs, ...container }
  return checkBudget(rule, charge, ledger) ?? approve(policy, withStopTime(request, target), rule, target?.id, charge)
}

/** Without `t` a restart means the container's own time to stop; an Engine to which it means none is told so. */
function withStopTime(request: ApiRequest, target?: Target): ApiRequest {
  const { operation, query } = request
  if (operation.id !== 'ContainerRestart' || target?.stopSeconds === undefined || query.has('t')) return request
  return { ...request, query: new Map(query).set('t', { type: 'integer', value: target.stopSeconds }) }
}

function approve(policy: Policy, request: ApiRequest, rule: Rule, container?: ContainerId, charge?: Charge): Approved {
  return {
    verdict: 'allow',
    operation: request.operation.id,
    query: request.query,
    names: request.names,
    headers: request.headers,
    upgrade: request.upgrade,
    ...(request.announced === undefined ? {} : { announced: request.announced }),
    ...(request.body === undefined ? {} : { body: request.body }),
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
    const type = request.operation.query[key]
    const wrong =
      allowed === undefined ? 'is not listed' : checkValue(given, allowed, rule.show, typeof type === 'object' ? type : {})
    if (wrong) {
      return refuse(
        403,
        'policy.query',
        `${id}: the query “${key}” ${wrong} under \`allow: ${id}: query:\` of ${policy.client}'s policy`,
        ['allow', id, 'query', key],
      )
    }
  }
  for (const [key, meant] of Object.entries(MEANT_WHEN_ABSENT[id] ?? {})) {
    const allowed = rule.query.get(key)
    if (allowed === undefined || saysSomething(request.query.get(key))) continue
    if (allowed.type === 'text' && meant !== undefined && allowed.patterns.some((pattern) => matchesName(pattern, meant)))
      continue
    return refuse(
      403,
      'policy.query',
      `${id}: without the query “${key}” it means ${meant ?? 'all there is'}, which is not listed under \`allow: ${id}: query:\` of ${policy.client}'s policy`,
      ['allow', id, 'query', key],
    )
  }
  return undefined
}

/** Filters without a value filter nothing. */
function saysSomething(given: QueryValue | undefined): boolean {
  return given?.type === 'filters' ? [...given.value.values()].some((values) => values.length > 0) : given !== undefined
}

/** What is wrong with a value, as the end of a sentence; `undefined` where nothing is. `filters` says which field each tells of. */
function checkValue(given: QueryValue, allowed: AllowedValues, show: Show | undefined, filters: Filters): string | undefined {
  if (given.type === 'boolean' && allowed.type === 'boolean') {
    return allowed.values.includes(given.value) ? undefined : `may not be ${given.value}`
  }
  if (given.type === 'integer' && allowed.type === 'integer') {
    const fits = allowed.ranges.some(({ min, max }) => given.value >= min && given.value <= max)
    return fits
      ? undefined
      : `may only be ${allowed.ranges.map(({ min, max }) => (min === max ? min : `${min} to ${max}`)).join(' or ')}`
  }
  if (given.type === 'text' && allowed.type === 'text') {
    return allowed.patterns.some((pattern) => matchesName(pattern, given.value)) ? undefined : 'has a value that is not listed'
  }
  if (given.type === 'filters' && allowed.type === 'filters') {
    for (const [name, values] of given.value) {
      if (!allowed.names.includes(name)) return `may not filter by ${name}`
      const field = filters[name]
      if (field === undefined || !values.every((value) => showsFiltered(show, field, value)))
        return `may only filter by ${name} where that is shown`
    }
    return undefined
  }
  return 'has another type'
}

/** A filter on what is not shown would tell of it. In `field`, `*` is what stands before the `=` of the value. */
function showsFiltered(show: Show | undefined, field: string, value: string): boolean {
  let fields = show ?? []
  for (const part of field.split('.')) {
    if (fields === 'all') return true
    const below = fieldsBelow(fields, part === '*' ? (value.split('=', 1)[0] ?? '') : part)
    if (below === undefined) return false
    fields = below
  }
  return fields === 'all'
}

/** Of two budgets that are spent, the one that lasts longer is told. */
function checkBudget({ budget }: Rule, charge: Charge, ledger: readonly Charge[]): Refusal | undefined {
  const { client, container, operation, atMs } = charge
  const own = ledger.filter((other) => other.client === client && other.operation === operation)
  const spent = [
    { limit: budget?.container, charges: chargesOf(charge, own), whose: `for ${container}` },
    { limit: budget?.client, charges: own, whose: `of ${client}` },
  ].flatMap(({ limit, charges, whose }) => {
    const waitMs = limit ? waitFor(limit, charges, atMs) : 0
    return limit && waitMs > 0 ? [{ limit, whose, retryAfterSeconds: Math.ceil(waitMs / 1000) }] : []
  })
  const [first] = spent.sort((a, b) => b.retryAfterSeconds - a.retryAfterSeconds)
  if (!first) return undefined
  const { limit, whose, retryAfterSeconds } = first
  const amount = `${limit.count} in ${limit.windowMs / 1000} s`
  const reason = `${operation}: the budget ${whose} is spent (${amount}); try again in ${retryAfterSeconds} s`
  return { ...refuse(429, 'policy.budget', reason, ['allow', operation, 'budget']), retryAfterSeconds }
}
