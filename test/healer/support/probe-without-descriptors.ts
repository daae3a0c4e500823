// A program of its own: opens files until there is no descriptor left, probes by each kind, and prints what was found.
import { openSync } from 'node:fs'
import { probeGrpc } from '../../../healer/probe/grpc.ts'
import { probeHttp } from '../../../healer/probe/http.ts'
import { probeTcp } from '../../../healer/probe/tcp.ts'
import { grpcProbe, httpProbe, tcpProbe } from './probed.ts'

// What Node opens at its first use is opened before.
process.stdout.write('\n')
try {
  for (;;) openSync('/dev/null', 'r')
} catch {
  // That was the last one.
}
const results = {
  http: await probeHttp(httpProbe(9)),
  tcp: await probeTcp(tcpProbe(9)),
  grpc: await probeGrpc(grpcProbe(9)),
}
for (const [kind, { result, reason }] of Object.entries(results)) process.stdout.write(`${kind} ${result} ${reason}\n`)
