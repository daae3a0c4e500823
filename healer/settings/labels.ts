// A container's own settings: labels under `healer.`, named as Docker names those of its own health checks.
// What is wrong is reported, never silently taken for something else.
import type { Environment } from './environment.ts'
import { type MaintenanceWindow, maintenance } from './maintenance.ts'
import { nearest } from './nearest.ts'
import { duration, httpPath, oneOf, type StatusRange, statusRanges, type ValueKind, wholeNumber } from './value.ts'

/** Every label, without `healer.`, with what it takes. docs/healer.md is held to this table by a test. */
export const LABELS = {
  interval: duration(1000),
  timeout: duration(100),
  retries: wholeNumber(1, 100),
  start_period: duration(0),
  retry_interval: duration(1000),
  probe: oneOf('http', 'docker'),
  port: wholeNumber(1, 65_535),
  path: httpPath,
  status: statusRanges,
  arm: oneOf('after-success', 'immediately'),
  action: oneOf('restart', 'none'),
  maintenance,
} as const satisfies Record<string, ValueKind<unknown>>

type LabelName = keyof typeof LABELS
type LabelValues = { -readonly [Name in LabelName]?: NonNullable<ReturnType<(typeof LABELS)[Name]['parse']>> }

export type ContainerSettings = {
  readonly intervalMs: number
  readonly retryIntervalMs: number
  readonly timeoutMs: number
  readonly retries: number
  readonly startPeriodMs: number
  /** Restart even before a first success. */
  readonly armImmediately: boolean
  /** `none`: probe and tell, never restart. */
  readonly action: 'restart' | 'none'
  /** When not to restart. */
  readonly maintenance: readonly MaintenanceWindow[]
  /** As labelled; absent: to be chosen. */
  readonly probe?: 'http' | 'docker'
  readonly port?: number
  readonly path: string
  readonly status: readonly StatusRange[]
  /** Any of `healer.port`, `healer.path` and `healer.status` is set. */
  readonly describesHttp: boolean
  readonly maxRestarts: number
  readonly dryRun: boolean
}

export type LabelProblem = {
  readonly label: string
  readonly message: string
}

const PREFIX = 'healer.'
const SUCCESS: readonly StatusRange[] = [{ min: 200, max: 299 }]

/** Reads the settings of a container from its labels, over those of the environment. */
export function readLabels(
  labels: Readonly<Record<string, string>>,
  environment: Environment,
): { readonly settings: ContainerSettings; readonly problems: readonly LabelProblem[] } {
  const values: LabelValues = {}
  const problems: LabelProblem[] = []
  for (const [label, text] of Object.entries(labels)) {
    if (!label.startsWith(PREFIX)) continue
    const name = label.slice(PREFIX.length)
    if (!isLabelName(name)) {
      const near = nearest(name, Object.keys(LABELS))
      problems.push({ label, message: `${label} is not a setting${near ? `; did you mean ${PREFIX}${near}?` : ''}` })
      continue
    }
    const kind: ValueKind<unknown> = LABELS[name]
    const value = kind.parse(text)
    if (value !== undefined) Object.assign(values, { [name]: value })
    else
      problems.push({
        label,
        message: [`${label} is “${text}”`, `it takes ${kind.takes}`, kind.explain?.(text)].filter(Boolean).join('; '),
      })
  }
  const intervalMs = values.interval ?? environment.intervalMs
  const settings: ContainerSettings = {
    intervalMs,
    retryIntervalMs: values.retry_interval ?? (values.interval === undefined ? environment.retryIntervalMs : intervalMs),
    timeoutMs: values.timeout ?? environment.timeoutMs,
    retries: values.retries ?? environment.retries,
    startPeriodMs: values.start_period ?? environment.startPeriodMs,
    armImmediately: values.arm === 'immediately',
    // Who writes the label at all hardly means the default: a wrong one restarts nothing.
    action: values.action ?? (problems.some(({ label }) => label === `${PREFIX}action`) ? 'none' : 'restart'),
    maintenance: values.maintenance ?? [],
    path: values.path ?? environment.path,
    status: values.status ?? SUCCESS,
    describesHttp: values.port !== undefined || values.path !== undefined || values.status !== undefined,
    maxRestarts: environment.maxRestarts,
    dryRun: environment.dryRun,
    ...(values.probe === undefined ? {} : { probe: values.probe }),
    ...(values.port === undefined ? {} : { port: values.port }),
  }
  return { settings, problems }
}

function isLabelName(name: string): name is LabelName {
  return Object.hasOwn(LABELS, name)
}

/** Whether a container opted in: `monitored=true`, or `autoheal=true`, which always goes by the Engine's own verdict. */
export function optedIn(labels: Readonly<Record<string, string>>): 'monitored' | 'autoheal' | undefined {
  if (labels.monitored === 'true') return 'monitored'
  return labels.autoheal === 'true' ? 'autoheal' : undefined
}
