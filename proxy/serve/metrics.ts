// The proxy's metrics, under `postern_proxy_`. Each is a row of the table in docs/proxy.md; a test holds the two together.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

type AuditHead = () => { readonly seq: number; readonly fingerprint: string }

export type ProxyMetrics = {
  readonly decided: (client: string, operation: string, verdict: 'allow' | 'deny', rule: string, seconds: number) => void
  readonly auditFailed: () => void
  /** A connection of the client's was closed unanswered because there were too many, or too much under way. */
  readonly droppedConnection: (client: string) => void
  readonly engineUp: (up: boolean) => void
  /** To be asked at each scrape how far the audit log has come, and which one it is. */
  readonly auditHead: (head: AuditHead) => void
  readonly render: () => Promise<string>
  readonly contentType: string
}

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
  let head: AuditHead | undefined
  new Gauge({
    name: 'postern_proxy_audit_sequence',
    help: 'The last line of the audit log, labelled with what the log is known by. A log that ends before a line that was seen was cut.',
    labelNames: ['fingerprint'],
    registers,
    collect() {
      if (!head) return
      const { seq, fingerprint } = head()
      this.reset()
      this.set({ fingerprint }, seq)
    },
  })
  return {
    auditHead(given) {
      head = given
    },
    decided(client, operation, verdict, rule, duration) {
      decisions.inc({ client, operation, verdict, rule })
      seconds.observe({ client, verdict }, duration)
    },
    auditFailed: () => auditFailures.inc(),
    droppedConnection: (client) => dropped.inc({ client }),
    engineUp: (isUp) => up.set(isUp ? 1 : 0),
    render: () => registry.metrics(),
    contentType: registry.contentType,
  }
}
