// The pure cores, each with the tests that are to notice whatever is changed in it. Tables, such as the catalogue of operations, are
// left out: they are held to by tests of their own, and a changed word in them says nothing about deciding.

export type Core = {
  /** What is changed, one place at a time. */
  readonly files: readonly string[]
  /** Run one after the other in one process until one fails: what is quick, and notices most, comes first. */
  readonly tests: readonly string[]
}

const all = (folder: string, names: string, ending: string) => names.split(' ').map((name) => `${folder}/${name}${ending}`)
const proxy = (names: string) => all('test/proxy', names, '.test.ts')
const healer = (names: string) => all('test/healer', names, '.test.ts')

export const CORES: Readonly<Record<string, Core>> = {
  deciding: {
    files: all('proxy/policy', 'decide budget target name-pattern', '.ts'),
    tests: [...proxy('decide decide-values budgets targets name-pattern projection'), 'test/policy-examples.test.ts'],
  },
  projecting: {
    files: all('proxy/show', 'project cut-event cut-to-scope', '.ts'),
    tests: proxy('cut-to-scope projection'),
  },
  chain: {
    files: all('proxy/audit', 'chain verify', '.ts'),
    tests: proxy('audit-chain audit-verify audit-attacks audit-log'),
  },
  health: {
    files: all('healer/health', 'machine hold', '.ts'),
    tests: healer('machine-steps machine hold'),
  },
  reading: {
    files: all('proxy/request', 'read-request read-query', '.ts'),
    tests: proxy('read-request read-query reading-properties'),
  },
}
