// What the commands have in common: options, exit codes, and how a wrong argument is told.
import { InvalidArgumentError, Option } from 'commander'
import { DEFAULT_MAX_BYTES, DEFAULT_MAX_FILES } from '../audit/audit-log.ts'
import { parseMetricsAddress, parseUnixAddress } from '../listen-address.ts'
import { parseUser, type User } from '../privileges.ts'

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

/** Where what is decided is recorded. */
export const auditOptions = (): readonly Option[] => [
  new Option('--audit <file>', 'the audit log; it is appended to').env('POSTERN_AUDIT').makeOptionMandatory(),
  new Option('--audit-max-size <size>', 'begin another file when the audit log is longer')
    .env('POSTERN_AUDIT_MAX_SIZE')
    .default(DEFAULT_MAX_BYTES, '8m')
    .argParser(argument(parseSize)),
  new Option('--audit-max-files <count>', 'keep so many files of the audit log')
    .env('POSTERN_AUDIT_MAX_FILES')
    .default(DEFAULT_MAX_FILES)
    .argParser(argument(parseCount(2))),
  new Option('--state <dir>', 'where the keys of the audit log’s seals are kept (default: beside the log)').env('POSTERN_STATE'),
]
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
