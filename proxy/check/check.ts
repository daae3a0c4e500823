// What `check` says of a valid policy: its worst case, its warnings, and the containers of an Engine. Pure; as data and as text.
import type { Policy } from '../policy/policy.ts'
import { policyLines } from '../policy/policy-lines.ts'
import type { Listed } from '../policy/target.ts'
import type { Verdicts } from '../terminal.ts'
import { hang } from './layout.ts'
import { scopeWords } from './policy-words.ts'
import { type InScope, reportScope } from './scope-report.ts'
import { findWarnings, type Warning } from './warnings.ts'
import { cannotDo, type WorstCase, worstCases } from './worst-case.ts'

export type Checked = {
  readonly file: string
  readonly hash: string
  readonly client: string
  /** How many tests of its own hold; all do. */
  readonly tests: number
  /** The containers in scope, in words. */
  readonly scope: string
  readonly operations: readonly WorstCase[]
  readonly cannot: { readonly count: number; readonly suchAs: readonly string[] }
  readonly warnings: readonly Warning[]
  /** Present where an Engine was asked. */
  readonly containers?: readonly InScope[]
}

/** `text` is what `policy` was read from. `containers`: all that the Engine has, if it was asked. */
export function checkPolicy(file: string, policy: Policy, text: string, containers?: readonly Listed[]): Checked {
  const lineOf = policyLines(text)
  return {
    file,
    hash: policy.hash,
    client: policy.client,
    tests: policy.tests.length,
    scope: policy.scope.map(scopeWords).join('; or '),
    operations: worstCases(policy, lineOf),
    cannot: cannotDo(policy),
    warnings: findWarnings(policy, lineOf),
    ...(containers === undefined ? {} : { containers: reportScope(policy.scope, containers) }),
  }
}

/** Of `renderChecked`. */
export const CHECKED_VERDICTS: Verdicts = {
  good: /(?<=^[^\n]*: )valid(?=; (?:no|\d+) tests?\b)|^No warnings\.$|(?<=^ {2})in(?= )/gm,
  doubtful: /^Warnings:$|(?<=^ {2})\S.*?:\d+:(?= [a-z-]+: )|(?<=^ {2})out(?= )/gm,
}

export function renderChecked(checked: Checked): string {
  const { file, hash, client, tests, scope, operations, cannot, warnings, containers } = checked
  const width = Math.max(0, ...operations.map(({ operation }) => operation.length)) + 4
  return [
    `${file}: valid; ${tests === 0 ? 'no tests' : tests === 1 ? '1 test holds' : `${tests} tests hold`}; hash ${hash}\n`,
    hang('In scope', 9, `are containers ${scope}.`),
    `The client “${client}” can, at worst:\n`,
    ...operations.map(({ operation, words }) => hang(`  ${operation}`, width, words)),
    hang('It cannot', 10, `do any of the other ${cannot.count} operations that are known, such as: ${cannot.suchAs.join('; ')}.`),
    ...(warnings.length === 0 ? ['No warnings.\n'] : ['Warnings:\n', ...warnings.map((warning) => renderWarning(file, warning))]),
    ...(containers ? renderContainers(containers) : []),
  ].join('')
}

function renderWarning(file: string, { name, line, message }: Warning): string {
  return hang(`  ${file}:${line}:`, 4, `${name}: ${message}`)
}

function renderContainers(containers: readonly InScope[]): readonly string[] {
  const inside = containers.filter(({ inScope }) => inScope).length
  const width = Math.max(0, ...containers.map(({ name }) => name.length)) + 8
  return [
    `Containers of the Engine: ${inside} in scope, ${containers.length - inside} not.\n`,
    ...containers.flatMap(({ name, inScope, selector, why }) =>
      why.map((words, i) => hang(i > 0 ? '' : `  ${inScope ? 'in ' : 'out'} ${name}`, width, `scope.${selector ?? i}: ${words}`)),
    ),
  ]
}
