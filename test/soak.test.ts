// A soak, in a short form: the same faults, with few containers; what it is held to, over what might be noted; and its command line.
import { spawnSync } from 'node:child_process'
import t from 'tap'
import { judge, type Noted } from './soak/judge.ts'
import { createRandom } from './soak/random.ts'
import { readPage } from './support/pages.ts'

const ROOT = new URL('../', import.meta.url).pathname
const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, ['--import=tsx', `${ROOT}test/soak/main.ts`, ...args], { encoding: 'utf8', timeout: 570_000 })

const WELL: Noted = {
  illnesses: new Map([
    ['ill-1', 2],
    ['ill-2', 1],
  ]),
  notHealed: [],
  restarts: ['ill-1', 'ill-2', 'ill-1'],
  interruptions: 1,
  alerts: ['ill-1', 'ill-2', 'ill-1'].flatMap((container) => [
    { container, event: 'restarted' },
    { container, event: 'recovered' },
  ]),
  verified: { holds: true, said: '12 lines' },
  stray: '',
  usage: {
    proxy: [80, 81, 82].map((megabytes) => ({ megabytes, handles: 30 })),
    healer: [100, 101, 102].map((megabytes) => ({ megabytes, handles: 40 })),
  },
  state: { files: 3, kilobytes: 100 },
  audit: { files: 3, kilobytes: 100 },
}
const BOUNDS = { auditFiles: 10, auditKilobytes: 576 }
const failing = (noted: Partial<Noted>) =>
  judge({ ...WELL, ...noted }, BOUNDS).flatMap(({ what, holds, found }) => (holds ? [] : [`${what}: ${found}`]))

t.test('a soak that lost nothing holds; one restart more may be made for each interruption', async (t) => {
  t.same(failing({}), [])
  t.same(failing({ restarts: ['ill-1', 'ill-2', 'ill-1', 'ill-1'] }), [])
})

const grown = (kind: 'megabytes' | 'handles', last: number) => ({
  ...WELL.usage,
  healer: [100, 100, last].map((value) => ({ megabytes: 100, handles: 40, [kind]: value })),
})
const lost: readonly (readonly [what: string, noted: Partial<Noted>, said: RegExp])[] = [
  ['one that never failed', { illnesses: new Map([...(WELL.illnesses ?? []), ['ill-3', 0]]) }, /may fail did: ill-3/],
  ['one that was not healed', { notHealed: ['ill-2'] }, /every failure was healed: ill-2/],
  ['a restart too few', { restarts: ['ill-1', 'ill-2'] }, /one restart.*: 2 restarts on record, 1 interruptions/],
  ['restarts too many', { restarts: Array.from({ length: 5 }, () => 'ill-1') }, /one restart.*: 5 restarts/],
  ['a restart of what was well', { restarts: [...WELL.restarts, 'well-7'] }, /nothing that was well.*: well-7/],
  ['a recovery that nobody was told of', { alerts: WELL.alerts.slice(0, -1) }, /told, once: ill-1: 1 of 2/],
  [
    'one that was told twice',
    { alerts: [...WELL.alerts, { container: 'ill-2', event: 'recovered' }] },
    /told, once: ill-2: 2 of 1/,
  ],
  ['a broken chain', { verified: { holds: false, said: 'audit.jsonl:7' } }, /chain.*: audit\.jsonl:7/],
  ['a trace of a crash', { stray: 'TypeError' }, /beside the logs: TypeError/],
  ['memory that grows', { usage: grown('megabytes', 130) }, /healer’s memory.*: 100, then 130, at most 130 MB/],
  ['memory beyond what there is', { usage: grown('megabytes', 200) }, /healer’s memory/],
  ['open files that become more', { usage: grown('handles', 141) }, /healer’s open files.*: 100, then 141/],
  ['files that are left behind', { state: { files: 4, kilobytes: 100 } }, /no other: 4 files/],
  ['a log that outgrows its size', { audit: { files: 3, kilobytes: 600 } }, /within its size: 3 files, 600 of 576 KB/],
]
for (const [what, noted, said] of lost) {
  t.test(`${what} fails the soak`, async (t) => {
    const found = failing(noted)
    t.ok(
      found.some((line) => said.test(line)),
      found.join('\n'),
    )
  })
}

t.test('a seed repeats what is random', async (t) => {
  const draw = (seed: number) => {
    const { between } = createRandom(seed)
    return Array.from({ length: 100 }, () => between(1, 6))
  }
  t.same(draw(7), draw(7))
  t.notSame(draw(7), draw(8))
  t.same([...new Set(draw(7))].sort(), [1, 2, 3, 4, 5, 6])
})

t.test('every option of npm run soak is in docs/faults.md; what it does not take, it says', async (t) => {
  const { stdout } = run('--help')
  const page = readPage('faults.md')
  const options = [...stdout.matchAll(/^ +(?:-h, )?(--[a-z]+)/gm)].flatMap(([, option]) => (option === undefined ? [] : [option]))
  t.ok(options.length >= 5)
  for (const word of options) t.ok(page.includes(`\`${word}`), word)
  t.match(run('--minutes', '-1'), { status: 1, stderr: /It takes a number above 0/ })
})

t.test(
  'a short one: few containers, and faults for half a minute',
  { skip: process.platform !== 'linux', timeout: 580_000 },
  async (t) => {
    const { status, stdout, stderr } = run('--minutes', '0.5', '--seed', '1', '--healthy', '4', '--failing', '3')
    t.equal(status, 0, stdout + stderr)
    t.match(stdout, 'seed 1: 4 containers that stay well and 3 that fail, for 0.5 minutes')
    t.match(stdout, /all of it holds\n$/)
  },
)
