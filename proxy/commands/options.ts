// What the commands have in common: options, exit codes, and how a wrong argument is told.
import { dirname } from 'node:path'
import { type Command, InvalidArgumentError, Option } from 'commander'
import { DEFAULT_MAX_BYTES, DEFAULT_MAX_FILES } from '../audit/log-file.ts'
import { parseMetricsAddress, parseUnixAddress } from '../listen-address.ts'
import { parseUser, type User } from '../privileges.ts'
import { LOG_FORMATS, type LogFormat } from '../terminal.ts'

/** Something failed while running, or what was asked about does not hold. */
export const EXIT_FAILED = 1
/** The command line or a policy is wrong. */
export const EXIT_USAGE = 2

/** For commander: a thrown sentence becomes a usage error. */
export function argument<T, Given = string>(parse: (given: Given) => T): (given: Given) => T {
  return (given) => {
    try {
      return parse(given)
    } catch (error) {
      throw new InvalidArgumentError((error as Error).message)
    }
  }
}

/** Ends with 2 where `option` is not given. Commander's own check comes before that of unknown flags, and so before one that is misspelt. */
export function requireOption(command: Command, option: Option): Command {
  return command.addOption(option).hook('preAction', () => {
    if (command.getOptionValue(option.attributeName()) !== undefined) return
    command.error(`error: required option '${option.flags}' not specified; its variable ${option.envVar} is not set either`)
  })
}

export type CommonOptions = { readonly engine: string; readonly user?: User; readonly metrics?: string }

export const engineOption = () =>
  new Option('--engine <address>', "the Docker Engine's socket")
    .env('POSTERN_ENGINE')
    .default('/var/run/docker.sock', 'unix:///var/run/docker.sock')
    .argParser(argument(parseUnixAddress))
export const userOption = () =>
  new Option('--user <uid:gid>', 'started as root: the user to run as, in the group of the Engine’s socket')
    .env('POSTERN_USER')
    .argParser(argument(parseUser))
export const metricsOption = () =>
  new Option('--metrics <address>', 'where to serve /metrics and /healthz')
    .env('POSTERN_METRICS')
    .argParser(argument(parseMetricsAddress))

export type AuditFlags = {
  readonly audit: string
  readonly auditMaxSize: number
  readonly auditMaxFiles: number
  readonly state?: string
}

export const auditOption = () =>
  new Option('--audit <file>', 'the audit log, which is appended to; required').env('POSTERN_AUDIT')

/** The directories that a command writes in: of its log and state, and of the sockets that it makes. */
export function writtenDirectories(flags: CommonOptions & AuditFlags, sockets: readonly string[]): readonly string[] {
  const files = [flags.audit, ...sockets, ...(flags.metrics === undefined ? [] : [flags.metrics])]
  return [...files.map((file) => dirname(file)), flags.state ?? dirname(flags.audit)]
}

/** How what is decided is recorded. */
export const auditOptions = (): readonly Option[] => [
  new Option('--audit-max-size <size>', 'begin another file when the audit log is longer')
    .env('POSTERN_AUDIT_MAX_SIZE')
    .default(DEFAULT_MAX_BYTES, '8m')
    .argParser(argument(parseSize)),
  new Option('--audit-max-files <count>', 'keep so many files of the audit log')
    .env('POSTERN_AUDIT_MAX_FILES')
    .default(DEFAULT_MAX_FILES)
    .argParser(argument(parseCount(2))),
  new Option('--state <dir>', 'where the keys of the audit log’s seals are kept; beside the log, if not given').env(
    'POSTERN_STATE',
  ),
]

export type LogFlags = { readonly logFormat: LogFormat }

export const logFormatOption = () =>
  new Option('--log-format <format>', 'how the log is written; auto is text on a terminal and JSON elsewhere')
    .env('POSTERN_LOG_FORMAT')
    .choices(LOG_FORMATS)
    .default('auto')

export const jsonOption = () => new Option('--json', 'print JSON, for programs')

/** `8m`: bytes, in k, m or g as Docker has them for its logs. Throws a sentence that says what is wrong. */
export function parseSize(text: string): number {
  const [, digits = '', unit = ''] = /^([1-9]\d{0,5})([kmg])$/.exec(text) ?? []
  const bytes = { k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[unit]
  if (bytes === undefined) throw new Error(`“${text}” is not a size such as 8m (k, m or g)`)
  return Number(digits) * bytes
}

/** A whole number of at least `min`. */
export function parseCount(min: number): (text: string) => number {
  return (text) => {
    if (!/^\d{1,6}$/.test(text) || Number(text) < min) throw new Error(`“${text}” is not a whole number of at least ${min}`)
    return Number(text)
  }
}
