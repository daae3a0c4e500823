// Reads a policy file for a plugin. What a plugin cannot do is an error of the file, told like any other.
import { loadPolicySource } from '../policy/load-policy.ts'
import { keySpans } from '../policy/parse-policy.ts'
import type { Policy } from '../policy/policy.ts'
import { PolicyFileError, renderPolicyErrors } from '../policy/policy-error.ts'
import { beyondAPlugin } from './beyond-a-plugin.ts'

/** The policy in `file`, whose own tests hold, and which a plugin can enforce. Throws `PolicyFileError`. */
export async function loadPluginPolicy(file: string): Promise<Policy> {
  const { policy, text } = await loadPolicySource(file)
  const beyond = beyondAPlugin(policy, keySpans(text))
  if (beyond.length > 0) throw new PolicyFileError(renderPolicyErrors(file, text, beyond))
  return policy
}
