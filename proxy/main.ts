#!/usr/bin/env node
// The command line of postern-proxy. Each command is a file under `commands/`; flags and environment are read there, and nowhere else.
import { Command, InvalidArgumentError } from 'commander'
import { EXIT_FAILED, EXIT_USAGE } from './commands/options.ts'
import { PolicyFileError } from './policy/policy-error.ts'
import { VERSION } from './version.ts'

const program = new Command('postern-proxy')
  .description('A least-privilege proxy for the Docker Engine API: it lets through what a policy names, and nothing else.')
  .version(VERSION, '-V, --version', 'print the version')
  // Each by its name alone, so that what it does has room beside it; its own help has its arguments.
  .configureHelp({ subcommandTerm: (command) => command.name() })
  .addHelpText('after', '\nEach command has a --help of its own; docs/proxy.md has the rest.')

/** Each loads what it needs when it is named: a health check, every few seconds, does not load what it takes to serve. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import('./commands/serve-command.ts')).serveCommand(),
  authz: async () => (await import('./commands/authz-command.ts')).authzCommand(),
  check: async () => (await import('./commands/check-command.ts')).checkCommand(),
  explain: async () => (await import('./commands/explain-command.ts')).explainCommand(),
  suggest: async () => (await import('./commands/suggest-command.ts')).suggestCommand(),
  audit: async () => (await import('./commands/audit-command.ts')).auditCommand(),
  healthcheck: async () => (await import('./commands/healthcheck-command.ts')).healthcheckCommand(),
}
const named = process.argv[2] ?? ''
const loads = Object.hasOwn(COMMANDS, named) ? [COMMANDS[named]] : Object.values(COMMANDS)
for (const command of await Promise.all(loads.map((load) => load?.()))) if (command) program.addCommand(command)
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
