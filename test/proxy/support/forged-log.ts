// Audit logs to be attacked, and lines as somebody makes them up who knows how.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type AuditEvent, renderAuditLine } from '../../../proxy/audit/audit-line.ts'
import { openAuditLog } from '../../../proxy/audit/audit-log.ts'
import { hashLine, NO_LINE, type SealKey, signSeal } from '../../../proxy/audit/chain.ts'
import { listEarlierFiles } from '../../../proxy/audit/log-file.ts'
import { verifyFiles } from '../../../proxy/audit/verify-files.ts'
import { type Owner, temporaryDirectory } from '../../support/temporary.ts'

export const now = () => Date.parse('2024-06-01T12:00:00Z')
export const said = (reason: string): AuditEvent => ({ event: 'start', reason })
type Line = { readonly seq: number; readonly prev: string; readonly event: string; readonly key: string; readonly next: string }
export const parse = (line = ''): Line => JSON.parse(line)

/** A log of several files, each of some changes and their seals; `files` has the lines of each, the oldest first. */
export async function makeLog(owner: Owner, changes = 8) {
  const directory = temporaryDirectory(owner)
  const options = { file: join(directory, 'audit.jsonl'), keyFile: join(directory, 'keys.json'), now, maxBytes: 1600 }
  const log = await openAuditLog(options)
  const known = log.head().fingerprint
  for (let i = 0; i < changes; i++) await log.appendDurably(said(`change ${i}`))
  await log.close()
  const paths = [...(await listEarlierFiles(options.file)), options.file]
  const files = paths.map((path) => readFileSync(path, 'utf8').trimEnd().split('\n'))
  return { directory, options, paths, files, known, lines: files.flat(), first: parse(files[0]?.[0]).key }
}

type Forged = AuditEvent | { readonly event: 'seal'; readonly by: SealKey; readonly next: string } | Record<string, unknown>

/** Lines of these events after the line `last`, as one who knows how writes them. */
export function forge(events: readonly Forged[], last?: string): string[] {
  let [seq, prev] = last === undefined ? [0, NO_LINE] : [parse(last).seq, hashLine(last)]
  return events.map((given) => {
    const { by, ...event } = given as Record<string, unknown> & { readonly by?: SealKey }
    const stamp = { v: 1, time: new Date(now()).toISOString(), seq: ++seq, prev } as const
    const whole = by ? { event: event.event, key: by.public, next: event.next, sig: '' } : event
    const line = renderAuditLine(stamp, whole as unknown as AuditEvent)
    prev = hashLine(by ? signSeal(line, by) : line)
    return by ? signSeal(line, by) : line
  })
}

export async function verifyLines(
  owner: Owner,
  files: readonly (readonly string[])[],
  options: Parameters<typeof verifyFiles>[1] = {},
) {
  const directory = temporaryDirectory(owner)
  const paths = files.map((lines, i) => {
    const path = join(directory, `${i}.jsonl`)
    writeFileSync(path, lines.map((line) => `${line}\n`).join(''))
    return path
  })
  return verifyFiles(paths, options)
}
