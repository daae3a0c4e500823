// What the benchmark makes of what it measures, and its command line. The numbers themselves are for people to read.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { readWrk } from './bench/load.ts'
import { cpuMs, residentBytes } from './bench/machine.ts'
import { holds, renderTable } from './bench/row.ts'
import { ratios, spreadOf } from './bench/statistics.ts'

const ROOT = new URL('../', import.meta.url).pathname

const WRK = `Running 5s test @ http://127.0.0.1:8080/
  1 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.53ms    1.10ms  20.00ms   91.00%
    Req/Sec     6.10k   500.00     7.00k    70.00%
  Latency Distribution
     50%    2.30ms
     75%  900.00us
     90%    3.30ms
     99%    1.20s
  30500 requests in 5.00s, 150.00MB read
  Non-2xx or 3xx responses: 12
Requests/sec:   6100.50
Transfer/sec:     30.00MB
`

t.test('what wrk prints is read with its units; what it could not connect is no result', async (t) => {
  t.same(readWrk(WRK), { perSecond: 6100.5, p99Ms: 1200, failed: 12, total: 30_500 })
  t.throws(() => readWrk(WRK.replace('Requests/sec', '  Socket errors: connect 0, read 3, write 0, timeout 0\nRequests/sec')), {
    message: 'connections broke under load: connect 0, read 3, write 0, timeout 0',
  })
  t.throws(() => readWrk('unable to connect'), /wrk said something else/)
})

t.test('a spread is the median between the quartiles; a ratio is taken pair by pair', async (t) => {
  t.same(spreadOf([4, 1, 3, 2, 5]), { low: 2, median: 3, high: 4 })
  t.same(spreadOf([1, 2]), { low: 1.25, median: 1.5, high: 1.75 })
  t.same(ratios([10, 20, 30], [10, 40, 10]), { low: 0.75, median: 1, high: 2 })
  t.throws(() => ratios([1], [1, 2]))
  t.throws(() => spreadOf([]))
})

t.test('a row says whether its target holds: of the ratio where there is a peer, else of the number itself', async (t) => {
  const alone = { work: 'start', unit: 'ms', ours: spreadOf([299]), target: { atMost: 300 } }
  const beside = { ...alone, peer: { name: 'other', theirs: spreadOf([1]), ratio: spreadOf([301]) } }
  t.same([holds(alone), holds(beside), holds({ ...beside, target: { atLeast: 301 } })], [true, false, true])
  t.equal(holds({ work: 'start', unit: 'ms', ours: spreadOf([1]) }), undefined)
  const table = renderTable([alone, { ...beside, note: 'on a busy machine' }])
  const lines = table.split('\n')
  t.equal(new Set(lines.slice(0, 4).map((line) => line.length)).size, 1, 'its columns are aligned')
  t.match(lines[2], /\| start +\| ms +\| 299 \(299–299\) +\| +\| +\| ≤ 300 +\| yes +\|/)
  t.match(lines[3], /other: 1 \(1–1\) +\| 301 \(301–301\) +\| ≤ 300 +\| no +\|/)
  t.equal(lines.at(-1), 'start: on a busy machine')
})

t.test('time on a processor and memory are those of the process', { skip: process.platform !== 'linux' }, async (t) => {
  const before = cpuMs(process.pid)
  for (const until = performance.now() + 200; performance.now() < until; ) spreadOf([1, 2, 3])
  t.ok(cpuMs(process.pid) > before)
  const { rss } = process.memoryUsage()
  t.ok(Math.abs(residentBytes(process.pid) - rss) < rss / 4)
})

t.test('every option of npm run bench is in docs/performance.md, and every suite', async (t) => {
  const { stdout } = spawnSync(process.execPath, ['--import=tsx', `${ROOT}test/bench/main.ts`, '--help'], { encoding: 'utf8' })
  const page = readFileSync(`${ROOT}docs/performance.md`, 'utf8')
  const options = [...stdout.matchAll(/^ +(?:-h, )?(--[a-z]+)/gm)].flatMap(([, option]) => (option === undefined ? [] : [option]))
  const suites = /what to measure, all if none is named:([\s\w,]+?)\n\n/.exec(stdout)?.[1]?.match(/\w+/g) ?? []
  t.ok(options.length > 3 && suites.length > 3)
  for (const word of [...options, ...suites]) t.ok(page.includes(`\`${word}`), word)
})
