// Which lines of what came from the proxy's metrics socket are passed on: the proxy's own metrics, well formed. Whatever
// answers there can neither speak for the healer or another target, nor make Prometheus refuse the scrape, the healer's own
// metrics with it. Source: Prometheus' text format 0.0.4, and what its scrape loop refuses.

/** The proxy's own lines are far shorter. */
const MAX_LINE_LENGTH = 8192

const PREFIX = 'postern_proxy_'
const NAME = `${PREFIX}[a-zA-Z0-9_]+`
/** Without control characters, and with no escape but the three that the format has. */
const LABEL = '([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\\\\\x00-\\x1f\\x7f]|\\\\[\\\\"n])*"'
const LABELS = new RegExp(LABEL, 'g')
/** Without a time of its own: when it was is for Prometheus to say. */
const SAMPLE = new RegExp(`^(${NAME})(?:\\{((?:${LABEL},)*${LABEL})?\\})? (\\S+)$`)
const HELP = new RegExp(`^# (HELP) (${NAME}) (?:[^\\\\\\x00-\\x1f\\x7f]|\\\\[\\\\n])*$`)
const TYPE = new RegExp(`^# (TYPE) (${NAME}) (?:counter|gauge|histogram|summary|untyped)$`)
const NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/

/** The lines of `text` that may be passed on, each ended by a line feed. What the last line feed does not end was cut off. */
export function filterProxyMetrics(text: string): string {
  /** `HELP` and `TYPE` with the metrics whose time for one is over. */
  const described = new Set<string>()
  const keepsSample = (line: string): boolean => {
    const name = sampledName(line)
    // A type that comes after the metric's samples is not one.
    if (name !== undefined) described.add(`TYPE ${name}`)
    return name !== undefined
  }
  const keepsDescription = (line: string): boolean => {
    const [, what, metric] = HELP.exec(line) ?? TYPE.exec(line) ?? []
    if (metric === undefined || described.has(`${what} ${metric}`)) return false
    described.add(`${what} ${metric}`)
    return true
  }
  return text
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.length <= MAX_LINE_LENGTH)
    .filter((line) => (line.startsWith(PREFIX) ? keepsSample(line) : line.startsWith('# ') && keepsDescription(line)))
    .map((line) => `${line}\n`)
    .join('')
}

/** The name of the metric that `line` is a sample of, where it is one that Prometheus takes. */
function sampledName(line: string): string | undefined {
  const [, name, labels = ''] = SAMPLE.exec(line) ?? []
  if (name === undefined || !isValue(line.slice(line.lastIndexOf(' ') + 1))) return undefined
  const labelNames = [...labels.matchAll(LABELS)].map(([, label = '']) => label)
  // A label twice, or `__name__`, which it has already, makes Prometheus refuse the whole scrape.
  const areSound = labelNames.every((label) => !label.startsWith('__')) && new Set(labelNames).size === labelNames.length
  return areSound ? name : undefined
}

/** As Go reads it. A number beyond what a double holds is none there; `Nan` is one, and what prom-client writes. */
function isValue(text: string): boolean {
  return /^(?:nan|[+-]?inf(?:inity)?)$/i.test(text) || (NUMBER.test(text) && Number.isFinite(Number(text)))
}
