// `postern-proxy suggest`: what it is asked, its files, its words.
import { Command } from 'commander'
import { printable } from '../audit/printable.ts'
import { readRecords } from '../audit/read-records.ts'
import { createGathering, type GatherOptions } from '../suggest/gather.ts'
import { suggestFromTecnativa } from '../suggest/suggest-from-tecnativa.ts'
import { suggestPolicy } from '../suggest/suggest-policy.ts'
import { parseTecnativa } from '../suggest/tecnativa-variables.ts'
import { argument, EXIT_FAILED, jsonOption } from './options.ts'

/** As a policy has it. */
const CLIENT_NAME = /^[a-z][a-z0-9-]{0,31}$/

type SuggestOptions = GatherOptions & {
  readonly client?: string
  readonly tecnativa?: readonly string[]
  readonly json?: true
}

export function suggestCommand(): Command {
  return new Command('suggest')
    .description('write the smallest policy under which the recorded requests would have passed')
    .argument('[audit...]', 'audit files, the oldest first')
    .option('--client <name>', 'whose requests; required where the files hold several clients')
    .option('--refused', 'take the requests that were refused as well')
    .option('--root-equivalent', 'take those that amount to root on the host as well')
    .option('--tecnativa <setting...>', 'instead of audit files: the variables of docker-socket-proxy, such as CONTAINERS=1')
    .addOption(jsonOption())
    .addHelpText(
      'after',
      `
To find out what a client needs, serve it for a while with --observe, and
suggest a policy from what that recorded. Without --refused and
--root-equivalent, what was refused and what amounts to root is told in comments
and not granted.

Examples:
  postern-proxy suggest audit.jsonl > client.yaml
  postern-proxy suggest --client traefik audit*.jsonl > traefik.yaml
  postern-proxy suggest --tecnativa CONTAINERS=1 ALLOW_RESTARTS=1 > client.yaml`,
    )
    .action(async (files: string[], options: SuggestOptions, command: Command) => {
      const { tecnativa } = options
      if (tecnativa ? files.length > 0 : files.length === 0)
        command.error('error: name at least one audit file, or --tecnativa with settings')
      if (tecnativa) suggestFromSettings(tecnativa, options, command)
      else await suggestFromAudit(files, options, command)
    })
}

async function suggestFromAudit(files: readonly string[], options: SuggestOptions, command: Command): Promise<void> {
  const { add, clients } = createGathering(options)
  for await (const record of readRecords(files, note)) add(record)
  const names = [...clients.keys()].sort().join(', ')
  if (options.client === undefined && clients.size > 1)
    command.error(`error: the files hold several clients, and a policy is for one; give --client, one of ${names}`)
  const client = options.client ?? names
  const gathered = clients.get(client)
  if (!gathered) {
    end(clients.size === 0 ? 'no request is recorded' : `no request of ${client} is recorded; recorded are ${names}`)
    return
  }
  const { text, taken, leftOut } = suggestPolicy(client, gathered)
  if (!options.json) for (const line of leftOut) note(`not granted: ${line}`)
  const root = [...new Set(taken.flatMap(({ request }) => (request.operation.kind === 'root' ? request.operation.id : [])))]
  if (root.length > 0) note(`THE POLICY GRANTS WHAT AMOUNTS TO ROOT ON THE HOST: ${root.join(', ')}`)
  if (text === undefined) end(`nothing recorded of ${client} is left to suggest a policy from`)
  else write({ client, policy: text, notGranted: leftOut }, options)
}

function suggestFromSettings(settings: readonly string[], options: SuggestOptions, command: Command): void {
  const { client = 'client' } = options
  if (!CLIENT_NAME.test(client))
    command.error(`error: “${printable(client)}” is no name for a client; give a short one in lower case`)
  const text = suggestFromTecnativa(client, argument(parseTecnativa)(settings), options)
  if (text === undefined) end('nothing was open there that a policy can allow')
  else write({ client, policy: text, notGranted: [] }, options)
}

type Suggested = { readonly client: string; readonly policy: string; readonly notGranted: readonly string[] }

/** The policy as YAML, or with what it leaves out as JSON. */
function write(suggested: Suggested, { json }: SuggestOptions): void {
  process.stdout.write(json ? `${JSON.stringify(suggested, null, 2)}\n` : suggested.policy)
}

function note(text: string): void {
  process.stderr.write(`note: ${printable(text)}\n`)
}

function end(why: string): void {
  process.stderr.write(`postern-proxy: ${printable(why)}\n`)
  process.exitCode = EXIT_FAILED
}
