// Suggests the smallest policy under which what a client was recorded to ask would have passed, and proves it before it is handed out.
// Pure. Never grants what amounts to root unless the gathering was told to take it.
import { type Charge, decide } from '../policy/decide.ts'
import { parsePolicy } from '../policy/parse-policy.ts'
import type { Policy } from '../policy/policy.ts'
import { renderPolicyErrors } from '../policy/policy-error.ts'
import { runPolicyTests } from '../policy/run-tests.ts'
import { CATALOGUE, hasContainer, type Operation } from '../request/catalogue.ts'
import { WINDOW_MS } from './busiest.ts'
import { type Gathered, type LeftOut, leaveOut } from './gather.ts'
import { neverAllowed, type PolicyDraft, type RuleDraft, renderPolicy, type TestDraft, type Words } from './policy-draft.ts'
import { knownOf, type RecordedRequest } from './recorded-request.ts'
import { requestLine } from './request-line.ts'
import { smallestRule, whyInexpressible } from './smallest-rule.ts'

export type Suggestion = {
  /** The policy's text; absent where nothing is left to suggest one from. */
  readonly text?: string
  /** What the policy lets through. */
  readonly taken: readonly RecordedRequest[]
  /** What it does not, and why: a line each. */
  readonly leftOut: Words
}

/** The policy for `client`. Throws where what was written does not hold, which is a bug. */
export function suggestPolicy(client: string, { taken: gathered, leftOut: already }: Gathered): Suggestion {
  const leftOut: LeftOut = new Map([...already].map(([why, operations]) => [why, new Map(operations)]))
  const taken = byOperation(gathered).flatMap(([operation, requests]) =>
    requests.filter((one) => {
      const why = whyInexpressible(one, requests)
      if (why !== undefined) leaveOut(leftOut, why, operation.id, one.count)
      return why === undefined
    }),
  )
  const words = leftOutInWords(leftOut)
  if (taken.length === 0) return { taken, leftOut: words }
  const text = renderPolicy(draftPolicy(client, taken, words))
  prove(provenPolicy(text), taken)
  return { text, taken, leftOut: words }
}

function draftPolicy(client: string, taken: readonly RecordedRequest[], leftOut: Words): PolicyDraft {
  const rules = byOperation(taken).map(([operation, requests]) => smallestRule(operation, requests))
  const names = [...new Set(taken.flatMap(({ target }) => target?.name ?? []))].sort()
  return {
    client,
    about: aboutInWords(client, taken),
    scope: names.length > 0 ? { words: BY_NAME, selector: { names } } : { words: BY_LABEL, selector: { labels: OPT_IN } },
    rules,
    notGranted: leftOut.length > 0 ? ['Recorded, and not granted:', ...leftOut.map((line) => `- ${line}`)] : [],
    tests: testsOf(rules, taken, names),
  }
}

/** In the order of the catalogue; operations without a request are left out. */
function byOperation(requests: readonly RecordedRequest[]): (readonly [Operation, readonly RecordedRequest[]])[] {
  const groups = new Map<Operation, RecordedRequest[]>(CATALOGUE.map((operation) => [operation, []]))
  for (const one of requests) groups.get(one.request.operation)?.push(one)
  return [...groups].filter(([, group]) => group.length > 0)
}

function aboutInWords(client: string, taken: readonly RecordedRequest[]): Words {
  const times = taken.map(({ timeMs }) => timeMs)
  const [first, last] = times.reduce(([min, max], ms) => [Math.min(min, ms), Math.max(max, ms)], [Infinity, -Infinity])
  const count = taken.reduce((total, one) => total + one.count, 0)
  return [
    `The least that lets pass what ${client} asked: ${count === 1 ? '1 request' : `${count} requests`}, recorded`,
    `${new Date(first).toISOString()} to ${new Date(last).toISOString()}.`,
    '',
    'Suggested by `postern-proxy suggest`. Read it before you use it: what was asked is not always what should be.',
    'No log tells which fields of an answer a client reads: `show` is who and in which state, and what filters need.',
    'Add what else it reads; environment, commands and mounts may hold secrets.',
  ]
}

const BY_NAME: Words = [
  'The containers that were asked about; lists are cut to them too. A label is sturdier than names: it goes along when',
  'a container is renamed, and stands where the container is described.',
]
/** For a scope that nothing is known of. */
export const OPT_IN = { 'postern.visible': 'true' }
const BY_LABEL: Words = [
  'No container was asked about by name, so the log does not tell which the client needs: it sees those that carry this label.',
]

/** Each operation's first request must pass; what is out of scope, or makes containers, must not. */
function testsOf(rules: readonly RuleDraft[], taken: readonly RecordedRequest[], names: readonly string[]): TestDraft[] {
  const allowed = rules.flatMap(({ operation, when }): TestDraft[] => {
    const one = taken.find(({ request }) => request.operation === operation)
    const request = one && requestLine(one.request)
    if (!one || request === undefined) return []
    const { name, state } = one.target ?? {}
    const given = { ...(name === undefined ? {} : { name }), ...stateFor(when, state) }
    return [{ expect: 'allow', request, ...(one.target ? { given } : {}) }]
  })
  const outside = [...Array(names.length + 1).keys()].map((i) => `other${i || ''}`).find((name) => !names.includes(name)) ?? ''
  const hidden = rules
    .filter(({ operation }) => hasContainer(operation))
    .flatMap(({ operation }) => taken.find(({ request }) => request.operation === operation) ?? [])
    .slice(0, 1)
    .flatMap(({ request }): TestDraft[] => {
      const line = requestLine(request)
      return line === undefined ? [] : [{ expect: 'deny', request: line, given: { name: outside } }]
    })
  return [...allowed, ...hidden, neverAllowed(rules.map(({ operation }) => operation))]
}

/** A state that the rule asks for: the recorded one, unless it passed by the exception for what a restart left exited. */
function stateFor(when: RuleDraft['when'], state: string | undefined): { state?: string } {
  if (!when) return {}
  const asked = when.find((each) => each === state) ?? when[0]
  return asked === undefined ? {} : { state: asked }
}

/** `ContainerExec, 3 times: takes a body …` */
function leftOutInWords(leftOut: LeftOut): Words {
  return [...leftOut].flatMap(([why, operations]) =>
    [...operations].map(([operation, count]) => `${operation}, ${count === 1 ? 'once' : `${count} times`}: ${why}`),
  )
}

/** `text` as the proxy would load it. Throws where it would not. */
export function provenPolicy(text: string): Policy {
  const parsed = parsePolicy(text, 'suggested.yaml')
  const errors = 'errors' in parsed ? parsed.errors : runPolicyTests(parsed.policy)
  if ('errors' in parsed || errors.length > 0)
    throw new Error(`the suggested policy is none, which is a bug:\n${renderPolicyErrors('suggested.yaml', text, errors)}`)
  return parsed.policy
}

/** Above this no budget is suggested. */
const MOST_COUNTED = 500_000

/** Puts the requests to the policy in their order, each change charged. Throws where one would be refused. */
export function prove(policy: Policy, taken: readonly RecordedRequest[]): void {
  let ledger: Charge[] = []
  for (const one of [...taken].sort((a, b) => a.timeMs - b.timeMs)) {
    const { operation } = one.request
    ledger = ledger.filter(({ atMs }) => atMs > one.timeMs - WINDOW_MS)
    const ask = () => decide(policy, one.request, knownOf(one), ledger, one.timeMs)
    const first = ask()
    const charge = first.verdict === 'allow' ? first.charge : undefined
    if (charge) for (let i = 1; i < Math.min(one.count, MOST_COUNTED); i++) ledger.push(charge)
    const last = charge && one.count > 1 ? ask() : first
    if (last.verdict !== 'allow') {
      const why = last.verdict === 'deny' ? last.reason : 'no container is known'
      throw new Error(`the suggested policy would refuse ${operation.id}, which is a bug: ${why}`)
    }
    if (charge) ledger.push(charge)
  }
}
