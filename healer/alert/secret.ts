// A secret that is printed nowhere by mistake: not in a log, an error, a page, JSON or the state on disk.
import { inspect } from 'node:util'

const SHOWN = '[secret]'

export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  /** The secret itself, to be put where it belongs and nowhere else. */
  reveal(): string {
    return this.#value
  }

  toString(): string {
    return SHOWN
  }

  toJSON(): string {
    return SHOWN
  }

  [inspect.custom](): string {
    return SHOWN
  }
}

export function asSecret(text: string | undefined): Secret | undefined {
  return text === undefined ? undefined : new Secret(text)
}
