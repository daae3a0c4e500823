// `postern-proxy serve`: its arguments, and what they stand for.
import { dirname } from 'node:path'
import { Command, Option } from 'commander'
import { pino } from 'pino'
import { DEFAULT_MAX_BYTES, DEFAULT_MAX_FILES } from '../audit/audit-log.ts'
import { parseServing } from '../listen-address.ts'
import { loadPolicy } from '../policy/load-policy.ts'
import { assertUnprivileged, dropPrivileges } from '../privileges.ts'
import { serve } from '../serve/serve.ts'
import { argument, type CommonOptions, engineOption, metricsOption, parseCount, parseSize, userOption } from './options.ts'
import { readTls, type TlsFlags, tlsOptions } from './tls-options.ts'

type ServeFlags = CommonOptions &
  TlsFlags & {
    readonly audit: string
    readonly auditMaxSize: number
    readonly auditMaxFiles: number
    readonly state?: string
    readonly observe?: true
  }

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('serve each policy at its own address')
    .argument(
      '[policy@listen...]',
      'a policy file and where to serve it, unix:///path or tcp://host:port (env: POSTERN_SERVE, separated by spaces)',
    )
    .addOption(engineOption())
    .addOption(new Option('--audit <file>', 'the audit log; it is appended to').env('POSTERN_AUDIT').makeOptionMandatory())
    .addOption(
      new Option('--audit-max-size <size>', 'begin another file when the audit log is longer')
        .env('POSTERN_AUDIT_MAX_SIZE')
        .default(DEFAULT_MAX_BYTES, '8m')
        .argParser(argument(parseSize)),
    )
    .addOption(
      new Option('--audit-max-files <count>', 'keep so many files of the audit log')
        .env('POSTERN_AUDIT_MAX_FILES')
        .default(DEFAULT_MAX_FILES)
        .argParser(argument(parseCount(2))),
    )
    .addOption(
      new Option('--state <dir>', 'where the keys of the audit log’s seals are kept (default: beside the log)').env(
        'POSTERN_STATE',
      ),
    )
    .addOption(metricsOption())
    .addOption(
      new Option(
        '--observe',
        'let pass, and record, what policies refuse, but for what amounts to root (env: POSTERN_OBSERVE=true)',
      ),
    )
    .addOption(userOption())
    .action(async (given: string[], options: ServeFlags, command: Command) => {
      dropPrivileges(options.user, options.engine)
      assertUnprivileged()
      const texts = given.length > 0 ? given : (process.env.POSTERN_SERVE ?? '').split(' ').filter((text) => text !== '')
      if (texts.length === 0) command.error('error: name at least one POLICY@LISTEN, as an argument or in POSTERN_SERVE')
      const servings = texts.map(argument(parseServing))
      const addresses = servings.map(({ address }) => address)
      const tls = await readTls(options, addresses, Date.now())
      const policies = await Promise.all(servings.map(({ policyFile }) => loadPolicy(policyFile)))
      const log = pino({ timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } })
      await serve({
        clients: servings.map((serving, i) => ({ ...serving, policy: policies[i] as (typeof policies)[number] })),
        tls,
        observe: options.observe ?? argument(parseSwitch)(process.env.POSTERN_OBSERVE ?? ''),
        engineSocket: options.engine,
        auditLog: { file: options.audit, maxBytes: options.auditMaxSize, maxFiles: options.auditMaxFiles },
        stateDirectory: options.state ?? dirname(options.audit),
        metricsSocket: options.metrics,
        log,
        now: Date.now,
      })
    })
  for (const option of tlsOptions()) command.addOption(option)
  return command
}

/** Commander would take any value of a variable, `false` too, for yes. */
function parseSwitch(text: string): boolean {
  if (['', '0', 'false'].includes(text)) return false
  if (['1', 'true'].includes(text)) return true
  throw new Error(`POSTERN_OBSERVE: “${text}” is neither true nor false`)
}
