#!/usr/bin/env node
// The command line of postern-proxy. Each command is a file under `commands/`; flags and environment are read there, and nowhere else.
import { Command, InvalidArgumentError } from 'commander'
import { auditCommand } from './commands/audit-command.ts'
import { authzCommand } from './commands/authz-command.ts'
import { checkCommand } from './commands/check-command.ts'
import { explainCommand } from './commands/explain-command.ts'
import { healthcheckCommand } from './commands/healthcheck-command.ts'
import { EXIT_FAILED, EXIT_USAGE } from './commands/options.ts'
import { serveCommand } from './commands/serve-command.ts'
import { suggestCommand } from './commands/suggest-command.ts'
import { PolicyFileError } from './policy/load-policy.ts'
import { VERSION } from './version.ts'

const program = new Command('postern-proxy')
  .description('A least-privilege proxy for the Docker Engine API: it lets through what a policy names, and nothing else.')
  .version(VERSION, '-V, --version', 'print the version')
  // Each by its name alone, so that what it does has room beside it; its own help has its arguments.
  .configureHelp({ subcommandTerm: (command) => command.name() })
  .addHelpText('after', '\nEach command has a --help of its own; docs/proxy.md has the rest.')
const commands = [serveCommand, authzCommand, checkCommand, explainCommand, suggestCommand, auditCommand, healthcheckCommand]
for (const command of commands.map((create) => create())) program.addCommand(command)
exitAsDocumented(program)

/** Commander would exit with 1 where the command line is wrong. */
function exitAsDocumented(command: Command): void {
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE))
  for (const subcommand of command.commands) exitAsDocumented(subcommand as Command)
}

program.parseAsync().catch((error: unknown) => {
  process.stderr.write(`postern-proxy: ${(error as Error).message}\n`)
  process.exit(error instanceof PolicyFileError || error instanceof InvalidArgumentError ? EXIT_USAGE : EXIT_FAILED)
})
