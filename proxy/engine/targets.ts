// Finds the container that a request names, within the scope and nowhere else.
import type { Selector } from '../policy/policy.ts'
import { type ContainerId, findContainer, type Listed, parseContainerId } from '../policy/target.ts'
import type { ContainerRef } from '../request/api-request.ts'
import { type Inspected, inspectContainer, listInScope } from './containers.ts'
import type { Engine } from './engine.ts'
import { findProtection, type Protection } from './own-container.ts'

export type Targets = {
  /** The container in scope that `ref` names; `undefined` for hidden, missing and ambiguous alike. Throws `EngineError`. */
  readonly find: (ref: ContainerRef) => Promise<Listed | undefined>
  /** As `find`, inspected just now. Throws `EngineError`. */
  readonly inspect: (ref: ContainerRef) => Promise<(Inspected & { readonly isProtected: boolean }) | undefined>
}

export type TargetsOptions = {
  readonly engine: Pick<Engine, 'ask'>
  readonly scope: readonly Selector[]
  readonly ownId: ContainerId | undefined
  readonly socketPaths: readonly string[]
}

export function createTargets({ engine, scope, ownId, socketPaths }: TargetsOptions): Targets {
  // Labels of an id never change, so a container in scope by its labels stays in scope; its name can change.
  const membershipIsFixed = scope.every((selector) => selector.names === undefined)
  let members: ReadonlyMap<ContainerId, Listed> = new Map()
  let protection: Protection | undefined

  const find: Targets['find'] = async (ref) => {
    const id = parseContainerId(ref)
    const member = id && membershipIsFixed ? members.get(id) : undefined
    if (member) return member
    const listed = await listInScope(engine, scope)
    members = new Map(listed.map((container) => [container.id, container]))
    return findContainer(ref, listed)
  }
  return {
    find,
    async inspect(ref) {
      // First, so that nothing stands between the inspect and the decision.
      protection ??= await findProtection(engine, ownId, socketPaths)
      const listed = await find(ref)
      const inspected = listed && (await inspectContainer(engine, listed.id))
      if (!inspected) return undefined
      return { ...inspected, isProtected: protection(inspected) }
    },
  }
}
