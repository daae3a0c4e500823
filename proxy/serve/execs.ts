// Which container a command that was prepared here runs in. The Engine is never asked about an exec that a client names: one that was
// not prepared for this client does not exist for it.
import type { ContainerId } from '../policy/target.ts'

export type Execs = {
  readonly note: (exec: string, container: ContainerId) => void
  readonly containerOf: (exec: string) => ContainerId | undefined
}

/** Beyond this the oldest is forgotten. */
const MAX_EXECS = 1000

export function createExecs(): Execs {
  const containers = new Map<string, ContainerId>()
  return {
    note(exec, container) {
      containers.set(exec, container)
      const [oldest] = containers.keys()
      if (containers.size > MAX_EXECS && oldest !== undefined) containers.delete(oldest)
    },
    containerOf: (exec) => containers.get(exec),
  }
}
