// `alerts.json` in STATE_DIR: incidents, and alerts that are still to be told.
import * as z from 'zod'
import { ALERT_EVENTS, SEVERITIES } from './alert.ts'

export const VERSION = 1

const time = z.number()
const diagnosis = z.strictObject({
  failures: z.array(z.strictObject({ atMs: time, reason: z.string() })),
  status: z.string(),
  exitCode: z.int(),
  oomKilled: z.boolean(),
})
const alert = z.strictObject({
  id: z.string(),
  incident: z.string(),
  event: z.enum(ALERT_EVENTS),
  severity: z.enum(SEVERITIES),
  container: z.string(),
  message: z.string(),
  atMs: time,
  sinceMs: time,
  resolved: z.boolean(),
  diagnosis: diagnosis.optional(),
})
const incident = z.strictObject({
  key: z.string(),
  container: z.string(),
  containerId: z.string(),
  sinceMs: time,
  endedMs: time.optional(),
  steps: z.array(z.strictObject({ atMs: time, what: z.string(), message: z.string() })),
  diagnosis: diagnosis.optional(),
  said: z.array(z.string()),
  alerts: z.int().min(0),
  told: alert.optional(),
  kept: alert.pick({ event: true, severity: true }).optional(),
  toldTo: z.array(z.string()),
})

export const alertStateSchema = z.strictObject({
  version: z.literal(VERSION),
  incidents: z.array(incident),
  cooldowns: z.record(z.string(), z.strictObject({ untilMs: time, untold: z.int().min(0) })),
  outbox: z.record(z.string(), z.array(alert)),
})
