// What the healer serves on HEALER_PORT: the page, the same as JSON, metrics, and its own health, to be read; and control.
import { Hono } from 'hono'
import type { AlertView } from '../alert/notifier.ts'
import type { HealerView } from '../loop/healer.ts'
import { type AlertmanagerHookOptions, addAlertmanagerHook } from './alertmanager-hook.ts'
import { addControl, type ControlOptions } from './control.ts'
import { createGuard, type GuardOptions } from './guard.ts'
import type { HealerMetrics } from './metrics.ts'
import { renderPage } from './page.ts'
import type { ReadProxyMetrics } from './proxy-metrics.ts'

export type AppOptions = {
  readonly view: () => HealerView
  readonly metrics: HealerMetrics
  /** Asked at each scrape; without it the proxy's metrics are not passed on. */
  readonly proxyMetrics?: ReadProxyMetrics | undefined
  /** Incidents, and what is still to be told. */
  readonly alerts?: (() => AlertView) | undefined
  /** Beyond this, the loop is taken for dead. */
  readonly maxLoopAgeMs: number
  /** Without it all is read-only. */
  readonly control?: (GuardOptions & Pick<ControlOptions, 'control'> & Pick<AlertmanagerHookOptions, 'rules'>) | undefined
}

export function createApp({ view, metrics, proxyMetrics, alerts, maxLoopAgeMs, control }: AppOptions): Hono {
  const app = new Hono()
  app.use(async (context, next) => {
    await next()
    context.header(
      'content-security-policy',
      "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    )
    context.header('x-content-type-options', 'nosniff')
    context.header('cache-control', 'no-store')
  })
  app.get('/', (context) => context.html(renderPage(view())))
  app.get('/api/containers', (context) => context.json(view().containers.map(describeContainer)))
  app.get('/api/incidents', (context) => context.json((alerts?.().incidents ?? []).map(describeIncident).reverse()))
  app.get('/metrics', async (context) => {
    const proxy = proxyMetrics && { text: await proxyMetrics() }
    return context.text(await metrics.render(view(), proxy, alerts?.()), 200, { 'content-type': metrics.contentType })
  })
  app.get('/healthz', (context) => {
    const { loopAgeMs } = view()
    return loopAgeMs <= maxLoopAgeMs
      ? context.text('ok\n')
      : context.text(`the loop has not come round for ${Math.round(loopAgeMs / 1000)} s\n`, 503)
  })
  app.get('/readyz', (context) => (view().ready ? context.text('ok\n') : context.text('the first round is not complete\n', 503)))
  if (control) {
    const guard = createGuard(control)
    const names = () => view().containers.map(({ summary }) => summary.name)
    addControl(app, { ...control, guard, names })
    addAlertmanagerHook(app, { ...control, guard, names, isReady: () => view().ready })
  }
  app.notFound((context) =>
    context.text(
      'here are /, /api/containers, /api/incidents, /metrics, /healthz and /readyz; docs/healer.md has what takes a POST\n',
      404,
    ),
  )
  return app
}

/** One incident as `/api/incidents` shows it. */
function describeIncident({ key, container, sinceMs, endedMs, steps, diagnosis, toldTo }: AlertView['incidents'][number]) {
  const time = (ms: number) => new Date(ms).toISOString()
  return {
    key,
    container,
    since: time(sinceMs),
    ended: endedMs === undefined ? null : time(endedMs),
    steps: steps.map(({ atMs, what, message }) => ({ at: time(atMs), what, message })),
    diagnosis: diagnosis
      ? { ...diagnosis, failures: diagnosis.failures.map(({ atMs, reason }) => ({ at: time(atMs), reason })) }
      : null,
    toldTo,
  }
}

/** One container as `/api/containers` shows it. */
function describeContainer({ summary, state, probe, problems, last, pausedUntilMs, rules }: HealerView['containers'][number]) {
  return {
    id: summary.id,
    name: summary.name,
    status: state.status,
    health: state.health,
    reason: state.reason,
    failures: state.failures,
    notRestarting: state.notRestarting ?? null,
    paused: pausedUntilMs !== undefined,
    diagnosis: state.diagnosis ? { ...state.diagnosis, failures: state.diagnosis.failures.map(({ reason }) => reason) } : null,
    rules: rules.map(({ name, summary: says }) => ({ name, summary: says })),
    restarts: state.escalation.restarts,
    probe,
    lastProbe: last
      ? { at: new Date(last.atMs).toISOString(), durationMs: Math.round(last.durationMs * 10) / 10, result: last.result }
      : null,
    problems: problems.map(({ message }) => message),
  }
}
