// `postern-proxy audit`: what can be asked of audit files.
import { Command, Option } from 'commander'
import type { VerifyOptions } from '../audit/verify.ts'
import { renderVerified, VERIFIED_VERDICTS, verifyFiles } from '../audit/verify-files.ts'
import { paintVerdicts } from '../terminal.ts'
import { argument, EXIT_FAILED, jsonOption } from './options.ts'
import { reportCommand } from './report-command.ts'

export function auditCommand(): Command {
  return new Command('audit')
    .description('verify audit logs, or sum them up')
    .addCommand(verifyCommand())
    .addCommand(reportCommand())
}

function verifyCommand(): Command {
  return new Command('verify')
    .description('tell whether a log is what was written; exit 0 if it is, 1 with the first line that is not')
    .argument('<file...>', 'the files of one log, the oldest first')
    .option('--key <fingerprint>', 'what the log is known by, as the proxy’s log and metrics tell it')
    .addOption(
      new Option('--at-least <line>', 'a line that was seen: the log must be sealed as far').argParser(argument(parseLineNumber)),
    )
    .addOption(jsonOption())
    .action(async (files: string[], options: VerifyOptions & { readonly json?: true }) => {
      const verified = await verifyFiles(files, options)
      process.stdout.write(
        options.json ? `${JSON.stringify(verified, null, 2)}\n` : paintVerdicts(renderVerified(verified), VERIFIED_VERDICTS),
      )
      process.exitCode = verified.problem ? EXIT_FAILED : 0
    })
}

/** The number of a line of an audit log. */
function parseLineNumber(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new Error(`“${text}” is not the number of a line`)
  return Number(text)
}
