// The shape of a policy file, strict at every level: an unknown key, operation, field or unit is an error with a path.
// Says nothing of where in the file; `parsePolicy` finds that.
import * as z from 'zod'
import { answerFields, type FieldTree } from '../request/answer-fields.ts'
import { CATALOGUE, hasContainer, isCut, type Operation, type QueryType, whyNotServed } from '../request/catalogue.ts'
import { fieldsBelow, matchesName } from './name-pattern.ts'
import { nearest } from './nearest.ts'
import {
  type AllowedValues,
  type Budget,
  CONTAINER_STATES,
  type Condition,
  type Limit,
  type Rule,
  type Selector,
  type Show,
} from './policy.ts'
import { EVERYTHING } from './target.ts'

/** Refuses an empty object: it would read as a rule and be none. Silent where something else is wrong already. */
const saysSomething = (message: string) =>
  [
    (value: object) => Object.keys(value).length > 0,
    { error: message, when: ({ issues }: { issues: readonly unknown[] }) => issues.length === 0 },
  ] as const
const SELECTOR_SAYS_NOTHING = 'says nothing; name labels, names or project, or nothing would be left out'

const text = (what: string) =>
  z.string({ error: `expected ${what} as text; write it in quotes` }).min(1, `expected ${what}, found nothing`)

const labels = z
  .record(z.string(), text("a label's value"), { error: 'expected labels, `name: "value"`' })
  .refine(...saysSomething('an empty map would leave nothing out; name a label'))
const containerName = text('a container name').regex(
  /^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/,
  'no container can have this name; write it whole, without the slash, and without `*`, which has no meaning here',
)
const selectorFields = {
  labels: labels.optional(),
  names: z.array(containerName, { error: 'expected a list of container names' }).min(1, 'expected at least one name').optional(),
  project: text("a compose project's name").optional(),
}
const selector = z
  .strictObject(selectorFields, { error: 'expected labels, names or project' })
  .refine(...saysSomething(SELECTOR_SAYS_NOTHING))
const state = z.enum(CONTAINER_STATES, { error: `expected a container state: ${CONTAINER_STATES.join(', ')}` })
const condition = z
  .strictObject(
    {
      ...selectorFields,
      state: z.array(state, { error: 'expected a list of states' }).min(1, 'expected at least one state').optional(),
    },
    { error: 'expected state, labels, names or project' },
  )
  .refine(...saysSomething('says nothing; name state, labels, names or project'))

const conditions = z
  .union([condition, z.array(condition).min(1, 'an empty list would ask for nothing; name a condition')], {
    error: 'expected a condition, or a list of which any must hold',
  })
  .transform((raw): readonly Condition[] => (Array.isArray(raw) ? raw : [raw]))
  .meta({ id: 'conditions', description: 'What must hold of the container at that moment; of a list, any' })

type RawShow = readonly (string | Record<string, RawShow>)[]

const fieldName = text("a field's name")
const showList: z.ZodType<RawShow> = z
  .lazy(() =>
    z
      .array(
        z.union([fieldName, z.record(fieldName, showList)], {
          error: 'expected a field name, or a field name with a list of fields below it',
        }),
        { error: 'expected a list of field names' },
      )
      .min(1, 'an empty list would show nothing; name fields, or leave the operation out'),
  )
  .meta({
    id: 'fields',
    description: 'Names of fields; a name with a list below it goes into the object; * stands for any run of characters',
  })

/** What is shown of the operation's answer: fields that it has. */
function showOf({ id }: Operation) {
  const fields = answerFields(id)
  return z
    .union([z.literal('all'), showList], {
      error: 'expected `all` or a list of field names (a name with a list of fields below it goes into the object)',
    })
    .superRefine((raw, { addIssue }) => {
      if (raw === 'all' || fields === undefined) return
      for (const { path, message } of unknownFields(raw, fields))
        addIssue({ code: 'custom', path: [...path], message, params: { at: 'key' } })
    })
    .transform(buildShow)
    .meta({ description: `What is shown of the answer: \`all\`, or fields out of ${[...(fields?.keys() ?? [])].join(', ')}` })
}

const UNCUT = z
  .literal('all', { error: 'expected `all`: what it answers is bytes, of which nothing can be cut' })
  .meta({ description: '`all`: what it answers is bytes, of which nothing can be cut' })

type UnknownField = { readonly path: readonly PropertyKey[]; readonly message: string }

function unknownFields(raw: RawShow, known: FieldTree, where: readonly PropertyKey[] = []): readonly UnknownField[] {
  return raw.flatMap((entry, i) => {
    if (typeof entry === 'string') return unknownField(entry, known, [...where, i])
    return Object.entries(entry).flatMap(([name, below]) => {
      const wrong = unknownField(name, known, [...where, i, name])
      return wrong.length > 0 ? wrong : unknownFields(below, fieldsIn(known, name), [...where, i, name])
    })
  })
}

function unknownField(name: string, known: FieldTree, path: readonly PropertyKey[]): readonly UnknownField[] {
  if (known.has('*') || [...known.keys()].some((candidate) => matchesName(name, candidate))) return []
  const names = [...known.keys()]
  const near = nearest(name, names)
  const expected = names.length > 0 ? `expected ${names.join(', ')}` : 'nothing is below this field'
  return [{ path, message: `${name}: no field of the answer; ${near ? `did you mean ${near}?` : expected}` }]
}

/** What is below `name`, in which `*` stands for any run of characters: below any of the fields that it matches. */
function fieldsIn(known: FieldTree, name: string): FieldTree {
  const below = [...known]
    .filter(([candidate]) => candidate === '*' || matchesName(name, candidate))
    .flatMap(([, tree]) => [...tree])
  return new Map(below)
}

function buildShow(raw: 'all' | RawShow): Show {
  if (raw === 'all') return raw
  return raw.flatMap((entry) =>
    typeof entry === 'string'
      ? [{ name: entry, fields: 'all' as const }]
      : Object.entries(entry).map(([name, below]) => ({ name, fields: buildShow(below) })),
  )
}

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

const limit = z
  .string({ error: 'expected a limit such as `5 per 10m`' })
  .regex(/^[1-9]\d{0,5} per [1-9]\d{0,5}[smhd]$/, 'expected a limit such as `5 per 10m` (s, m, h or d)')
  .transform(parseLimit)

function parseLimit(given: string): Limit {
  const match = /^(\d+) per (\d+)([smhd])$/.exec(given)
  if (!match) throw new Error(`not a limit: ${given}`)
  return { count: Number(match[1]), windowMs: Number(match[2]) * UNITS[match[3] as keyof typeof UNITS] }
}

const LIMIT = 'A limit such as `5 per 10m`; units s, m, h, d'
const limits = { client: limit.optional().meta({ description: `${LIMIT}. For all that the client asks of this operation` }) }
const containerLimits = {
  container: limit.optional().meta({ description: `${LIMIT}. For each container, by name and by id` }),
  ...limits,
}

/** How often an operation may go out; `container` where it is about one. */
function budgetOf(operation: Operation) {
  const shape: z.core.$ZodLooseShape = hasContainer(operation) ? containerLimits : limits
  const names = Object.keys(shape)
  return z
    .strictObject(shape, { error: `expected limits: ${names.join(', ')}` })
    .refine(...saysSomething(`says nothing; name a limit for ${names.join(' or ')}`))
    .transform(
      ({ container, client }: { container?: Limit; client?: Limit }): Budget => ({
        ...(container === undefined ? {} : { container }),
        ...(client === undefined ? {} : { client }),
      }),
    )
    .meta({
      description: 'How often it may go out, in a sliding window. A failed one counts; a restart of the proxy refills nothing',
    })
}

const INTEGERS = 'expected a range such as `0..60`, or a list of whole numbers'
const range = z
  .string({ error: INTEGERS })
  .regex(/^-?\d{1,9}\.\.-?\d{1,9}$/, INTEGERS)
  .transform((given) => given.split('..').map(Number) as [number, number])
  .refine(([min, max]) => min <= max, 'the range ends before it begins')
  .transform(([min, max]) => [{ min, max }])
const integers = z
  .array(z.int(INTEGERS), { error: INTEGERS })
  .min(1, 'an empty list would allow no value; leave the key out')
  .transform((values) => values.map((value) => ({ min: value, max: value })))

/** The values a query key may have, in the terms of its type. */
function valuesOf(type: QueryType): z.ZodType<AllowedValues> {
  const atLeastOne = 'an empty list would allow no value; leave the key out'
  switch (type) {
    case 'boolean':
      return z
        .array(z.boolean('expected true or false'), { error: 'expected a list of true and false' })
        .min(1, atLeastOne)
        .transform((values) => ({ type, values }))
        .meta({ description: 'A list of true and false' })
    case 'integer':
      return z
        .union([range, integers], { error: INTEGERS })
        .transform((ranges) => ({ type, ranges }))
        .meta({ description: 'A range such as 0..60, or a list of whole numbers' })
    case 'text':
    case 'path':
    case 'container':
      return z
        .array(z.string('expected a text; write it in quotes'), {
          error: 'expected a list of texts; * in one stands for any run of characters',
        })
        .min(1, atLeastOne)
        .transform((patterns) => ({ type: 'text' as const, patterns }))
        .meta({ description: 'A list of texts; * in one stands for any run of characters' })
    default: {
      const names = Object.keys(type)
      return z
        .array(z.enum(names, { error: `expected filters out of ${names.join(', ')}` }), { error: 'expected a list of filters' })
        .min(1, atLeastOne)
        .transform((allowed) => ({ type: 'filters' as const, names: allowed }))
        .meta({ description: 'A list of filters; each is for what is shown' })
    }
  }
}

function queryOf(operation: Operation) {
  const keys = Object.entries(operation.query).flatMap(([key, type]) =>
    type === 'container' ? [] : [[key, valuesOf(type).optional()] as const],
  )
  return z
    .strictObject(Object.fromEntries(keys), { error: 'expected query keys with the values they may have' })
    .meta({ description: 'The query keys that may be given, with the values they may have. One that is not listed is refused' })
}

/** A rule in an operation's own terms. What a key is for, `notForThisOperation` says as well. */
function ruleOf(operation: Operation) {
  const isWrite = operation.kind !== 'reads'
  const shape: z.core.$ZodLooseShape = {
    query: queryOf(operation).optional(),
    ...(isCut(operation) ? { show: showOf(operation) } : {}),
    ...(operation.answer === 'stream' || operation.answer === 'hijack' ? { show: UNCUT } : {}),
    ...(isWrite && hasContainer(operation) ? { when: conditions.optional() } : {}),
    ...(isWrite ? { budget: budgetOf(operation).optional() } : {}),
  }
  return z
    .strictObject(shape, { error: 'expected a rule; `{}` allows the operation without more' })
    .superRefine(({ query, show }: RawRule, { addIssue }) => {
      const why = whyNotServed(operation)
      if (why !== undefined) addIssue({ code: 'custom', message: `${operation.id} ${why}`, params: { at: 'key' } })
      for (const { path, message } of uselessFilters(operation, query?.filters, show))
        addIssue({ code: 'custom', path: [...path], message })
    })
    .transform(
      ({ query = {}, when = [], show, budget }: RawRule): Rule => ({
        query: new Map(Object.entries(query).flatMap(([key, values]) => (values ? [[key, values] as const] : []))),
        when,
        ...(show === undefined ? {} : { show }),
        ...(budget === undefined ? {} : { budget }),
      }),
    )
}

/** Filters that could never be used, because what they tell of is not shown. */
function uselessFilters({ query }: Operation, allowed: AllowedValues | undefined, show: Show = []): readonly UnknownField[] {
  const fields = query.filters
  if (typeof fields !== 'object' || allowed?.type !== 'filters' || show === 'all') return []
  // A list of fields that is wrong is told of already, and was not read.
  if (!show.every((field) => typeof field === 'object' && 'fields' in field)) return []
  return allowed.names.flatMap((name, i) => {
    const [first = ''] = fields[name]?.split('.') ?? []
    if (fieldsBelow(show, first) !== undefined) return []
    return [
      { path: ['query', 'filters', i], message: `${name} tells of ${fields[name]?.replace('.*', '')}, which show does not name` },
    ]
  })
}

type RawRule = {
  query?: Readonly<Record<string, AllowedValues | undefined>>
  when?: readonly Condition[]
  show?: Show
  budget?: Budget
}

/** Why a rule for the operation `id` has no such key as other rules have; `undefined` where it is unknown in all. */
export function notForThisOperation(id: string, key: string): string | undefined {
  const operation = CATALOGUE.find((candidate) => candidate.id === id)
  if (operation && key === 'show') return `${id} answers no JSON, so there is nothing to show`
  if (operation && key === 'budget') return `${id} changes nothing; budget is for operations that do`
  if (operation && key === 'when') return `${id} changes no container; when is for operations that do`
  return undefined
}

/** `POST /containers/{container}/restart; writes`. */
function inWords({ method, path, kind }: Operation): string {
  return `${method} /${path.join('/')}; ${kind === 'root' ? 'amounts to root on the host' : kind}`
}

/** Each with its rule, all of them optional. */
function operationsOf(operations: readonly Operation[]) {
  const rules = operations.map((operation) => {
    const rule = ruleOf(operation).optional()
    return [operation.id, rule.meta({ description: inWords(operation) })] as const
  })
  return z.strictObject(Object.fromEntries(rules), { error: 'expected operations, each with its rule' })
}

const rootOperations = CATALOGUE.filter((operation) => operation.kind === 'root' && whyNotServed(operation) === undefined).map(
  ({ id }) => id,
)

export const givenSchema = z
  .strictObject(
    { labels: labels.optional(), name: containerName.optional(), state: state.optional() },
    { error: 'expected labels, name and state' },
  )
  .meta({ description: 'The container that the test is about; it runs and has no labels where that is not said' })
const REQUEST_LINE = /^[A-Z]+ \/\S*$/
const requestLine = text('a request').regex(REQUEST_LINE, 'expected a method and a path, such as `GET /v1.45/containers/json`')
const test = z
  .strictObject(
    { allow: requestLine.optional(), deny: requestLine.optional(), given: givenSchema.optional() },
    { error: 'expected a test: allow or deny, and given' },
  )
  .refine((value) => (value.allow === undefined) !== (value.deny === undefined), 'expected either allow or deny')

/** A policy that names no other than these operations. To say what a rule for any of all may be takes a tenth of a second at each start. */
export const policySchemaFor = (named: readonly Operation[]) =>
  z
    .strictObject(
      {
        version: z
          .literal(1, { error: 'expected 1, the version of the policy language' })
          .meta({ description: 'The version of the policy language' }),
        client: text("the client's name")
          .regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected a short name in lower case, such as healer')
          .meta({ description: "The client's name, as it stands in the audit log" }),
        scope: z
          .union(
            [
              z
                .array(selector, { error: 'expected a list of selectors' })
                .min(1, 'an empty scope would hold no container; name at least one selector, or write `scope: all`'),
              z.literal('all'),
            ],
            { error: 'expected a list of selectors, or `all`' },
          )
          .transform((raw): readonly Selector[] => (raw === 'all' ? EVERYTHING : raw))
          .meta({
            description:
              'The containers that exist, as far as the client can tell: those that match any of these; `all`: every one',
          }),
        allow: operationsOf(named).meta({
          description: 'The operations that pass, each with its rule; {} where nothing more is to be said',
        }),
        allow_root_equivalent: z
          .array(z.enum(rootOperations, { error: 'expected an operation that amounts to root on the host' }), {
            error: 'expected a list of operations',
          })
          .optional()
          .meta({ description: 'Of the operations under allow, those that amount to root on the host, named once more' }),
        tests: z
          .array(test, { error: 'expected a list of tests' })
          .optional()
          .meta({ description: 'Requests that must pass (allow) or be refused (deny); run at every start' }),
      },
      { error: 'expected a policy: version, client, scope, allow, tests' },
    )
    .superRefine(({ scope, allow, allow_root_equivalent: named = [] }, { addIssue }) => {
      if (allow.ContainerRename !== undefined && scope.some(({ names }) => names !== undefined)) {
        addIssue({
          code: 'custom',
          path: ['allow', 'ContainerRename'],
          message: 'ContainerRename would move containers in and out of a scope that goes by names; let the scope go by labels',
          params: { at: 'key' },
        })
      }
      for (const id of rootOperations) {
        if (allow[id] !== undefined && !named.includes(id))
          addIssue({
            code: 'custom',
            path: ['allow', id],
            message: `${id} amounts to root on the host; name it under allow_root_equivalent as well, if that is meant`,
            params: { at: 'key' },
          })
      }
      for (const [i, id] of named.entries()) {
        if (allow[id] === undefined)
          addIssue({
            code: 'custom',
            path: ['allow_root_equivalent', i],
            message: `${id} is not under allow; name it there, with its rule, or not at all`,
          })
      }
    })

let anyPolicy: ReturnType<typeof policySchemaFor> | undefined
/** Any policy; made once, when it is first asked for. */
export const policySchema = () => {
  anyPolicy ??= policySchemaFor(CATALOGUE)
  return anyPolicy
}

export type RawPolicy = z.infer<ReturnType<typeof policySchemaFor>>
