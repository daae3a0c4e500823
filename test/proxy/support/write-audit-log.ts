// Run by the test of rotation, as a process of its own, to be killed: appends to a log of small files for as long as it lives, and says on
// standard output which line is durable.
import { openAuditLog } from '../../../proxy/audit/audit-log.ts'

const [, , file = '', keyFile = ''] = process.argv
const log = await openAuditLog({ file, keyFile, now: Date.now, maxBytes: 8_000, maxFiles: 100 })
for (;;) {
  await log.append({ event: 'start', reason: 'a read' })
  process.stdout.write(`${await log.appendDurably({ event: 'start', reason: 'a change' })}\n`)
}
