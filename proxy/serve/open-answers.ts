// The answers that go on: streams and tunnels under way. Each can be cut off: when its policy changes for it, and when the proxy stops.
import { isDeepStrictEqual } from 'node:util'
import type { Policy } from '../policy/policy.ts'
import { type OperationId, operationOf } from '../request/catalogue.ts'

export type OpenAnswer = {
  readonly operation: OperationId
  /** What judged it. */
  readonly policy: Policy
  readonly cut: () => void
  /** Resolves once it is over and recorded. */
  readonly over: Promise<void>
}

export type OpenAnswers = {
  readonly add: (answer: OpenAnswer) => void
  /** Cuts what `policy` has another rule or scope for than the one that judged it, as soon as it goes on. */
  readonly judgeAnew: (policy: Policy) => void
  /** Cuts those that read, now and from now on: they have no end of their own. */
  readonly cutReads: () => void
  readonly cutAll: () => void
  /** Resolves once none is left of those that there are now. */
  readonly settled: () => Promise<void>
}

type IsMeant = (answer: OpenAnswer) => boolean

export function createOpenAnswers(): OpenAnswers {
  const open = new Set<OpenAnswer>()
  // What was judged before a cut may begin to go on only after it.
  let isOutdated: IsMeant = () => false
  let isStopped: IsMeant = () => false
  const cut = (isMeant: IsMeant) => {
    for (const answer of open) if (isMeant(answer)) answer.cut()
  }
  return {
    add(answer) {
      open.add(answer)
      const forget = () => open.delete(answer)
      answer.over.then(forget, forget)
      if (isOutdated(answer) || isStopped(answer)) answer.cut()
    },
    judgeAnew(given) {
      isOutdated = ({ operation, policy: { allow, scope } }) =>
        !isDeepStrictEqual([given.allow.get(operation), given.scope], [allow.get(operation), scope])
      cut(isOutdated)
    },
    cutReads() {
      isStopped = ({ operation }) => operationOf(operation).kind === 'reads'
      cut(isStopped)
    },
    cutAll() {
      isStopped = () => true
      cut(isStopped)
    },
    settled: async () => void (await Promise.allSettled([...open].map(({ over }) => over))),
  }
}
