// What of the Engine's events is about containers outside the scope does not happen, as far as the client can tell. Pure, but for the
// question which containers are in scope.
import type { Selector, Show } from '../policy/policy.ts'
import { type Described, EVERYTHING, inScope } from '../policy/target.ts'

/** Whether the container with this id is in scope. */
export type Knows = (id: string) => Promise<boolean>

/** `event`, or `undefined` where it tells of a container that is not in scope. */
export async function eventInScope(event: unknown, scope: readonly Selector[], knows: Knows): Promise<unknown> {
  if (scope === EVERYTHING) return event
  const { Type, Actor } = record(event)
  const { Attributes } = record(Actor)
  // Labels of a container are among the attributes of its own events, which so are judged even once it is gone.
  if (Type === 'container') return inScope(scope, describedBy(record(Attributes))) ? event : undefined
  const { container } = record(Attributes)
  if (container === undefined) return typeof Type === 'string' ? event : undefined
  return (await knows(String(container))) ? event : undefined
}

/** What the Engine adds to the labels of a container, on its own account: a label that is called so cannot be told from it, and counts as none. */
const OWN_WORDS = [
  ...['image', 'name', 'oldName', 'comment', 'imageID', 'imageRef', 'container'],
  ...['exitCode', 'signal', 'execID', 'execDuration', 'height', 'width', 'path', 'reason'],
]

function describedBy(attributes: Readonly<Record<string, unknown>>): Described {
  const labels = Object.entries(attributes).filter(([word]) => !OWN_WORDS.includes(word))
  return { names: [attributes.name], labels: Object.fromEntries(labels) }
}

/** Without the command lines of execs, health checks among them, which stand in the name of what happened; `show: all` has them. */
export function withoutCommands(event: unknown, show: Show): unknown {
  if (show === 'all') return event
  const { Action, status } = record(event)
  const cut = (text: unknown) => (typeof text === 'string' ? text.replace(/^(exec_\w+):.*/s, '$1') : text)
  return { ...record(event), Action: cut(Action), status: cut(status) }
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}
