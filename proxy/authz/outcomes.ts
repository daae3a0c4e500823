// Which change an answer belongs to. The Engine gives no number to what it asks: of like requests, the last is taken.
import type { PluginMessage } from './plugin-message.ts'

export type Outcomes = {
  /** `message` was let through; `tell` is called with what came of it, at most once. */
  readonly expect: (message: PluginMessage, tell: (answer: PluginMessage) => Promise<void>) => void
  /** Tells of an answer, where one is expected. */
  readonly came: (answer: PluginMessage) => Promise<void>
}

/** Of what another plugin has refused there never is an answer: beyond this, the oldest is forgotten. */
const MAX_EXPECTED = 1000

export function createOutcomes(): Outcomes {
  const expected: { readonly key: string; readonly tell: (answer: PluginMessage) => Promise<void> }[] = []
  return {
    expect(message, tell) {
      expected.push({ key: keyOf(message), tell })
      if (expected.length > MAX_EXPECTED) expected.shift()
    },
    async came(answer) {
      const key = keyOf(answer)
      const at = expected.findLastIndex((each) => each.key === key)
      const [found] = at < 0 ? [] : expected.splice(at, 1)
      await found?.tell(answer)
    },
  }
}

const keyOf = ({ method, target, user }: PluginMessage) => JSON.stringify([method, target, user])
