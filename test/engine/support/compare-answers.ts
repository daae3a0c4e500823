// In what the proxy's answer differs from the Engine's own to the same request, each difference by the name that docs/proxy.md has for it.
import type { Heard, Pair } from './twin-socket.ts'

/** Headers that say how an answer is framed, and what becomes of the connection: each hop has them for itself. */
const FRAMING = ['content-length', 'transfer-encoding', 'connection', 'keep-alive']
/** What is another in each answer of the Engine's own. */
const OF_THE_MOMENT =
  /"(?:Pid|SystemTime|NGoroutines|NFd|NEventsListener|CreatedAt|LastUsedAt)":(?:"[^"]*"|\d+)|"Status":"Up [^"]*"/g
/** Statistics are of the moment as a whole. */
const MEASURED = /"\d{4}-\d\d-\d\dT[^"]*"|-?\d+(?:\.\d+)?/g

/** Of a difference that has no name there, what differs. */
export function differencesOf({ line, engine, proxy }: Pair): readonly string[] {
  const refused =
    engine.status < 400 && proxy.status === 400 ? /"message":"(query|the request has a body)/.exec(proxy.body)?.[1] : undefined
  if (refused !== undefined) return [refused === 'query' ? 'query' : 'body']
  const status = engine.status === proxy.status ? [] : [`${line}: ${engine.status} is ${proxy.status}`]
  return [...status, ...headersOf(line, engine, proxy), ...bodyOf(line, engine, proxy)]
}

function headersOf(line: string, engine: Heard, proxy: Heard): readonly string[] {
  const names = new Set([...engine.headers.keys(), ...proxy.headers.keys()])
  const differing = [...names].filter((name) => name !== 'date' && engine.headers.get(name) !== proxy.headers.get(name))
  const isFailure = engine.status >= 400
  return differing.flatMap((name) => {
    if (FRAMING.includes(name)) return isFailure ? [] : ['framing']
    const value = proxy.headers.get(name)
    return value === undefined ? [name] : [`${line}: ${name} is ${value}, at the Engine ${engine.headers.get(name)}`]
  })
}

function bodyOf(line: string, engine: Heard, proxy: Heard): readonly string[] {
  const texts = [engine.body, proxy.body].map((text) =>
    text.replace(line.includes('/stats') ? MEASURED : OF_THE_MOMENT, '"x":0'),
  ) as [string, string]
  const [of, through] = texts
  // One that was broken off by the client, at one side sooner than at the other.
  if (!(engine.whole && proxy.whole) && (of.startsWith(through) || through.startsWith(of))) return []
  if (of === through) return []
  const [value, other] = texts.map(parse)
  if (engine.status >= 400) return isFailure(value) && isFailure(other) ? ['failure'] : [`${line}: ${of} is ${through}`]
  // Of equals the Engine itself tells now this one first, now that.
  if (inOrder(value) === inOrder(other)) return []
  if (inOrder(value, true) === inOrder(other, true)) return ['order']
  if (/\/networks/.test(line) && inOrder(withoutMembers(value)) === inOrder(other)) return ['members']
  return [`${line}: ${around(inOrder(value, true), inOrder(other, true))}`]
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

const isFailure = (value: unknown) => typeof value === 'object' && value !== null && Object.keys(value).join() === 'message'

/** As text, lists sorted; and objects, too, where the order of their keys is to count for nothing. */
function inOrder(value: unknown, keysToo = false): string {
  if (Array.isArray(value)) return `[${value.map((each) => inOrder(each, keysToo)).sort()}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? ''
  const entries = Object.entries(value).map(([key, below]) => `${JSON.stringify(key)}:${inOrder(below, keysToo)}`)
  return `{${keysToo ? entries.sort() : entries}}`
}

function withoutMembers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMembers)
  const { Containers: _, ...rest } = value as Record<string, unknown>
  return rest
}

/** Where two texts begin to differ. */
function around(a: string, b: string): string {
  let at = 0
  while (a[at] === b[at]) at += 1
  return [a, b].map((text) => JSON.stringify(text.slice(Math.max(0, at - 40), at + 80))).join(' is ')
}
