// The parts of a policy in words, as reports have them: what is shown, which containers, how often. Pure.
import type { AllowedValues, Budget, Condition, Limit, Selector, Show } from '../policy/policy.ts'

/** The fields as a policy writes them: `Id, State: [Status, Health: [Status]]`. */
export function showWords(show: Show): string {
  if (show === 'all') return 'everything, uncut'
  return show
    .map(({ name, fields }) => {
      const written = /^[\w.-]+(?:\*[\w.-]*)*$/.test(name) ? name : JSON.stringify(name)
      return fields === 'all' ? written : `${written}: [${showWords(fields)}]`
    })
    .join(', ')
}

/** `monitored=true, named web or db, of project shop`. */
export function selectorWords({ labels = {}, names, project }: Selector): string {
  return [
    ...Object.entries(labels).map(([name, value]) => `${name}=${value}`),
    ...(names ? [`named ${anyOf(names)}`] : []),
    ...(project === undefined ? [] : [`of project ${project}`]),
  ].join(', ')
}

/** The containers of a scope, in words. */
export function scopeWords(selector: Selector): string {
  return selectorWords(selector) || 'of every name and label'
}

/** `it is running and monitored=true`; of several, any. */
export function conditionWords(when: readonly Condition[]): string {
  return when
    .map((condition) => [...(condition.state ? [`it is ${anyOf(condition.state)}`] : []), selectorWords(condition)])
    .map((parts) => parts.filter((part) => part !== '').join(', and '))
    .join('; or ')
}

/** `5 times in 10 minutes for each container, 20 times in 10 minutes in all`. */
export function budgetWords({ container, client }: Budget): string {
  return [
    ...(container ? [`${limitWords(container)} for each container`] : []),
    ...(client ? [`${limitWords(client)} in all`] : []),
  ].join(', ')
}

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1000],
] as const

function limitWords({ count, windowMs }: Limit): string {
  const [unit, unitMs] = UNITS.find(([, ms]) => windowMs % ms === 0) ?? ['millisecond', 1]
  const number = windowMs / unitMs
  return `${count === 1 ? 'once' : `${count} times`} in ${number === 1 ? (unit === 'hour' ? 'an' : 'a') : number} ${unit}${number === 1 ? '' : 's'}`
}

/** What a query key may say: `t (0 to 60)`, `signal (SIGTERM or SIG*)`, `filters (label, status)`. */
export function valuesWords(key: string, allowed: AllowedValues): string {
  switch (allowed.type) {
    case 'boolean':
      return `${key} (${anyOf(allowed.values)})`
    case 'integer':
      return `${key} (${anyOf(allowed.ranges.map(({ min, max }) => (min === max ? min : `${min} to ${max}`)))}${key === 't' ? ' s to stop' : ''})`
    case 'text':
      return `${key} (${anyOf(allowed.patterns.map((pattern) => `“${pattern}”`))})`
    case 'filters':
      return `${key} (${allowed.names.join(', ')})`
    default:
      return allowed satisfies never
  }
}

function anyOf(values: readonly unknown[]): string {
  return values.length < 2 ? values.join('') : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`
}
