// Of the query values that a policy lists, those that mean more than they seem to. Pure.
import { matchesName } from '../policy/name-pattern.ts'
import type { AllowedValues, Rule } from '../policy/policy.ts'
import { hasContainer, type Operation } from '../request/catalogue.ts'
import type { Found } from './warnings.ts'

/** As long as the proxy waits for a change, in seconds. */
const MAX_WAIT_S = 900

export function warnOfQuery(operation: Operation, { query }: Rule): readonly Found[] {
  const { id } = operation
  const found = [...query].flatMap(([key, allowed]) => warnOfValues(operation, key, allowed))
  if (id === 'ContainerKill' && !query.has('signal')) {
    const message =
      'ContainerKill without `signal` under `query` is SIGKILL, always: the container cannot save what it holds. List the signals that are meant.'
    found.push({ name: 'any-signal', at: ['allow', id], message })
  }
  if (id === 'SystemDataUsage') {
    found.push({ name: 'costly', at: ['allow', id], message: `${id} makes the Engine walk all its disk, each time it is asked.` })
  }
  if (id === 'ImagePrune' || id === 'BuildPrune' || id === 'NetworkPrune' || id === 'VolumePrune') {
    const message = query.has('filters')
      ? `${id} with a filter takes any value of it: \`label!\` with a label that nothing has is everything unused.`
      : `${id} without \`filters\` under \`query\` is of everything that the Engine counts as unused at that moment.`
    found.push({ name: 'deletes', at: ['allow', id], message })
  }
  return found
}

function warnOfValues(operation: Operation, key: string, allowed: AllowedValues): readonly Found[] {
  const { id } = operation
  const at = ['allow', id, 'query', key]
  if (allowed.type === 'integer' && key === 't') {
    const { min, max } = widest(allowed.ranges)
    if (min >= 0 && max <= MAX_WAIT_S) return []
    const wait = min < 0 ? 'a `t` below 0 waits without end' : `a \`t\` of ${max} waits for longer than the proxy does`
    return [
      { name: 'long-wait', at, message: `${id}: ${wait} for a container that ignores its signal; all other changes to it wait.` },
    ]
  }
  if (allowed.type === 'boolean' && key === 'size' && allowed.values.includes(true)) {
    const message = `${id}: \`size\` makes the Engine walk the files of ${hasContainer(operation) ? 'the container' : 'every container'}, each time it is asked.`
    return [{ name: 'costly', at, message }]
  }
  return allowed.type === 'text' ? warnOfText(id, key, allowed.patterns, at) : []
}

function warnOfText(id: string, key: string, patterns: readonly string[], at: Found['at']): readonly Found[] {
  const open = patterns.find((pattern) => pattern.includes('*'))
  if (key === 'ps_args' && open !== undefined) {
    const message = `${id}: “${open}” takes any option of ps; with some of them (\`e\`, \`eww\`) it shows the environment of each process, passwords and all.`
    return [{ name: 'any-ps-option', at, message }]
  }
  const fatal = ['SIGKILL', 'SIGSTOP', 'KILL', 'STOP', '9', '19'].find((signal) =>
    patterns.some((p) => p.includes('*') && matchesName(p, signal)),
  )
  if (key === 'signal' && fatal !== undefined) {
    const message = `${id}: “${open}” is also ${fatal}, which no container can answer. List the signals that are meant.`
    return [{ name: 'any-signal', at, message }]
  }
  const any = patterns.find((pattern) => /^\*+$/.test(pattern))
  return any === undefined
    ? []
    : [{ name: 'any-text', at, message: `${id}: “${any}” is any \`${key}\` at all. List what is meant, or a beginning of it.` }]
}

function widest(ranges: readonly { readonly min: number; readonly max: number }[]): {
  readonly min: number
  readonly max: number
} {
  return { min: Math.min(...ranges.map(({ min }) => min)), max: Math.max(...ranges.map(({ max }) => max)) }
}
