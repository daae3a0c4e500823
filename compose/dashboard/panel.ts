// The kinds of panel that the dashboard has, in Grafana's own JSON: each is a title, words for a person, queries and a look.
// Holds no query; those are in container-rows.ts and postern-rows.ts. Source: Grafana's dashboard schema, version 39, which Grafana 11 and
// 12 both read, and the options of its panels; each leaves aside what it does not have.

/** A question, and the panels that answer it. */
export type Row = { readonly title: string; readonly panels: readonly Panel[] }

/** What a panel is of. `width` is in 24ths of the page, `height` in rows of 30 pixels. */
export type Panel = {
  readonly title: string
  /** What an operator learns from it, and what to do. */
  readonly description: string
  readonly width: number
  readonly height: number
  readonly unit: Unit
  readonly queries: readonly Query[]
  readonly look: Look
  /** The least time between two of its points. */
  readonly interval?: string
}

export type Query = {
  readonly expr: string
  readonly legend?: string
  /** One value, now; else one for each moment that is shown. */
  readonly instant?: boolean
  readonly format?: 'time_series' | 'heatmap'
}

/** Grafana's names. */
type Unit = 'none' | 's' | 'percentunit' | 'bytes' | 'reqps'

type Look = {
  readonly type: 'stat' | 'state-timeline' | 'timeseries' | 'bargauge' | 'heatmap'
  readonly options: object
  readonly defaults: object
  readonly overrides?: readonly object[]
}

/** What a value is called, and in which colour. */
export type State = { readonly value: number; readonly text: string; readonly color: string }
/** The colour from a value on; the first has none. */
export type Step = readonly [color: string, from?: number]

type Told = Pick<Panel, 'title' | 'description' | 'width'>

const LAST = { calcs: ['lastNotNull'], fields: '', values: false }
const LEGEND = { calcs: [], displayMode: 'list', placement: 'bottom', showLegend: true }
const ALL_IN_TOOLTIP = { mode: 'multi', sort: 'desc' }

/** One number, or one word. */
export function number(told: Told & { expr: string; height?: number; steps: readonly Step[]; states?: readonly State[] }): Panel {
  const { expr, steps, states = [], height = 4, ...rest } = told
  return {
    ...{ ...rest, height, unit: 'none', queries: [{ expr, instant: true }] },
    look: {
      type: 'stat',
      options: {
        ...{ colorMode: 'value', graphMode: 'none', justifyMode: 'auto', orientation: 'auto', textMode: 'auto' },
        ...{ wideLayout: true, showPercentChange: false, percentChangeColorMode: 'standard', reduceOptions: LAST },
      },
      defaults: { color: { mode: 'thresholds' }, decimals: 0, mappings: mappings(states), thresholds: thresholds(steps) },
    },
  }
}

/** A line for each series, coloured by its state at each moment. */
export function timeline(told: Told & Pick<Panel, 'height' | 'queries'> & { states: readonly State[] }): Panel {
  const { states, ...rest } = told
  return {
    ...{ ...rest, unit: 'none' },
    look: {
      type: 'state-timeline',
      options: {
        ...{ alignValue: 'left', mergeValues: true, rowHeight: 0.8, showValue: 'auto' },
        ...{ legend: LEGEND, tooltip: { mode: 'single', sort: 'none' } },
      },
      defaults: {
        ...{ color: { mode: 'thresholds' }, mappings: mappings(states), thresholds: thresholds([['text']]) },
        custom: { fillOpacity: 80, lineWidth: 0 },
      },
    },
  }
}

type Graph = Told & Pick<Panel, 'unit' | 'queries'> & { readonly steps?: readonly Step[]; readonly colors?: Colors }
/** Of series, by what they are called. */
type Colors = Readonly<Record<string, string>>

/** Lines over time. Where there are steps, the last is a line across. */
export function lines(told: Graph & { stepped?: boolean; stacked?: boolean }): Panel {
  const { stepped = false, stacked = false, ...rest } = told
  return graph(rest, {
    ...{ drawStyle: 'line', lineWidth: 1, fillOpacity: stacked ? 30 : 8, showPoints: 'never' },
    lineInterpolation: stepped ? 'stepAfter' : 'linear',
    stacking: { group: 'A', mode: stacked ? 'normal' : 'none' },
  })
}

/** How often something happened, a bar for each minute or more. */
export function bars(told: Omit<Graph, 'unit'>): Panel {
  const custom = { drawStyle: 'bars', lineWidth: 0, fillOpacity: 80, stacking: { group: 'A', mode: 'normal' } }
  return { ...graph({ ...told, unit: 'none' }, custom), interval: '1m' }
}

function graph({ steps, colors = {}, ...rest }: Graph, custom: object): Panel {
  const threshold = { thresholds: thresholds(steps ?? [['green']]) }
  const overrides = Object.entries(colors).map(([name, fixedColor]) => ({
    matcher: { id: 'byName', options: name },
    properties: [{ id: 'color', value: { fixedColor, mode: 'fixed' } }],
  }))
  return {
    ...{ ...rest, height: 8 },
    look: {
      type: 'timeseries',
      options: { legend: LEGEND, tooltip: ALL_IN_TOOLTIP },
      defaults: {
        ...{ color: { mode: 'palette-classic' }, min: 0, ...threshold },
        custom: { ...custom, thresholdsStyle: { mode: steps ? 'dashed' : 'off' } },
      },
      overrides,
    },
  }
}

/** A bar for each series, as it is now. */
export function gauges(told: Told & Pick<Panel, 'unit'> & Query & { steps: readonly Step[]; max?: number }): Panel {
  const { expr, legend = '', steps, max, ...rest } = told
  return {
    ...{ ...rest, height: 8, queries: [{ expr, legend, instant: true }] },
    look: {
      type: 'bargauge',
      options: {
        ...{ displayMode: 'basic', orientation: 'horizontal', showUnfilled: true, valueMode: 'color', reduceOptions: LAST },
        ...{ namePlacement: 'auto', sizing: 'auto', minVizHeight: 16, minVizWidth: 8, maxVizHeight: 300 },
        legend: { ...LEGEND, showLegend: false },
      },
      defaults: {
        ...{ color: { mode: 'thresholds' }, min: 0, thresholds: thresholds(steps) },
        ...(max === undefined ? {} : { max }),
      },
    },
  }
}

/** How many fell into each bucket of a histogram, over time. */
export function heatmap({ expr, ...rest }: Told & Pick<Panel, 'unit'> & { expr: string }): Panel {
  return {
    ...{ ...rest, height: 8, queries: [{ expr, legend: '{{le}}', format: 'heatmap' }], interval: '1m' },
    look: {
      type: 'heatmap',
      options: {
        ...{ calculate: false, cellGap: 1, showValue: 'never', rowsFrame: { layout: 'auto' }, filterValues: { le: 1e-9 } },
        color: {
          mode: 'scheme',
          scheme: 'Oranges',
          scale: 'exponential',
          exponent: 0.5,
          steps: 64,
          reverse: false,
          fill: 'orange',
        },
        ...{ exemplars: { color: 'rgba(255,0,255,0.7)' }, legend: { show: true } },
        tooltip: { mode: 'single', showColorScale: false, yHistogram: true },
        yAxis: { axisPlacement: 'left', reverse: false, unit: rest.unit },
      },
      defaults: { custom: { scaleDistribution: { type: 'linear' } } },
    },
  }
}

function mappings(states: readonly State[]): readonly object[] {
  if (states.length === 0) return []
  const options = states.map(({ value, text, color }, index) => [value, { text, color, index }])
  return [{ type: 'value', options: Object.fromEntries(options) }]
}

function thresholds(steps: readonly Step[]): object {
  return { mode: 'absolute', steps: steps.map(([color, value = null]) => ({ color, value })) }
}
