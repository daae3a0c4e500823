// `postern-proxy authz`: its arguments, and what they stand for.
import { Command, Option } from 'commander'
import { parseUnixAddress } from '../listen-address.ts'
import { assertUnprivileged, dropPrivileges } from '../privileges.ts'
import {
  type AuditFlags,
  argument,
  auditOption,
  auditOptions,
  type CommonOptions,
  engineOption,
  type LogFlags,
  logFormatOption,
  metricsOption,
  requireOption,
  userOption,
  writtenDirectories,
} from './options.ts'

/** Where the Engine looks for a plugin called postern. */
const SOCKET = '/run/docker/plugins/postern.sock'

export function authzCommand(): Command {
  const command = new Command('authz')
    .description('answer the Engine as its authorization plugin: judge every request to its own socket')
    .argument('[policy]', 'a policy file (env: POSTERN_AUTHZ)')
    .addOption(
      new Option('--listen <address>', 'where the Engine asks')
        .env('POSTERN_LISTEN')
        .default(SOCKET, `unix://${SOCKET}`)
        .argParser(argument(parseUnixAddress)),
    )
    .addOption(engineOption())
  requireOption(command, auditOption())
  for (const option of auditOptions()) command.addOption(option)
  return command
    .addOption(metricsOption())
    .addOption(logFormatOption())
    .addOption(userOption())
    .action(async (given: string | undefined, options: CommonOptions & AuditFlags & LogFlags & { readonly listen: string }) => {
      dropPrivileges(options.user, options.engine, writtenDirectories(options, [options.listen]))
      assertUnprivileged()
      // As root no more of the program is loaded than it takes to become somebody else.
      const [{ loadPluginPolicy }, { runPlugin }, { readRunOptions }] = await Promise.all([
        import('../authz/load-plugin-policy.ts'),
        import('../authz/run-plugin.ts'),
        import('./run-options.ts'),
      ])
      const policyFile = given ?? process.env.POSTERN_AUTHZ ?? ''
      if (policyFile === '') command.error('error: name a POLICY, as an argument or in POSTERN_AUTHZ')
      await runPlugin({
        ...readRunOptions(options),
        policy: await loadPluginPolicy(policyFile),
        policyFile,
        socketPath: options.listen,
      })
    })
}
