// What of a policy is wider than it looks, each told with its line and what would narrow it. Pure; a policy with warnings is valid.
import type { Policy, Rule, Selector } from '../policy/policy.ts'
import type { LineOf, PolicyPath } from '../policy/policy-lines.ts'
import { type Operation, operationOf } from '../request/catalogue.ts'
import { WHY_ROOT } from './operation-words.ts'
import { warnOfQuery } from './query-warnings.ts'
import { tellingFields, widenedFields } from './telling-fields.ts'

/** What is warned of, each by a stable name that stands in docs/proxy.md. */
export const WARNINGS = [
  'root-equivalent',
  'telling-field',
  'show-widened',
  'whole-host',
  'no-budget',
  'long-budget',
  'no-when',
  'deletes',
  'any-signal',
  'any-text',
  'any-ps-option',
  'long-wait',
  'costly',
  'scope-all',
  'scope-by-name',
  'scope-by-project',
  'no-tests',
] as const

export type WarningName = (typeof WARNINGS)[number]
export type Warning = { readonly name: WarningName; readonly line: number; readonly message: string }

/** A warning whose line is still a path into the policy. */
export type Found = { readonly name: WarningName; readonly at: PolicyPath; readonly message: string }

/** Everything of `policy` that is wider than it looks, in the order of its text. */
export function findWarnings(policy: Policy, lineOf: LineOf): readonly Warning[] {
  const found = [
    ...policy.scope.flatMap(warnOfSelector),
    ...[...policy.allow].flatMap(([id, rule]) => warnOfRule(operationOf(id), rule)),
    ...warnOfWholeHost(policy),
    ...warnOfTests(policy),
  ]
  return found.map(({ at, ...warning }) => ({ ...warning, line: lineOf(at) })).sort((a, b) => a.line - b.line)
}

function warnOfSelector({ labels, names, project }: Selector, i: number): readonly Found[] {
  if (labels !== undefined) return []
  if (names === undefined && project === undefined) {
    const message =
      'Every container of the host is in scope, whoever it belongs to and whoever adds it later, Postern’s own among them: those are never changed, but they are seen.'
    return [{ name: 'scope-all', at: ['scope'], message }]
  }
  if (names !== undefined) {
    const message =
      'The scope goes by name, and a name belongs to whoever takes it: any container made later under it is in scope. A label has to be given on purpose.'
    return [{ name: 'scope-by-name', at: ['scope', i, 'names'], message }]
  }
  const message = `Every container of project ${project} is in scope, also those added later, and Postern’s own where they are part of it: it is never changed, but it is seen.`
  return [{ name: 'scope-by-project', at: ['scope', i, 'project'], message }]
}

function warnOfRule(operation: Operation, rule: Rule): readonly Found[] {
  const { id, kind } = operation
  const at = ['allow', id]
  const found: Found[] = []
  if (kind === 'root') found.push({ name: 'root-equivalent', at, message: `${id} amounts to root on the host: ${WHY_ROOT[id]}.` })
  if (kind !== 'reads' && rule.budget === undefined) {
    const message = `${id} has no budget: the client can do it without end, and each time writes two lines into the audit log, which so fills the disk.`
    found.push({ name: 'no-budget', at, message })
  }
  if (Object.values(rule.budget ?? {}).some(({ windowMs }) => windowMs > DAY_MS)) {
    const message = `The budget of ${id} looks back further than a day, and the audit log, where it is counted, need not after a restart of the proxy: keep more of that, by --audit-max-files.`
    found.push({ name: 'long-budget', at: [...at, 'budget'], message })
  }
  if (bringsBack(operation, rule)) {
    const mend = id === 'ContainerRestart' ? '`when: { state: [running] }` prevents that' : 'name the states if that is meant'
    const message = `${id} without a state under \`when\` brings back a container that an operator stopped; ${mend}.`
    found.push({ name: 'no-when', at: rule.when.length > 0 ? [...at, 'when'] : at, message })
  }
  if (DELETES.includes(id)) {
    found.push({ name: 'deletes', at, message: `What ${id} deletes does not come back.` })
  }
  return [...found, ...warnOfShow(operation, rule), ...warnOfQuery(operation, rule)]
}

/** So far the audit log reaches back as it is kept, whoever floods it: docs/audit.md. */
const DAY_MS = 86_400_000

/** A condition that names its states was thought about. */
function bringsBack({ id }: Operation, { when }: Rule): boolean {
  const starts = id === 'ContainerRestart' || id === 'ContainerStart'
  return starts && (when.length === 0 || when.some(({ state }) => state === undefined))
}

const DELETES: readonly string[] = [
  'ContainerDelete',
  'VolumeDelete',
  'ImageDelete',
  'ServiceDelete',
  'SecretDelete',
  'ConfigDelete',
]

function warnOfShow({ id }: Operation, { show = [] }: Rule): readonly Found[] {
  const at = ['allow', id, 'show']
  return [
    ...tellingFields(id, show).map(({ entry, tells }): Found => {
      const shown = entry.length > 0 ? entry.join('.') : 'everything, now and in later Engines'
      return { name: 'telling-field', at: [...at, ...entry], message: `${id} shows ${shown}: ${tells.join('; ')}.` }
    }),
    ...widenedFields(show).map((entry): Found => {
      const message = `${id}: the list below ${entry.join('.')} narrows nothing, because it is shown whole by another entry beside it.`
      return { name: 'show-widened', at: [...at, ...entry], message }
    }),
  ]
}

/** What an operation is about, by the first segment of its path, where a scope does not limit it. */
const OBJECTS: Readonly<Record<string, string>> = {
  events: 'what happens to all images, networks and volumes of the host',
  images: 'all images of the host',
  networks: 'all networks of the host',
  volumes: 'all volumes of the host',
  plugins: 'all plugins of the Engine',
  build: 'all builds on the host',
  nodes: 'all nodes of the swarm',
  services: 'all services of the swarm',
  tasks: 'all tasks of the swarm',
  secrets: 'all secrets of the swarm',
  configs: 'all configs of the swarm',
  system: 'all images, volumes and builds of the host',
}

/** One for each kind of object. What amounts to root is told of as that. */
function warnOfWholeHost({ allow }: Policy): readonly Found[] {
  const byObjects = new Map<string, Operation[]>()
  for (const operation of [...allow.keys()].map(operationOf)) {
    const objects = OBJECTS[operation.path[0] ?? '']
    if (objects !== undefined && operation.kind !== 'root') byObjects.set(objects, [...(byObjects.get(objects) ?? []), operation])
  }
  return [...byObjects].map(([objects, operations]) => {
    const ids = operations.map(({ id }) => id).join(', ')
    const does = operations.some(({ kind }) => kind === 'writes') ? 'reaches' : 'sees'
    const message = `By ${ids} the client ${does} ${objects}, whoever they belong to: the scope limits containers only.`
    return { name: 'whole-host', at: ['allow', operations[0]?.id ?? ''], message }
  })
}

function warnOfTests({ tests }: Policy): readonly Found[] {
  if (tests.some(({ expect }) => expect === 'deny')) return []
  const message =
    tests.length === 0
      ? 'The policy has no tests: nothing would tell if a change let through more than is meant.'
      : 'No test of the policy says what must be refused: nothing would tell if a change let through more than is meant.'
  return [{ name: 'no-tests', at: ['tests'], message }]
}
