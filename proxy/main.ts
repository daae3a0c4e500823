#!/usr/bin/env node
// The command line of postern-proxy. Reads flags and environment, and nothing else does.
import { dirname } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { pino } from 'pino'
import { renderVerified, verifyFiles } from './audit/verify-files.ts'
import { checkHealth } from './healthcheck.ts'
import { parseServing, parseUnixAddress } from './listen-address.ts'
import { loadPolicy, PolicyFileError } from './policy/load-policy.ts'
import { assertUnprivileged, dropPrivileges, parseUser, type User } from './privileges.ts'
import { serve } from './serve/serve.ts'

/** Exit codes: 1, something failed while running; 2, the command line or a policy is wrong. */
const EXIT_FAILED = 1
const EXIT_USAGE = 2

/** For commander: a thrown sentence becomes a usage error. */
function argument<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text)
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message)
    }
  }
}

const engineOption = () =>
  new Option('--engine <address>', "the Docker Engine's socket")
    .env('POSTERN_ENGINE')
    .default('/var/run/docker.sock', 'unix:///var/run/docker.sock')
    .argParser(argument(parseUnixAddress))
const userOption = () =>
  new Option('--user <uid:gid>', 'started as root: the user to run as, in the group of the Engine’s socket')
    .env('POSTERN_USER')
    .argParser(argument(parseUser))
const metricsOption = () =>
  new Option('--metrics <address>', 'where to serve /metrics and /healthz')
    .env('POSTERN_METRICS')
    .argParser(argument(parseUnixAddress))

/** The number of a line of an audit log. */
function parseLineNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new Error(`“${text}” is not the number of a line`)
  return Number(text)
}

type CommonOptions = { readonly engine: string; readonly user?: User; readonly metrics?: string }

const program = new Command('postern-proxy')
  .description('A least-privilege proxy for the Docker Engine API: it lets through what a policy names, and nothing else.')
  .version('0.1.0')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE))

program
  .command('serve')
  .description('serve each policy at its own socket')
  .argument('[policy@listen...]', 'a policy file and the socket to serve it at (env: POSTERN_SERVE, separated by spaces)')
  .addOption(engineOption())
  .addOption(new Option('--audit <file>', 'the audit log; it is appended to').env('POSTERN_AUDIT').makeOptionMandatory())
  .addOption(
    new Option('--state <dir>', 'where the keys of the audit log’s seals are kept (default: beside the log)').env(
      'POSTERN_STATE',
    ),
  )
  .addOption(metricsOption())
  .addOption(userOption())
  .action(async (given: string[], options: CommonOptions & { readonly audit: string; readonly state?: string }) => {
    dropPrivileges(options.user, options.engine)
    assertUnprivileged()
    const texts = given.length > 0 ? given : (process.env.POSTERN_SERVE ?? '').split(' ').filter((text) => text !== '')
    if (texts.length === 0) program.error('error: name at least one POLICY@LISTEN, as an argument or in POSTERN_SERVE')
    const servings = texts.map(argument(parseServing))
    const policies = await Promise.all(servings.map(({ policyFile }) => loadPolicy(policyFile)))
    const log = pino({ timestamp: pino.stdTimeFunctions.isoTime, formatters: { level: (level) => ({ level }) } })
    await serve({
      clients: servings.map(({ socketPath }, i) => ({ policy: policies[i] as (typeof policies)[number], socketPath })),
      engineSocket: options.engine,
      auditFile: options.audit,
      stateDirectory: options.state ?? dirname(options.audit),
      metricsSocket: options.metrics,
      log,
      now: Date.now,
    })
  })

program
  .command('healthcheck')
  .description('exit 0 if the running proxy answers and reaches the Engine')
  .addOption(metricsOption().makeOptionMandatory())
  .addOption(engineOption())
  .addOption(userOption())
  .action(async (options: CommonOptions & { readonly metrics: string }) => {
    dropPrivileges(options.user, options.engine)
    process.stdout.write(`${await checkHealth(options.metrics)}\n`)
  })

const audit = program.command('audit').description('look at audit logs')
audit
  .command('verify')
  .description('tell whether a log is what was written; exit 0 if it is, 1 with the first line that is not')
  .argument('<file...>', 'the files of one log, the oldest first')
  .option('--key <fingerprint>', 'what the log is known by, as the proxy’s log and metrics tell it')
  .addOption(new Option('--at-least <line>', 'a line that was seen: the log must reach it').argParser(argument(parseLineNumber)))
  .action(async (files: string[], options: { readonly key?: string; readonly atLeast?: number }) => {
    const verified = await verifyFiles(files, options)
    process.stdout.write(renderVerified(verified))
    process.exitCode = verified.problem ? EXIT_FAILED : 0
  })

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`postern-proxy: ${(error as Error).message}\n`)
  process.exit(error instanceof PolicyFileError || error instanceof InvalidArgumentError ? EXIT_USAGE : EXIT_FAILED)
})
