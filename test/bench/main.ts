// `npm run bench`: measures Postern and its peers in one run, on the same work, in turns. Prints a table and writes it as JSON.
// Nothing here passes or fails: a machine is noisy, and the numbers are for people to read.
import { writeFileSync } from 'node:fs'
import { Command, InvalidArgumentError } from 'commander'
import { describeMachine } from './machine.ts'
import { holds, type Row, renderTable } from './row.ts'
import type { Settings } from './settings.ts'
import { measureMemory, measureRestart, measureStart } from './suites/costs.ts'
import { measureForwarding } from './suites/forwarding.ts'
import { measureHealing } from './suites/healing.ts'
import { measureListing } from './suites/listing.ts'
import { measureProbe, measureScale } from './suites/probing.ts'

const SUITES: Readonly<Record<string, (settings: Settings) => Promise<readonly Row[]>>> = {
  forwarding: measureForwarding,
  restart: measureRestart,
  listing: measureListing,
  start: measureStart,
  memory: measureMemory,
  probe: measureProbe,
  scale: measureScale,
  healing: measureHealing,
}

const program = new Command('npm run bench --')
  .description('measures Postern and those of its peers that are installed: HAProxy, nginx, blackbox_exporter')
  .argument('[suite...]', `what to measure, all if none is named: ${Object.keys(SUITES).join(', ')}`)
  .option('--rounds <count>', 'how often each is measured', positive, 7)
  .option('--seconds <seconds>', 'how long each is measured, each time', positive, 5)
  .option('--minutes <minutes>', 'how long memory is watched under full load', positive, 10)
  .option('--peer <name=url>', 'another server of the same paths, to measure beside', peer, new Map<string, string>())
  .option('--json <file>', 'where to write what was measured', '.tap/bench.json')
  .action(run)
await program.parseAsync()

type Options = Omit<Settings, 'peers' | 'say'> & { readonly peer: ReadonlyMap<string, string>; readonly json: string }

async function run(named: readonly string[], { peer: peers, json, ...amounts }: Options): Promise<void> {
  const unknown = named.find((name) => !(name in SUITES))
  if (unknown !== undefined) program.error(`there is no suite ${unknown}; there are ${Object.keys(SUITES).join(', ')}`)
  if (process.platform !== 'linux') program.error('this counts processor time in /proc, which only Linux has')
  const measured: Record<string, readonly Row[]> = {}
  for (const [name, measure] of Object.entries(SUITES)) {
    if (named.length > 0 && !named.includes(name)) continue
    measured[name] = await measure({ ...amounts, peers, say: (text) => void process.stderr.write(`${name} ${text}\n`) })
  }
  const machine = describeMachine()
  const rows = Object.values(measured).flat()
  const judged = Object.fromEntries(
    Object.entries(measured).map(([name, of]) => [name, of.map((row) => ({ ...row, holds: holds(row) }))]),
  )
  writeFileSync(json, `${JSON.stringify({ machine, ...amounts, suites: judged }, null, 1)}\n`)
  process.stdout.write(`${machine}\n\n${renderTable(rows)}\n\nwritten to ${json}\n`)
}

function positive(text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new InvalidArgumentError('It takes a number above 0.')
  return value
}

function peer(text: string, before: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  const [, name, url] = /^([^=]+)=(https?:\/\/.*[^/])\/?$/.exec(text) ?? []
  if (name === undefined || url === undefined) throw new InvalidArgumentError('It takes NAME=http://HOST:PORT.')
  return new Map(before).set(name, url)
}
