// What a probe costs: beside blackbox_exporter, and as the containers become more.
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Pool } from 'undici'
import { type Blackbox, type Fleet, type MeasuredHealer, startBlackbox, startFleet, startHealer } from '../fleet/fleet.ts'
import { cpuMs, residentBytes } from '../machine.ts'
import type { Row } from '../row.ts'
import type { Settings } from '../settings.ts'
import { onStage } from '../started.ts'
import { quantile, ratios, type Spread, spreadOf } from '../statistics.ts'

const INTERVAL_MS = 1000
/** What is compiled while it runs is compiled by then. */
const WARM_UP_MS = 20_000

/** A hundred containers a second by the healer, and a hundred probes a second by its peer, in the same seconds on the same core. */
export function measureProbe({ rounds, seconds, say }: Settings): Promise<readonly Row[]> {
  return onStage(async (stage) => {
    const fleet = await startFleet(stage, 100)
    const healer = await startHealer(stage, `unix://${fleet.socketPath}`)
    const [peersFleet, stopped] = [await startFleet(stage, 1), new AbortController()]
    const peer = await startBlackbox(stage, peersFleet)
    const asking = peer ? askEvery(10, peer, stopped.signal) : undefined
    stage.atEnd(() => stopped.abort())
    await delay(WARM_UP_MS)
    const [ours, theirs]: [number[], number[]] = [[], []]
    for (let round = 1; round <= rounds; round++) {
      await Promise.all([fleet.noted(), peersFleet.noted()])
      const before = [cpuMs(healer.pid), peer ? cpuMs(peer.pid) : 0] as const
      await delay(seconds * 1000)
      const spent = [cpuMs(healer.pid) - before[0], peer ? cpuMs(peer.pid) - before[1] : 0] as const
      const [noted, peersNoted] = await Promise.all([fleet.noted(), peersFleet.noted()])
      ours.push((1000 * spent[0]) / noted.probes)
      if (peer) theirs.push((1000 * spent[1]) / peersNoted.probes)
      say(`${round}/${rounds}: ${ours.at(-1)?.toFixed(0)} µs a probe, blackbox_exporter ${theirs.at(-1)?.toFixed(0)} µs`)
    }
    const megabytes = residentBytes(healer.pid) / 1024 ** 2
    stopped.abort()
    await asking
    const beside = peer
      ? { peer: { name: peer.name, theirs: spreadOf(theirs), ratio: ratios(ours, theirs) }, target: { atMost: 0.7 } }
      : {}
    return [
      { work: 'one HTTP probe, 100 containers a second: processor time', unit: 'µs', ours: spreadOf(ours), ...beside },
      { work: 'the healer’s memory, 100 containers', unit: 'MB', ours: spreadOf([megabytes]), target: { atMost: 96 } },
    ]
  })
}

async function askEvery(ms: number, { probe }: Blackbox, signal: AbortSignal): Promise<void> {
  const asked = new Set<Promise<void>>()
  for (let nextMs = performance.now(); !signal.aborted; nextMs += ms) {
    await delay(Math.max(0, nextMs - performance.now()))
    const one: Promise<void> = probe().finally(() => asked.delete(one))
    asked.add(one)
  }
  await Promise.all(asked)
}

const COUNTS = [10, 100, 1000] as const

/** The same as the containers become more, each looked at every second. */
export function measureScale(settings: Settings): Promise<readonly Row[]> {
  return onStage(async (stage) => {
    const measured: { readonly count: number; readonly run: Scaled }[] = []
    for (const count of COUNTS) {
      const fleet = await startFleet(stage, count)
      const healer = await startHealer(stage, `unix://${fleet.socketPath}`, `healer-${count}`)
      const run = await watch(fleet, healer, settings)
      const usable = count === COUNTS.at(-1) ? await measureUse(healer, settings) : []
      await healer.end()
      settings.say(
        `${count} containers: ${(100 * run.share.median).toFixed(1)} % of a core, ${run.perProbe.median.toFixed(0)} µs a probe, ${(run.looksPerProbe * 100).toFixed(0)} looks at Docker for 100`,
      )
      measured.push({ count, run })
      if (usable.length > 0) return [...measured.flatMap((one, i) => rowsOf(one, measured[i - 1])), ...usable]
    }
    throw new Error('nothing was measured')
  })
}

type Scaled = {
  readonly share: Spread
  readonly perProbe: Spread
  readonly lateMs: Spread
  readonly megabytes: readonly number[]
  readonly looksPerProbe: number
}

async function watch({ noted }: Fleet, { pid }: MeasuredHealer, { rounds, seconds }: Settings): Promise<Scaled> {
  await delay(WARM_UP_MS)
  const [shares, perProbe, late, megabytes]: [number[], number[], number[], number[]] = [[], [], [], []]
  let [looks, probes] = [0, 0]
  for (let round = 0; round < rounds; round++) {
    await noted()
    const [beforeMs, startedMs] = [cpuMs(pid), performance.now()]
    await delay(seconds * 1000)
    const [spentMs, tookMs] = [cpuMs(pid) - beforeMs, performance.now() - startedMs]
    const seen = await noted()
    shares.push(spentMs / tookMs)
    perProbe.push((1000 * spentMs) / seen.probes)
    const lateness = seen.gapsMs.map((gapMs) => gapMs - INTERVAL_MS).sort((a, b) => a - b)
    late.push(quantile(lateness, 0.99))
    megabytes.push(residentBytes(pid) / 1024 ** 2)
    looks += seen.looks
    probes += seen.probes
  }
  const looksPerProbe = looks / probes
  return { share: spreadOf(shares), perProbe: spreadOf(perProbe), lateMs: spreadOf(late), megabytes, looksPerProbe }
}

function rowsOf(
  { count, run }: { count: number; run: Scaled },
  fewer: { count: number; run: Scaled } | undefined,
): readonly Row[] {
  const isMost = count === COUNTS.at(-1)
  const work = `${count.toLocaleString('en')} containers probed every second`
  const half = Math.ceil(run.megabytes.length / 2)
  const [early, late] = [spreadOf(run.megabytes.slice(0, half)), spreadOf(run.megabytes.slice(-half))]
  const ratio = fewer && spreadOf([run.perProbe.median / fewer.run.perProbe.median])
  return [
    {
      work: `${work}: time of one probe`,
      unit: 'µs',
      ours: run.perProbe,
      ...(fewer && ratio
        ? { peer: { name: `with ${fewer.count}`, theirs: fewer.run.perProbe, ratio }, target: { atMost: 1 } }
        : {}),
      note: `Docker was asked about one container ${(run.looksPerProbe * 100).toFixed(1)} times in 100 probes`,
    },
    { work: `${work}: share of a core`, unit: '%', ours: percent(run.share), ...(isMost ? { target: { atMost: 50 } } : {}) },
    { work: `${work}: 99 of 100 late by`, unit: 'ms', ours: run.lateMs, ...(isMost ? { target: { atMost: 250 } } : {}) },
    {
      work: `${work}: memory, the second half`,
      unit: 'MB',
      ours: late,
      peer: { name: 'the first half', theirs: early, ratio: spreadOf([late.median / early.median]) },
      ...(isMost ? { target: { atMost: 1.05 } } : {}),
    },
  ]
}

const percent = ({ low, median, high }: Spread): Spread => ({ low: low * 100, median: median * 100, high: high * 100 })

/** What people and Prometheus ask for, answered while all are probed, and the file that outlives the healer. */
async function measureUse({ url, stateDir }: MeasuredHealer, { rounds }: Settings): Promise<readonly Row[]> {
  const asking = new Pool(url, { connections: 1 })
  const rows: Row[] = []
  for (const path of ['/', '/metrics', '/api/containers']) {
    const [times, bytes]: [number[], number[]] = [[], []]
    for (let i = 0; i < rounds; i++) {
      const startedMs = performance.now()
      const { statusCode, body } = await asking.request({ method: 'GET', path })
      bytes.push((await body.arrayBuffer()).byteLength)
      times.push(performance.now() - startedMs)
      if (statusCode !== 200) throw new Error(`${path} was answered ${statusCode}`)
      await delay(1500)
    }
    rows.push({
      work: `1,000 containers: ${path}`,
      unit: 'ms',
      ours: spreadOf(times),
      note: `${Math.round(spreadOf(bytes).median / 1024)} KB`,
    })
  }
  await asking.close()
  const kilobytes = statSync(join(stateDir, 'healer.json')).size / 1024
  return [...rows, { work: '1,000 containers: what outlives the healer', unit: 'KB', ours: spreadOf([kilobytes]) }]
}
