// Policies for tests: the one that ships, and small ones from text. A text that does not parse fails the test at once.
import { readFileSync } from 'node:fs'
import { parsePolicy } from '../../../proxy/policy/parse-policy.ts'
import type { Policy } from '../../../proxy/policy/policy.ts'
import { renderPolicyErrors } from '../../../proxy/policy/policy-error.ts'

export const HEALER_POLICY_FILE = new URL('../../../policies/healer.yaml', import.meta.url).pathname
export const HEALER_POLICY_TEXT = readFileSync(HEALER_POLICY_FILE, 'utf8')

export function policyOf(text: string, file = 'test.yaml'): Policy {
  const parsed = parsePolicy(text, file)
  if ('errors' in parsed) throw new Error(renderPolicyErrors(file, text, parsed.errors))
  return parsed.policy
}

export const healerPolicy = (): Policy => policyOf(HEALER_POLICY_TEXT)

/** A policy whose `allow:` is `allow`, lines of YAML without indentation; its scope is `monitored: "true"`. */
export function policyText(allow: readonly string[], scope: readonly string[] = ['- labels: { monitored: "true" }']): string {
  const indented = (lines: readonly string[]) => lines.map((line) => `  ${line}`)
  return ['version: 1', 'client: healer', 'scope:', ...indented(scope), 'allow:', ...indented(allow), ''].join('\n')
}
