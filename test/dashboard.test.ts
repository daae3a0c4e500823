// Grafana's dashboard is held to the code and to docs/monitoring.md, and Grafana's set-up to the composition. That each query gives what
// it should is for test/engine/prometheus.test.ts. That the file is what `npm run generate` writes is for generated-files.test.ts.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { DASHBOARD_FILE, dashboard, panels, queries } from './support/dashboard.ts'
import { blocks, readPage, tableRows, words } from './support/pages.ts'
import { groupedBy, labelsOf, metricsOf, VALUES } from './support/prometheus-queries.ts'

const page = readPage('monitoring.md')
const readYaml = (file: string) => parse(readFileSync(file, 'utf8'), { merge: true })
const { grafana } = readYaml('compose/compose.yaml').services
const [provisioned] = readYaml('compose/grafana/provisioning/datasources/prometheus.yaml').datasources
const variables = dashboard.templating.list

await t.test('every panel has an id of its own, and says what it shows, of what, and in which unit', async (t) => {
  const ids = dashboard.panels.map(({ id }) => id)
  t.equal(new Set(ids).size, ids.length)
  t.equal(new Set(panels.map(({ title }) => title)).size, panels.length, 'and a title of its own')
  for (const { title, description, fieldConfig, targets } of panels) {
    t.match(title, /^[A-Z]/)
    t.match(description, /^[A-Z].*\.$/, title)
    t.match(fieldConfig.defaults.unit, /^[a-z]+$/, title)
    t.ok(targets.length > 0, title)
    t.equal(new Set(targets.map(({ refId }) => refId)).size, targets.length, title)
    for (const { instant, range } of targets) t.not(instant, range, title)
  }
})

await t.test('no panel lies over another, or beyond the page', async (t) => {
  const taken = new Set<string>()
  const twice: string[] = []
  for (const { title, gridPos } of dashboard.panels) {
    const { x, y, w, h } = gridPos
    t.ok(w > 0 && h > 0 && x >= 0 && x + w <= 24, title)
    for (let column = x; column < x + w; column++) {
      for (let line = y; line < y + h; line++) {
        const cell = `${column},${line}`
        if (taken.has(cell)) twice.push(`${title} at ${cell}`)
        taken.add(cell)
      }
    }
  }
  t.same(twice, [])
})

await t.test('all of it asks the one data source that is provisioned, unless the reader chooses another', async (t) => {
  const [chosen, ...others] = variables
  t.match(chosen, { name: 'datasource', type: 'datasource', query: provisioned.type, current: { value: provisioned.uid } })
  const datasources = [...panels, ...queries.map(({ target }) => target), ...others].map(({ datasource }) => datasource)
  for (const datasource of datasources) t.same(datasource, { type: provisioned.type, uid: '$' + '{datasource}' })
})

/** Of Prometheus itself. */
const ALERTS = ['alertname', 'alertstate']
/** A histogram has series of other names than its own; what Node tells of itself has no row in the tables. */
function labelsInQueries(metric: string): readonly string[] | undefined {
  if (metric === 'ALERTS') return ALERTS
  if (/^postern_(healer|proxy)_(process|nodejs)_\w+$/.test(metric)) return labelsOf('up')
  const [, histogram] = /^(\w+)_bucket$/.exec(metric) ?? []
  const labels = labelsOf(histogram ?? metric)
  return histogram && labels ? [...labels, 'le'] : labels
}

await t.test('every query asks for what there is', async (t) => {
  const asked = [...queries.map(({ target }) => target.expr), ...variables.flatMap(({ definition }) => definition ?? [])]
  for (const expr of asked) {
    const metrics = metricsOf(expr)
    t.ok(metrics.length > 0, expr)
    for (const { metric, selected } of metrics) {
      const labels = labelsInQueries(metric)
      t.ok(labels, `${metric} is a metric`)
      for (const { label, values } of selected) {
        t.ok(labels?.includes(label), `${metric} has the label ${label}`)
        if (label in VALUES)
          for (const value of values.split('|')) t.ok(VALUES[label]?.includes(value), `${label} can be ${value}`)
      }
    }
    const all = new Set(metrics.flatMap(({ metric }) => labelsInQueries(metric) ?? []))
    for (const label of groupedBy(expr)) t.ok(all.has(label), `${label} is a label in ${expr}`)
  }
})

await t.test('a legend names what its query leaves in place', async (t) => {
  for (const { panel, target } of queries) {
    const named = [...target.legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label = '']) => label)
    const left = groupedBy(target.expr)
    for (const label of named) t.ok(left.length === 0 || left.includes(label), `${panel.title}: ${label}`)
  }
})

await t.test('every variable is used, and every variable that is used exists', async (t) => {
  const text = JSON.stringify(dashboard)
  const ofGrafana = ['__rate_interval', '__range', '__all']
  const used = new Set([...text.matchAll(/\$\{?(\w+)/g)].map(([, name = '']) => name).filter((name) => !ofGrafana.includes(name)))
  t.same([...used].sort(), variables.map(({ name }) => name).sort())
})

await t.test('docs/monitoring.md has every row and panel, in order', async (t) => {
  const rows = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title)
  const cells = tableRows(page, 'The dashboard').map(([row = '', shown = '']) => [row.trim(), shown.trim()] as const)
  t.same(
    cells.map(([row]) => row),
    rows,
  )
  for (const [row, shown] of cells) {
    const at = dashboard.panels.findIndex(({ title }) => title === row)
    const after = dashboard.panels.slice(at + 1)
    const end = after.findIndex(({ type }) => type === 'row')
    const titles = after.slice(0, end < 0 ? undefined : end).map(({ title }) => title)
    t.same(
      [...shown.matchAll(/\*\*([^*]+)\*\*/g)].map(([, title]) => title),
      titles,
      row,
    )
  }
})

await t.test('the jobs that docs/monitoring.md names are scraped, and the one that it shows is the healer’s', async (t) => {
  const jobs = readYaml('compose/prometheus/prometheus.yml').scrape_configs as {
    job_name: string
    static_configs: { targets: string[] }[]
  }[]
  const rows = tableRows(page, 'What is scraped').map(([job, at]) => [words(job)[0], words(at)])
  t.same(
    rows,
    jobs.map(({ job_name, static_configs }) => [job_name, static_configs.flatMap(({ targets }) => targets)]),
  )
  t.same(
    blocks(page, 'yaml').map((text) => parse(text)),
    [{ scrape_configs: jobs.filter(({ job_name }) => job_name === 'healer') }],
  )
})

await t.test('Grafana finds the dashboard where the composition mounts it, and opens with it', async (t) => {
  const [provider] = readYaml('compose/grafana/provisioning/dashboards/postern.yaml').providers
  const mounted = grafana.volumes.find(({ target }: { target?: string }) => target === '/etc/grafana')
  t.match(mounted, { source: './grafana', read_only: true })
  const path = DASHBOARD_FILE.replace('compose/grafana', '/etc/grafana')
  t.equal(path, `${provider.options.path}/postern.json`)
  t.match(readFileSync('compose/grafana/grafana.ini', 'utf8'), `\ndefault_home_dashboard_path = ${path}\n`)
  const { global } = readYaml('compose/prometheus/prometheus.yml')
  t.equal(provisioned.jsonData.timeInterval, global.scrape_interval, 'it knows how often there is a sample')
})

await t.test('Grafana has no administrator and no way to log in of its own accord, and never its own password', async (t) => {
  const ini = readFileSync('compose/grafana/grafana.ini', 'utf8')
  const set = Object.fromEntries([...ini.matchAll(/^(\w+) = (.+)$/gm)].map(([, key = '', value]) => [key, value]))
  t.match(set, { org_role: 'Viewer', disable_login_form: 'true', disable_initial_admin_creation: 'true' })
  t.equal(set.admin_password, '$__file{/proc/sys/kernel/random/uuid}')
  const [secret] = grafana.secrets
  t.match(grafana.environment, { GF_SECURITY_ADMIN_PASSWORD__FILE: `$\{GRAFANA_ADMIN_PASSWORD_FILE:+/run/secrets/${secret}}` })
})
