// A program of its own: opens files until there is no descriptor left, probes by each kind, and prints what was found.
import { openSync } from 'node:fs'
import { probeGrpc } from '../../../healer/probe/grpc.ts'
import { probeHttp } from '../../../healer/probe/http.ts'
import type { ProbeResult } from '../../../healer/probe/result.ts'
import { probeTcp } from '../../../healer/probe/tcp.ts'
import { grpcProbe, httpProbe, tcpProbe } from './probed.ts'

// What Node opens at its first use is opened before.
process.stdout.write('\n')
const probes = { http: () => probeHttp(httpProbe(9)), tcp: () => probeTcp(tcpProbe(9)), grpc: () => probeGrpc(grpcProbe(9)) }
for (const [kind, probe] of Object.entries(probes)) {
  let found = await probeWithNoneLeft(probe)
  // One that was closed just then was there for the probe.
  for (let again = 0; again < 9 && found.startsWith('failure'); again++) found = await probeWithNoneLeft(probe)
  process.stdout.write(`${kind} ${found}\n`)
}

async function probeWithNoneLeft(probe: () => Promise<ProbeResult>): Promise<string> {
  openAll()
  const { result, reason } = await probe()
  return `${result} ${reason}`
}

/** Opens what is left, before each probe: Node's other threads close what they had open, in their own time. */
function openAll(): void {
  try {
    for (;;) openSync('/dev/null', 'r')
  } catch {
    // That was the last one.
  }
}
