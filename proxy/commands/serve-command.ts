// `postern-proxy serve`: its arguments, and what they stand for.
import { Command, Option } from 'commander'
import { parseServing } from '../listen-address.ts'
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
import { readTls, type TlsFlags, tlsOptions } from './tls-options.ts'

type ServeFlags = CommonOptions & AuditFlags & LogFlags & TlsFlags & { readonly observe?: true }

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('serve each policy at its own address')
    .argument(
      '[policy@listen...]',
      'a policy file and where to serve it, unix:///path or tcp://host:port (env: POSTERN_SERVE, separated by spaces)',
    )
    .addOption(engineOption())
  requireOption(command, auditOption())
  for (const option of [...auditOptions(), ...tlsOptions()]) command.addOption(option)
  return command
    .addOption(metricsOption())
    .addOption(
      new Option(
        '--observe',
        'let pass, and record, what policies refuse, but for what amounts to root (env: POSTERN_OBSERVE=true)',
      ),
    )
    .addOption(logFormatOption())
    .addOption(userOption())
    .action(async (given: string[], options: ServeFlags) => {
      const texts = given.length > 0 ? given : (process.env.POSTERN_SERVE ?? '').split(' ').filter((text) => text !== '')
      if (texts.length === 0) command.error('error: name at least one POLICY@LISTEN, as an argument or in POSTERN_SERVE')
      const servings = texts.map(argument(parseServing))
      const addresses = servings.map(({ address }) => address)
      const sockets = addresses.flatMap((address) => (address.kind === 'unix' ? [address.path] : []))
      dropPrivileges(options.user, options.engine, writtenDirectories(options, sockets))
      assertUnprivileged()
      // As root no more of the program is loaded than it takes to become somebody else.
      const [{ loadPolicy }, { serve }, { readRunOptions }] = await Promise.all([
        import('../policy/load-policy.ts'),
        import('../serve/serve.ts'),
        import('./run-options.ts'),
      ])
      const tls = await readTls(options, addresses, Date.now())
      const policies = await Promise.all(servings.map(({ policyFile }) => loadPolicy(policyFile)))
      await serve({
        ...readRunOptions(options),
        clients: servings.map((serving, i) => ({ ...serving, policy: policies[i] as (typeof policies)[number] })),
        tls,
        observe: options.observe ?? argument(parseSwitch)(process.env.POSTERN_OBSERVE ?? ''),
      })
    })
}

/** Commander would take any value of a variable, `false` too, for yes. */
function parseSwitch(text: string): boolean {
  if (['', '0', 'false'].includes(text)) return false
  if (['1', 'true'].includes(text)) return true
  throw new Error(`POSTERN_OBSERVE: “${text}” is neither true nor false`)
}
