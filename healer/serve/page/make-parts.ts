// All parts of the status page. What did not change since the last time is not made again, so that a page with hundreds of containers
// costs little each second.
import type { ContainerAnswer, IncidentAnswer } from '../api/schemas.ts'
import { renderAttention } from './attention.ts'
import { containerId, renderContainer } from './container.ts'
import { incidentId, renderIncident } from './incident.ts'
import type { Parts, Told } from './parts.ts'
import { renderProxy } from './proxy.ts'

/** Incidents on the page; the API has the rest. */
export const INCIDENTS_SHOWN = 30

/** A maker remembers what it made of each object that it was given before; those are never changed, but replaced. */
export function createPartsMaker(): (told: Told) => Parts {
  const container = rememberLast((one: ContainerAnswer, open: IncidentAnswer | undefined) =>
    renderContainer(one, open).toString(),
  )
  const incident = rememberLast((one: IncidentAnswer) => renderIncident(one).toString())
  return (told) => {
    const open = new Map(told.incidents.flatMap((each) => (each.ended === null ? [[each.container, each] as const] : [])))
    const incidents = told.incidents.slice(0, INCIDENTS_SHOWN)
    return {
      lists: { containers: told.containers.map(containerId), incidents: incidents.map(incidentId) },
      html: new Map([
        ['attention', renderAttention(told).toString()],
        ...told.containers.map((each) => [containerId(each), container(each, open.get(each.name))] as const),
        ...incidents.map((each) => [incidentId(each), incident(each, undefined)] as const),
        ['proxy', renderProxy(told.proxy).toString()],
      ]),
    }
  }
}

/** Makes it anew where `key` or `with_` are others than the last time. */
function rememberLast<K extends object, W>(make: (key: K, beside: W) => string): (key: K, beside: W) => string {
  const made = new WeakMap<K, { readonly beside: W; readonly text: string }>()
  return (key, beside) => {
    const last = made.get(key)
    if (last && last.beside === beside) return last.text
    const text = make(key, beside)
    made.set(key, { beside, text })
    return text
  }
}
