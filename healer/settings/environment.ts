// The healer's settings from the environment. Every variable is a row of one table; docs/healer.md is held to it by a test.
import { readFileSync } from 'node:fs'
import { asSecret, type Secret } from '../alert/secret.ts'
import { LOG_FORMATS, type LogFormat } from '../terminal.ts'
import {
  anyText,
  bearerToken,
  type DockerHost,
  dockerHost,
  duration,
  filePath,
  httpPath,
  httpUrl,
  oneOf,
  probeTimeout,
  routingKey,
  truth,
  unixSocket,
  type ValueKind,
  wholeNumber,
} from './value.ts'

type Variable<T> = {
  readonly kind: ValueKind<T>
  /** As one would write it; absent: unset means nothing. */
  readonly default?: string
  /** May be given as a file, by the same name with `_FILE`; an empty value is as good as none; never printed. */
  readonly secret?: true
  /** An empty value is as good as none. */
  readonly mayBeEmpty?: true
}

const withDefault = <T>(kind: ValueKind<T>, text: string) => ({ kind, default: text })

/** The original's variables, with its names and defaults, and those that came after. */
export const VARIABLES = {
  CHECK_INTERVAL: withDefault(duration(1000), '15'),
  FAILURE_THRESHOLD: withDefault(wholeNumber(1, 100), '3'),
  REQUEST_TIMEOUT: withDefault(probeTimeout, '5'),
  HEALTH_PATH: withDefault(httpPath, '/health'),
  SLACK_WEBHOOK_URL: { kind: httpUrl, secret: true },
  PAGERDUTY_ROUTING_KEY: { kind: routingKey, secret: true },
  ALERTMANAGER_URL: { kind: httpUrl, mayBeEmpty: true },
  WEBHOOK_URL: { kind: httpUrl, secret: true },
  WEBHOOK_SECRET: { kind: anyText, secret: true },
  ALERTS_FILE: { kind: filePath, mayBeEmpty: true },
  ALERT_COOLDOWN: withDefault(duration(0), '10m'),
  ALERT_REMINDER: withDefault(duration(0), '4h'),
  DOCKER_HOST: withDefault(dockerHost, 'unix:///var/run/docker.sock'),
  PROXY_METRICS: { kind: unixSocket, mayBeEmpty: true },
  START_PERIOD: withDefault(duration(0), '30'),
  RETRY_INTERVAL: { kind: duration(1000) },
  MAX_RESTARTS: withDefault(wholeNumber(1, 1000), '5'),
  HOLD_MAX: withDefault(duration(1000), '5m'),
  HOOK_GRACE: withDefault(duration(0), '5m'),
  DRY_RUN: withDefault(truth, 'false'),
  HEALER_PORT: withDefault(wholeNumber(1, 65_535), '8081'),
  HEALER_HOST: { kind: anyText },
  HEALER_TOKEN: { kind: bearerToken, secret: true },
  STATE_DIR: withDefault(anyText, '/var/lib/postern'),
  LOG_FORMAT: withDefault(oneOf(...LOG_FORMATS), 'auto'),
} as const satisfies Record<string, Variable<unknown>>

export type Environment = {
  readonly intervalMs: number
  readonly retryIntervalMs: number
  readonly retries: number
  readonly timeoutMs: number
  readonly path: string
  readonly startPeriodMs: number
  readonly maxRestarts: number
  /** Where most containers fail at once: after this the first of them is restarted all the same. */
  readonly holdMaxMs: number
  /** In this first time of a run, an alert that fires may be about the run before. */
  readonly hookGraceMs: number
  readonly dryRun: boolean
  readonly port: number
  /** The address to listen at; every one where it is `undefined`. */
  readonly host: string | undefined
  /** What control over HTTP takes; refused to everyone where it is `undefined`. */
  readonly token: string | undefined
  readonly stateDir: string
  readonly logFormat: LogFormat
  readonly dockerHost: DockerHost
  /** The socket of the proxy's metrics; `undefined`: they are not passed on. */
  readonly proxyMetricsSocket: string | undefined
  /** Of what kinds people are told, and where: for `loadReceivers`. */
  readonly alerting: AlertingVariables
  /** Within so long of an alert of a container, its next incident is told only if it is critical. */
  readonly alertCooldownMs: number
  /** Between two tellings of what lasts; 0: it is told once. */
  readonly alertReminderMs: number
}

export type AlertingVariables = {
  readonly slackWebhookUrl: Secret | undefined
  readonly pagerdutyRoutingKey: Secret | undefined
  readonly alertmanagerUrl: string | undefined
  readonly webhookUrl: Secret | undefined
  readonly webhookSecret: Secret | undefined
  /** The file with more of them. */
  readonly file: string | undefined
}

/** A variable holds what it does not take. The message names the variable, what it held and what it takes. */
export class EnvironmentError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'EnvironmentError'
  }
}

/** Reads the settings from `env`. Throws `EnvironmentError` with a line for each variable that is wrong. */
export function readEnvironment(env: NodeJS.ProcessEnv): Environment {
  const problems: string[] = []
  const optional = <T>(name: string, row: Variable<T>): T | undefined => {
    const value = readVariable(name, row, env)
    if (typeof value !== 'object' || value === null || !('problem' in value)) return value
    problems.push(value.problem)
    return undefined
  }
  const required = <T>(name: string, row: Variable<T> & { readonly default: string }): T => {
    const value = optional(name, row) ?? row.kind.parse(row.default)
    if (value === undefined) throw new Error(`the default of ${name} is not what it takes`)
    return value
  }
  const V = VARIABLES
  const intervalMs = required('CHECK_INTERVAL', V.CHECK_INTERVAL)
  const environment: Environment = {
    intervalMs,
    retryIntervalMs: optional('RETRY_INTERVAL', V.RETRY_INTERVAL) ?? intervalMs,
    retries: required('FAILURE_THRESHOLD', V.FAILURE_THRESHOLD),
    timeoutMs: required('REQUEST_TIMEOUT', V.REQUEST_TIMEOUT),
    path: required('HEALTH_PATH', V.HEALTH_PATH),
    startPeriodMs: required('START_PERIOD', V.START_PERIOD),
    maxRestarts: required('MAX_RESTARTS', V.MAX_RESTARTS),
    holdMaxMs: required('HOLD_MAX', V.HOLD_MAX),
    hookGraceMs: required('HOOK_GRACE', V.HOOK_GRACE),
    dryRun: required('DRY_RUN', V.DRY_RUN),
    port: required('HEALER_PORT', V.HEALER_PORT),
    host: optional('HEALER_HOST', V.HEALER_HOST),
    token: optional('HEALER_TOKEN', V.HEALER_TOKEN),
    stateDir: required('STATE_DIR', V.STATE_DIR),
    logFormat: required('LOG_FORMAT', V.LOG_FORMAT),
    dockerHost: required('DOCKER_HOST', V.DOCKER_HOST),
    proxyMetricsSocket: optional('PROXY_METRICS', V.PROXY_METRICS),
    alerting: {
      slackWebhookUrl: asSecret(optional('SLACK_WEBHOOK_URL', V.SLACK_WEBHOOK_URL)),
      pagerdutyRoutingKey: asSecret(optional('PAGERDUTY_ROUTING_KEY', V.PAGERDUTY_ROUTING_KEY)),
      alertmanagerUrl: optional('ALERTMANAGER_URL', V.ALERTMANAGER_URL),
      webhookUrl: asSecret(optional('WEBHOOK_URL', V.WEBHOOK_URL)),
      webhookSecret: asSecret(optional('WEBHOOK_SECRET', V.WEBHOOK_SECRET)),
      file: optional('ALERTS_FILE', V.ALERTS_FILE),
    },
    alertCooldownMs: required('ALERT_COOLDOWN', V.ALERT_COOLDOWN),
    alertReminderMs: required('ALERT_REMINDER', V.ALERT_REMINDER),
  }
  const { webhookUrl, webhookSecret } = environment.alerting
  if (webhookSecret && !webhookUrl) problems.push('WEBHOOK_SECRET has no effect; set WEBHOOK_URL as well')
  if (problems.length > 0) throw new EnvironmentError(problems.join('\n'))
  return environment
}

type Problem = { readonly problem: string }

function readVariable<T>(name: string, row: Variable<T>, env: NodeJS.ProcessEnv): T | undefined | Problem {
  const given = row.secret ? readSecret(name, env) : (env[name] ?? row.default)
  if (given === undefined || typeof given === 'object') return given
  if (given === '' && row.mayBeEmpty) return undefined
  const value = row.kind.parse(given)
  if (value !== undefined) return value
  const held = given === '' ? 'is empty' : row.secret ? 'holds something else' : `is “${given}”`
  return { problem: `${name} ${held}; it takes ${row.kind.takes}${row.mayBeEmpty ? ', or nothing' : ''}` }
}

function readSecret(name: string, env: NodeJS.ProcessEnv): string | undefined | Problem {
  const file = env[`${name}_FILE`]
  const text = env[name] || undefined
  if (!file) return text
  if (text !== undefined) return { problem: `${name} and ${name}_FILE are both set; set one of them` }
  try {
    return readFileSync(file, 'utf8').trim() || undefined
  } catch (error) {
    return { problem: `${name}_FILE is “${file}”, which cannot be read: ${(error as NodeJS.ErrnoException).code}` }
  }
}
