// A policy that allows all that a policy can: every operation, every query value, all of each answer.
import { CATALOGUE, type Operation, type QueryType, whyNotServed } from '../../../proxy/request/catalogue.ts'

const SERVED = CATALOGUE.filter((operation) => whyNotServed(operation) === undefined)
const ANY_VALUE = { boolean: [true, false], integer: '-999999999..999999999', text: ['*'], path: ['*'] } as const

/** Its text, for a client called `client` and for containers in `scope`, as a policy writes it. */
export function everythingPolicy(client = 'everything', scope: unknown = 'all'): string {
  return JSON.stringify({
    version: 1,
    client,
    scope,
    allow: Object.fromEntries(SERVED.map((operation) => [operation.id, widestRule(operation)])),
    allow_root_equivalent: SERVED.filter(({ kind }) => kind === 'root').map(({ id }) => id),
  })
}

function widestRule({ query, answer }: Operation) {
  return {
    query: Object.fromEntries(Object.entries(query).flatMap(([key, type]) => (type === 'container' ? [] : [[key, anyOf(type)]]))),
    ...(answer === 'nothing' || answer === 'ping' ? {} : { show: 'all' }),
  }
}

function anyOf(type: Exclude<QueryType, 'container'>): unknown {
  return typeof type === 'object' ? Object.keys(type) : ANY_VALUE[type]
}
