// The proxy's metrics, under `postern_proxy_`. Each is a row of the table in docs/proxy.md; a test holds the two together.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { BudgetLeft } from '../policy/budget.ts'

type Verdict = 'allow' | 'deny' | 'observe'

/** What is so at the moment of a scrape. */
export type ProxyState = {
  readonly policies: readonly { readonly client: string; readonly hash: string }[]
  /** What is left of the budgets of these. */
  readonly budgets: readonly BudgetLeft[]
  readonly auditHead: { readonly seq: number; readonly fingerprint: string }
  /** What policies refuse passes. */
  readonly observes: boolean
  /** Where clients are served over TLS. */
  readonly tls?: TlsState | undefined
}

export type TlsState = {
  /** The fingerprint of the certificate that is in use. */
  readonly sha256: string
  /** When it ends, in milliseconds since 1970. */
  readonly untilMs: number
  /** What was read last is what is in use. */
  readonly isLatest: boolean
}

export type ProxyMetrics = {
  readonly decided: (client: string, operation: string, verdict: Verdict, rule: string, seconds: number) => void
  readonly auditFailed: () => void
  /** A connection of the client's was closed unanswered because there were too many, or too much under way. */
  readonly droppedConnection: (client: string) => void
  readonly engineUp: (up: boolean) => void
  /** A client's policy was read anew, at the start or later. */
  readonly reloaded: (client: string, outcome: 'success' | 'failure') => void
  /** A connection to the client's address was not made, for one of a few reasons. */
  readonly failedHandshake: (client: string, why: string) => void
  /** The files for TLS were read, at the start or later. */
  readonly reloadedTls: (outcome: 'success' | 'failure') => void
  /** `state` is asked at each scrape. */
  readonly showState: (state: () => ProxyState) => void
  readonly render: () => Promise<string>
  readonly contentType: string
}

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number]

export function createProxyMetrics(): ProxyMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, prefix: 'postern_proxy_' })
  const decisions = new Counter({
    name: 'postern_proxy_decisions_total',
    help: 'Requests decided on, by client, operation (empty where none was recognised), verdict and rule.',
    labelNames: ['client', 'operation', 'verdict', 'rule'],
    registers,
  })
  const seconds = new Histogram({
    name: 'postern_proxy_request_duration_seconds',
    help: 'Seconds from the head of a request to its answer, the Engine included.',
    labelNames: ['client', 'verdict'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  })
  const auditFailures = new Counter({
    name: 'postern_proxy_audit_failures_total',
    help: 'Audit lines that could not be written.',
    registers,
  })
  const dropped = new Counter({
    name: 'postern_proxy_dropped_connections_total',
    help: 'Connections closed unanswered because the client had too many, or too many requests under way.',
    labelNames: ['client'],
    registers,
  })
  const up = new Gauge({
    name: 'postern_proxy_engine_up',
    help: '1 if the Engine answered when it was last asked by a health check, 0 if not.',
    registers,
  })
  const reloads = new Counter({
    name: 'postern_proxy_policy_reloads_total',
    help: 'Times a policy was read anew, by client and outcome (success or failure).',
    labelNames: ['client', 'outcome'],
    registers,
  })
  const reloadSuccessful = new Gauge({
    name: 'postern_proxy_policy_last_reload_successful',
    help: '1 if the policy was good when it was last read, 0 if it was not and the one before is still in force.',
    labelNames: ['client'],
    registers,
  })
  const handshakes = new Counter({
    name: 'postern_proxy_tls_failures_total',
    help: 'Connections over TLS that were not made, by the client whose address it was and why.',
    labelNames: ['client', 'why'],
    registers,
  })
  const tlsReloads = new Counter({
    name: 'postern_proxy_tls_reloads_total',
    help: 'Times the files for TLS were read, by outcome (success or failure).',
    labelNames: ['outcome'],
    registers,
  })
  let state: (() => ProxyState) | undefined
  const shown = (name: string, help: string, labelNames: string[], samples: (state: ProxyState) => readonly Sample[]) =>
    new Gauge({
      ...{ name, help, labelNames, registers },
      collect() {
        this.reset()
        for (const [labels, value] of state ? samples(state()) : []) this.set(labels, value)
      },
    })
  shown(
    'postern_proxy_policy_info',
    '1, labelled with the hash of the policy that each client is under.',
    ['client', 'policy'],
    ({ policies }) => policies.map(({ client, hash }) => [{ client, policy: hash }, 1]),
  )
  shown(
    'postern_proxy_observing',
    '1 where the proxy only observes: it lets pass what policies refuse, but for what amounts to root.',
    [],
    ({ observes }) => [[{}, observes ? 1 : 0]],
  )
  shown(
    'postern_proxy_tls_last_reload_successful',
    '1 if the files for TLS were good when they were last read, 0 if not and those before are in use. Labelled with the certificate in use.',
    ['certificate'],
    ({ tls }) => (tls ? [[{ certificate: tls.sha256 }, tls.isLatest ? 1 : 0]] : []),
  )
  shown(
    'postern_proxy_tls_certificate_expiry_timestamp_seconds',
    'When the proxy’s certificate that is in use ends, in seconds since 1970.',
    ['certificate'],
    ({ tls }) => (tls ? [[{ certificate: tls.sha256 }, tls.untilMs / 1000]] : []),
  )
  shown(
    'postern_proxy_audit_sequence',
    'The last line of the audit log, labelled with what the log is known by. A log that ends before a line that was seen was cut.',
    ['fingerprint'],
    ({ auditHead: { seq, fingerprint } }) => [[{ fingerprint }, seq]],
  )
  shown(
    'postern_proxy_budget_left',
    'How often an operation may still be done now, of the budget of its client, or of the container that has the fewest left.',
    ['client', 'operation', 'of'],
    ({ budgets }) => budgets.map(({ left, ...labels }) => [labels, left]),
  )
  return {
    showState(given) {
      state = given
    },
    reloaded(client, outcome) {
      reloads.inc({ client, outcome })
      reloadSuccessful.set({ client }, outcome === 'success' ? 1 : 0)
    },
    decided(client, operation, verdict, rule, duration) {
      decisions.inc({ client, operation, verdict, rule })
      seconds.observe({ client, verdict }, duration)
    },
    auditFailed: () => auditFailures.inc(),
    droppedConnection: (client) => dropped.inc({ client }),
    failedHandshake: (client, why) => handshakes.inc({ client, why }),
    reloadedTls: (outcome) => tlsReloads.inc({ outcome }),
    engineUp: (isUp) => up.set(isUp ? 1 : 0),
    render: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
