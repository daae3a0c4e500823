// `postern-proxy check`: what a policy lets its client do at worst, in words. Changes nothing; asks an Engine only where one is named.
import { Command, Option } from 'commander'
import { CHECKED_VERDICTS, type Checked, checkPolicy, renderChecked } from '../check/check.ts'
import { listAll } from '../engine/containers.ts'
import { connectEngine } from '../engine/engine.ts'
import { parseUnixAddress } from '../listen-address.ts'
import { loadPolicySource, type PolicySource } from '../policy/load-policy.ts'
import { PolicyFileError } from '../policy/policy-error.ts'
import type { Listed } from '../policy/target.ts'
import { paintVerdicts, type Verdicts } from '../terminal.ts'
import { argument, EXIT_USAGE, jsonOption } from './options.ts'

type CheckFlags = { readonly engine?: string; readonly json?: boolean }

const EXAMPLES = `
Examples:
  postern-proxy check policies/healer.yaml
  postern-proxy check policies/healer.yaml --engine unix:///var/run/docker.sock

Exit codes: 0, every policy is valid (there may be warnings); 1, the Engine
could not be asked; 2, a policy is not valid.`

export function checkCommand(): Command {
  return new Command('check')
    .description('say what is wrong with a policy, or what its client could do at worst')
    .argument('<policy...>', 'policy files')
    .addOption(
      // Without a default, unlike that of the other commands: a policy can be checked where there is no Engine.
      new Option('--engine <address>', 'list the containers of this Docker Engine, in scope or not, and why')
        .env('POSTERN_ENGINE')
        .argParser(argument(parseUnixAddress)),
    )
    .addOption(jsonOption())
    .addHelpText('after', EXAMPLES)
    .action(async (files: string[], { engine, json }: CheckFlags) => {
      const containers = engine === undefined ? undefined : await askEngine(engine)
      const outcomes = await Promise.all(files.map((file) => checkFile(file, containers)))
      if (outcomes.some((outcome) => 'invalid' in outcome)) process.exitCode = EXIT_USAGE
      if (json) process.stdout.write(`${JSON.stringify(outcomes, null, 2)}\n`)
      else for (const outcome of outcomes) print(outcome)
    })
}

/** What is wrong in a policy, and what is underlined of it. */
export const INVALID_VERDICTS: Verdicts = { bad: /^.*?:\d+:\d+:|(?<=^ +\| +)\^+$/gm }

type Invalid = { readonly file: string; readonly invalid: string }

async function checkFile(file: string, containers: readonly Listed[] | undefined): Promise<Checked | Invalid> {
  let source: PolicySource
  try {
    source = await loadPolicySource(file)
  } catch (error) {
    if (error instanceof PolicyFileError) return { file, invalid: error.message }
    throw error
  }
  return checkPolicy(file, source.policy, source.text, containers)
}

function print(outcome: Checked | Invalid): void {
  if ('invalid' in outcome) process.stderr.write(`${paintVerdicts(outcome.invalid, INVALID_VERDICTS, process.stderr)}\n`)
  else process.stdout.write(paintVerdicts(renderChecked(outcome), CHECKED_VERDICTS))
}

async function askEngine(socketPath: string): Promise<readonly Listed[]> {
  const engine = connectEngine(socketPath)
  try {
    return await listAll(engine)
  } finally {
    await engine.close()
  }
}
