// Postern's own alerts are held to the code and to their runbook: what a rule asks for is a metric with that label and that value, each
// alert says what it means and where its page is, and none of them heals anything. What fires when is for test/engine/apart/postern-alerts.test.ts.
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { ALERT_NAME } from '../healer/alert/receiver.ts'
import { readPage } from './support/pages.ts'
import { groupedBy, labelsOf, metricsOf, VALUES } from './support/prometheus-queries.ts'

type Rule = {
  readonly alert: string
  readonly expr: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
}
type Route = { readonly receiver: string; readonly matchers?: readonly string[]; readonly routes?: readonly Route[] }
type Configuration = { readonly route: Route; readonly receivers: readonly { readonly name: string }[] }

const readYaml = (file: string) => parse(readFileSync(`compose/${file}`, 'utf8'))
const rules: readonly Rule[] = readYaml('prometheus/postern.yml').groups.flatMap(({ rules }: { rules: Rule[] }) => rules)
const names = rules.map(({ alert }) => alert).sort()
const runbook = readPage('runbook.md')

for (const { alert, expr, labels, annotations } of rules) {
  await t.test(`${alert} says how bad it is, what it means and where its page is`, async (t) => {
    t.match(alert, /^Postern[A-Z][A-Za-z]+$/)
    t.ok(['warning', 'critical'].includes(labels.severity ?? ''), 'a severity')
    t.match(annotations.summary, /\S/)
    t.match(annotations.description, /\.$/)
    t.equal(annotations.runbook, `docs/runbook.md#${alert.toLowerCase()}`)
  })

  await t.test(`${alert} asks for what there is`, async (t) => {
    const metrics = metricsOf(expr)
    t.ok(metrics.length > 0)
    for (const { metric, selected } of metrics) {
      t.ok(labelsOf(metric), `${metric} is a metric`)
      for (const { label, values } of selected) {
        t.ok(labelsOf(metric)?.includes(label), `${metric} has the label ${label}`)
        for (const value of values.split('|')) t.ok(VALUES[label]?.includes(value), `${label} can be ${value}`)
      }
    }
    const all = new Set(metrics.flatMap(({ metric }) => labelsOf(metric) ?? []))
    const said = [...JSON.stringify({ labels, annotations }).matchAll(/\$labels\.(\w+)/g)].map(([, label = '']) => label)
    for (const label of [...groupedBy(expr), ...said]) t.ok(all.has(label), `${label} is a label of its metrics`)
  })

  await t.test(`${alert} gives the healer no container to restart`, async (t) => {
    const mayHaveOne = metricsOf(expr).some(({ metric }) => labelsOf(metric)?.includes('container'))
    t.equal(mayHaveOne ? labels.container : '', '', 'its label “container” is emptied')
  })
}

await t.test('each has a section of the runbook, and a file of tests, and the reverse', async (t) => {
  const sections = [...runbook.matchAll(/^## (Postern\w+)$/gm)].map(([, name]) => name)
  t.same([...sections].sort(), names)
  t.same(
    readdirSync('test/engine/rules').sort(),
    names.map((name) => `${name}.yml`),
  )
})

await t.test('a section says what it means, what Postern does, what to look at, what to do, and when not to worry', async (t) => {
  for (const section of runbook.split(/^## /m).filter((part) => part.startsWith('Postern'))) {
    const [name = ''] = section.split('\n')
    const said = [...section.matchAll(/^\*\*([^*]+?)\.?\*\*/gm)].map(([, word]) => word)
    t.same(said, ['Means', 'Meanwhile', 'Look at', 'Do', 'False alarm'], name)
  }
})

await t.test('links within the runbook lead somewhere', async (t) => {
  const headings = [...runbook.matchAll(/^## (.+)$/gm)].map(([, heading = '']) => heading.toLowerCase().replaceAll(' ', '-'))
  for (const [, link = ''] of runbook.matchAll(/\]\(#([^)]+)\)/g)) t.ok(headings.includes(link), link)
})

await t.test('Prometheus reads them', async (t) => {
  t.same(readYaml('prometheus/prometheus.yml').rule_files, ['rules.yml', 'postern.yml'])
  t.ok(readYaml('prometheus/prometheus.yml').scrape_configs.some(({ job_name }: { job_name: string }) => job_name === 'healer'))
})

await t.test('Alertmanager takes none of them, nor the healer’s own, to the healer, with Slack or without', async (t) => {
  for (const file of ['alertmanager.yml', 'alertmanager-with-slack.yml']) {
    const { route } = readYaml(`alertmanager/${file}`) as Configuration
    t.equal(route.receiver, 'nobody')
    const toHealer = route.routes?.filter(({ receiver }) => receiver === 'healer') ?? []
    t.same(
      toHealer.map(({ matchers }) => matchers),
      [['container != ""', 'alertname !~ "Postern.*"']],
      file,
    )
  }
  for (const name of [...names, ALERT_NAME]) t.match(name, /^Postern/)
})

await t.test('with Slack the configuration is the same, and one route and one receiver more', async (t) => {
  const without = readYaml('alertmanager/alertmanager.yml') as Configuration
  const { route, receivers, ...rest } = readYaml('alertmanager/alertmanager-with-slack.yml') as Configuration
  const isSlack = ({ receiver }: Route) => receiver === 'slack'
  t.same({ ...rest, route: { ...route, routes: route.routes?.filter((each) => !isSlack(each)) } }, { route: without.route })
  t.same(
    receivers.filter(({ name }) => name !== 'slack'),
    without.receivers,
  )
  t.same(
    route.routes?.filter(isSlack).map(({ matchers }) => matchers),
    [['alertname =~ "Postern.*"']],
  )
})

await t.test('the composition takes the configuration with Slack where its webhook is named, from that file', async (t) => {
  const { services, secrets } = parse(readFileSync('compose/compose.yaml', 'utf8'), { merge: true })
  const { command, secrets: mounted } = services.alertmanager
  t.ok(command.includes(`--config.file=/etc/alertmanager/alertmanager\${ALERTMANAGER_SLACK_FILE:+-with-slack}.yml`))
  const { receivers } = readYaml('alertmanager/alertmanager-with-slack.yml')
  const [slack] = receivers.flatMap(({ slack_configs: each = [] }) => each)
  const { source } = mounted.find(({ target }: { target?: string }) => `/run/secrets/${target}` === slack.api_url_file)
  t.equal(secrets[source].file, `\${ALERTMANAGER_SLACK_FILE:-/dev/null}`)
})
