// Reads ALERTS_FILE: receivers of alerts in YAML; or a line for each mistake, with its place, what is wrong and what was expected.
// What stands in it may be a secret, so nothing of it is repeated but words that are plainly none.
import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit, type YAMLMap } from 'yaml'
import { nearest } from '../settings/nearest.ts'
import { filePath, inWords } from '../settings/value.ts'
import { ALERT_EVENTS, type AlertEvent } from './alert.ts'
import type { Receiver } from './receiver.ts'
import { DEFAULT_EVENTS, namesMatcher, RECEIVER_KINDS, RECEIVERS, type ReceiverKind, settingNames } from './receivers.ts'

export type ListedReceiver = {
  readonly kind: ReceiverKind
  /** As the file says; `undefined`: it says none, and the receiver is called after its kind. */
  readonly name: string | undefined
  readonly receiver: Receiver
}

type Reading = {
  /** Adds a problem that is about the node `at`. */
  readonly report: (at: unknown, message: string) => void
  readonly found: () => number
  /** The contents of a file. Throws as `node:fs` does. */
  readonly readFile: (path: string) => string
  /** Names that were given. */
  readonly names: Set<string>
}

/** Reads `text`, which came from `file`; the files of its secrets are read by `readFile`. */
export function parseAlertsFile(
  text: string,
  file: string,
  readFile: (path: string) => string,
): { readonly receivers: readonly ListedReceiver[] } | { readonly problems: readonly string[] } {
  const lineCounter = new LineCounter()
  // `failsafe`: every value is the text that stands there, so that a name may be 123 and a key may begin with 0.
  const document = parseDocument(text, { prettyErrors: false, version: '1.2', schema: 'failsafe', lineCounter })
  const problems: string[] = []
  const report = (at: unknown, message: string) => {
    const { line, col } = lineCounter.linePos(offsetOf(at))
    problems.push(`${file}:${line}:${col}: ${message}`)
  }
  for (const { code, pos } of [...document.errors, ...document.warnings]) {
    // Its own message may repeat what stands there.
    if (code === 'DUPLICATE_KEY') report(pos, 'a key that is given twice; expected once')
    else report(pos, `no YAML (${code.toLowerCase().replaceAll('_', ' ')}); expected one document, indented by spaces`)
  }
  visit(document, { Alias: (_key, node) => report(node, 'an alias; expected it written out') })
  if (problems.length > 0) return { problems }
  const reading = { report, found: () => problems.length, readFile, names: new Set<string>() }
  const receivers = readReceivers(document.contents, reading)
  return problems.length > 0 ? { problems } : { receivers }
}

/** Of a node, or of a place; the beginning for what has none. */
function offsetOf(at: unknown): number {
  const [offset] = Array.isArray(at) ? at : ((at as { range?: readonly number[] } | null | undefined)?.range ?? [])
  return typeof offset === 'number' ? offset : 0
}

function readReceivers(top: unknown, reading: Reading): readonly ListedReceiver[] {
  const { report } = reading
  const pairs = isMap(top) ? entriesOf(top) : []
  for (const { key } of pairs) if (key.value !== 'receivers') report(key, unknownKey(key.value, ['receivers']))
  const listed = pairs.find(({ key }) => key.value === 'receivers')
  if (!listed && pairs.length > 0) return []
  if (listed && isSeq(listed.value) && listed.value.items.length > 0)
    return listed.value.items.flatMap((item) => readReceiver(item, reading) ?? [])
  report(listed?.value ?? top, 'no receivers; expected receivers: and a list of them')
  return []
}

function readReceiver(node: unknown, reading: Reading): ListedReceiver | undefined {
  const { report } = reading
  const before = reading.found()
  const pairs = isMap(node) ? entriesOf(node) : []
  const words: readonly string[] = [...RECEIVER_KINDS, 'name', 'events', 'containers']
  for (const { key } of pairs) if (!words.includes(key.value)) report(key, unknownKey(key.value, words))
  const [described, another] = pairs.filter(({ key }) => isKind(key.value))
  if (another) report(another.key, `${another.key.value}: a second kind; expected one in each receiver`)
  const value = (name: string) => pairs.find(({ key }) => key.value === name)?.value
  const name = readName(value('name'), reading)
  const events = readEvents(value('events'), reading)
  const containers = readContainers(value('containers'), reading)
  const kind = described?.key.value
  if (!described || kind === undefined || !isKind(kind)) {
    if (reading.found() === before) report(node, `no kind of receiver; expected ${inWords(RECEIVER_KINDS)}`)
    return undefined
  }
  const common = { name: name ?? kind, events, isFor: containers === undefined ? () => true : namesMatcher(containers) }
  const receiver = readSettings(kind, described, common, reading)
  return receiver && { kind, name, receiver }
}

function isKind(word: string): word is ReceiverKind {
  return Object.hasOwn(RECEIVERS, word)
}

function readName(node: unknown, { report, names }: Reading): string | undefined {
  if (node === undefined) return undefined
  const name = textOf(node)
  if (name === undefined || !/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/.test(name)) {
    report(node, 'name: not one; expected up to 63 letters, digits and _.-, beginning with a letter or a digit')
    return undefined
  }
  if (names.has(name)) report(node, `name: “${name}” is another receiver’s already; expected a name of its own`)
  names.add(name)
  return name
}

function readEvents(node: unknown, { report }: Reading): readonly AlertEvent[] {
  if (node === undefined) return DEFAULT_EVENTS
  if (!isSeq(node) || node.items.length === 0) {
    report(node, `events: no list; expected some of ${inWords(ALERT_EVENTS)}`)
    return []
  }
  return node.items.flatMap((item) => {
    const word = textOf(item)
    const event = ALERT_EVENTS.find((known) => known === word)
    if (event === undefined) report(item, `events: ${unknown(word ?? '', ALERT_EVENTS)}`)
    return event ?? []
  })
}

function readContainers(node: unknown, { report }: Reading): readonly string[] | undefined {
  if (node === undefined) return undefined
  const names = isSeq(node) ? node.items.map(textOf) : []
  const right = names.filter((name) => name !== undefined && /^[a-zA-Z0-9_.*-]{1,255}$/.test(name)) as string[]
  if (right.length > 0 && right.length === names.length) return right
  const at = isSeq(node) ? (node.items[names.findIndex((name) => !right.includes(name ?? ''))] ?? node) : node
  report(at, 'containers: not names; expected a list of names of containers, in which * stands for any run of characters')
  return undefined
}

/** Reads what stands under `kind`. `undefined`: something is wrong, and was reported. */
function readSettings(
  kind: ReceiverKind,
  described: Entry,
  common: Parameters<(typeof RECEIVERS)[ReceiverKind]['create']>[1],
  reading: Reading,
): Receiver | undefined {
  const { report } = reading
  const known = settingNames(kind)
  if (!isMap(described.value)) {
    report(described.value ?? described.key, `${kind}: no settings; expected some of ${known.join(', ')}`)
    return undefined
  }
  const before = reading.found()
  const pairs = entriesOf(described.value)
  const settings = new Map<string, unknown>()
  for (const { key, value } of pairs) {
    if (!known.includes(key.value)) report(key, unknownKey(key.value, known, kind))
    else if (!RECEIVERS[kind].settings.includes(key.value))
      settings.set(key.value.replace(/_file$/, ''), readSecretFile(kind, { key, value }, pairs, reading))
    else settings.set(key.value, plain(value))
  }
  if (reading.found() > before) return undefined
  const created = RECEIVERS[kind].create(Object.fromEntries(settings), common)
  if ('receiver' in created) return created.receiver
  for (const { path, message } of created.issues) {
    const [name, inner] = path.map(String)
    const pair = pairs.find(({ key }) => key.value === name)
    const byFile = pairs.find(({ key }) => key.value === `${name}_file`)
    const innerPair = isMap(pair?.value) ? entriesOf(pair.value).find(({ key }) => key.value === inner) : undefined
    if (pair) report(innerPair?.value ?? pair.value, `${kind}.${name}: wrong; ${message}`)
    else if (byFile) report(byFile.value, `${kind}.${name}_file: it holds something else; ${message}`)
    else report(described.key, `${kind}.${name}: missing; ${message}`)
  }
  return undefined
}

/** What the file holds that `key` names. `undefined`: it cannot be had, and that was reported. */
function readSecretFile(
  kind: ReceiverKind,
  { key, value }: Entry,
  beside: readonly Entry[],
  { report, readFile }: Reading,
): string | undefined {
  const where = `${kind}.${key.value}`
  const name = key.value.replace(/_file$/, '')
  const path = filePath.parse(textOf(value) ?? '')
  if (beside.some((pair) => pair.key.value === name)) report(key, `${where}: beside ${name}; expected one of them`)
  else if (path === undefined) report(value, `${where}: wrong; expected ${filePath.takes}`)
  else
    try {
      return readFile(path).trim()
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      report(value, `${where}: “${path}” cannot be read (${code}); expected a file that the healer may read`)
    }
  return undefined
}

type Entry = {
  readonly key: { readonly value: string; readonly range: readonly number[] | null | undefined }
  readonly value: unknown
}

/** Of a map, what has a plain word as its key; another kind of key is no word that is known. */
function entriesOf(map: YAMLMap): readonly Entry[] {
  return map.items.map(({ key, value }) => {
    const word = isScalar(key) && typeof key.value === 'string' ? key.value : ''
    return { key: { value: word, range: isNode(key) ? key.range : undefined }, value }
  })
}

function textOf(node: unknown): string | undefined {
  return isScalar(node) && typeof node.value === 'string' ? node.value : undefined
}

/** A text, or a map of texts, as the schemas of settings take them; `null`, which none takes, for anything else. */
function plain(node: unknown): unknown {
  if (!isMap(node)) return textOf(node) ?? null
  return Object.fromEntries(entriesOf(node).map(({ key, value }) => [key.value, textOf(value)]))
}

function unknownKey(key: string, known: readonly string[], within?: string): string {
  return `${within === undefined ? '' : `${within}: `}${unknown(key, known)}`
}

/** What is near to a right word, or is a word at all, is none that must not be shown. */
function unknown(word: string, known: readonly string[]): string {
  const near = nearest(word, known)
  const shown = near !== undefined || /^[a-z_-]{1,24}$/i.test(word) ? `“${word}” is unknown` : 'something unknown'
  return `${shown}; expected ${inWords(known)}${near === undefined ? '' : `; did you mean ${near}?`}`
}
