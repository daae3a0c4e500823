// What the commands that run until they are told to stop have in common, read from their flags.
import { dirname } from 'node:path'
import { pino } from 'pino'
import type { RunOptions } from '../serve/serve.ts'
import type { AuditFlags, CommonOptions } from './options.ts'

export function readRunOptions(flags: CommonOptions & AuditFlags): RunOptions {
  return {
    engineSocket: flags.engine,
    auditLog: { file: flags.audit, maxBytes: flags.auditMaxSize, maxFiles: flags.auditMaxFiles },
    stateDirectory: flags.state ?? dirname(flags.audit),
    metricsSocket: flags.metrics,
    log: pino({ timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } }),
    now: Date.now,
  }
}
