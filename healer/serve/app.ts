// What the healer serves on HEALER_PORT: the page, the same as JSON, metrics, and its own health, to be read; and control.
import { Hono } from 'hono'
import type { AlertView } from '../alert/notifier.ts'
import { systemClock } from '../loop/clock.ts'
import type { HealerView } from '../loop/healer.ts'
import { type AlertmanagerHookOptions, addAlertmanagerHook } from './alertmanager-hook.ts'
import type { Times } from './api/containers.ts'
import { addApi } from './api/routes.ts'
import { addControl, type ControlOptions } from './control.ts'
import { createGuard, type GuardOptions } from './guard.ts'
import type { HealerMetrics } from './metrics.ts'
import { createPartsMaker } from './page/make-parts.ts'
import { addPage } from './page/routes.ts'
import { createTold } from './page/told.ts'
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
  /** The one that the loop goes by; the system's where none is given. */
  readonly clock?: Times
  /** Without it all is read-only. */
  readonly control?: (GuardOptions & Pick<ControlOptions, 'control'> & Pick<AlertmanagerHookOptions, 'rules'>) | undefined
}

const NO_ALERTS = (): AlertView => ({ incidents: [], outbox: [] })

export function createApp({ view, metrics, proxyMetrics, alerts, maxLoopAgeMs, control, clock = systemClock }: AppOptions): Hono {
  const app = new Hono()
  app.use(async (context, next) => {
    await next()
    // The page has a policy of its own; of nothing else here is anything ever run or shown as one.
    if (!context.res.headers.has('content-security-policy'))
      context.header('content-security-policy', "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
    context.header('x-content-type-options', 'nosniff')
    context.header('referrer-policy', 'no-referrer')
    context.header('cross-origin-resource-policy', 'same-origin')
    context.header('cache-control', 'no-store')
  })
  const told = createTold({ view, clock, proxyMetrics, alerts: alerts ?? NO_ALERTS })
  const makeParts = createPartsMaker()
  addPage(app, { clock, makeParts: async () => makeParts(await told()) })
  addApi(app, { view, clock, proxyMetrics, incidents: () => alerts?.().incidents ?? [] })
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
      'here are /, /metrics, /healthz, /readyz, and what /api/openapi.json describes: /api/containers, /api/incidents and /api/proxy; docs/healer.md has more of each\n',
      404,
    ),
  )
  return app
}
