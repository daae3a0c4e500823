// A container's own settings by label: read strictly, wrong ones reported with the nearest right one.
import t from 'tap'
import { readEnvironment } from '../../healer/settings/environment.ts'
import { optedIn, readLabels } from '../../healer/settings/labels.ts'

const environment = readEnvironment({})

await t.test('labels are over the environment', async (t) => {
  const { settings, problems } = readLabels(
    {
      'healer.interval': '5s',
      'healer.timeout': '500ms',
      'healer.retries': '2',
      'healer.start_period': '1m',
      'healer.port': '3000',
      'healer.path': '/live?full=1',
      'healer.status': '200-204,401',
      'healer.arm': 'immediately',
    },
    environment,
  )
  t.same(problems, [])
  t.match(settings, {
    intervalMs: 5000,
    retryIntervalMs: 5000,
    timeoutMs: 500,
    retries: 2,
    startPeriodMs: 60_000,
    port: 3000,
    path: '/live?full=1',
    status: [
      { min: 200, max: 204 },
      { min: 401, max: 401 },
    ],
    armImmediately: true,
    describesHttp: true,
  })
})

await t.test('without labels the environment holds', async (t) => {
  const { settings } = readLabels({ monitored: 'true', 'com.example.team': 'web' }, environment)
  t.match(settings, { intervalMs: 15_000, retries: 3, path: '/health', describesHttp: false, status: [{ min: 200, max: 299 }] })
  t.equal(settings.port, undefined)
})

const wrong: [label: string, value: string, message: string][] = [
  ['healer.prot', '8080', 'healer.prot is not a setting; did you mean healer.port?'],
  ['healer.Retries', '3', 'healer.Retries is not a setting; did you mean healer.retries?'],
  ['healer.colour', 'red', 'healer.colour is not a setting'],
  ['healer.port', '80 80', 'healer.port is “80 80”; it takes a whole number from 1 to 65535'],
  ['healer.probe', 'tpc', 'healer.probe is “tpc”; it takes http or docker'],
  ['healer.status', '2xx', 'healer.status is “2xx”; it takes HTTP status codes and ranges such as 200-299,401'],
  ['healer.status', '299-200', 'healer.status is “299-200”; it takes HTTP status codes and ranges such as 200-299,401'],
  [
    'healer.interval',
    '1 hour',
    'healer.interval is “1 hour”; it takes a number of seconds or a duration such as 1m30s, at least 1 s and at most 24 h',
  ],
]
for (const [label, value, message] of wrong) {
  await t.test(`${label}=${value} is reported`, async (t) => {
    const { settings, problems } = readLabels({ [label]: value }, environment)
    t.same(problems, [{ label, message }])
    t.same(settings, readLabels({}, environment).settings, 'and nothing else is taken for it')
  })
}

await t.test('probe and tell, never restart: healer.action=none', async (t) => {
  const actionOf = (labels: Record<string, string>) => readLabels(labels, environment).settings.action
  t.equal(actionOf({}), 'restart')
  t.equal(actionOf({ 'healer.action': 'restart' }), 'restart')
  t.equal(actionOf({ 'healer.action': 'none' }), 'none')
})

await t.test('a wrong healer.action restarts nothing', async (t) => {
  const { settings, problems } = readLabels({ 'healer.action': 'None' }, environment)
  t.equal(settings.action, 'none')
  t.match(problems, [{ message: 'healer.action is “None”; it takes restart or none' }])
})

await t.test('maintenance windows are read from healer.maintenance, and what is wrong in them is told', async (t) => {
  t.same(readLabels({}, environment).settings.maintenance, [])
  const { settings } = readLabels({ 'healer.maintenance': 'Sun 02:00-03:00 Europe/Berlin; daily 12:00-12:30' }, environment)
  t.same(
    settings.maintenance.map(({ timeZone }) => timeZone),
    ['Europe/Berlin', 'UTC'],
  )
  const wrong = readLabels({ 'healer.maintenance': 'Sum 02:00-03:00' }, environment)
  t.same(wrong.settings.maintenance, [])
  t.match(wrong.problems, [
    {
      message: /^healer\.maintenance is “Sum 02:00-03:00”; it takes windows such as .*; “Sum” is not a day, did you mean Sun\?$/,
    },
  ])
})

await t.test('opting in takes the very word', async (t) => {
  t.equal(optedIn({ monitored: 'true' }), 'monitored')
  t.equal(optedIn({ autoheal: 'true' }), 'autoheal')
  t.equal(optedIn({ monitored: 'True' }), undefined)
  t.equal(optedIn({}), undefined)
})
