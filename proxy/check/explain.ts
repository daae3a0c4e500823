// What would become of one request under a policy: read and decided on as a client's is, with nothing sent. Pure; as data and as text.
import { engineRequest } from '../engine/forward.ts'
import { type Approved, decide } from '../policy/decide.ts'
import type { Given, Policy, Show } from '../policy/policy.ts'
import type { LineOf, PolicyPath } from '../policy/policy-lines.ts'
import { givenContainer } from '../policy/run-tests.ts'
import { matchesSelector, type Target } from '../policy/target.ts'
import type { ApiRequest } from '../request/api-request.ts'
import { type OperationId, operationOf } from '../request/catalogue.ts'
import { readRequest } from '../request/read-request.ts'
import type { Verdicts } from '../terminal.ts'
import { hang } from './layout.ts'
import { OPERATION_WORDS } from './operation-words.ts'
import { budgetWords, scopeWords, selectorWords, showWords } from './policy-words.ts'
import { mismatches } from './scope-report.ts'

/** A place in the policy: `allow.ContainerRestart.when`, and the line of it, or of the nearest around it where it is missing. */
export type Place = { readonly path: string; readonly line: number }

export type Explained = {
  readonly operation?: OperationId
  /** The container that the request is judged on, in words. */
  readonly container?: string
  /** Why it is in scope, or is not: what matched, or what of each selector did not. */
  readonly scope?: readonly string[]
} & (Allowed | Refused)

type Allowed = {
  readonly verdict: 'allow'
  readonly place: Place
  /** What goes to the Engine; `{id}` stands for the whole id of the container, which is looked up at that time. */
  readonly forwarded: { readonly method: string; readonly path: string }
  readonly shown: string
  /** Absent where the operation changes nothing. */
  readonly budget?: string
}
type Refused = {
  readonly verdict: 'deny'
  readonly status: number
  readonly rule: string
  readonly reason: string
  /** Absent where no policy could have allowed it. */
  readonly place?: Place
}

/** Explains `method target` under `policy`, for a container as `given` has it. No change has been made before, so no budget is spent. */
export function explain(policy: Policy, lineOf: LineOf, method: string, target: string, given: Given): Explained {
  const place = (path: PolicyPath): Place => ({ path: path.join('.'), line: lineOf(path) })
  const request = readRequest({ method, target, rawHeaders: [] })
  if ('verdict' in request) return { verdict: 'deny', status: request.status, rule: request.rule, reason: request.reason }
  const container = givenContainer(given, request.container ?? '')
  const about = { operation: request.operation.id, ...aboutContainer(policy, request, container) }
  const decision = decide(policy, request, { target: 'inspected', container }, [], 0)
  switch (decision.verdict) {
    case 'allow':
      return { ...about, ...explainAllowed(policy, decision, place(['allow', decision.operation])) }
    case 'deny': {
      const { verdict, status, rule, reason, at } = decision
      return { ...about, verdict, status, rule, reason, ...(at === undefined ? {} : { place: place(at) }) }
    }
    case 'resolve':
      throw new Error('an inspected container is all that a decision can need')
    default:
      return decision satisfies never
  }
}

function aboutContainer(
  { scope }: Policy,
  { container: ref }: ApiRequest,
  container: Target,
): Pick<Explained, 'container' | 'scope'> {
  if (ref === undefined) return {}
  const { names, state, labels } = container
  const matching = scope.findIndex((selector) => matchesSelector(selector, container))
  const matched = scope[matching]
  return {
    container: [names[0], state, Object.keys(labels).length > 0 ? selectorWords({ labels }) : 'no labels'].join(', '),
    scope: matched
      ? [`in scope by scope.${matching}: ${scopeWords(matched)}`]
      : scope.map((selector, i) => `not by scope.${i}: ${mismatches(selector, container).join('; ')}`),
  }
}

function explainAllowed({ allow }: Policy, approved: Approved, place: Place): Allowed {
  const { operation, container, show } = approved
  const { kind } = operationOf(operation)
  const { method, path } = engineRequest(approved)
  const { budget } = allow.get(operation) ?? {}
  return {
    verdict: 'allow',
    place,
    // The id comes before anything else of the path that could look like it.
    forwarded: { method, path: container === undefined ? path : path.replace(container, '{id}') },
    shown: shownWords(operation, show),
    ...(kind === 'reads' ? {} : { budget: budget ? `at most ${budgetWords(budget)}` : 'none: as often as the client likes' }),
  }
}

function shownWords(operation: OperationId, show: Show): string {
  const { answer } = operationOf(operation)
  if (answer === 'nothing') return 'only whether it was done; the Engine answers nothing else'
  if (answer === 'ping') return 'OK, and the version of the API'
  const isCutToScope = operation === 'ContainerList' || operation === 'SystemEvents'
  return isCutToScope ? `of the containers in scope: ${showWords(show)}` : showWords(show)
}

const INDENT = 12

/** Of `renderExplained`. */
export const EXPLAINED_VERDICTS: Verdicts = { good: /^allowed/g, bad: /^refused/g }

export function renderExplained(file: string, explained: Explained): string {
  const { operation, container, scope = [] } = explained
  const row = (head: string, text: string) => hang(head, INDENT, text)
  return [
    explained.verdict === 'allow'
      ? row('allowed', 'the request would pass')
      : row('refused', `${explained.status} ${explained.rule}: ${explained.reason}`),
    ...(explained.place ? [row('rule', `${file}:${explained.place.line}  ${explained.place.path}`)] : []),
    ...(operation === undefined ? [] : [row('operation', `${operation}: ${OPERATION_WORDS[operation]}`)]),
    ...(container === undefined ? [] : [row('container', container)]),
    ...scope.map((words) => row('', words)),
    ...(explained.verdict === 'allow' ? renderAllowed(explained) : []),
  ].join('')
}

function renderAllowed({ forwarded, shown, budget }: Allowed): readonly string[] {
  return [
    hang('forwarded', INDENT, `${forwarded.method} ${forwarded.path}`),
    hang('shown', INDENT, shown),
    ...(budget === undefined ? [] : [hang('budget', INDENT, budget)]),
  ]
}
