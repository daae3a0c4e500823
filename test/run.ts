// `npm test`: all tests, those that need a Docker Engine among them where one answers. Says what was not run, and counts.
// REQUIRE_ENGINE=1 makes a missing Engine a failure. `--unit` runs only what needs neither an Engine nor much time; `--engines` what
// starts engines of its own (docs/engines.md), which no other call does. Other arguments are handed to tap instead:
// `npm test -- test/healer/*.test.ts`.
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'

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
  const codes: number[] = []
  for (const part of parts) codes.push(await (part === 'unit' ? tap(part, UNIT) : tap(part, ['--jobs=3', ...ENGINES])))
  count(parts)
  return Math.max(...codes)
}

/** The exit code. */
async function runAll(): Promise<number> {
  const withEngine = await engineAnswers()
  const codes = [await tap('unit', [...UNIT, ...SLOW])]
  // One at a time: they bring up the composition, whose names and ports there are once on a machine.
  if (withEngine) codes.push(await tap('engine', ['--jobs=1', ...ENGINE]))
  count(withEngine ? ['unit', 'engine'] : ['unit'])
  if (!withEngine) {
    const required = process.env.REQUIRE_ENGINE === '1'
    const why = `no Docker Engine answers at ${address}${required ? ', and REQUIRE_ENGINE=1 asks for one' : ''}`
    process.stdout.write(`Not run: ${ENGINE[0]}, for ${why}\n`)
    if (required) codes.push(1)
  }
  return codes.every((code) => code === 0) ? 0 : 1
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

const UNIT = ['test/*.test.ts', 'test/!(engine|engines|compose)/*.test.ts']
const SLOW = ['test/compose/*.test.ts']
const ENGINE = ['test/engine/*.test.ts']
const ENGINES = ['test/engines/*.test.ts']
/** Runs tap to its end, and keeps what it counted as `name`; its exit code. */
function tap(name: string, args: readonly string[]): Promise<number> {
  mkdirSync(RESULTS, { recursive: true })
  const output = process.stdout.isTTY ? [] : ['--reporter=terse']
  const line = ['run', '--disable-coverage', `--output-file=${RESULTS}/${name}.tap`, ...output, ...args]
  const child = spawn('tap', line, { stdio: 'inherit' })
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
