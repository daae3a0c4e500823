// The smallest rule for one operation under which its recorded requests pass: the values that were given, the states that containers
// were in, and how often it was done. Pure.
import { matchesName } from '../policy/name-pattern.ts'
import type { AllowedValues, ContainerState } from '../policy/policy.ts'
import { hasContainer, MEANT_WHEN_ABSENT, type Operation } from '../request/catalogue.ts'
import { busiest, roundUp } from './busiest.ts'
import type { RuleDraft, Words } from './policy-draft.ts'
import type { RecordedRequest } from './recorded-request.ts'
import { defaultShow, type ShowTree, showFiltered } from './show-defaults.ts'

type Filters = ReadonlyMap<string, readonly string[]>

/** Why no rule can let this one pass, or not together with the others of its operation; `undefined` where one can. */
export function whyInexpressible(one: RecordedRequest, all: readonly RecordedRequest[]): string | undefined {
  const { operation } = one.request
  const filters = filtersOf(one)
  if (isByNamelessLabel(operation, filters)) return 'filters by a label that has no name'
  const meant = MEANT_WHEN_ABSENT[operation.id] ?? {}
  if (!('filters' in meant) || saysSomething(filters)) return undefined
  if (filters !== undefined) return 'has filters that filter nothing, which means all there is'
  return all.some((other) => saysSomething(filtersOf(other)))
    ? 'came without a filter as well as with one; a rule can only let through either, and without one it means all there is'
    : undefined
}

function filtersOf({ request }: RecordedRequest): Filters | undefined {
  const given = request.query.get('filters')
  return given?.type === 'filters' ? given.value : undefined
}

const saysSomething = (filters: Filters | undefined) => [...(filters?.values() ?? [])].some((values) => values.length > 0)

function isByNamelessLabel({ query }: Operation, filters: Filters = new Map()): boolean {
  const fields = typeof query.filters === 'object' ? query.filters : {}
  return [...filters].some(([name, values]) => fields[name]?.endsWith('*') && values.some((value) => /^(?:=|$)/.test(value)))
}

/** The rule for `operation`, of which `requests` are all that were taken: at least one. */
export function smallestRule(operation: Operation, requests: readonly RecordedRequest[]): RuleDraft {
  const show = defaultShow(operation)
  const words: string[] = [timesInWords(requests)]
  const query = new Map<string, AllowedValues>()
  for (const key of Object.keys(operation.query)) {
    const allowed = valuesOf(operation, key, requests, show, words)
    if (allowed) query.set(key, allowed)
  }
  const when = statesOf(operation, requests)
  const budget = operation.kind === 'reads' ? undefined : budgetOf(operation, requests)
  return {
    operation,
    words: [
      ...words,
      ...(when === 'unknown' ? ['The state of its container was not recorded, so none is asked for.'] : []),
      ...(budget?.words ?? []),
    ],
    query,
    ...(show ? { show } : {}),
    ...(Array.isArray(when) ? { when } : {}),
    ...(budget && Object.keys(budget.limits).length > 0 ? { budget: budget.limits } : {}),
  }
}

function timesInWords(requests: readonly RecordedRequest[]): string {
  const times = requests.reduce((total, { count }) => total + count, 0)
  const last = requests.reduce((latest, { timeMs }) => Math.max(latest, timeMs), 0)
  return `${times === 1 ? 'Once' : times === 2 ? 'Twice' : `${times} times`}, last ${new Date(last).toISOString()}.`
}

/** The values of `key` that were given; `undefined` where none was. Adds to `show` what filters need, and to `words` what is odd. */
function valuesOf(
  operation: Operation,
  key: string,
  requests: readonly RecordedRequest[],
  show: ShowTree | 'all' | undefined,
  words: string[],
): AllowedValues | undefined {
  const given = requests.flatMap(({ request }) => request.query.get(key) ?? [])
  const type = operation.query[key]
  if (given.length === 0 || type === undefined) {
    const meant = MEANT_WHEN_ABSENT[operation.id]?.[key]
    if (meant !== undefined) words.push(`Without ${key} it means ${meant}.`)
    else if (key in (MEANT_WHEN_ABSENT[operation.id] ?? {})) words.push(`It came without ${key}, which means all there is.`)
    return undefined
  }
  switch (type) {
    case 'boolean':
      return { type, values: unique(given.flatMap((each) => (each.type === type ? [each.value] : []))).sort() }
    case 'integer': {
      const numbers = unique(given.flatMap((each) => (each.type === type ? [each.value] : []))).sort((a, b) => a - b)
      return { type, ranges: numbers.map((value) => ({ min: value, max: value })) }
    }
    case 'text':
    case 'path':
    case 'container': {
      const meant = given.length < requests.length ? MEANT_WHEN_ABSENT[operation.id]?.[key] : undefined
      if (meant !== undefined) words.push(`${meant} is what it means without ${key}.`)
      const texts = unique([
        ...given.flatMap((each) => (each.type === 'text' ? [each.value] : [])),
        ...(meant === undefined ? [] : [meant]),
      ])
      if (texts.some((text) => text.includes('*')))
        words.push(`A value of ${key} has a *, which stands for any run of characters here.`)
      return { type: 'text', patterns: withoutCovered(texts) }
    }
    default:
      return { type: 'filters', names: filterNames(operation, requests, show ?? new Map(), words) }
  }
}

const unique = <T>(values: readonly T[]): T[] => [...new Set(values)]

/** Texts of which none is what the pattern of another says. */
function withoutCovered(texts: readonly string[]): string[] {
  return texts
    .filter((text, i) => !texts.some((other, j) => i !== j && matchesName(other, text) && !(matchesName(text, other) && i < j)))
    .sort()
}

/** A label that gives nothing away, to be shown where a filter by labels came without one. */
const HARMLESS_LABEL = 'com.docker.compose.service'

function filterNames(
  operation: Operation,
  requests: readonly RecordedRequest[],
  show: ShowTree | 'all',
  words: string[],
): string[] {
  const fields = typeof operation.query.filters === 'object' ? operation.query.filters : {}
  const seen = new Map<string, string[]>()
  for (const filters of requests.flatMap((each) => filtersOf(each) ?? []))
    for (const [name, values] of filters) seen.set(name, [...(seen.get(name) ?? []), ...values])
  if (seen.size === 0) {
    const [first] =
      Object.entries(fields).find(([, field]) => show === 'all' || show.has(field.split('.')[0] ?? '')) ??
      Object.entries(fields)[0] ??
      []
    if (first !== undefined) seen.set(first, [])
    words.push(`Its filters were empty; ${first} stands for them, since a list cannot be.`)
  }
  for (const [name, values] of seen)
    for (const value of values.length > 0 ? unique(values) : [HARMLESS_LABEL]) showFiltered(show, operation, name, value)
  return [...seen.keys()].sort()
}

/** The states in which containers were changed; `unknown` where one is not on record. */
function statesOf(operation: Operation, requests: readonly RecordedRequest[]): readonly ContainerState[] | 'unknown' | undefined {
  if (operation.kind === 'reads' || !hasContainer(operation)) return undefined
  const states = new Set<ContainerState>()
  let wasLeftExited = false
  for (const { target } of requests) {
    if (target?.state === undefined) return 'unknown'
    // What a restart made here left exited may be restarted as the running container that it was.
    if (operation.id === 'ContainerRestart' && target.state === 'exited' && target.failedToStart) wasLeftExited = true
    else states.add(target.state)
  }
  if (wasLeftExited && !states.has('exited')) states.add('running')
  return [...states].sort()
}

function budgetOf(
  operation: Operation,
  requests: readonly RecordedRequest[],
): { limits: NonNullable<RuleDraft['budget']>; words: Words } {
  const seen = busiest(requests.map(({ timeMs, count, target }) => ({ atMs: timeMs, count, ...target })))
  const [container, client] = [hasContainer(operation) ? roundUp(seen.container) : undefined, roundUp(seen.client)]
  const most = hasContainer(operation) ? `${seen.container} of one container, ${seen.client} in all` : `${seen.client}`
  return {
    limits: { ...(container === undefined ? {} : { container }), ...(client === undefined ? {} : { client }) },
    words: [`The most within 10 minutes: ${most}.`],
  }
}
