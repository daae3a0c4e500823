// What the JSON API answers, as schemas: the answers are typed by them, and docs/openapi.json is made from them. A field is never taken
// away and never means something else. Times are RFC 3339 in UTC, lengths of time have their unit in the name.
import * as z from 'zod'
import { MAX_LOOKS, MAX_RESTARTS_KEPT } from '../../health/history.ts'
import { NOT_RESTARTING } from '../../health/state.ts'

const time = (what: string) => z.iso.datetime().describe(`${what}; RFC 3339, in UTC`)
const ms = (what: string) => z.number().min(0).describe(`${what}, in milliseconds`)
const count = z.int().min(0)
const result = z.enum(['success', 'failure', 'unknown'])
const ratio = z.number().min(0).max(1).nullable()

const probeSettingsSchema = z.object({
  intervalMs: ms('time between two probes'),
  retryIntervalMs: ms('time between two probes while it fails'),
  timeoutMs: ms('how long a probe waits'),
  startPeriodMs: ms('failures in the first time of a run do not count'),
  retries: count.describe('failures in a row that make it unhealthy'),
  maxRestarts: count.describe('attempts after which the healer gives up'),
  action: z.enum(['restart', 'none']),
  dryRun: z.boolean(),
})

const uptimeSchema = z.object({
  ratio: ratio.describe('up, of the time that is known; null where none is'),
  knownMs: ms('how much of the time is known'),
})

const heldSchema = z.object({
  reason: z.enum(NOT_RESTARTING),
  since: time('since when'),
  until: time('until when').nullable().describe('null where no time ends it, or nobody knows when'),
  message: z.string().describe('why, in words'),
  cure: z.string().describe('what to do'),
})

export const lookSchema = z.object({
  at: time('when'),
  result: result.describe('as it counted: while an alert fires for it, a probe that succeeds does not'),
  durationMs: ms('how long it took'),
  reason: z.string().describe('in words; it may hold what the container answered'),
})

const diagnosisFields = {
  status: z.string().describe('as the Engine says: running, exited, …'),
  exitCode: z.int().describe('of the last time that it ended'),
  oomKilled: z.boolean().describe('it was killed for want of memory'),
}

export const containerSchema = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string().describe('as the Engine says: running, exited, …'),
  health: z.enum(['starting', 'healthy', 'suspect', 'unhealthy', 'unknown']),
  reason: z.string().describe('the last probe in words, or why there is none'),
  failures: count.describe('in a row, in this run'),
  notRestarting: z.enum(NOT_RESTARTING).nullable().describe('why a restart that is due is not made'),
  held: heldSchema.nullable().describe('the same, with since when, until when and what to do'),
  paused: z.boolean(),
  pausedUntil: time('the end of the pause').nullable().describe('null where it is not paused, or until it is resumed'),
  diagnosis: z
    .object({ failures: z.array(z.string()).describe('the last of the streak, the oldest first'), ...diagnosisFields })
    .nullable()
    .describe('what was found before the last restart, until it is healthy again'),
  rules: z.array(z.object({ name: z.string(), summary: z.string() })).describe('alerts that fire for it'),
  restarts: count.describe('what past restarts weigh: those without ten healthy minutes since'),
  lastRestarts: z
    .array(z.object({ at: time('when it ended'), outcome: z.enum(['restarted', 'failed']) }))
    .max(MAX_RESTARTS_KEPT)
    .describe('since the healer watches it, the oldest first'),
  nextRestart: z
    .object({
      possible: z.enum(['now', 'later', 'no']).describe('no: no time alone makes it possible'),
      at: time('not before').nullable(),
    })
    .describe('when one could be made, were it due'),
  probe: z.string().describe('in words'),
  probeKind: z.enum(['http', 'tcp', 'grpc', 'docker', 'none']).nullable().describe('null before the first probe'),
  probeAddress: z.string().nullable().describe('ADDRESS:PORT, where it is probed over the network'),
  settings: probeSettingsSchema,
  lastProbe: z
    .object({ at: time('when'), durationMs: ms('how long it took'), result })
    .nullable()
    .describe('as the probe itself found it'),
  nextProbe: time('when it is looked at next'),
  strip: z
    .array(lookSchema)
    .max(MAX_LOOKS)
    .describe('its last probes, the oldest first; of many containers fewer of each, and the whole where it is asked for alone'),
  uptime: z
    .object({ day: uptimeSchema, week: uptimeSchema })
    .describe('of the last 24 hours and 7 days that the healer watches it'),
  incident: z.string().nullable().describe('the key of the incident that is open'),
  problems: z.array(z.string()).describe('of its labels and its probe, in words, with what would mend them'),
})

export const incidentSchema = z.object({
  key: z.string().describe('of this incident alone, ever'),
  container: z.string(),
  since: time('when it began'),
  ended: time('when it ended').nullable(),
  steps: z.array(z.object({ at: time('when'), what: z.string(), message: z.string() })).describe('the oldest first'),
  diagnosis: z.object({ failures: z.array(z.object({ at: time('when'), reason: z.string() })), ...diagnosisFields }).nullable(),
  toldTo: z.array(z.string()).describe('names of receivers'),
})

export const proxySchema = z.object({
  state: z.enum(['up', 'down', 'not-configured']).describe('whether the proxy’s metrics can be had'),
  message: z.string().describe('the same in words, with what to do'),
  engineUp: z.boolean().nullable().describe('the Engine answered the proxy’s last health check'),
  observing: z.boolean().nullable().describe('it lets pass what policies refuse, but for what amounts to root'),
  audit: z
    .object({
      sequence: count.nullable().describe('the number of the last line'),
      fingerprint: z.string().nullable().describe('what the log is known by'),
      failures: count.nullable().describe('lines that could not be written'),
    })
    .describe('of the audit log'),
  decisions: z.array(z.object({ client: z.string(), verdict: z.string(), requests: count })).describe('since it was started'),
  refusals: z
    .array(z.object({ client: z.string(), operation: z.string(), rule: z.string(), requests: count }))
    .describe('the most frequent first'),
  budgets: z
    .array(
      z.object({
        client: z.string(),
        operation: z.string(),
        of: z.string().describe('client, or container: the one that has the fewest left'),
        left: count,
      }),
    )
    .describe('how often an operation may still be done now'),
  isCut: z.boolean().describe('there are more decisions, refusals or budgets than are shown'),
})

export const refusalSchema = z.object({ message: z.string().describe('what is wrong, and what to do') })

export const pauseInputSchema = z.object({
  for: z.string().optional().describe('a duration from 1 s to 720 h, such as 2h; without it, until resumed'),
})

export const controlAnswerSchema = z.object({
  container: z.string(),
  paused: z
    .union([z.iso.datetime(), z.literal('until resumed')])
    .nullable()
    .describe('until when; null: it is not'),
})

const namedRule = z.object({ container: z.string(), rule: z.string() })
export const hookAnswerSchema = z.object({
  firing: z.array(namedRule),
  ended: z.array(namedRule),
  withoutContainer: z.array(z.string()).describe('names of alerts'),
  own: count.describe('the healer’s own alerts, left aside'),
  notWatched: z.array(namedRule),
  refused: z.array(namedRule).describe('so many fire already'),
  truncated: count.describe('alerts that Alertmanager left out'),
})

export type ContainerAnswer = z.infer<typeof containerSchema>
export type IncidentAnswer = z.infer<typeof incidentSchema>
export type ProxyAnswer = z.infer<typeof proxySchema>
