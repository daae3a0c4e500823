// The proxy as the JSON API shows it: read from its metrics, as they were filtered to be passed on. What is not there is `null`, never
// zero. Pure.
import type { PassedOn } from '../metrics.ts'
import type { ProxyAnswer } from './schemas.ts'

type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }

/** Rows of each list at most: labels come from a policy, and refusals from whoever asks. */
const MAX_ROWS = 200
const PREFIX = 'postern_proxy_'

/** `proxy`: `undefined` where nothing is asked for them. */
export function showProxy(proxy: PassedOn | undefined): ProxyAnswer {
  const samples = readSamples(proxy?.text ?? '')
  const first = (name: string) => samples.find((sample) => sample.name === `${PREFIX}${name}`)
  const flag = (name: string) => (first(name) ? first(name)?.value === 1 : null)
  const decided = samples.filter(({ name }) => name === `${PREFIX}decisions_total`)
  const decisions = sumBy(decided, ['client', 'verdict'])
  const refusals = sumBy(decided.filter(isRefusal), ['client', 'operation', 'rule'])
  const budgets = samples.filter(({ name }) => name === `${PREFIX}budget_left`)
  const sequence = first('audit_sequence')
  const failures = first('audit_failures_total')
  return {
    ...describeState(proxy),
    engineUp: flag('engine_up'),
    observing: flag('observing'),
    audit: {
      sequence: sequence ? whole(sequence.value) : null,
      fingerprint: sequence?.labels.fingerprint ?? null,
      failures: failures ? whole(failures.value) : null,
    },
    decisions: decisions.slice(0, MAX_ROWS).map(({ labels: { client = '', verdict = '' }, value }) => ({
      ...{ client, verdict, requests: whole(value) },
    })),
    refusals: refusals.slice(0, MAX_ROWS).map(({ labels: { client = '', operation = '', rule = '' }, value }) => ({
      ...{ client, operation, rule, requests: whole(value) },
    })),
    budgets: budgets.slice(0, MAX_ROWS).map(({ labels: { client = '', operation = '', of = '' }, value }) => ({
      ...{ client, operation, of, left: whole(value) },
    })),
    isCut: [decisions, refusals, budgets].some((rows) => rows.length > MAX_ROWS),
  }
}

function describeState(proxy: PassedOn | undefined): Pick<ProxyAnswer, 'state' | 'message'> {
  if (!proxy)
    return { state: 'not-configured', message: 'PROXY_METRICS is empty; set it to the socket that the proxy’s --metrics names' }
  if (proxy.text === undefined)
    return {
      state: 'down',
      message: 'the proxy’s metrics cannot be had, and the healer’s log says why; is the proxy running, with --metrics?',
    }
  return { state: 'up', message: 'ok' }
}

/** An observing proxy lets pass what it would refuse, and says by which rule. */
const isRefusal = ({ labels }: Sample) => labels.verdict !== 'allow'

/** One row for each combination of `names`, the greatest first. */
function sumBy(samples: readonly Sample[], names: readonly string[]): readonly Sample[] {
  const sums = new Map<string, Sample>()
  for (const sample of samples) {
    const key = JSON.stringify(names.map((name) => sample.labels[name] ?? ''))
    const sum = sums.get(key)
    sums.set(key, { ...sample, value: sample.value + (sum?.value ?? 0) })
  }
  return [...sums.values()].sort((a, b) => b.value - a.value)
}

/** Samples of Prometheus' text format whose value is a finite number. */
function readSamples(text: string): readonly Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})? \S+$/.exec(line) ?? []
    const value = Number(line.slice(line.lastIndexOf(' ') + 1))
    return name === undefined || !Number.isFinite(value) ? [] : [{ name, labels: readLabels(labels), value }]
  })
}

function readLabels(text: string): Readonly<Record<string, string>> {
  const pairs = [...text.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)]
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, value.replace(/\\(.)/g, unescaped)]))
}

const unescaped = (_escape: string, character: string) => (character === 'n' ? '\n' : character)

/** The proxy counts; whatever else answers at its socket may say anything. */
const whole = (value: number) => Math.min(Number.MAX_SAFE_INTEGER, Math.max(0, Math.round(value)))
