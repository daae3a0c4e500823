// docs/migrating.md is run: its policies with their tests, and what it says of other proxies' settings against a model of each.
import t from 'tap'
import { parse } from 'yaml'
import { CATALOGUE, type Operation, operationOf, whyNotServed } from '../proxy/request/catalogue.ts'
import { policyOf } from './proxy/support/policies.ts'
import { checkExample } from './proxy/support/policy-examples.ts'
import { blocks, firstColumn, readPage, tableRows, words } from './support/pages.ts'

const migrating = readPage('migrating.md')
const isSettings = (text: string) => text.startsWith('services:')

await t.test('every policy is one whose tests hold, each refusal for the rule beside it', async (t) => {
  const examples = blocks(migrating, 'yaml').filter((text) => !isSettings(text))
  t.equal(examples.length, 3, 'so many policies')
  for (const example of examples) checkExample(t, example)
})

/** Whether another proxy lets a request through. */
type Passes = (method: string, path: string) => boolean

const isOn = (value: unknown) => value === 1
const isRead = (method: string) => method === 'GET' || method === 'HEAD'

/** Tecnativa's and LinuxServer.io's variables. Source: their haproxy.cfg; what opens a single operation asks for POST in Tecnativa's alone. */
function sectionsOf(variables: Readonly<Record<string, unknown>>, asksForPost: boolean): Passes {
  const on: Readonly<Record<string, unknown>> = { PING: 1, VERSION: 1, EVENTS: 1, ...variables }
  const single = {
    start: 'START',
    stop: 'STOP RESTARTS',
    restart: 'RESTARTS',
    kill: 'RESTARTS',
    pause: 'PAUSE',
    unpause: 'UNPAUSE',
  }
  return (method, path) => {
    const [, section = '', , action = ''] = path.split('/')
    const open = isRead(method) || isOn(on.POST)
    const switches = section === 'containers' && Object.hasOwn(single, action) ? single[action as keyof typeof single] : ''
    if ((open || !asksForPost) && switches.split(' ').some((name) => isOn(on[`ALLOW_${name}`]))) return true
    return open && isOn(on[section.replace('_', '').toUpperCase()])
  }
}

/** wollomatic's expressions, each over a whole path, with the version that clients name. */
function expressionsOf(settings: readonly string[]): Passes {
  const allowed = settings.flatMap((text) =>
    [...text.matchAll(/^-allow([A-Z]+)=(.*)$/g)].map(([, method, path]) => ({ method, path })),
  )
  return (method, path) =>
    allowed.some(
      (rule) => rule.method === method && [path, `/v1.45${path}`].some((each) => new RegExp(`^(?:${rule.path})$`).test(each)),
    )
}

const pathOf = ({ path }: Operation) => `/${path.join('/').replace(/\{\w+\}/g, 'web')}`
const opened = (passes: Passes) => CATALOGUE.filter((operation) => passes(operation.method, pathOf(operation)))

await t.test('a policy that stands for the settings of another proxy allows nothing that they do not, and less', async (t) => {
  const all = blocks(migrating, 'yaml')
  const pairs = all.flatMap((text, i) => (isSettings(text) ? [[text, all[i + 1] ?? ''] as const] : []))
  t.equal(pairs.length, 3)
  for (const [settings, example] of pairs) {
    const [service] = Object.values(parse(settings).services) as {
      image: string
      environment: Record<string, unknown>
      command: string[]
    }[]
    if (!service) throw new Error(`settings of no service: ${settings}`)
    const passes = service.command
      ? expressionsOf(service.command)
      : sectionsOf(service.environment, service.image.startsWith('tecnativa/'))
    const theirs = opened(passes).map(({ id }) => id)
    const ours = [...policyOf(example).allow.keys()]
    t.same(
      ours.filter((id) => !theirs.includes(id)),
      [],
      `${service.image} lets it through as well`,
    )
    t.ok(ours.length > 2 && theirs.length > ours.length, service.image)
  }
})

/** What a row's second and third cells have to name: operations that can be in a policy, and those that cannot; reads first. */
function namedFor(operations: readonly Operation[]): readonly (readonly string[])[] {
  return [true, false].map((servedHere) =>
    operations
      .filter((each) => (whyNotServed(each) === undefined) === servedHere)
      .map(({ id }) => id)
      .sort(),
  )
}

await t.test('what each variable of Tecnativa’s and each expression of wollomatic’s opens is as the tables say', async (t) => {
  const tecnativa = tableRows(migrating, 'Tecnativa')
  const wollomatic = tableRows(migrating, 'wollomatic')
  t.same([tecnativa.length, wollomatic.length], [19, 5])
  for (const [setting = '', ...cells] of tecnativa) {
    const on = { PING: 0, VERSION: 0, EVENTS: 0, POST: 1, ...Object.fromEntries(words(setting).map((name) => [name, 1])) }
    t.same(
      cells.map((cell) => words(cell).sort()),
      namedFor(opened(sectionsOf(on, true))),
      setting,
    )
    for (const cell of cells) {
      const [reads, writes] = cell.split('with POST')
      t.ok(
        words(reads).every((id) => isRead(operationOf(id as Operation['id']).method)),
        `${setting}: without POST`,
      )
      t.notOk(
        words(writes).some((id) => isRead(operationOf(id as Operation['id']).method)),
        `${setting}: with POST`,
      )
    }
  }
  for (const [setting = '', ...cells] of wollomatic)
    t.same(
      cells.map((cell) => words(cell).sort()),
      namedFor(opened(expressionsOf(words(setting)))),
      setting,
    )
  for (const [, cell = ''] of [...tecnativa, ...wollomatic])
    for (const id of words(cell))
      t.equal(cell.includes(`**\`${id}\`**`), operationOf(id as Operation['id']).kind === 'root', `${id}: bold if root`)
  t.same(
    new Set(tecnativa.flatMap(([, ...cells]) => cells.flatMap(words))),
    new Set(CATALOGUE.map(({ id }) => id)),
    'all there are',
  )
})

await t.test('LinuxServer.io’s switches for single operations are as the table says', async (t) => {
  const [row = []] = tableRows(migrating, 'LinuxServer')
  const switches = words(row[0]).filter((name) => name.startsWith('ALLOW_'))
  const on = { PING: 0, VERSION: 0, EVENTS: 0, ...Object.fromEntries(switches.map((name) => [name, 1])) }
  t.same(
    words(row[1]).sort(),
    opened(sectionsOf(on, false))
      .map(({ id }) => id)
      .sort(),
  )
  t.equal(opened(sectionsOf(on, true)).length, 0, 'Tecnativa’s ask for POST')
  t.ok(firstColumn(migrating, 'LinuxServer').includes('DISABLE_IPV6'))
})
