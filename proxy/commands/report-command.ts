// `postern-proxy audit report`: its files and its words.
import { Command } from 'commander'
import { readRecords } from '../audit/read-records.ts'
import { createReport, REPORT_VERDICTS, renderReport, renderReportJson } from '../audit/report.ts'
import { paintVerdicts } from '../terminal.ts'
import { jsonOption } from './options.ts'

export function reportCommand(): Command {
  return new Command('report')
    .description('sum up who asked for what, and who was refused why; exit 1 where a line is none of an audit log')
    .argument('<file...>', 'audit files, the oldest first')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
It believes what it reads; whether a log is what was written, \`audit verify\`
tells.

Examples:
  postern-proxy audit report audit.jsonl
  postern-proxy audit report --json audit.jsonl | jq '.refusals'`,
    )
    .action(async (files: string[], options: { readonly json?: boolean }) => {
      const { add, report } = createReport()
      for await (const record of readRecords(files, (note) => process.stderr.write(`note: ${note}\n`))) add(record)
      process.stdout.write(options.json ? renderReportJson(report()) : paintVerdicts(renderReport(report()), REPORT_VERDICTS))
    })
}
