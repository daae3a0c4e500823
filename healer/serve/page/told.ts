// Gathers what the status page tells of, in the words of the JSON API. The proxy is asked every few seconds at most, and what did not
// change is the same object as before.
import { type Incident, openIncidents } from '../../alert/incidents.ts'
import type { AlertView } from '../../alert/notifier.ts'
import type { HealerView } from '../../loop/healer.ts'
import type { WatchedContainer } from '../../loop/watch.ts'
import { byName, looksOfEach, showContainer, type Times } from '../api/containers.ts'
import { showIncident } from '../api/incidents.ts'
import { showProxy } from '../api/proxy.ts'
import type { ContainerAnswer, IncidentAnswer } from '../api/schemas.ts'
import type { ReadProxyMetrics } from '../proxy-metrics.ts'
import { atMostEvery } from './at-most-every.ts'
import type { Told } from './parts.ts'

export type ToldOptions = {
  readonly view: () => HealerView
  readonly clock: Times
  /** Without it the proxy's metrics are not asked for. */
  readonly proxyMetrics: ReadProxyMetrics | undefined
  readonly alerts: () => AlertView
}

const ASK_PROXY_EVERY_MS = 5000

export function createTold({ view, clock, proxyMetrics, alerts }: ToldOptions): () => Promise<Told> {
  const askProxy = atMostEvery(ASK_PROXY_EVERY_MS, async () => showProxy(proxyMetrics && { text: await proxyMetrics() }))
  const containers = new WeakMap<WatchedContainer, ContainerAnswer>()
  const incidents = new WeakMap<Incident, IncidentAnswer>()
  return async () => {
    const proxy = await askProxy()
    const { containers: watched, docker, ready, holdSinceMs } = view()
    const { incidents: known, outbox } = alerts()
    const open = openIncidents(known)
    const looks = looksOfEach(watched.length)
    return {
      containers: byName(watched).map((each) =>
        remembered(containers, each, () => showContainer(each, { clock, looks, incident: open.get(each.summary.name) })),
      ),
      incidents: known.map((each) => remembered(incidents, each, () => showIncident(each))).reverse(),
      ...{ proxy, docker, ready, receivers: outbox },
      holdSince: holdSinceMs === undefined ? null : new Date(clock.wallMs() - (clock.monotonicMs() - holdSinceMs)).toISOString(),
    }
  }
}

function remembered<K extends object, V>(known: WeakMap<K, V>, key: K, make: () => V): V {
  const value = known.get(key) ?? make()
  known.set(key, value)
  return value
}
