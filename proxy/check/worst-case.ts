// What the client of a policy could do at worst, operation by operation, in words. Pure; judges nothing, which `findWarnings` does.
import type { Policy, Rule } from '../policy/policy.ts'
import type { LineOf } from '../policy/policy-lines.ts'
import { CATALOGUE, type Operation, type OperationId, type OperationKind, operationOf } from '../request/catalogue.ts'
import { OPERATION_WORDS } from './operation-words.ts'
import { budgetWords, conditionWords, showWords, valuesWords } from './policy-words.ts'

export type WorstCase = {
  readonly operation: OperationId
  readonly kind: OperationKind
  /** The line of its rule. */
  readonly line: number
  /** What the client can do, and within which limits. */
  readonly words: string
}

/** Each operation that the policy allows. */
export function worstCases({ allow }: Policy, lineOf: LineOf): readonly WorstCase[] {
  return [...allow].map(([id, rule]) => {
    const operation = operationOf(id)
    const words = [OPERATION_WORDS[id], ...limitsOf(operation, rule)].join('; ')
    return { operation: id, kind: operation.kind, line: lineOf(['allow', id]), words }
  })
}

function limitsOf({ id, kind, query }: Operation, rule: Rule): readonly string[] {
  const again = id === 'ContainerRestart' ? ', or a restart from here left it exited' : ''
  return [
    ...(rule.when.length > 0 ? [`only while ${conditionWords(rule.when)}${again}`] : []),
    ...(rule.query.size > 0 ? [`with ${[...rule.query].map(([key, values]) => valuesWords(key, values)).join(', ')}`] : []),
    ...('t' in query ? ['without t, with the container’s own time to stop'] : []),
    ...(rule.show ? [`sees ${showWords(rule.show)}`] : []),
    ...(kind === 'reads' ? [] : [rule.budget ? `at most ${budgetWords(rule.budget)}` : 'as often as it likes']),
  ]
}

/** What people fear most of a client of the Engine, the worst first. */
const FEARED: readonly OperationId[] = [
  ...(['ContainerCreate', 'ExecStart', 'ContainerAttach', 'PutContainerArchive', 'ContainerArchive', 'ContainerLogs'] as const),
  ...(['ContainerStop', 'ContainerKill', 'ContainerDelete', 'ImageBuild', 'ImageCreate', 'VolumeDelete', 'SecretList'] as const),
]

/** How many of the operations that are known the client cannot do, and those of them that people ask about. */
export function cannotDo({ allow }: Policy): { readonly count: number; readonly suchAs: readonly string[] } {
  const suchAs = FEARED.filter((id) => !allow.has(id)).map((id) => OPERATION_WORDS[id])
  return { count: CATALOGUE.filter(({ id }) => !allow.has(id)).length, suchAs }
}
