// Run by the test of the audit log, as a process of its own: has the size of its files bounded, appends until a line is
// refused, has the bound lifted and appends one more. Says on standard output what happened.
import { execFileSync } from 'node:child_process'
import { openAuditLog } from '../../../proxy/audit/audit-log.ts'

const log = await openAuditLog({ file: process.argv[2] ?? '', keyFile: process.argv[3] ?? '', now: Date.now })
const boundFiles = (bytes: string) => execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${bytes}:`])

boundFiles('4096')
let rejected = false
for (let i = 0; i < 200 && !rejected; i++) {
  await log.append({ event: 'start', reason: `filling ${'x'.repeat(100)}` }).catch(() => {
    rejected = true
  })
}
boundFiles('unlimited')
const seq = await log.append({ event: 'start', reason: 'room again' })
await log.close()
process.stdout.write(JSON.stringify({ rejected, seq }))
