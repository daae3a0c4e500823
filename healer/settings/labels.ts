// A container's own settings: labels under `healer.`, named as Docker names those of its own health checks.
// What is wrong is reported, never silently taken for something else.
import type { Environment, VARIABLES } from './environment.ts'
import { type MaintenanceWindow, maintenance } from './maintenance.ts'
import { nearest } from './nearest.ts'
import { pattern } from './pattern.ts'
import { type GivenLabel, type ProbeKind, type ProbeSettings, readProbeSettings } from './probe-settings.ts'
import { MAX_MESSAGE, shown } from './shown.ts'
import {
  bytes,
  duration,
  filePath,
  headerValue,
  hostName,
  httpPath,
  names,
  oneOf,
  probeTimeout,
  shortText,
  statusRanges,
  truth,
  type ValueKind,
  wholeNumber,
} from './value.ts'

export type LabelRow<T> = ValueKind<T> & {
  /** The probes that it is for; absent: it says nothing of a probe, or means something to each. */
  readonly probes?: readonly ProbeKind[]
  /** It describes what to ask and what to be content with: set, it tells which probe is meant; wrong, nothing can be probed. */
  readonly describes?: true
  /** What holds without it: a variable of the environment's. */
  readonly variable?: keyof typeof VARIABLES
  /** What holds without it, as one would write it. */
  readonly default?: string
}

const NETWORK = ['http', 'tcp', 'grpc'] as const
const HTTP_LIKE = ['http', 'grpc'] as const

const describing = <T, More extends object>(probes: readonly ProbeKind[], kind: ValueKind<T>, more?: More) => ({
  ...kind,
  probes,
  describes: true as const,
  ...more,
})

/** Every label, without `healer.`, with what it takes. docs/healer.md is held to this table by a test. */
export const LABELS = {
  interval: { ...duration(1000), variable: 'CHECK_INTERVAL' },
  timeout: { ...probeTimeout, variable: 'REQUEST_TIMEOUT', probes: NETWORK },
  retries: { ...wholeNumber(1, 100), variable: 'FAILURE_THRESHOLD', probes: NETWORK },
  start_period: { ...duration(0), variable: 'START_PERIOD' },
  retry_interval: { ...duration(1000), variable: 'RETRY_INTERVAL', probes: NETWORK },
  probe: oneOf('http', 'tcp', 'grpc', 'docker'),
  port: describing(NETWORK, wholeNumber(1, 65_535)),
  max_latency: describing(NETWORK, duration(1)),
  scheme: describing(HTTP_LIKE, oneOf('http', 'https'), { default: 'http' }),
  hostname: describing(HTTP_LIKE, hostName),
  ca_file: describing(HTTP_LIKE, filePath),
  tls_verify: describing(HTTP_LIKE, truth, { default: 'true' }),
  method: describing(['http'], oneOf('GET', 'HEAD', 'OPTIONS', 'POST'), { default: 'GET' }),
  path: describing(['http'], httpPath, { variable: 'HEALTH_PATH' }),
  'headers.NAME': describing(['http'], headerValue),
  status: describing(['http'], statusRanges, { default: '200-299' }),
  contains: describing(['http'], shortText),
  matches: describing(['http'], pattern),
  send: describing(['tcp'], bytes),
  expect: describing(['tcp'], bytes),
  service: describing(['grpc'], shortText),
  arm: { ...oneOf('after-success', 'immediately'), default: 'after-success', probes: NETWORK },
  action: oneOf('restart', 'none'),
  maintenance,
  depends_on: names,
} as const satisfies Record<string, LabelRow<unknown>>

export type LabelName = keyof typeof LABELS
export type LabelValues = { readonly [Name in LabelName]?: NonNullable<ReturnType<(typeof LABELS)[Name]['parse']>> }

export type ContainerSettings = {
  readonly intervalMs: number
  readonly retryIntervalMs: number
  readonly timeoutMs: number
  readonly retries: number
  readonly startPeriodMs: number
  /** Restart even before a first success. */
  readonly armImmediately: boolean
  readonly probing: ProbeSettings
  /** `none`: probe and tell, never restart. */
  readonly action: 'restart' | 'none'
  /** When not to restart. */
  readonly maintenance: readonly MaintenanceWindow[]
  /** Containers or services that it needs, beside those that compose knows of. */
  readonly dependsOn: readonly string[]
  readonly maxRestarts: number
  readonly dryRun: boolean
}

export type LabelProblem = {
  readonly label: string
  readonly message: string
  /** Until it is mended nobody can tell how the container is meant to be probed. */
  readonly decidesProbe: boolean
}

const PREFIX = 'healer.'
const HEADERS = 'headers.'
/** Nobody writes so many by mistake, and an image brings as many as it likes. */
const MAX_PROBLEMS = 20

/** Reads the settings of a container from its labels, over those of the environment. */
export function readLabels(
  labels: Readonly<Record<string, string>>,
  environment: Environment,
): { readonly settings: ContainerSettings; readonly problems: readonly LabelProblem[] } {
  const { given, values, headers, problems } = parseLabels(labels)
  const byEngine = optedIn(labels) === 'autoheal'
  const probing = readProbeSettings({ given, values, headers, environment, byEngine })
  const intervalMs = values.interval ?? environment.intervalMs
  const settings: ContainerSettings = {
    intervalMs,
    retryIntervalMs: values.retry_interval ?? (values.interval === undefined ? environment.retryIntervalMs : intervalMs),
    timeoutMs: values.timeout ?? environment.timeoutMs,
    retries: values.retries ?? environment.retries,
    startPeriodMs: values.start_period ?? environment.startPeriodMs,
    armImmediately: values.arm === 'immediately',
    probing: probing.settings,
    // Who writes the label at all hardly means the default: a wrong one restarts nothing.
    action:
      values.action ??
      (problems.length > MAX_PROBLEMS || problems.some(({ label }) => label === `${PREFIX}action`) ? 'none' : 'restart'),
    maintenance: values.maintenance ?? [],
    dependsOn: values.depends_on ?? [],
    maxRestarts: environment.maxRestarts,
    dryRun: environment.dryRun,
  }
  const all = [...problems, ...probing.problems]
  return { settings, problems: all.map((problem) => ({ ...problem, message: shown(problem.message, MAX_MESSAGE) })) }
}

type ParsedLabels = {
  readonly given: readonly GivenLabel[]
  readonly values: LabelValues
  /** Request headers by their names in small letters. */
  readonly headers: ReadonlyMap<string, string>
  readonly problems: readonly LabelProblem[]
}

function parseLabels(labels: Readonly<Record<string, string>>): ParsedLabels {
  const given: GivenLabel[] = []
  const values: LabelValues = {}
  const headers = new Map<string, string>()
  const problems: LabelProblem[] = []
  const named = LABELS.probe.parse(labels[`${PREFIX}probe`] ?? '')
  for (const [label, text] of Object.entries(labels)) {
    if (!label.startsWith(PREFIX)) continue
    if (problems.length >= MAX_PROBLEMS) {
      const message = `more than ${MAX_PROBLEMS} labels under ${PREFIX} are wrong, and the rest was not read; remove them`
      problems.push({ label: PREFIX, message, decidesProbe: true })
      break
    }
    const name = label.slice(PREFIX.length)
    if (name.startsWith(HEADERS)) {
      const problem = takeHeader(headers, name.slice(HEADERS.length), text)
      if (problem)
        problems.push({ label, message: `${shown(label)} ${problem}`, decidesProbe: decidesProbe('headers.NAME', named) })
      else given.push({ label, row: LABELS['headers.NAME'] })
      continue
    }
    if (!isLabelName(name)) {
      const near = nearestLabel(name)
      const message = `${shown(label)} is not a setting${near === undefined ? '' : `; did you mean ${PREFIX}${near.label}?`}`
      problems.push({ label, message, decidesProbe: near !== undefined && decidesProbe(near.name, named) })
      continue
    }
    const kind: ValueKind<unknown> = LABELS[name]
    const value = kind.parse(text)
    if (value !== undefined) {
      Object.assign(values, { [name]: value })
      given.push({ label, row: LABELS[name] })
    } else {
      const message = [`${label} is “${shown(text)}”`, `it takes ${kind.takes}`, kind.explain?.(text)].filter(Boolean).join('; ')
      problems.push({ label, message, decidesProbe: decidesProbe(name, named) })
    }
  }
  return { given, values, headers, problems }
}

function isLabelName(name: string): name is LabelName {
  return Object.hasOwn(LABELS, name)
}

/** Whether nobody can tell how to probe while the label `name` is wrong; `named` is the probe that healer.probe names. */
function decidesProbe(name: LabelName, named: ProbeKind | undefined): boolean {
  const row: LabelRow<unknown> = LABELS[name]
  return name === 'probe' || (row.describes === true && (named === undefined || row.probes?.includes(named) === true))
}

/** The setting that `name` is nearest to, and the label as it would be. */
function nearestLabel(name: string): { readonly name: LabelName; readonly label: string } | undefined {
  const [group = '', ...rest] = name.split('.')
  if (rest.length > 0 && nearest(group, ['headers'])) return { name: 'headers.NAME', label: `${HEADERS}${rest.join('.')}` }
  if (name === 'headers') return { name: 'headers.NAME', label: 'headers.NAME' }
  const label = nearest(name, Object.keys(LABELS))
  return label !== undefined && isLabelName(label) ? { name: label, label } : undefined
}

/** Headers that say how a message is framed or who is asked; the probe sets them itself. */
const OWN_HEADERS = ['connection', 'content-length', 'expect', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade']

/** Adds a header to `headers`; or says what is wrong, without the value, which may be a secret. */
function takeHeader(headers: Map<string, string>, name: string, text: string): string | undefined {
  const key = name.toLowerCase()
  if (!/^[!#$%&'*+.^_`|~0-9a-z-]{1,128}$/.test(key)) return 'names no HTTP header'
  if (key === 'host') return 'is not for labels; set healer.hostname'
  if (OWN_HEADERS.includes(key)) return 'is set by the probe itself; remove it'
  if (headers.has(key)) return 'is given twice'
  const value = LABELS['headers.NAME'].parse(text)
  if (value === undefined) return `holds something else; it takes ${LABELS['headers.NAME'].takes}`
  headers.set(key, value)
  return undefined
}

/** Whether a container opted in: `monitored=true`, or `autoheal=true`, which always goes by the Engine's own verdict. */
export function optedIn(labels: Readonly<Record<string, string>>): 'monitored' | 'autoheal' | undefined {
  if (labels.monitored === 'true') return 'monitored'
  return labels.autoheal === 'true' ? 'autoheal' : undefined
}
