// `npm test`: all tests, those that need a Docker Engine among them where one answers. Says what was not run, and counts.
// REQUIRE_ENGINE=1 makes a missing Engine a failure. `--unit` runs only what needs neither an Engine nor much time; `--engines` what
// starts engines of its own (docs/engines.md), which no other call does. Other arguments are handed to tap instead:
// `npm test -- test/healer/*.test.ts`. What mostly waits for an Engine runs beside the others, but not on a terminal, where both draw.
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { getPriority, setPriority } from 'node:os'

/** Where an Engine is looked for, as Docker's own client does. */
const address = process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock'
const RESULTS = '.tap/counted'

type Counts = { readonly passed: number; readonly failed: number }

async function main(): Promise<void> {
  const given = process.argv.slice(2)
  rmSync(RESULTS, { recursive: true, force: true })
  if (given.length > 0 && given.every((each) => each === '--unit' || each === '--engines')) {
    process.exitCode = await runParts(given)
  } else if (given.length > 0) process.exitCode = await tap('given', given)
  else process.exitCode = await runAll()
}

/** Runs what `--unit` and `--engines` name; the exit code. */
async function runParts(given: readonly string[]): Promise<number> {
  const parts = given.map((part) => part.slice('--'.length))
  const codes = await beside(parts.map((part) => () => (part === 'unit' ? tap(part, UNIT) : tap(part, ['--jobs=2', ...ENGINES]))))
  count(parts)
  return Math.max(...codes)
}

/** The exit code. */
async function runAll(): Promise<number> {
  const withEngine = await engineAnswers()
  const unit = () => tap('unit', [...UNIT, ...SLOW, ...(withEngine ? ENGINE_APART : [])], withEngine ? GIVING_WAY : 0)
  // One at a time: they bring up the composition, whose names there are once on a machine.
  const engine = () => tap('engine', ['--jobs=1', ...ENGINE])
  if (withEngine) buildImages()
  const codes = await beside(withEngine ? [unit, engine] : [unit])
  count(withEngine ? ['unit', 'engine'] : ['unit'])
  if (!withEngine) {
    const required = process.env.REQUIRE_ENGINE === '1'
    const why = `no Docker Engine answers at ${address}${required ? ', and REQUIRE_ENGINE=1 asks for one' : ''}`
    process.stdout.write(`Not run: test/engine and test/faults/engine, for ${why}\n`)
    if (required) codes.push(1)
  }
  return codes.every((code) => code === 0) ? 0 : 1
}

/** Runs all at once; on a terminal one after the other. */
async function beside(runs: readonly (() => Promise<number>)[]): Promise<number[]> {
  if (!process.stdout.isTTY) return Promise.all(runs.map((run) => run()))
  const codes: number[] = []
  for (const run of runs) codes.push(await run())
  return codes
}

/** Once for all tests; where it fails, each of them builds, and says why it cannot. */
function buildImages(): void {
  const line = ['compose', '-f', 'compose/compose.yaml', 'build', '--quiet', 'proxy', 'healer', 'sample-app']
  if (spawnSync('docker', line, { stdio: 'inherit' }).status === 0) process.env.IMAGES_BUILT = '1'
}

/** Prints and keeps what failed, and what tap counted, in the runs called `names`. */
function count(names: readonly string[]): void {
  const failures = names.flatMap(readFailures).map((failure) => `${failure}\n`)
  writeFileSync(`${RESULTS}/failures`, failures.join(''))
  process.stdout.write(failures.join(''))
  const counts = names.map(readCounts)
  const sum = (key: keyof Counts) => counts.reduce((total, each) => total + each[key], 0)
  const words = `${sum('passed')} passed, ${sum('failed')} failed\n`
  writeFileSync(`${RESULTS}/total`, words)
  process.stdout.write(`\n${words}`)
}

const UNIT = ['test/*.test.ts', 'test/!(engine|engines|compose|faults)/*.test.ts']
const SLOW = ['test/compose/*.test.ts', 'test/faults/*.test.ts']
const ENGINE = ['test/engine/*.test.ts']
/** On an Engine, without the composition, and with nothing that its healer would see. */
const ENGINE_APART = ['test/engine/apart/*.test.ts', 'test/faults/engine/*.test.ts']
const ENGINES = ['test/engines/*.test.ts']
/** Below the priority of what has deadlines: healers and proxies in containers. */
const GIVING_WAY = 10

/** Runs tap to its end, and keeps what it counted as `name`; its exit code. */
function tap(name: string, args: readonly string[], priority = 0): Promise<number> {
  mkdirSync(RESULTS, { recursive: true })
  const output = process.stdout.isTTY ? [] : ['--reporter=terse']
  const line = ['run', '--disable-coverage', `--output-file=${RESULTS}/${name}.tap`, ...output, ...args]
  const child = spawn('tap', line, { stdio: 'inherit' })
  if (child.pid !== undefined) setPriority(child.pid, Math.max(priority, getPriority()))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

/** What tap's own summary says: `# { total: 12, pass: 11, fail: 1 }`. */
function readCounts(name: string): Counts {
  const summary = /^# \{ (total: .*) \}$/m.exec(readFileSync(`${RESULTS}/${name}.tap`, 'utf8'))?.[1] ?? ''
  const of = (key: string) => Number(new RegExp(`\\b${key}: (\\d+)`).exec(summary)?.[1] ?? 0)
  return { passed: of('pass'), failed: of('fail') }
}

/** Each test that failed, with what tap says of it: where it stands, what was found and what was wanted. */
function readFailures(name: string): string[] {
  const text = readFileSync(`${RESULTS}/${name}.tap`, 'utf8')
  return [...text.matchAll(/^( *)not ok \d+ - .*\n(?:\1 {2}---\n(?:\1 .*\n)*?\1 {2}\.\.\.\n)?/gm)].map(([failure]) =>
    failure.slice(0, 4000),
  )
}

function engineAnswers(): Promise<boolean> {
  const socketPath = /^unix:\/\/(.+)$/.exec(address)?.[1]
  const target = socketPath === undefined ? { host: new URL(address).hostname, port: new URL(address).port } : { socketPath }
  return new Promise((resolve) => {
    request({ ...target, path: '/_ping', timeout: 5000 }, (response) => {
      response.resume()
      resolve(response.statusCode === 200)
    })
      .on('timeout', () => resolve(false))
      .on('error', () => resolve(false))
      .end()
  })
}

await main()
