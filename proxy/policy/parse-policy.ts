// Reads a policy's YAML into a `Policy`, or into errors that say where, what was found and what was expected.
// Never returns half a policy.
import { createHash } from 'node:crypto'
import { type Document, isMap, isPair, isScalar, LineCounter, parseDocument, visit } from 'yaml'
import type { z } from 'zod'
import { CATALOGUE, type OperationId } from '../request/catalogue.ts'
import { nearest } from './nearest.ts'
import type { Policy, PolicyTest, Rule } from './policy.ts'
import { policySchema, type RawPolicy } from './schema.ts'

export type PolicyError = { readonly line: number; readonly column: number; readonly message: string }

export type ParsedPolicy = { readonly policy: Policy } | { readonly errors: readonly PolicyError[] }

/** Reads `text`, which came from `file`. The policy's own tests are not run here. */
export function parsePolicy(text: string, file: string): ParsedPolicy {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, version: '1.2', merge: false })
  const syntax = [...document.errors, ...document.warnings].map(({ pos, message }) => ({ offset: pos[0], message }))
  const unsafe = [...syntax, ...refuseByConstruction(document)]
  if (unsafe.length > 0) return { errors: unsafe.map(({ offset, message }) => ({ ...position(lines, offset), message })) }
  const result = policySchema.safeParse(document.toJS())
  if (!result.success) {
    return { errors: result.error.issues.flatMap((issue) => explain(issue, document, lines)) }
  }
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
  const testLine = (index: number) => position(lines, offsetOf(document, ['tests', index])).line
  return { policy: buildPolicy(result.data, file, hash, testLine) }
}

/** `file:line:column: message`, one per line. */
export function renderPolicyErrors(file: string, errors: readonly PolicyError[]): string {
  return errors.map(({ line, column, message }) => `${file}:${line}:${column}: ${message}`).join('\n')
}

function position(lines: LineCounter, offset: number): { line: number; column: number } {
  const { line, col } = lines.linePos(offset)
  return { line, column: col }
}

/** What could make a policy be read otherwise than it looks: references from one place to another, and a magic key. */
function refuseByConstruction(document: Document): readonly { offset: number; message: string }[] {
  const found: { offset: number; message: string }[] = []
  visit(document, {
    Alias: (_key, { range, source }) => {
      found.push({ offset: range?.[0] ?? 0, message: `*${source}: aliases are not taken; write it out` })
    },
    Pair: (_key, { key }) => {
      if (isScalar(key) && key.value === '__proto__')
        found.push({ offset: key.range?.[0] ?? 0, message: '__proto__: not a name that is taken' })
    },
  })
  return found
}

function explain(issue: z.core.$ZodIssue, document: Document, lines: LineCounter): PolicyError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      ...position(lines, offsetOf(document, [...issue.path, key], 'key')),
      message: unknownKey(key, issue),
    }))
  }
  if (issue.code === 'invalid_union') {
    // Of the alternatives, the one whose kind of value was given tells more than that none fits.
    const meant = issue.errors.filter(
      (issues) => !issues.some(({ code, path }) => path.length === 0 && (code === 'invalid_type' || code === 'invalid_value')),
    )
    const [only] = meant
    if (only && meant.length === 1 && issue.errors.length > 1)
      return only.flatMap((inner) => explain({ ...inner, path: [...issue.path, ...inner.path] }, document, lines))
  }
  const where = issue.path.length > 0 ? `${issue.path.join('.')}: ` : ''
  return [{ ...position(lines, offsetOf(document, issue.path)), message: `${where}${issue.message}` }]
}

function unknownKey(key: string, issue: z.core.$ZodIssue & { path: PropertyKey[] }): string {
  const known = knownKeysAt(issue.path)
  const near = nearest(key, known)
  return `${[...issue.path, key].join('.')}: unknown; ${near ? `did you mean ${near}?` : `expected ${known.length > 0 ? `one of ${known.join(', ')}` : 'nothing here'}`}`
}

/** The keys that the schema knows at `path`, read from the schema itself. */
function knownKeysAt(path: readonly PropertyKey[]): string[] {
  let schema: unknown = policySchema
  for (const step of path) {
    const inner = unwrap(schema)
    schema = typeof step === 'number' ? inner?.element : inner?.shape?.[step as string]
  }
  return Object.keys(unwrap(schema)?.shape ?? {})
}

type SchemaParts = { shape?: Record<string, unknown>; element?: unknown }
type Wrapped = SchemaParts & { in?: unknown; options?: unknown[]; unwrap?: () => unknown }

/** What is inside optional, transformed and alternative schemas: the first object or list. */
function unwrap(schema: unknown): SchemaParts | undefined {
  let inner = schema as Wrapped | undefined
  while (inner && !inner.shape && !inner.element) {
    inner = (inner.in ?? inner.options?.[0] ?? inner.unwrap?.()) as Wrapped | undefined
  }
  return inner
}

/** Where the node at `path` begins; where it is missing, its nearest parent. `key`: where the key itself begins. */
function offsetOf(document: Document, path: readonly PropertyKey[], what: 'value' | 'key' = 'value'): number {
  const keys = path.map((step) => (typeof step === 'symbol' ? String(step) : step))
  if (what === 'key') {
    const parent = keys.length > 1 ? document.getIn(keys.slice(0, -1), true) : document.contents
    const pair = isMap(parent)
      ? parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === keys.at(-1))
      : undefined
    if (pair && isScalar(pair.key)) return pair.key.range?.[0] ?? 0
  }
  for (let length = keys.length; length > 0; length--) {
    const node = document.getIn(keys.slice(0, length), true) as { range?: [number, number, number] | null } | undefined
    if (node?.range) return node.range[0]
  }
  return 0
}

function buildPolicy(raw: RawPolicy, file: string, hash: string, testLine: (index: number) => number): Policy {
  const allow = new Map<OperationId, Rule>()
  for (const operation of CATALOGUE) {
    const rule = raw.allow[operation.id]
    if (rule !== undefined) allow.set(operation.id, rule)
  }
  const tests = (raw.tests ?? []).map((test, index): PolicyTest => {
    const [method = '', target = ''] = (test.allow ?? test.deny ?? '').split(' ')
    const { labels = {}, name, state } = test.given ?? {}
    return {
      expect: test.allow === undefined ? 'deny' : 'allow',
      method,
      target,
      given: { labels, ...(name === undefined ? {} : { name }), ...(state === undefined ? {} : { state }) },
      line: testLine(index),
    }
  })
  return { client: raw.client, scope: raw.scope, allow, tests, file, hash }
}
