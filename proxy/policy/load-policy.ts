// Reads a policy file and runs its tests. A policy that fails in any way does not come out of here.
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { parsePolicy } from './parse-policy.ts'
import type { Policy } from './policy.ts'
import { PolicyFileError, renderPolicyErrors } from './policy-error.ts'
import { runPolicyTests } from './run-tests.ts'

/** A policy with the text it was read from. */
export type PolicySource = { readonly policy: Policy; readonly text: string }

/** The policy in `file`, whose own tests hold. Throws `PolicyFileError`. */
export async function loadPolicy(file: string): Promise<Policy> {
  const { policy } = await loadPolicySource(file)
  return policy
}

export async function loadPolicySource(file: string): Promise<PolicySource> {
  const source = await readPolicySource(file)
  const failed = runPolicyTests(source.policy)
  if (failed.length > 0) throw new PolicyFileError(renderPolicyErrors(file, source.text, failed))
  return source
}

/** As `loadPolicySource`, but whether its tests hold is not asked: for explaining why one does not. */
export async function readPolicySource(file: string): Promise<PolicySource> {
  const text = await readText(file)
  const parsed = parsePolicy(text, basename(file))
  if ('errors' in parsed) throw new PolicyFileError(renderPolicyErrors(file, text, parsed.errors))
  return { policy: parsed.policy, text }
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'it cannot be read by this user' : String(code)
    throw new PolicyFileError(`${file}: ${why}`, { cause: error })
  }
}
