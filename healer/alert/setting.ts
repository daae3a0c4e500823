// What the settings of all receivers of alerts are made of: kinds of values, secrets among them, as zod checks them in a file.
import * as z from 'zod'
import type { ValueKind } from '../settings/value.ts'
import type { Receiver } from './receiver.ts'
import { asSecret } from './secret.ts'

/** What a receiver is told of, whichever kind it is. */
export type Common = Pick<Receiver, 'name' | 'events' | 'isFor'>

/** A text of `kind`. The message says what is expected, never what was given. */
export function setting<T>(kind: ValueKind<T>) {
  return z.unknown().transform((given, context): T => {
    const value = typeof given === 'string' ? kind.parse(given) : undefined
    if (value !== undefined) return value
    context.addIssue({ code: 'custom', message: `expected ${kind.takes}` })
    return z.NEVER
  })
}

/** The same, not to be printed. */
export function secret(kind: ValueKind<string>) {
  return setting({ takes: kind.takes, parse: (text) => asSecret(kind.parse(text)) })
}
