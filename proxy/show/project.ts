// Step 4, show: what is kept of an Engine's JSON answer. Pure; builds anew from what the policy names, never deletes
// from what came. A field that nobody named cannot appear.
import { fieldsBelow } from '../policy/name-pattern.ts'
import type { Show } from '../policy/policy.ts'

/** `value`, cut to `show`. A list is cut element by element; where fields are named of what is no object, nothing is kept. */
export function project(value: unknown, show: Show): unknown {
  if (show === 'all') return value
  if (Array.isArray(value))
    return value.filter((element) => typeof element === 'object' && element !== null).map((element) => project(element, show))
  if (typeof value !== 'object' || value === null) return null
  const kept: Record<string, unknown> = Object.create(null)
  for (const [name, field] of Object.entries(value)) {
    const below = fieldsBelow(show, name)
    if (below !== undefined) kept[name] = project(field, below)
  }
  return kept
}
