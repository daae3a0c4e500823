// `postern-proxy healthcheck`.
import { Command } from 'commander'
import { dropPrivileges } from '../privileges.ts'
import { type CommonOptions, engineOption, metricsOption, requireOption, userOption } from './options.ts'

export function healthcheckCommand(): Command {
  const command = new Command('healthcheck').description('exit 0 if the running proxy answers and reaches the Engine')
  return requireOption(command, metricsOption())
    .addOption(engineOption())
    .addOption(userOption())
    .action(async (options: CommonOptions & { readonly metrics: string }) => {
      dropPrivileges(options.user, options.engine)
      const { checkHealth } = await import('../healthcheck.ts')
      process.stdout.write(`${await checkHealth(options.metrics)}\n`)
    })
}
