// What the tests know of queries in Prometheus' language: which metrics one asks for and by which labels, held against the tables of
// docs/healer.md and docs/proxy.md, which test/documentation.test.ts holds to the code.
import { NOT_RESTARTING } from '../../healer/health/state.ts'
import { REFUSAL_RULES } from '../../proxy/request/refusal.ts'
import { readPage, tableRows, words } from './pages.ts'

/** What Prometheus itself puts on every sample. */
const OF_TARGET = ['job', 'instance']
/** The labels of each metric of ours. */
const known = new Map(
  ['healer.md', 'proxy.md'].flatMap((page) =>
    tableRows(readPage(page), 'Metrics').map(
      ([name, labels]) => [words(name)[0] ?? '', [...words(labels), ...OF_TARGET]] as const,
    ),
  ),
)
known.set('up', OF_TARGET)

/** The labels of a metric; `undefined`: there is no such metric. */
export const labelsOf = (metric: string): readonly string[] | undefined => known.get(metric)

/** The values that a label can have, where they are few. */
export const VALUES: Readonly<Record<string, readonly string[]>> = {
  health: ['starting', 'healthy', 'suspect', 'unhealthy', 'unknown'],
  reason: NOT_RESTARTING,
  rule: REFUSAL_RULES,
  verdict: ['allow', 'deny', 'observe'],
  job: ['healer'],
}

/** The metrics that `expr` asks for, each with what it selects by. */
export const metricsOf = (expr: string) =>
  [...expr.matchAll(/\b(postern_\w+|up|ALERTS)\b(?:\{([^}]*)\})?/g)].map(([, metric = '', selector = '']) => ({
    metric,
    selected: [...selector.matchAll(/(\w+)\s*[=!]~?\s*"([^"]*)"/g)].map(([, label = '', values = '']) => ({ label, values })),
  }))

/** The labels that `expr` groups or joins by. */
export const groupedBy = (expr: string): readonly string[] =>
  [...expr.matchAll(/\b(?:by|on|ignoring|without) \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(', ').filter(Boolean))
