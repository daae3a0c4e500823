// A policy on its way to being written, and its text: YAML with the comments that a person needs to judge it. Pure; what came from a
// client is quoted in the text and made printable in comments.
import { asciiJson, printable } from '../audit/printable.ts'
import type { AllowedValues, ContainerState, Selector } from '../policy/policy.ts'
import type { Operation } from '../request/catalogue.ts'
import type { ShowTree } from './show-defaults.ts'

/** Lines of words, each a comment in the policy. */
export type Words = readonly string[]

export type PolicyDraft = {
  readonly client: string
  /** What stands above all. */
  readonly about: Words
  readonly scope: { readonly words: Words; readonly selector: Selector }
  readonly rules: readonly RuleDraft[]
  /** What stands below the rules: what the policy does not grant, and why. */
  readonly notGranted: Words
  readonly tests: readonly TestDraft[]
}

export type RuleDraft = {
  readonly operation: Operation
  readonly words: Words
  readonly query: ReadonlyMap<string, AllowedValues>
  readonly show?: ShowTree | 'all'
  readonly when?: readonly ContainerState[]
  /** Each in 10 minutes. */
  readonly budget?: { readonly container?: number; readonly client?: number }
}

export type TestDraft = {
  readonly expect: 'allow' | 'deny'
  /** Such as `GET /containers/json`. */
  readonly request: string
  readonly given?: {
    readonly name?: string
    readonly state?: string
    readonly labels?: Readonly<Record<string, string>>
  }
}

/** The text of the policy. Operations that amount to root are named again, as the policy language asks for, and said in capitals. */
export function renderPolicy({ client, about, scope, rules, notGranted, tests }: PolicyDraft): string {
  const root = rules.filter(({ operation }) => operation.kind === 'root').map(({ operation }) => operation.id)
  return [
    ...comment(about),
    'version: 1',
    `client: ${scalar(client)}`,
    '',
    ...comment(scope.words),
    'scope:',
    `  - ${selector(scope.selector)}`,
    '',
    'allow:',
    ...rules.flatMap(renderRule),
    ...(notGranted.length > 0 ? ['', ...comment(notGranted)] : []),
    ...(root.length > 0 ? ['', ...comment(['WHOEVER MAY ASK FOR THESE IS ROOT ON THE HOST.'])] : []),
    ...(root.length > 0 ? [`allow_root_equivalent: ${list(root)}`] : []),
    '',
    ...comment(['Run at every start; the proxy does not serve a policy whose tests fail.']),
    'tests:',
    ...tests.flatMap(renderTest),
    '',
  ].join('\n')
}

/** A test of what must not pass: making containers, or where that is granted, what no policy can allow. */
export function neverAllowed(granted: readonly Operation[]): TestDraft {
  const creates = granted.some(({ id }) => id === 'ContainerCreate')
  return { expect: 'deny', request: `POST /containers/${creates ? 'prune' : 'create'}` }
}

export function comment(words: Words): string[] {
  return words.map((line) => `# ${printable(line)}`.trimEnd())
}

function renderRule({ operation, words, query, show, when, budget }: RuleDraft): string[] {
  const glaring = operation.kind === 'root' ? ['AMOUNTS TO ROOT ON THE HOST'] : []
  const body = [
    ...(query.size > 0
      ? [`    query: { ${[...query].map(([key, given]) => `${scalar(key)}: ${values(given)}`).join(', ')} }`]
      : []),
    ...(show ? [`    show: ${show === 'all' ? show : fields(show)}`] : []),
    ...(when ? [`    when: { state: ${list(when)} }`] : []),
    ...(budget ? [`    budget: { ${limits(budget)} }`] : []),
  ]
  return [
    ...comment([...glaring, ...words]).map((line) => `  ${line}`),
    `  ${operation.id}:${body.length > 0 ? '' : ' {}'}`,
    ...body,
  ]
}

function limits({ container, client }: NonNullable<RuleDraft['budget']>): string {
  return Object.entries({ container, client })
    .flatMap(([name, count]) => (count === undefined ? [] : [`${name}: ${count} per 10m`]))
    .join(', ')
}

function values(allowed: AllowedValues): string {
  switch (allowed.type) {
    case 'boolean':
      return `[${allowed.values.join(', ')}]`
    case 'integer': {
      const [range] = allowed.ranges
      if (range && allowed.ranges.length === 1 && range.min < range.max) return `${range.min}..${range.max}`
      return `[${allowed.ranges.map(({ min }) => min).join(', ')}]`
    }
    case 'text':
      return list(allowed.patterns)
    case 'filters':
      return list(allowed.names)
    default:
      return allowed satisfies never
  }
}

function fields(show: ShowTree): string {
  const entries = [...show].map(([name, below]) => (below === 'all' ? scalar(name) : `${scalar(name)}: ${fields(below)}`))
  return `[${entries.join(', ')}]`
}

function selector({ labels, names, project }: Selector): string {
  return inBraces({
    ...(labels ? { labels: map(labels) } : {}),
    ...(names ? { names: list(names) } : {}),
    ...(project === undefined ? {} : { project: scalar(project) }),
  })
}

function renderTest({ expect, request, given }: TestDraft): string[] {
  const { name, state, labels } = given ?? {}
  const container = {
    ...(name === undefined ? {} : { name: scalar(name) }),
    ...(labels ? { labels: map(labels) } : {}),
    ...(state === undefined ? {} : { state: scalar(state) }),
  }
  return [
    `  - ${expect}: ${scalar(request)}`,
    ...(Object.keys(container).length > 0 ? [`    given: ${inBraces(container)}`] : []),
  ]
}

const map = (entries: Readonly<Record<string, string>>) =>
  inBraces(Object.fromEntries(Object.entries(entries).map(([name, value]) => [scalar(name), asciiJson(value)])))

const inBraces = (entries: Readonly<Record<string, string>>) =>
  `{ ${Object.entries(entries)
    .map(([key, value]) => `${key}: ${value}`)
    .join(', ')} }`

const list = (items: readonly string[]) => `[${items.map(scalar).join(', ')}]`

/** A plain word stands as it is; all else in quotes, as JSON has them, which YAML 1.2 reads alike. */
function scalar(text: string): string {
  const isPlain = /^(?:(?:GET|HEAD|POST|PUT|DELETE) \/)?[A-Za-z_][\w./-]*$/.test(text)
  const meansElse = /^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text)
  return isPlain && !meansElse ? text : asciiJson(text)
}
