// The JSON API that is read: containers, incidents, the proxy, and the description of it all. Changes nothing and asks Docker nothing;
// what takes a token is in control.ts and alertmanager-hook.ts.
import type { Hono } from 'hono'
import { type Incident, openIncidents } from '../../alert/incidents.ts'
import type { HealerView } from '../../loop/healer.ts'
import { refuse } from '../guard.ts'
import type { ReadProxyMetrics } from '../proxy-metrics.ts'
import { byName, looksOfEach, showContainer, type Times } from './containers.ts'
import { showIncident } from './incidents.ts'
import { renderOpenApi } from './openapi.ts'
import { showProxy } from './proxy.ts'
import type { ContainerAnswer, IncidentAnswer, ProxyAnswer } from './schemas.ts'

export type ApiOptions = {
  readonly view: () => HealerView
  readonly clock: Times
  /** Without it the proxy's metrics are not asked for. */
  readonly proxyMetrics: ReadProxyMetrics | undefined
  /** The oldest first. */
  readonly incidents: () => readonly Incident[]
}

/** Adds the routes to `app`. */
export function addApi(app: Hono, { view, clock, proxyMetrics, incidents }: ApiOptions): void {
  const description = renderOpenApi()
  app.get('/api/containers', (context) => {
    const containers = byName(view().containers)
    const looks = looksOfEach(containers.length)
    const open = openIncidents(incidents())
    const answer: ContainerAnswer[] = containers.map((each) =>
      showContainer(each, { clock, looks, incident: open.get(each.summary.name) }),
    )
    return context.json(answer)
  })
  app.get('/api/containers/:name', (context) => {
    const name = context.req.param('name')
    const found = view().containers.find(({ summary }) => summary.name === name)
    if (!found) return refuse(context, 404, 'no container of that name is watched; /api/containers has those that are')
    const answer: ContainerAnswer = showContainer(found, {
      ...{ clock, looks: looksOfEach(1) },
      incident: openIncidents(incidents()).get(name),
    })
    return context.json(answer)
  })
  app.get('/api/incidents', (context) => {
    const answer: IncidentAnswer[] = incidents().map(showIncident).reverse()
    return context.json(answer)
  })
  app.get('/api/proxy', async (context) => {
    const answer: ProxyAnswer = showProxy(proxyMetrics && { text: await proxyMetrics() })
    return context.json(answer)
  })
  app.get('/api/openapi.json', (context) => context.body(description, 200, { 'content-type': 'application/json' }))
}
