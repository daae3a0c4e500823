// Grafana's dashboard as the tests read it: from the file that Grafana is given.
import { readFileSync } from 'node:fs'

export type Datasource = { readonly type: string; readonly uid: string }
export type Target = {
  readonly refId: string
  readonly expr: string
  readonly legendFormat: string
  readonly instant: boolean
  readonly range: boolean
  readonly datasource: Datasource
}
type GridPos = { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
export type Panel = {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: GridPos
  readonly description: string
  readonly datasource: Datasource
  readonly interval?: string
  readonly fieldConfig: { readonly defaults: { readonly unit?: string } }
  readonly targets: readonly Target[]
}
export type Variable = {
  readonly name: string
  readonly type: string
  readonly current: { readonly value: string | readonly string[] }
  readonly datasource?: Datasource
  readonly definition?: string
  readonly allValue?: string
}
type Dashboard = {
  readonly uid: string
  readonly schemaVersion: number
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly Variable[] }
}

export const DASHBOARD_FILE = 'compose/grafana/provisioning/dashboards/postern.json'
export const dashboard: Dashboard = JSON.parse(readFileSync(DASHBOARD_FILE, 'utf8'))

/** Those that show something; the others are the headings of rows. */
export const panels = dashboard.panels.filter(({ type }) => type !== 'row')
export const queries = panels.flatMap((panel) => panel.targets.map((target) => ({ panel, target })))
