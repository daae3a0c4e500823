// Reads a policy's YAML into a `Policy`, or into errors that say where, what was found and what was expected.
// Never returns half a policy.
import { createHash } from 'node:crypto'
import { type Document, isMap, isPair, isScalar, parseDocument, visit } from 'yaml'
import type * as z from 'zod'
import { CATALOGUE, type OperationId } from '../request/catalogue.ts'
import { nearest } from './nearest.ts'
import type { Given, Policy, PolicyTest, Rule } from './policy.ts'
import type { PolicyError, Span } from './policy-error.ts'
import { givenSchema, notForThisOperation, policySchema, policySchemaFor, type RawPolicy } from './schema.ts'

export type ParsedPolicy = { readonly policy: Policy } | { readonly errors: readonly PolicyError[] }

/** Reads `text`, which came from `file`. The policy's own tests are not run here. */
export function parsePolicy(text: string, file: string): ParsedPolicy {
  const document = parseDocument(text, { prettyErrors: false, version: '1.2', merge: false })
  const unreadable = [...syntaxErrors(document, text), ...refuseByConstruction(document)]
  if (unreadable.length > 0) return { errors: unreadable }
  const given: unknown = document.toJS()
  const result = policySchemaFor(CATALOGUE.filter(({ id }) => names(given, id))).safeParse(given)
  if (!result.success) return { errors: result.error.issues.flatMap((issue) => explain(issue, document)) }
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
  return { policy: buildPolicy(result.data, file, hash, (index) => spanOf(document, ['tests', index])) }
}

/** Whether a policy that was not judged yet has something under `allow: ID:`. */
function names(policy: unknown, id: OperationId): boolean {
  const { allow } = (policy ?? {}) as { readonly allow?: unknown }
  return typeof allow === 'object' && allow !== null && Object.hasOwn(allow, id)
}

function syntaxErrors(document: Document, text: string): readonly PolicyError[] {
  return [...document.errors, ...document.warnings].map(({ code, pos: [offset, end], message }) => {
    if (code === 'MULTIPLE_DOCS') return { offset, length: end - offset, message: 'a second document; a file holds one policy' }
    if (code !== 'DUPLICATE_KEY') return { offset, length: end - offset, message }
    const key = /^[^\s:]+/.exec(text.slice(offset))?.[0] ?? ''
    return { offset, length: key.length, message: `${key}: given twice; keep one` }
  })
}

/** What could make a policy be read otherwise than it looks: references from one place to another, and a magic key. */
function refuseByConstruction(document: Document): readonly PolicyError[] {
  const found: PolicyError[] = []
  visit(document, {
    Alias: (_key, node) => {
      found.push({ ...rangeOf(node), message: `*${node.source}: aliases are not taken; write it out` })
    },
    Pair: (_key, { key }) => {
      if (!isScalar(key)) found.push({ ...rangeOf(key as Ranged), message: 'a key that is no plain word is not taken' })
      else if (key.value === '__proto__') found.push({ ...rangeOf(key), message: '__proto__: not a name that is taken' })
    },
  })
  return found
}

function explain(issue: z.core.$ZodIssue, document: Document): PolicyError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      ...spanOf(document, [...issue.path, key], 'key'),
      message: `${[...issue.path, key].join('.')}: ${unknownKey(key, issue.path)}`,
    }))
  }
  if (issue.code === 'invalid_union') {
    // Of the alternatives, the one whose kind of value was given tells more than that none fits.
    const meant = issue.errors.filter(
      (issues) => !issues.some(({ code, path }) => path.length === 0 && (code === 'invalid_type' || code === 'invalid_value')),
    )
    const [only] = meant
    if (only && meant.length === 1 && issue.errors.length > 1)
      return only.flatMap((inner) => explain({ ...inner, path: [...issue.path, ...inner.path] }, document))
  }
  const where = issue.path.length > 0 ? `${issue.path.join('.')}: ` : ''
  if (issue.path.length > 0 && !document.hasIn(issue.path)) {
    return [{ ...spanOf(document, issue.path.slice(0, -1), 'key'), message: `${where}missing; ${issue.message}` }]
  }
  const what = issue.code === 'custom' && issue.params?.at === 'key' ? 'key' : 'value'
  return [{ ...spanOf(document, issue.path, what), message: `${where}${issue.message}${didYouMean(issue, document)}` }]
}

/** A list of right words that is longer helps nobody. */
const MAX_LISTED = 30

function unknownKey(key: string, path: readonly PropertyKey[]): string {
  const known = knownKeysAt(path)
  const why = path[0] === 'allow' && path.length === 2 ? notForThisOperation(String(path[1]), key) : undefined
  if (why !== undefined) return why
  const near = nearest(key, known)
  if (near !== undefined) return `unknown; did you mean ${near}?`
  if (known.length > MAX_LISTED) return `unknown; docs/operations.md lists the ${known.length} that are known`
  return `unknown; expected ${known.length > 0 ? `one of ${known.join(', ')}` : 'nothing here'}`
}

/** Of a closed list of words, the nearest to the one that was given. */
function didYouMean(issue: z.core.$ZodIssue, document: Document): string {
  if (issue.code !== 'invalid_value') return ''
  const given = document.getIn(issue.path)
  const near = typeof given === 'string' ? nearest(given, issue.values.map(String)) : undefined
  return near === undefined || near === given ? '' : `; did you mean ${near}?`
}

/** The keys that the schema knows at `path`, read from the schema itself. */
function knownKeysAt(path: readonly PropertyKey[]): string[] {
  let schema: unknown = policySchema()
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

/** Where what `path` leads to stands in `text`, which is one that `parsePolicy` took: its key, or else its nearest parent. */
export function keySpans(text: string): (path: readonly PropertyKey[]) => Span {
  const document = parseDocument(text, { version: '1.2', merge: false })
  return (path) => spanOf(document, path, 'key')
}

/** Where the node at `path` stands; where it is missing, its nearest parent. `key`: where the key itself stands. */
function spanOf(document: Document, path: readonly PropertyKey[], what: 'value' | 'key' = 'value'): Span {
  const keys = path.map((step) => (typeof step === 'symbol' ? String(step) : step))
  if (what === 'key') {
    const parent = keys.length > 1 ? document.getIn(keys.slice(0, -1), true) : document.contents
    const pair = isMap(parent)
      ? parent.items.find((item) => isPair(item) && isScalar(item.key) && item.key.value === keys.at(-1))
      : undefined
    if (pair && isScalar(pair.key)) return rangeOf(pair.key)
  }
  for (let length = keys.length; length > 0; length--) {
    const node = document.getIn(keys.slice(0, length), true) as { range?: readonly number[] | null } | undefined
    if (node?.range) return rangeOf(node)
  }
  return { offset: 0, length: 1 }
}

type Ranged = { readonly range?: readonly number[] | null }

function rangeOf({ range }: Ranged): Span {
  const [offset = 0, end = offset] = range ?? []
  return { offset, length: end - offset }
}

function buildPolicy(raw: RawPolicy, file: string, hash: string, testSpan: (index: number) => Span): Policy {
  const allow = new Map<OperationId, Rule>()
  for (const { id } of CATALOGUE) {
    const rule = raw.allow[id]
    if (rule !== undefined) allow.set(id, rule)
  }
  const tests = (raw.tests ?? []).map((test, index): PolicyTest => {
    const [method = '', target = ''] = (test.allow ?? test.deny ?? '').split(' ')
    return {
      expect: test.allow === undefined ? 'deny' : 'allow',
      method,
      target,
      given: buildGiven(test.given ?? {}),
      at: testSpan(index),
    }
  })
  return { client: raw.client, scope: raw.scope, allow, tests, file, hash }
}

function buildGiven({ labels = {}, name, state }: z.infer<typeof givenSchema>): Given {
  return { labels, ...(name === undefined ? {} : { name }), ...(state === undefined ? {} : { state }) }
}

/** Reads `text` as what stands under `given:` in a policy's test. Throws a sentence that says what is wrong. */
export function parseGiven(text: string): Given {
  const document = parseDocument(text, { prettyErrors: false, version: '1.2', merge: false })
  const [unreadable] = [...syntaxErrors(document, text), ...refuseByConstruction(document)]
  if (unreadable) throw new Error(unreadable.message)
  const result = givenSchema.safeParse(document.toJS())
  if (result.success) return buildGiven(result.data)
  throw new Error(result.error.issues.flatMap(explainGiven).join('; '))
}

function explainGiven(issue: z.core.$ZodIssue): readonly string[] {
  if (issue.code !== 'unrecognized_keys') return [[...issue.path.map(String), issue.message].join(': ')]
  return issue.keys.map((key) => {
    const near = nearest(key, Object.keys(givenSchema.shape))
    return `${key}: unknown; ${near === undefined ? issue.message : `did you mean ${near}?`}`
  })
}
