// `npm run fuzz`: feeds the code that reads what others write with inputs made up from a seed, for as long as one likes, and ends with the
// first that does what it must not: with that input, as small as it can be made, and with how to have it again.
import { Command, InvalidArgumentError } from 'commander'
import { newSeed, type Target } from './target.ts'
import { body } from './targets/body.ts'
import { hook } from './targets/hook.ts'
import { labels } from './targets/labels.ts'
import { loader } from './targets/loader.ts'
import { projection } from './targets/projection.ts'
import { reader } from './targets/reader.ts'
import { verifier } from './targets/verifier.ts'

const TARGETS: Readonly<Record<string, Target>> = { reader, body, loader, projection, verifier, labels, hook }

/** An input that takes longer is as bad as one that is misread: whoever can send it keeps the program busy. */
const SLOW_MS = 2000

const program = new Command('npm run fuzz --')
  .description('feeds inputs made up from a seed to what reads the input of others')
  .option('--minutes <minutes>', 'how long in all', number, 1)
  .option('--target <name...>', `what is fed, in turns: ${Object.keys(TARGETS).join(', ')}`, Object.keys(TARGETS))
  .option('--seed <seed>', 'of the first batch; each later one has the next number', number, newSeed())
  .action(run)
await program.parseAsync()

type Options = { readonly minutes: number; readonly target: readonly string[]; readonly seed: number }

type Fed = { readonly name: string; readonly target: Target; inputs: number; ms: number }

async function run({ minutes, target: names, seed }: Options): Promise<void> {
  const unknown = names.find((name) => !Object.hasOwn(TARGETS, name))
  if (unknown !== undefined) program.error(`there is no target ${unknown}; there are ${Object.keys(TARGETS).join(', ')}`)
  const all = Object.entries(TARGETS).map(([name, target]): Fed => ({ name, target, inputs: 0, ms: 0 }))
  const chosen = all.filter(({ name }) => names.includes(name))
  process.stdout.write(`seed ${seed}\n`)
  const endMs = performance.now() + minutes * 60_000
  for (let batch = seed; batch === seed || performance.now() < endMs; batch++)
    for (const fed of chosen) if (!(await holds(fed, batch))) process.exit(1)
  for (const { name, target, inputs, ms } of chosen)
    process.stdout.write(`${name}: ${inputs} inputs, ${Math.round((1000 * inputs) / ms)} a second: ${target.holds}\n`)
}

/** Whether all that must hold did; what did not is printed. */
async function holds(fed: Fed, seed: number): Promise<boolean> {
  const { name, target } = fed
  const fromMs = performance.now()
  const failure = await target.run(seed, target.batch, SLOW_MS)
  fed.inputs += target.batch
  fed.ms += performance.now() - fromMs
  if (failure) {
    const repeat = `npm run fuzz -- --target ${name} --seed ${seed}`
    process.stdout.write(
      `${name}: it does not hold that ${target.holds}\n${failure.why}\ninput: ${failure.input}\nto repeat: ${repeat}\n`,
    )
  }
  return failure === undefined
}

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0)) throw new InvalidArgumentError('It takes a number.')
  return value
}
