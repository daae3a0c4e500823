// The labels of a container: whatever they are, they make settings within their bounds, or are told to be wrong; a wrong one is as good as
// none, but that it may forbid to probe or to restart; and none has an effect without a word.
import fc from 'fast-check'
import { readEnvironment } from '../../../healer/settings/environment.ts'
import { type ContainerSettings, LABELS, type LabelProblem, optedIn, readLabels } from '../../../healer/settings/labels.ts'
import { shown } from '../../../healer/settings/shown.ts'
import { edited } from '../edits.ts'
import { defineTarget, must } from '../target.ts'

const SECRET = 'hunter2'
const environment = readEnvironment({})

/** Values that are right, for some label at least. */
const VALUES = [
  ...['15', '1m30s', '500ms', '0.5', '24h', '1000us', '3', '65535', 'http', 'tcp', 'grpc', 'docker', 'https', 'true', 'false'],
  ...[
    'GET',
    'HEAD',
    '/health?full=1',
    '200-299,401',
    '500',
    'web.example.com',
    '/etc/ca.pem',
    `Bearer ${SECRET}`,
    'PING\\r\\n',
    '\\x00\\xff',
  ],
  ...[
    '"status":"(ok|up)"',
    '(a+)+$',
    'a{1000}',
    '\\pN',
    'restart',
    'none',
    'immediately',
    'after-success',
    'db,cache',
    'daily 02:00-03:00',
  ],
  ...['Sun 02:00-03:00 Europe/Berlin; Mon-Fri 22:00-06:00', '9'.repeat(9), '1e3', '0x10', '-1', ' 5', '5 ', ''],
]
const NAMES = [
  ...Object.keys(LABELS),
  'headers.X-Token',
  'headers.host',
  'headers.x-token',
  'headers.',
  'header.X',
  'headers',
  'timeot',
  'Port',
]
const name = edited(fc.constantFrom(...NAMES), ['_', '.', 'healer.'], 1)
const value = edited(fc.constantFrom(...VALUES), ['s', 'm', ',', '-', ';', '\\x', '%', '(', '[^'], 2)
const given = fc
  .record({
    opted: fc.constantFrom<Record<string, string>>({ monitored: 'true' }, { autoheal: 'true' }, { monitored: 'True' }, {}),
    // Mostly as they should be, so that what is wrong stands among what is right.
    set: fc.array(
      fc.tuple(
        fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...NAMES) }, name),
        fc.oneof({ weight: 2, arbitrary: fc.constantFrom(...VALUES) }, value),
      ),
      { maxLength: 6 },
    ),
  })
  .map(({ opted, set }) => Object.fromEntries([...Object.entries(opted), ...set.map(([key, text]) => [`healer.${key}`, text])]))

const isWithin = (value: number, min: number, max: number) => value >= min && value <= max
const DAY_MS = 86_400_000

function checkSettings({ probing, ...own }: ContainerSettings): void {
  must(
    [own.intervalMs, own.retryIntervalMs].every((ms) => isWithin(ms, 1000, DAY_MS)),
    'it would be probed too often, or never',
  )
  must(isWithin(own.timeoutMs, 100, DAY_MS) && isWithin(own.startPeriodMs, 0, DAY_MS), 'a time is out of its bounds')
  must(Number.isInteger(own.retries) && isWithin(own.retries, 1, 100), `it takes ${own.retries} failures`)
  const { port, path, status, maxLatencyMs, hostname, headers, send, expect, matches } = probing
  must(port === undefined || (Number.isInteger(port) && isWithin(port, 1, 65_535)), `it is probed at port ${port}`)
  must(/^\/[\x21-\x7e]*$/.test(path) && !path.includes('#'), `it is asked for ${path}`)
  must(status.length > 0 && status.every(({ min, max }) => isWithin(min, 100, max) && max <= 599), 'no status is good')
  must(maxLatencyMs === undefined || isWithin(maxLatencyMs, 1, DAY_MS), 'no latency is good')
  must(hostname === undefined || !/[^\w.-]/.test(hostname), `it is asked as ${hostname}`)
  for (const [name, value] of headers)
    must(/^[^\s:A-Z]+$/.test(name) && !/[^\x20-\x7e]/.test(value), `it is sent the header ${name}`)
  for (const bytes of [send, expect])
    must(bytes === undefined || isWithin(bytes.length, 1, 4096), 'it is sent nothing, or too much')
  // It is small, so that even the worst text is searched at once.
  matches?.isIn('a'.repeat(2000))
}

/** A header may hold a secret; of other labels, what they are is told. */
function checkProblem({ label, message }: LabelProblem, labels: Readonly<Record<string, string>>): void {
  must(Object.hasOwn(labels, label), `${label} is wrong, and is not there`)
  must(message.includes(shown(label)), `it is not told which is wrong: ${message}`)
  must(!label.startsWith('healer.headers.') || !message.includes(SECRET), 'a secret is told')
  must(!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(message), 'what is said of it could move a cursor')
}

function checkLabels(labels: Readonly<Record<string, string>>): void {
  const { settings, problems } = readLabels(labels, environment)
  checkSettings(settings)
  for (const problem of problems) checkProblem(problem, labels)

  const told = new Set(problems.map(({ label }) => label))
  const wrong = (label: string) => {
    const name = label.slice('healer.'.length)
    if (name.startsWith('headers.')) return /^healer\.headers\.(?:host)?$/i.test(label)
    return !Object.hasOwn(LABELS, name) || LABELS[name as keyof typeof LABELS].parse(labels[label] ?? '') === undefined
  }
  const own = Object.keys(labels).filter((label) => label.startsWith('healer.'))
  for (const label of own) must(!wrong(label) || told.has(label), `${label} has no effect, and nobody is told`)

  // What is wrong in itself is as good as not there; for a container that nobody says how to treat, as little as can be is done.
  const right = Object.fromEntries(Object.entries(labels).filter(([label]) => !own.includes(label) || !wrong(label)))
  const without = readLabels(right, environment).settings
  must(
    without.action === settings.action || (settings.action === 'none' && told.has('healer.action')),
    'a wrong label changes what is done',
  )
  must(show({ ...without, action: 'none' }) === show({ ...settings, action: 'none' }), 'a wrong label changes a setting')
  must(optedIn(labels) !== 'autoheal' || settings.probing.kind === 'docker', 'autoheal=true goes by something else')
}

const show = (settings: ContainerSettings) =>
  JSON.stringify(settings, (key, value) => (value instanceof Map ? [...value] : key === 'matches' ? value?.text : value))

export const labels = defineTarget(
  'labels make settings within their bounds, what is wrong is told, and is as good as not there',
  2000,
  given,
  checkLabels,
)
