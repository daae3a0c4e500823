// Makes the dashboard's JSON from its rows: where each panel stands, its id, and the variables that its queries use.
// Knows one data source, the one that compose/grafana/provisioning has; a reader may choose another by the variable `datasource`.
import { CONTAINER_ROWS } from './container-rows.ts'
import type { Panel } from './panel.ts'
import { POSTERN_ROWS } from './postern-rows.ts'

/** As in compose/grafana/provisioning/datasources/prometheus.yaml. */
const PROVISIONED = { text: 'Prometheus', value: 'postern-prometheus' }
const DATASOURCE = { type: 'prometheus', uid: '$' + '{datasource}' }
const PAGE_WIDTH = 24

export function renderDashboard(): string {
  const dashboard = {
    ...{ uid: 'postern', title: 'Postern', tags: ['postern'], schemaVersion: 39, version: 1, editable: true },
    description: 'What Postern sees and does. Made by `npm run generate`; each panel is described in docs/monitoring.md.',
    ...{ time: { from: 'now-3h', to: 'now' }, refresh: '30s', timezone: 'browser', graphTooltip: 1 },
    ...{ annotations: { list: [] }, links: [], templating: { list: variables() }, panels: layOut() },
  }
  return `${JSON.stringify(dashboard, null, 2)}\n`
}

/** Panels stand side by side until the line is full. */
function layOut(): readonly object[] {
  let [id, x, y, lineHeight] = [1, 0, 0, 0]
  const breakLine = () => {
    y += lineHeight
    x = 0
    lineHeight = 0
  }
  const place = (width: number, height: number) => {
    if (x + width > PAGE_WIDTH) breakLine()
    const placed = { id: id++, gridPos: { h: height, w: width, x, y } }
    x += width
    lineHeight = Math.max(lineHeight, height)
    return placed
  }
  return [...CONTAINER_ROWS, ...POSTERN_ROWS].flatMap(({ title, panels }) => {
    breakLine()
    const row = { ...place(PAGE_WIDTH, 1), type: 'row', title, collapsed: false, panels: [] }
    return [row, ...panels.map((panel) => ({ ...place(panel.width, panel.height), ...renderPanel(panel) }))]
  })
}

function renderPanel({ title, description, unit, queries, look, interval }: Panel): object {
  const { type, options, defaults, overrides = [] } = look
  return {
    // Without a version Grafana takes a panel for one of long ago, and mends it.
    ...{ type, pluginVersion: '11.0.0', title, description, datasource: DATASOURCE },
    ...(interval === undefined ? {} : { interval }),
    ...{ fieldConfig: { defaults: { unit, ...defaults }, overrides }, options },
    targets: queries.map(({ expr, legend = '', instant = false, format = 'time_series' }, i) => ({
      ...{ refId: String.fromCharCode('A'.charCodeAt(0) + i), datasource: DATASOURCE, editorMode: 'code' },
      ...{ expr, legendFormat: legend, instant, range: !instant, format },
    })),
  }
}

function variables(): readonly object[] {
  return [
    {
      ...{ name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', current: PROVISIONED },
      ...{ hide: 0, includeAll: false, multi: false, options: [], refresh: 1, regex: '', skipUrlSync: false },
    },
    labelValues('healer', 'Healer', 'label_values(postern_healer_containers, instance)'),
    labelValues('container', 'Container', 'label_values(postern_healer_container_health{instance=~"$healer"}, container)', '.*'),
  ]
}

/** `allValue` stands for all of them in a query; without it, all are named. */
function labelValues(name: string, label: string, query: string, allValue?: string): object {
  return {
    ...{ name, label, type: 'query', datasource: DATASOURCE, definition: query },
    query: { qryType: 1, query, refId: 'PrometheusVariableQueryEditor-VariableQuery' },
    ...(allValue === undefined ? {} : { allValue }),
    ...{ includeAll: true, multi: true, current: { text: ['All'], value: ['$__all'] } },
    ...{ hide: 0, options: [], refresh: 2, regex: '', skipUrlSync: false, sort: 1 },
  }
}
