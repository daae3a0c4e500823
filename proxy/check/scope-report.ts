// Which containers are in the scope of a policy, and why the others are not. Pure; the words are for the operator, never for a client.
import { nearest } from '../policy/nearest.ts'
import type { Selector } from '../policy/policy.ts'
import { COMPOSE_PROJECT, type Listed, matchesSelector } from '../policy/target.ts'
import { scopeWords } from './policy-words.ts'

export type InScope = {
  readonly id: string
  readonly name: string
  readonly inScope: boolean
  /** In scope: the first selector that it matches, by its index. */
  readonly selector?: number
  /** In scope: what that selector asks for. Out: for each selector, what of it is not so. */
  readonly why: readonly string[]
}

/** Each of `containers`, those in scope first. */
export function reportScope(scope: readonly Selector[], containers: readonly Listed[]): readonly InScope[] {
  return containers
    .map((container): InScope => {
      const { id, names } = container
      const selector = scope.findIndex((each) => matchesSelector(each, container))
      const matched = scope[selector]
      const known = { id, name: names[0] ?? id }
      if (matched) return { ...known, inScope: true, selector, why: [scopeWords(matched)] }
      return { ...known, inScope: false, why: scope.map((each) => mismatches(each, container).join('; ')) }
    })
    .sort((a, b) => Number(b.inScope) - Number(a.inScope) || (a.name < b.name ? -1 : 1))
}

/** What `selector` asks for and `container` has not; empty where it matches. */
export function mismatches({ labels = {}, names, project }: Selector, container: Listed): readonly string[] {
  const [name = ''] = container.names
  const ofProject = Object.hasOwn(container.labels, COMPOSE_PROJECT) ? container.labels[COMPOSE_PROJECT] : undefined
  return [
    ...Object.entries(labels).flatMap(([key, value]) => labelMismatch(key, value, container.labels)),
    ...(names && !names.includes(name) ? [`name is ${name}, want ${names.join(' or ')}`] : []),
    ...(project === undefined || ofProject === project
      ? []
      : [ofProject === undefined ? `of no compose project, want ${project}` : `project ${ofProject}, want ${project}`]),
  ]
}

function labelMismatch(key: string, want: string, labels: Listed['labels']): readonly string[] {
  if (!Object.hasOwn(labels, key)) {
    const keys = Object.keys(labels)
    const near = keys.find((other) => other.toLowerCase() === key.toLowerCase()) ?? nearest(key, keys)
    return [near === undefined ? `no label ${key}` : `no label ${key}; it has ${near}=${labels[near]}: is that meant?`]
  }
  return labels[key] === want ? [] : [`${key}=${labels[key]}: want “${want}”`]
}
