// The healer's metrics, under `postern_healer_`. Each is a row of the table in docs/healer.md; a test holds the two together.
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import type { AlertView } from '../alert/notifier.ts'
import type { AlertOutcome } from '../alert/sender.ts'
import type { Happening } from '../health/happening.ts'
import type { HealerView } from '../loop/healer.ts'

export type HealerMetrics = {
  readonly happened: (container: string, happening: Happening) => void
  readonly probed: (container: string, durationMs: number) => void
  readonly told: (receiver: string, outcome: AlertOutcome, alerts: number) => void
  /** Sets the gauges from `view` and renders all, and after them the proxy's metrics, where those are passed on. */
  readonly render: (view: HealerView, proxy?: PassedOn, told?: AlertView) => Promise<string>
  readonly contentType: string
}

/** The proxy's metrics as text, each line ended by a line feed; `undefined` where they could not be had. */
export type PassedOn = { readonly text: string | undefined }

const NOTHING_TOLD: AlertView = { incidents: [], outbox: [] }
const RESTART_OUTCOMES = ['restarted', 'failed'] as const
const ALERT_OUTCOMES: readonly AlertOutcome[] = ['delivered', 'failed', 'dropped']
const HEALTHS = ['starting', 'healthy', 'suspect', 'unhealthy', 'unknown'] as const

export function createHealerMetrics(): HealerMetrics {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, prefix: 'postern_healer_' })
  const counter = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Counter({ name, help, labelNames: [...labelNames], registers })
  const gauge = <T extends string>(name: string, help: string, labelNames: readonly T[]) =>
    new Gauge({ name, help, labelNames: [...labelNames], registers })

  const restarts = counter(
    'postern_healer_restarts_total',
    'Restarts asked for, by container and outcome (restarted or failed).',
    ['container', 'outcome'],
  )
  const recoveries = counter('postern_healer_recoveries_total', 'Times a container was seen healthy again after an incident.', [
    'container',
  ])
  const health = gauge('postern_healer_container_health', '1 for the health that a container has, 0 for those it has not.', [
    'container',
    'health',
  ])
  const held = gauge('postern_healer_restart_held', '1 while a restart is due but not made, by the reason why.', [
    'container',
    'reason',
  ])
  const success = gauge('postern_healer_probe_success', '1 if the last probe succeeded, 0 if it failed; absent while unknown.', [
    'container',
  ])
  const duration = gauge('postern_healer_probe_duration_seconds', 'Seconds that the last probe took.', ['container'])
  const latency = new Histogram({
    name: 'postern_healer_probe_seconds',
    help: 'Seconds that probes over the network took, those that failed among them.',
    labelNames: ['container'],
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  })
  const status = gauge('postern_healer_probe_http_status_code', 'Status of the last HTTP answer; absent where none came.', [
    'container',
  ])
  const probes = counter('postern_healer_probes_total', 'Probes since the container is watched, by result.', [
    'container',
    'result',
  ])
  const problems = gauge('postern_healer_label_problems', 'Labels of a container that are wrong.', ['container'])
  const watched = gauge('postern_healer_containers', 'Containers that are watched.', [])
  const dockerUp = gauge(
    'postern_healer_docker_up',
    '1 if Docker could be asked, through the proxy, when it was last tried; 0 if not.',
    [],
  )
  const paused = gauge('postern_healer_paused', '1 while restarts of a container are paused by hand.', ['container'])
  const rule = gauge('postern_healer_rule_firing', '1 while an alert fires for a container, by the name of its rule.', [
    'container',
    'rule',
  ])
  const crowd = gauge('postern_healer_hold', '1 while nothing is restarted because most containers began to fail at once.', [])
  const loopAge = gauge('postern_healer_loop_age_seconds', 'Seconds since the loop last came round.', [])
  const alerts = counter('postern_healer_alerts_total', 'Alerts by receiver: delivered, failed (and tried again), or dropped.', [
    'receiver',
    'outcome',
  ])
  const waiting = gauge('postern_healer_outbox_alerts', 'Alerts that a receiver is still to be told of.', ['receiver'])
  const oldest = gauge(
    'postern_healer_outbox_oldest_seconds',
    'Seconds that the oldest of them has waited; 0 if there is none.',
    ['receiver'],
  )
  const incidents = gauge('postern_healer_incidents_open', 'Incidents that have not ended.', [])
  const proxyUp = gauge(
    'postern_healer_proxy_metrics_up',
    '1 if the proxy’s metrics are passed on here, 0 if they cannot be had; absent where PROXY_METRICS is empty.',
    [],
  )

  /** The containers that have counters. */
  const counted = new Set<string>()
  /** From nothing on, so that Prometheus sees the first restart as one more; what is not watched any more is forgotten. */
  const countThese = (watched: ReadonlySet<string>) => {
    for (const container of counted) {
      if (watched.has(container)) continue
      for (const outcome of RESTART_OUTCOMES) restarts.remove({ container, outcome })
      recoveries.remove({ container })
      latency.remove({ container })
      counted.delete(container)
    }
    for (const container of watched) {
      for (const outcome of RESTART_OUTCOMES) restarts.inc({ container, outcome }, 0)
      recoveries.inc({ container }, 0)
      counted.add(container)
    }
  }

  return {
    happened(container, happening) {
      counted.add(container)
      if (happening.kind === 'restarted' || happening.kind === 'restart-found') restarts.inc({ container, outcome: 'restarted' })
      if (happening.kind === 'restart-failed') restarts.inc({ container, outcome: 'failed' })
      if (happening.kind === 'recovered') recoveries.inc({ container })
    },
    probed(container, durationMs) {
      counted.add(container)
      latency.observe({ container }, durationMs / 1000)
    },
    told: (receiver, outcome, count) => alerts.inc({ receiver, outcome }, count),
    async render(view, proxy, told = NOTHING_TOLD) {
      for (const metric of [health, held, success, duration, status, probes, problems, paused, rule]) metric.reset()
      countThese(new Set(view.containers.map(({ summary }) => summary.name)))
      for (const { summary, state, problems: wrong, last, probes: counts, pausedUntilMs, rules } of view.containers) {
        const container = summary.name
        for (const { name } of rules) rule.set({ container, rule: name }, 1)
        if (pausedUntilMs !== undefined) paused.set({ container }, 1)
        for (const name of HEALTHS) health.set({ container, health: name }, state.health === name ? 1 : 0)
        if (state.notRestarting) held.set({ container, reason: state.notRestarting }, 1)
        problems.set({ container }, wrong.length)
        for (const [result, count] of Object.entries(counts)) probes.inc({ container, result }, count)
        if (state.health === 'unknown') continue
        if (last) duration.set({ container }, last.durationMs / 1000)
        if (last?.httpStatus !== undefined) status.set({ container }, last.httpStatus)
        if (last && last.result !== 'unknown') success.set({ container }, last.result === 'success' ? 1 : 0)
      }
      watched.set(view.containers.length)
      crowd.set(view.holdSinceMs === undefined ? 0 : 1)
      dockerUp.set(view.docker.reachable ? 1 : 0)
      loopAge.set(view.loopAgeMs / 1000)
      incidents.set(told.incidents.filter(({ endedMs }) => endedMs === undefined).length)
      for (const { receiver, waiting: count, waitedMs } of told.outbox) {
        for (const outcome of ALERT_OUTCOMES) alerts.inc({ receiver, outcome }, 0)
        waiting.set({ receiver }, count)
        oldest.set({ receiver }, waitedMs / 1000)
      }
      proxyUp.remove()
      if (proxy) proxyUp.set(proxy.text === undefined ? 0 : 1)
      return `${await registry.metrics()}${proxy?.text ?? ''}`
    },
    contentType: registry.contentType,
  }
}
