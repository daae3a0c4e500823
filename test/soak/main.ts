// `npm run soak`: Postern under load and under faults, for as long as is said, and whether anything was lost. Exit 0 if all of it holds, 1 if not.
import { Command, InvalidArgumentError } from 'commander'
import { IS_LIGHT } from '../faults/support/app.ts'
import { soak } from './soak.ts'

/** Without a busybox each container takes a Node of its own. */
const MOST_WITHOUT_BUSYBOX = 100

const program = new Command('npm run soak --')
  .description('runs proxy and healer on the embedded engine while containers fail and faults come, and says what was lost')
  .option('--minutes <minutes>', 'for how long', positive, 10)
  .option('--seed <number>', 'what is random, to repeat it; another each time, if not given', whole)
  .option('--healthy <count>', 'containers that stay well', whole, 1000)
  .option('--failing <count>', 'containers that fail, again and again', whole, 50)
  .action(run)
await program.parseAsync()

type Options = { readonly minutes: number; readonly seed?: number; readonly healthy: number; readonly failing: number }

async function run({ minutes, seed = Math.floor(Math.random() * 1_000_000), healthy, failing }: Options): Promise<void> {
  if (process.platform !== 'linux') program.error('this looks at memory and open files in /proc, which only Linux has')
  if (!IS_LIGHT && healthy + failing > MOST_WITHOUT_BUSYBOX)
    program.error(
      `${healthy + failing} containers take a busybox each (apt-get install busybox-static); without it, up to ${MOST_WITHOUT_BUSYBOX}: --healthy, --failing`,
    )
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stopping.abort())
  const say = (text: string) => void process.stdout.write(`${text}\n`)
  const verdicts = await soak({ minutes, seed, healthy, failing, say, signal: stopping.signal })
  const width = Math.max(...verdicts.map(({ what }) => what.length))
  say('')
  for (const { what, holds, found } of verdicts) say(`${holds ? 'ok    ' : 'FAILED'} ${what.padEnd(width)}  ${found}`)
  const failed = verdicts.filter(({ holds }) => !holds).length
  say(failed === 0 ? '\nall of it holds' : `\n${failed} of ${verdicts.length} do not hold; repeat it with --seed ${seed}`)
  process.exitCode = failed === 0 ? 0 : 1
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('It takes a number above 0.')
  return value
}

function whole(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 0) throw new InvalidArgumentError('It takes a whole number.')
  return value
}
