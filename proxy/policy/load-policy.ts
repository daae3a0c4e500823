// Reads a policy file and runs its tests. A policy that fails in any way does not come out of here.
import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { type PolicyError, parsePolicy, renderPolicyErrors } from './parse-policy.ts'
import type { Policy } from './policy.ts'
import { runPolicyTests } from './run-tests.ts'

/** A policy cannot be used; the message has a line for each reason, with file, line and column. */
export class PolicyFileError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'PolicyFileError'
  }
}

/** The policy in `file`, whose own tests hold. Throws `PolicyFileError`. */
export async function loadPolicy(file: string): Promise<Policy> {
  const text = await readText(file)
  const parsed = parsePolicy(text, basename(file))
  if ('errors' in parsed) throw new PolicyFileError(renderPolicyErrors(file, parsed.errors))
  const failed: PolicyError[] = runPolicyTests(parsed.policy).map(({ line, message }) => ({ line, column: 1, message }))
  if (failed.length > 0) throw new PolicyFileError(renderPolicyErrors(file, failed))
  return parsed.policy
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
