// What the status page is made of: elements with an id each, some alone and some in lists. The page is made of them, and so is what a
// browser is told later; each is a pure function of what the JSON API answers, so that both say the same.
import type { html } from 'hono/html'
import type { HealerView } from '../../loop/healer.ts'
import type { ContainerAnswer, IncidentAnswer, ProxyAnswer } from '../api/schemas.ts'

export type Html = ReturnType<typeof html>

/** What the page tells of. Times are RFC 3339. */
export type Told = {
  readonly containers: readonly ContainerAnswer[]
  /** The newest first. */
  readonly incidents: readonly IncidentAnswer[]
  readonly proxy: ProxyAnswer
  readonly docker: HealerView['docker']
  /** Every container has been looked at once. */
  readonly ready: boolean
  readonly holdSince: string | null
  readonly receivers: readonly { readonly receiver: string; readonly waiting: number; readonly waitedMs: number }[]
}

export const LISTS = ['containers', 'incidents'] as const
export type ListName = (typeof LISTS)[number]

export type Parts = {
  /** The ids of the elements of each list, in order. */
  readonly lists: Readonly<Record<ListName, readonly string[]>>
  /** Each element by its id; its text begins with its tag and holds that id. */
  readonly html: ReadonlyMap<string, string>
}
