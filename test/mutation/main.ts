// `npm run mutation`: changes one place after the other in the pure cores, and runs the tests of that core each time: a change that no test
// notices is a gap in the tests, or code that does nothing. Prints each such change, and a table of scores. Takes minutes for each core.
import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { CORES } from './cores.ts'

const STRYKER = 'test/mutation/node_modules/@stryker-mutator/core/bin/stryker.js'
const DIRECTORY = '.tap/mutation'

type Score = { readonly file: string; readonly noticed: number; readonly unnoticed: number }

const program = new Command('npm run mutation --')
  .description('changes one place after the other in the pure cores, and says what no test notices')
  .argument(
    '[what...]',
    `cores (${Object.keys(CORES).join(', ')}), or files of theirs, with lines or without: FILE:10-20; all if none is named`,
  )
  .option('--jobs <count>', 'how many changes are tried at once', positive, 2)
  .action(run)
await program.parseAsync()

function run(named: readonly string[], { jobs }: { readonly jobs: number }): void {
  const known = (what: string) => what in CORES || Object.values(CORES).some(({ files }) => files.includes(withoutLines(what)))
  const unknown = named.find((what) => !known(what))
  if (unknown !== undefined) program.error(`${unknown} is neither a core nor a file of one`)
  const scores = Object.entries(CORES).flatMap(([core, { files }]) => {
    const isAll = named.length === 0 || named.includes(core)
    const chosen = isAll ? files : named.filter((what) => files.includes(withoutLines(what)))
    return chosen.length > 0 ? mutate(core, chosen, jobs) : []
  })
  process.stdout.write(`\n${renderScores(scores)}\n`)
}

function withoutLines(what: string): string {
  return what.replace(/:\d+-\d+$/, '')
}

/** Tries every change in `files`, prints those that nobody noticed, and counts. Throws where the tests fail without any change. */
function mutate(core: string, files: readonly string[], jobs: number): readonly Score[] {
  const report = `${DIRECTORY}/${core}.json`
  const config = `${DIRECTORY}/${core}.config.json`
  mkdirSync(DIRECTORY, { recursive: true })
  const settings = {
    mutate: files,
    testRunner: 'command',
    buildCommand: `node --import=tsx test/mutation/bundle.ts ${core}`,
    commandRunner: { command: 'node test/mutation/bundle.mjs' },
    concurrency: jobs,
    // Beside what the tests take without any change: on a busy machine a test that is merely slow is no change that was noticed.
    timeoutMS: 60_000,
    // Copied with the rest of the repository, but not needed by any of the tests.
    ignorePatterns: ['.tap', 'docs/pictures'],
    // Types are looked at elsewhere, and TypeScript 7 has not what it takes to rewrite paths in its settings.
    tsconfigFile: 'none',
    tempDirName: `${DIRECTORY}/copies`,
    reporters: process.stdout.isTTY ? ['progress', 'json'] : ['json'],
    jsonReporter: { fileName: report },
    allowConsoleColors: false,
    logLevel: 'warn',
  }
  writeFileSync(config, JSON.stringify(settings))
  // tap's own bound on the time would end them sooner, and a test that it ends has failed.
  const env = { ...process.env, TAP: '1', TAP_BAIL: '1', TAP_TIMEOUT: '600' }
  const { status } = spawnSync(process.execPath, [STRYKER, 'run', config], { stdio: 'inherit', env })
  if (status !== 0) program.error(`the changes in ${core} could not be tried; what is above says why`)
  return readReport(report)
}

type Mutant = {
  readonly status: 'Killed' | 'Timeout' | 'Survived' | string
  readonly location: {
    readonly start: { readonly line: number; readonly column: number }
    readonly end: { readonly line: number; readonly column: number }
  }
  readonly replacement: string
}
type Report = { readonly files: Readonly<Record<string, { readonly source: string; readonly mutants: readonly Mutant[] }>> }

function readReport(file: string): readonly Score[] {
  const { files }: Report = JSON.parse(readFileSync(file, 'utf8'))
  return Object.entries(files).map(([name, { source, mutants }]) => {
    const unnoticed = mutants.filter(({ status }) => status === 'Survived')
    for (const mutant of unnoticed) process.stdout.write(`${renderMutant(name, source, mutant)}\n`)
    const noticed = mutants.filter(({ status }) => status === 'Killed' || status === 'Timeout')
    return { file: name, noticed: noticed.length, unnoticed: unnoticed.length }
  })
}

/** `file:line:column`, what stands there, and what it was changed to. */
function renderMutant(file: string, source: string, { location: { start, end }, replacement }: Mutant): string {
  const lines = source.split('\n').slice(start.line - 1, end.line)
  const text = lines.join('\n').slice(start.column - 1, end.line === start.line ? end.column - 1 : undefined)
  const short = (code: string) => code.replace(/\s+/g, ' ').slice(0, 100)
  return `${file}:${start.line}:${start.column}: ${short(text)} → ${short(replacement)}`
}

function renderScores(scores: readonly Score[]): string {
  const total = scores.reduce(
    (sum, { noticed, unnoticed }) => ({ file: 'all', noticed: sum.noticed + noticed, unnoticed: sum.unnoticed + unnoticed }),
    { file: 'all', noticed: 0, unnoticed: 0 },
  )
  return [...scores, total]
    .map(({ file, noticed, unnoticed }) => {
      const changes = noticed + unnoticed
      return `| ${file} | ${changes} | ${noticed} | ${changes === 0 ? '–' : `${((100 * noticed) / changes).toFixed(1)} %`} |`
    })
    .join('\n')
}

function positive(text: string): number {
  const value = Number(text)
  if (!(Number.isInteger(value) && value > 0)) throw new InvalidArgumentError('It takes a whole number above 0.')
  return value
}
