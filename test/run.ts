// `npm test`: all tests, those that need a Docker Engine among them where one answers. Says what was not run, and counts.
// REQUIRE_ENGINE=1 makes a missing Engine a failure. Arguments are handed to tap instead: `npm test -- test/healer/*.test.ts`.
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'

/** Where an Engine is looked for, as Docker's own client does. */
const address = process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock'
const RESULTS = '.tap/counted'

type Counts = { readonly passed: number; readonly failed: number }

async function main(): Promise<void> {
  const given = process.argv.slice(2)
  if (given.length > 0) {
    process.exitCode = await tap('given', given)
    return
  }
  rmSync(RESULTS, { recursive: true, force: true })
  const withEngine = await engineAnswers()
  let failed = await tap('unit', UNIT, COVERAGE)
  // One at a time: they bring up the composition, whose names and ports there are once on a machine.
  if (withEngine) failed += await tap('engine', ['--jobs=1', '--timeout=400', ...ENGINE])
  const counts = (withEngine ? ['unit', 'engine'] : ['unit']).map(readCounts)
  const sum = (key: keyof Counts) => counts.reduce((total, count) => total + count[key], 0)
  writeFileSync(`${RESULTS}/total`, `${sum('passed')} passed, ${sum('failed')} failed\n`)
  process.stdout.write(`\n${sum('passed')} passed, ${sum('failed')} failed\n`)
  if (!withEngine) {
    const required = process.env.REQUIRE_ENGINE === '1'
    process.stdout.write(
      `Not run: test/engine, for no Docker Engine answers at ${address}${required ? ', and REQUIRE_ENGINE=1 asks for one' : ''}\n`,
    )
    if (required) failed += 1
  }
  process.exitCode = failed === 0 ? 0 : 1
}

const UNIT = ['test/*.test.ts', 'test/!(engine)/*.test.ts']
const ENGINE = ['test/engine/*.test.ts']
// Not tap's own coverage, which calls every line covered where the code came through tsx.
const COVERAGE = [
  'c8',
  '--all',
  '--include=proxy',
  '--include=healer',
  '--include=sample-app',
  '--extension=.ts',
  '--reporter=text',
]

/** Runs tap to its end, under the command `around` if there is one, and keeps what it counted as `name`; its exit code. */
function tap(name: string, args: readonly string[], around: readonly string[] = []): Promise<number> {
  mkdirSync(RESULTS, { recursive: true })
  const output = process.stdout.isTTY ? [] : ['--reporter=terse']
  const line = [...around, 'tap', 'run', '--disable-coverage', `--output-file=${RESULTS}/${name}.tap`, ...output, ...args]
  const child = spawn(line[0] ?? 'tap', line.slice(1), { stdio: 'inherit' })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code) => resolve(code ?? 1))
  })
}

/** What tap's own summary says: `# { total: 12, pass: 11, fail: 1 }`. */
function readCounts(name: string): Counts {
  const summary = /^# \{ (total: .*) \}$/m.exec(readFileSync(`${RESULTS}/${name}.tap`, 'utf8'))?.[1] ?? ''
  const count = (key: string) => Number(new RegExp(`\\b${key}: (\\d+)`).exec(summary)?.[1] ?? 0)
  return { passed: count('pass'), failed: count('fail') }
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
