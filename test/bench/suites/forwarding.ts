// An inspect by full id through each proxy, as fast as one core does it, and a refusal.
import { setTimeout as delay } from 'node:timers/promises'
import { type Loaded, load } from '../load.ts'
import { cpuMs } from '../machine.ts'
import { POLICIES } from '../policies.ts'
import { type MeasuredProxy, startHaproxy, startNginx, startPostern, startStub } from '../proxies.ts'
import type { Row } from '../row.ts'
import type { Settings } from '../settings.ts'
import { onStage } from '../started.ts'
import { ratios, spreadOf } from '../statistics.ts'
import { CONTAINER_ID } from '../stub-containers.ts'

const CONNECTIONS = 16
const INSPECT = `/v1.45/containers/${CONTAINER_ID}/json`
const REFUSED = `/v1.45/containers/${CONTAINER_ID}/top`

type Contender = { readonly name: string; readonly url: string; readonly pid?: number; readonly runs: Run[] }
type Run = Loaded & { readonly busy: number | undefined; readonly stubBusy: number }

export function measureForwarding(settings: Settings): Promise<readonly Row[]> {
  return onStage(async (stage) => {
    const stub = await startStub(stage)
    const { clients: postern } = await startPostern(stage, stub.socketPath, POLICIES)
    const others = [await startHaproxy(stage, stub.socketPath), await startNginx(stage, stub.socketPath)]
    const at = ({ name, url, pid }: Omit<MeasuredProxy, 'pid'> & { pid?: number }, path: string): Contender => ({
      name,
      url: url + path,
      runs: [],
      ...(pid === undefined ? {} : { pid }),
    })
    const whole = at(postern.whole, INSPECT)
    const cut = at(postern.cut, INSPECT)
    const refusal = at({ ...postern.whole, name: 'Postern, refusal' }, REFUSED)
    const peers = [
      ...others.flatMap((peer) => (peer ? [at(peer, INSPECT)] : [])),
      ...[...settings.peers].map(([name, url]) => at({ name, url }, INSPECT)),
    ]
    const contenders = [whole, ...peers, cut, refusal]
    // What is compiled while it runs is compiled, and what is found out once is known.
    for (const { url } of contenders) await load({ url, connections: CONNECTIONS, seconds: Math.min(2, settings.seconds) })
    for (let round = 1; round <= settings.rounds; round++) {
      for (const contender of contenders) {
        const before = await stub.requests()
        const run = await measure(contender, stub.pid, settings)
        const forwarded = (await stub.requests()) - before
        check(contender, run, forwarded, contender === refusal)
        contender.runs.push(run)
        settings.say(`${round}/${settings.rounds} ${contender.name}: ${Math.round(run.perSecond)} requests/s`)
        await delay(200)
      }
    }
    const rows = (name: string, contender: Contender, target: number) =>
      peers.flatMap((peer) => compare(name, contender, peer, peer.name === 'HAProxy' ? target : undefined))
    return [
      ...rows('inspect, passed whole', whole, 1),
      ...rows('inspect, cut to the healer’s fields', cut, 0.8),
      ...perSecond('refusal', refusal, whole, 1.5),
    ]
  })
}

async function measure({ url, pid }: Contender, stubPid: number, { seconds }: Settings): Promise<Run> {
  const before = [pid === undefined ? 0 : cpuMs(pid), cpuMs(stubPid)] as const
  const startedMs = performance.now()
  const loaded = await load({ url, connections: CONNECTIONS, seconds })
  const tookMs = performance.now() - startedMs
  const busy = pid === undefined ? undefined : (cpuMs(pid) - before[0]) / tookMs
  return { ...loaded, busy, stubBusy: (cpuMs(stubPid) - before[1]) / tookMs }
}

/** What was not done was not measured. */
function check({ name }: Contender, { failed, total }: Run, forwarded: number, isRefusal: boolean): void {
  const expected = isRefusal ? total : 0
  if (failed !== expected) throw new Error(`${name}: ${failed} of ${total} requests were refused, where ${expected} were to be`)
  if (isRefusal && forwarded > 0) throw new Error(`${name}: ${forwarded} requests went to the Engine`)
  if (!isRefusal && forwarded < total) throw new Error(`${name}: ${total} answers, and ${forwarded} requests to the Engine`)
}

function compare(work: string, ours: Contender, theirs: Contender, target?: number): readonly Row[] {
  const p99 = (contender: Contender) => contender.runs.map(({ p99Ms }) => p99Ms)
  return [
    ...perSecond(work, ours, theirs, target),
    {
      work: `${work}: 99 of 100 answers within`,
      unit: 'ms',
      ours: spreadOf(p99(ours)),
      peer: { name: theirs.name, theirs: spreadOf(p99(theirs)), ratio: ratios(p99(ours), p99(theirs)) },
      ...(target === 1 ? { target: { atMost: 1 } } : {}),
    },
  ]
}

function perSecond(work: string, ours: Contender, theirs: Contender, target?: number): readonly Row[] {
  const speeds = (contender: Contender) => contender.runs.map(({ perSecond: speed }) => speed)
  const busy = (contender: Contender) => shareOf(contender.runs.map((run) => run.busy ?? Number.NaN))
  const row: Row = {
    work,
    unit: 'requests/s',
    ours: spreadOf(speeds(ours)),
    peer: { name: theirs.name, theirs: spreadOf(speeds(theirs)), ratio: ratios(speeds(ours), speeds(theirs)) },
    note: `${ours.name} had its core ${busy(ours)} of the time, ${theirs.name} ${busy(theirs)}`,
  }
  return [target === undefined ? row : { ...row, target: { atLeast: target } }]
}

function shareOf(shares: readonly number[]): string {
  return shares.some(Number.isNaN) ? 'an unknown part' : `${Math.round(spreadOf(shares).median * 100)} %`
}
