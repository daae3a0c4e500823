// The Engine asks its plugin about every request, those of the plugin's own included. They are known by a header whose value nobody else
// has: made at the start, kept in memory, and written nowhere.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readRequest } from '../request/read-request.ts'
import { headOf, type PluginMessage } from './plugin-message.ts'

const OWN_HEADER = 'x-postern-authz'

export type OwnRequests = {
  /** To be sent with each. */
  readonly headers: Readonly<Record<string, string>>
  /** A read of this process's. What other plugins in the chain may learn of the header is good for no more than that. */
  readonly isOwn: (message: PluginMessage) => boolean
}

export function createOwnRequests(secret: string = randomBytes(32).toString('base64url')): OwnRequests {
  const known = digest(secret)
  return {
    headers: { [OWN_HEADER]: secret },
    isOwn(message) {
      const given = message.headers.get(OWN_HEADER)
      if (given === undefined || !timingSafeEqual(digest(given), known)) return false
      const request = readRequest(headOf(message))
      if ('verdict' in request) return false
      const { kind, answer } = request.operation
      return kind === 'reads' && (answer === 'json' || answer === 'ping')
    },
  }
}

const digest = (text: string) => createHash('sha256').update(text).digest()
