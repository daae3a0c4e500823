// What a policy says, as plain readonly data. Made only by `parsePolicy`; read by `decide` and `show`.
import type { OperationId } from '../request/catalogue.ts'
import type { Span } from './policy-error.ts'

export type Policy = {
  /** The client's name, as it stands in the audit log. */
  readonly client: string
  /** The containers that exist for the client: those that match any of these. Never empty. */
  readonly scope: readonly Selector[]
  readonly allow: ReadonlyMap<OperationId, Rule>
  readonly tests: readonly PolicyTest[]
  /** Where it was read from, for messages. */
  readonly file: string
  /** The first 16 hexadecimal digits of the SHA-256 of its text. */
  readonly hash: string
}

/** All that is given must hold. */
export type Selector = {
  readonly labels?: Readonly<Record<string, string>> | undefined
  /** Container names, without the leading slash. */
  readonly names?: readonly string[] | undefined
  /** A compose project's name. */
  readonly project?: string | undefined
}

export type Condition = Selector & {
  /** Container states, any of which will do. */
  readonly state?: readonly ContainerState[] | undefined
}

export const CONTAINER_STATES = ['created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead'] as const
export type ContainerState = (typeof CONTAINER_STATES)[number]

export type Rule = {
  /** Query keys that may be given, with the values each may have. */
  readonly query: ReadonlyMap<string, AllowedValues>
  /** What is shown of a JSON answer; absent where the operation answers none. */
  readonly show?: Show
  /** Any of these must hold of the target; empty: nothing is asked. */
  readonly when: readonly Condition[]
  readonly budget?: Budget
}

export type AllowedValues =
  | { readonly type: 'boolean'; readonly values: readonly boolean[] }
  | { readonly type: 'integer'; readonly ranges: readonly IntegerRange[] }
  /** In a pattern `*` stands for any run of characters. */
  | { readonly type: 'text'; readonly patterns: readonly string[] }
  | { readonly type: 'filters'; readonly names: readonly string[] }

/** Both ends belong to it. */
export type IntegerRange = { readonly min: number; readonly max: number }

/** `all`: the answer passes whole. Otherwise the fields to keep. */
export type Show = 'all' | readonly ShowField[]

export type ShowField = {
  /** A field's name; `*` stands for any run of characters. */
  readonly name: string
  /** `all`: the field's whole value. Otherwise what to keep of the object (or of each object of the list) in it. */
  readonly fields: Show
}

/** At most `count` in any `windowMs`. */
export type Limit = { readonly count: number; readonly windowMs: number }
export type Budget = { readonly container?: Limit; readonly client?: Limit }

export type PolicyTest = {
  readonly expect: 'allow' | 'deny'
  readonly method: string
  readonly target: string
  readonly given: Given
  /** Where it stands in the policy's text. */
  readonly at: Span
}

/** What is said of a container that does not exist. */
export type Given = {
  readonly labels: Readonly<Record<string, string>>
  readonly name?: string
  readonly state?: ContainerState
}
