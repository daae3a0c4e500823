// What the commands that run until they are told to stop have in common, read from their flags.
import { dirname } from 'node:path'
import type { RunOptions } from '../serve/serve.ts'
import { createLog } from '../terminal.ts'
import type { AuditFlags, CommonOptions, LogFlags } from './options.ts'

export function readRunOptions(flags: CommonOptions & AuditFlags & LogFlags): RunOptions {
  return {
    engineSocket: flags.engine,
    auditLog: { file: flags.audit, maxBytes: flags.auditMaxSize, maxFiles: flags.auditMaxFiles },
    stateDirectory: flags.state ?? dirname(flags.audit),
    metricsSocket: flags.metrics,
    log: createLog(flags.logFormat),
    now: Date.now,
  }
}
