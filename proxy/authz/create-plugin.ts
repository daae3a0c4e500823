// The plugin without its process: its socket's server, and the policy that it judges by, which can be replaced.
import type { Policy } from '../policy/policy.ts'
import type { BoundedServer } from '../serve/bounded-server.ts'
import { createGoverned, type Governed, type ServedClientOptions } from '../serve/served-client.ts'
import { authorize, refuseUnread } from './authorize.ts'
import { createOutcomes } from './outcomes.ts'
import type { OwnRequests } from './own-requests.ts'
import { createPluginServer, type PluginLimits } from './plugin-server.ts'

/** `engine` sends the headers of `own`. */
export type PluginParts = Omit<ServedClientOptions, 'observe'> & { readonly own: OwnRequests }

export type Plugin = BoundedServer & Pick<Governed, 'policy' | 'govern'>

export function createPlugin(given: Policy, { own, ...parts }: PluginParts, limits?: PluginLimits): Plugin {
  const { current, policy, govern } = createGoverned(given, parts)
  const guard = { client: current, outcomes: createOutcomes() }
  const answering = {
    request: (message: Parameters<typeof authorize>[1]) => authorize(guard, message),
    isOwn: own.isOwn,
    answer: guard.outcomes.came,
    refused: (refusal: Parameters<typeof refuseUnread>[1]) => refuseUnread(guard, refusal),
    dropped: () => parts.metrics.droppedConnection(policy().client),
  }
  return { ...createPluginServer(answering, limits), policy, govern }
}
