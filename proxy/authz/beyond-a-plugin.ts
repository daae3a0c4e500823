// What a policy may ask for that no plugin can do: it says yes or no, and the Engine carries out the client's own request and sends its own
// answer. Such a policy is refused at the start, rather than half enforced. Pure.
import type { Policy, Rule } from '../policy/policy.ts'
import type { PolicyError, Span } from '../policy/policy-error.ts'
import { EVERYTHING } from '../policy/target.ts'
import { type Operation, operationOf } from '../request/catalogue.ts'
import { tellsOfContainers } from '../show/cut-to-scope.ts'

/** All of it at once, in the order of its text; empty where a plugin can do what `policy` asks for. `where` tells where a key stands. */
export function beyondAPlugin(policy: Policy, where: (path: readonly string[]) => Span): readonly PolicyError[] {
  const found = [...policy.allow].flatMap(([id, rule]) =>
    whatItCannot(policy, operationOf(id), rule).map(({ at, why }) => {
      const path = ['allow', id, ...at]
      return { ...where(path), message: `${path.join('.')}: ${why}` }
    }),
  )
  return found.sort((a, b) => a.offset - b.offset)
}

type Beyond = { readonly at: readonly string[]; readonly why: string }

function whatItCannot({ scope }: Policy, operation: Operation, { show }: Rule): readonly Beyond[] {
  const found: Beyond[] = []
  if (show !== undefined && show !== 'all') {
    const why = 'an authorization plugin cannot cut an answer; write `show: all`, if the client may see the whole of it'
    found.push({ at: ['show'], why })
  }
  if (scope !== EVERYTHING && tellsOfContainers(operation.id)) {
    const why =
      'its answer tells of containers outside the scope, and an authorization plugin cannot cut it; write `scope: all`, or leave it out'
    found.push({ at: [], why })
  }
  if (operation.body !== undefined) {
    const why =
      operation.body !== 'tar'
        ? 'it takes a body, which this authorization plugin does not judge'
        : 'it takes a body that is not JSON, which the Engine does not pass on to an authorization plugin'
    found.push({ at: [], why })
  }
  if (operation.containerBy === 'exec') {
    found.push({ at: [], why: 'it is about a command that was prepared before, of which an authorization plugin is not told' })
  }
  return found
}
