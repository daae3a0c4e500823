// `postern-proxy explain`: what would become of a request under a policy, and by which line of it. Asks no Engine and sends nothing.
import { Command, Option } from 'commander'
import { EXPLAINED_VERDICTS, explain, renderExplained } from '../check/explain.ts'
import { readPolicySource } from '../policy/load-policy.ts'
import { parseGiven } from '../policy/parse-policy.ts'
import type { Given } from '../policy/policy.ts'
import { policyLines } from '../policy/policy-lines.ts'
import { paintVerdicts } from '../terminal.ts'
import { argument, EXIT_FAILED, jsonOption } from './options.ts'

type ExplainFlags = { readonly given?: Given; readonly json?: boolean }

const EXAMPLES = `
Examples:
  postern-proxy explain policies/healer.yaml GET /v1.45/containers/json
  postern-proxy explain policies/healer.yaml POST '/containers/web/restart' \\
    --given '{labels: {monitored: "true"}}'

Where --given does not say otherwise, the container runs, has no labels, and has
the name in the path. Exit codes: 0, allowed; 1, refused; 2, the command line or
the policy is wrong.`

export function explainCommand(): Command {
  return new Command('explain')
    .description('say what would become of a request, by which line of the policy, and what would be forwarded and shown')
    .argument('<policy>', 'a policy file; its own tests need not hold')
    .argument('<method>', 'such as GET', argument(parseMethod))
    .argument('<path>', 'with its query, such as /v1.45/containers/json?all=1', argument(parseTarget))
    .addOption(
      new Option('--given <yaml>', 'the container: labels, name and state, as under `given:` in a policy’s tests').argParser(
        argument(parseGiven),
      ),
    )
    .addOption(jsonOption())
    .addHelpText('after', EXAMPLES)
    .action(async (file: string, method: string, target: string, { given = { labels: {} }, json }: ExplainFlags) => {
      const { policy, text } = await readPolicySource(file)
      const explained = explain(policy, policyLines(text), method, target, given)
      process.stdout.write(
        json
          ? `${JSON.stringify({ file, ...explained }, null, 2)}\n`
          : paintVerdicts(renderExplained(file, explained), EXPLAINED_VERDICTS),
      )
      if (explained.verdict === 'deny') process.exitCode = EXIT_FAILED
    })
}

function parseMethod(text: string): string {
  if (!/^[A-Z]+$/.test(text)) throw new Error(`“${text}” is not a method; write it in capitals, such as GET`)
  return text
}

function parseTarget(text: string): string {
  if (!/^\/\S*$/.test(text)) throw new Error(`“${text}” is not a path of the Engine API, such as /v1.45/containers/json?all=1`)
  return text
}
