// The shape of a policy file, strict at every level: an unknown key, operation, field or unit is an error with a path.
// Says nothing of where in the file; `parsePolicy` finds that.
import { z } from 'zod'
import { CATALOGUE, type CatalogueOperation, type QueryType } from '../request/catalogue.ts'
import { type AllowedValues, type Budget, CONTAINER_STATES, type Condition, type Limit, type Rule, type Show } from './policy.ts'

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
const selectorFields = {
  labels: labels.optional(),
  names: z
    .array(text('a container name'), { error: 'expected a list of container names' })
    .min(1, 'expected at least one name')
    .optional(),
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
  .refine(...saysSomething(SELECTOR_SAYS_NOTHING))

const conditions = z
  .union([condition, z.array(condition).min(1, 'an empty list would ask for nothing; name a condition')], {
    error: 'expected a condition, or a list of which any must hold',
  })
  .transform((raw): readonly Condition[] => (Array.isArray(raw) ? raw : [raw]))

type RawShow = readonly (string | Record<string, RawShow>)[]

const showList: z.ZodType<RawShow> = z.lazy(() =>
  z
    .array(
      z.union([z.string().min(1), z.record(z.string().min(1), showList)], {
        error: 'expected a field name, or a field name with a list of fields below it',
      }),
      { error: 'expected a list of field names' },
    )
    .min(1, 'an empty list would show nothing; name fields, or leave the operation out'),
)
const show = z
  .union([z.literal('all'), showList], {
    error: 'expected `all` or a list of field names (a name with a list of fields below it goes into the object)',
  })
  .transform(buildShow)

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

const budget = z
  .strictObject({ container: limit.optional(), client: limit.optional() }, { error: 'expected container and client limits' })
  .refine(...saysSomething('says nothing; name a limit for container or client'))
  .transform(
    (raw): Budget => ({
      ...(raw.container === undefined ? {} : { container: raw.container }),
      ...(raw.client === undefined ? {} : { client: raw.client }),
    }),
  )

const range = z
  .string({ error: 'expected a range such as `0..60`' })
  .regex(/^\d{1,9}\.\.\d{1,9}$/, 'expected a range such as `0..60`')
  .transform((given) => given.split('..').map(Number) as [number, number])
  .refine(([min, max]) => min <= max, 'the range ends before it begins')

/** The values a query key may have, in the terms of its type. */
function valuesOf(type: QueryType, operation: CatalogueOperation): z.ZodType<AllowedValues> {
  switch (type) {
    case 'boolean':
      return z
        .array(z.boolean(), { error: 'expected a list of true and false' })
        .min(1)
        .transform((values) => ({ type, values }))
    case 'integer':
      return range.transform(([min, max]) => ({ type, min, max }))
    case 'filters':
      return z
        .array(z.enum(operation.filters ?? [], { error: `expected filters out of ${operation.filters?.join(', ')}` }))
        .min(1)
        .transform((names) => ({ type, names }))
    default:
      return type satisfies never
  }
}

function queryOf(operation: CatalogueOperation) {
  const keys = Object.entries(operation.query).map(([key, type]) => [key, valuesOf(type, operation).optional()] as const)
  return z.strictObject(Object.fromEntries(keys), { error: 'expected query keys with the values they may have' }).optional()
}

const notHere = (why: string) => z.undefined({ error: why }).optional()

/** A rule in an operation's own terms: only its query keys, `show` only where it answers JSON, `budget` only where it writes. */
function ruleOf(operation: CatalogueOperation) {
  const judged = operation.kind === 'writes' && operation.path.includes('{id}')
  return z
    .strictObject(
      {
        query: queryOf(operation),
        show: operation.answer === 'json' ? show : notHere(`${operation.id} answers no JSON, so there is nothing to show`),
        when: judged ? conditions.optional() : notHere(`${operation.id} changes nothing; when is for operations that do`),
        budget: judged ? budget.optional() : notHere(`${operation.id} changes nothing; budget is for operations that do`),
      },
      { error: 'expected a rule; `{}` allows the operation without more' },
    )
    .transform(
      (raw): Rule => ({
        query: new Map(Object.entries(raw.query ?? {}).flatMap(([key, values]) => (values ? [[key, values] as const] : []))),
        when: raw.when ?? [],
        ...(raw.show === undefined ? {} : { show: raw.show }),
        ...(raw.budget === undefined ? {} : { budget: raw.budget }),
      }),
    )
}

const operations = z.strictObject(
  Object.fromEntries(CATALOGUE.map((operation) => [operation.id, ruleOf(operation).optional()])),
  { error: 'expected operations, each with its rule' },
)

const given = z.strictObject({ labels: labels.optional(), name: text('a container name').optional(), state: state.optional() })
const REQUEST_LINE = /^[A-Z]+ \/\S*$/
const requestLine = text('a request').regex(REQUEST_LINE, 'expected a method and a path, such as `GET /v1.45/containers/json`')
const test = z
  .strictObject({ allow: requestLine.optional(), deny: requestLine.optional(), given: given.optional() })
  .refine((value) => (value.allow === undefined) !== (value.deny === undefined), 'expected either allow or deny')

export const policySchema = z.strictObject(
  {
    version: z.literal(1, { error: 'expected 1, the version of the policy language' }),
    client: text("the client's name").regex(/^[a-z][a-z0-9-]{0,31}$/, 'expected a short name in lower case, such as healer'),
    scope: z
      .array(selector, { error: 'expected a list of selectors' })
      .min(1, 'an empty scope would hold no container; name at least one selector'),
    allow: operations,
    tests: z.array(test, { error: 'expected a list of tests' }).optional(),
  },
  { error: 'expected a policy: version, client, scope, allow, tests' },
)

export type RawPolicy = z.infer<typeof policySchema>
