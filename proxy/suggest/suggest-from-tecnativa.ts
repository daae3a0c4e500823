// Suggests the policy that is nearest to the settings of another socket proxy, and says in words where it is stricter. Pure.
// Never grants what amounts to root unless that is asked for.
import type { AllowedValues } from '../policy/policy.ts'
import { hasContainer, isCut, type Operation, type QueryType, whyNotServed } from '../request/catalogue.ts'
import { neverAllowed, type RuleDraft, renderPolicy, type TestDraft, type Words } from './policy-draft.ts'
import { defaultShow, type ShowTree } from './show-defaults.ts'
import { OPT_IN, provenPolicy } from './suggest-policy.ts'
import { type Opened, openedBy, type TecnativaSettings } from './tecnativa-variables.ts'

/** The text of the policy; `undefined` where nothing was open that a policy can allow. Throws where it does not hold, which is a bug. */
export function suggestFromTecnativa(
  client: string,
  settings: TecnativaSettings,
  { rootEquivalent = false }: { readonly rootEquivalent?: boolean } = {},
): string | undefined {
  const opened = openedBy(settings)
  const served = opened.operations.filter((operation) => whyNotServed(operation) === undefined)
  const granted = served.filter(({ kind }) => kind !== 'root' || rootEquivalent)
  if (granted.length === 0) return undefined
  const given = [...settings].map(([name, isOn]) => `${name}=${isOn ? 1 : 0}`).join(' ')
  const text = renderPolicy({
    client,
    about: [...aboutInWords(given), ...stricterInWords(granted)],
    scope: {
      words: ['That proxy opened every container. Give those that this client needs this label; until then it sees none.'],
      selector: { labels: OPT_IN },
    },
    rules: granted.map(ruleFor),
    notGranted: notGrantedInWords(opened, granted),
    tests: testsFor(granted),
  })
  provenPolicy(text)
  return text
}

function aboutInWords(given: string): Words {
  return [
    'The nearest to docker-socket-proxy with',
    `  ${given === '' ? 'nothing set' : given}`,
    '',
    'Suggested by `postern-proxy suggest --tecnativa`. Read it before you use it.',
  ]
}

/** Where the policy lets through less than that proxy did. */
function stricterInWords(granted: readonly Operation[]): Words {
  const has = (what: (operation: Operation) => boolean) => granted.some(what)
  const differences: readonly (readonly [applies: boolean, words: string])[] = [
    [true, 'What is not named below is refused, whatever its path begins with; so are unlisted query keys.'],
    [has(({ path }) => path[0] === 'containers'), 'Containers are those with the label under `scope`, not all.'],
    [
      has(isCut),
      'Answers are cut to `show`, who and in which state; environment, commands, mounts and labels are not in it. Add what the client reads.',
    ],
    [
      has(({ query }) => 'filters' in query),
      'Filters are those that tell of what is shown; `limit`, `since` and `before` are none.',
    ],
    [has(({ id }) => id.endsWith('Prune')), 'A prune has to name a filter.'],
    [has(({ query }) => 'signal' in query), 'Signals are those that are named.'],
  ]
  const isOfOthers = has(({ path }) => path.length > 1 && path[0] !== 'containers')
  const isChanging = has(({ kind }) => kind !== 'reads')
  return [
    '',
    'Stricter than that proxy was:',
    ...differences.flatMap(([applies, words]) => (applies ? [`- ${words}`] : [])),
    ...(isOfOthers ? ['', 'As there, images, networks, volumes and the like are not limited by `scope`.'] : []),
    ...(isChanging
      ? ['', 'As there, nothing bounds how often it changes something: `budget: { client: 20 per 10m }` would.']
      : []),
  ]
}

function notGrantedInWords({ operations, inOtherVersions }: Opened, granted: readonly Operation[]): Words {
  const byReason = new Map<string, string[]>()
  for (const operation of operations) {
    if (granted.includes(operation)) continue
    const why = whyNotServed(operation) ?? 'AMOUNTS TO ROOT ON THE HOST; --root-equivalent takes it in'
    byReason.set(why, [...(byReason.get(why) ?? []), operation.id])
  }
  const closed = [...byReason].map(([why, ids]) => `- ${ids.join(', ')}: ${why}`)
  const others = [...inOtherVersions].map(([name, held]) => `- ${name} for ${held.map(({ id }) => id).join(', ')}`)
  return [
    ...(closed.length > 0 ? ['Open there, and not granted:', ...closed] : []),
    ...(closed.length > 0 && others.length > 0 ? [''] : []),
    ...(others.length > 0 ? ['Open in some versions of that proxy, and not granted unless it is set:', ...others] : []),
  ]
}

function ruleFor(operation: Operation): RuleDraft {
  const show = defaultShow(operation)
  const query = new Map(
    Object.entries(operation.query).flatMap(([key, type]): (readonly [string, AllowedValues])[] => {
      const allowed = usualValues(key, type, show)
      return allowed ? [[key, allowed]] : []
    }),
  )
  return { operation, words: [], query, ...(show ? { show } : {}) }
}

const SIGNALS = ['SIGHUP', 'SIGINT', 'SIGKILL', 'SIGQUIT', 'SIGTERM', 'SIGUSR1', 'SIGUSR2']

/** Keys of the Engine's commands that take any text here too. `ps_args` does not: it can make ps show environments. */
const FREE_TEXTS = ['id', 'name', 'platform', 'platforms', 'remote', 'repo', 'scope', 'tag', 'term', 'type']

/** The values that a client may well give; `undefined` where the key is left out. */
function usualValues(key: string, type: QueryType, show?: ShowTree | 'all'): AllowedValues | undefined {
  switch (type) {
    case 'boolean':
      return { type, values: [true, false] }
    case 'integer':
      return { type, ranges: [{ min: key === 't' ? -1 : 0, max: key === 't' ? 3600 : 999_999_999 }] }
    case 'text':
      if (key === 'signal') return { type, patterns: SIGNALS }
      return FREE_TEXTS.includes(key) ? { type, patterns: ['*'] } : undefined
    case 'path':
      return { type: 'text', patterns: ['*'] }
    case 'container':
      return undefined
    default: {
      const names = Object.entries(type).flatMap(([name, field]) => (isShown(show, field) ? [name] : []))
      return names.length > 0 ? { type: 'filters', names } : undefined
    }
  }
}

/** Whether the whole of `field` is. A label is shown where the policy names it, which nobody has yet. */
function isShown(show: ShowTree | 'all' | undefined, field: string): boolean {
  let at: ShowTree | 'all' | undefined = show
  for (const part of field.split('.')) {
    if (at === 'all' || at === undefined) break
    at = at.get(part)
  }
  return at === 'all'
}

/** Each operation that is about a container passes for one with the label, in any state; without it, and what is closed, does not. */
function testsFor(granted: readonly Operation[]): TestDraft[] {
  const ofContainer = granted.filter(
    (operation) => hasContainer(operation) && operation.path.every((part) => part === '{container}' || !part.startsWith('{')),
  )
  const line = ({ method, path, query }: Operation) =>
    `${method} /${path.map((part) => (part === '{container}' ? 'web' : part)).join('/')}${'name' in query ? '?name=new' : ''}`
  const plain = granted.filter(
    ({ path, id, containerBy }) =>
      path.every((part) => !part.startsWith('{')) && !id.endsWith('Prune') && !containerBy === undefined,
  )
  const [first] = ofContainer
  return [
    ...plain.map((operation): TestDraft => ({ expect: 'allow', request: line(operation).replace('?name=new', '') })),
    ...ofContainer.map((operation): TestDraft => ({ expect: 'allow', request: line(operation), given: { labels: OPT_IN } })),
    ...(first ? [{ expect: 'deny' as const, request: line(first), given: { labels: { 'postern.visible': 'false' } } }] : []),
    neverAllowed(granted),
  ]
}
