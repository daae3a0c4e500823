// Reads a body of JSON into a value that is written anew for the Engine: no byte of it is copied. Never repairs, and never looks for
// what a policy could judge, but for the container that a body names.
import { isLosslessNumber, parse, stringify } from 'lossless-json'
import { type ApiRequest, parseContainerRef } from './api-request.ts'
import type { Operation } from './catalogue.ts'
import { type Refusal, refuse } from './refusal.ts'

/** Bytes of a body. Secrets and configs hold up to 500 kB and 1 MB, in base64; all else is far less. */
export function maxBodyBytes({ id }: Operation): number {
  return id.startsWith('Secret') || id.startsWith('Config') ? 2 * 1024 ** 2 : 512 * 1024
}

/** Levels of lists and objects. The Engine's own have fewer than a dozen, and what is nested too deeply could not be written anew. */
const MAX_LEVELS = 100

/** The keys of a body that makes a container a member of a network, or none. */
const MEMBER_KEYS = ['Container', 'EndpointConfig', 'Force']

/** `request` with what `text` says, and the container that it names. */
export function readBody(request: ApiRequest, text: string): ApiRequest | Refusal {
  const { id, body: kind } = request.operation
  const value = parseJson(text)
  if (typeof value !== 'object' || value === null || isLosslessNumber(value))
    return no(`${id} takes a JSON object or list as its body, with each key once`)
  if (isDeeper(value, MAX_LEVELS)) return no(`${id} takes a body of at most ${MAX_LEVELS} levels`)
  // As text, for what was parsed takes many times the memory until the Engine has answered.
  if (kind !== 'member') return { ...request, body: { text: stringify(value) ?? '' } }
  const odd = Object.keys(value).find((key) => !MEMBER_KEYS.includes(key))
  if (odd !== undefined || Array.isArray(value))
    return no(`${id} takes the keys ${MEMBER_KEYS.join(', ')} in its body, as they are`)
  const { Container: named } = value as { readonly Container?: unknown }
  const container = typeof named === 'string' ? parseContainerRef(named) : undefined
  if (container === undefined) return no(`${id} takes the name or id of a container as Container in its body`)
  return { ...request, body: { member: value }, container }
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((below) => isDeeper(below, levels - 1))
}

function no(reason: string): Refusal {
  return refuse(400, 'request.body', reason)
}

/** Numbers are kept digit by digit; a key that is given twice with different values is none. */
function parseJson(text: string): unknown {
  try {
    return parse(text)
  } catch {
    return undefined
  }
}
