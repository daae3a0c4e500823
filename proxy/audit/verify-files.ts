// The command `audit verify`: its files, its words, its exit code.
import type { Verdicts } from '../terminal.ts'
import { readRawLines } from './read-log.ts'
import { type LocatedLine, type Verified, type VerifyOptions, verifyLog } from './verify.ts'

/** Verifies `files`, the oldest first, as one log. Rejects where one cannot be read. */
export function verifyFiles(files: readonly string[], options: VerifyOptions): Promise<Verified> {
  return verifyLog(files.join(' '), linesOf(files), options)
}

async function* linesOf(files: readonly string[]): AsyncGenerator<LocatedLine> {
  for (const file of files) for await (const line of readRawLines(file)) yield { ...line, file }
}

/** Of `renderVerified`. */
export const VERIFIED_VERDICTS: Verdicts = {
  good: /(?<=^\d+ lines, .*)all sealed/gm,
  bad: /^.*:\d+:(?= .*\n^before that: )/gm,
  doubtful: /^note:|(?<=^\d+ lines, .*)the last \d+ not sealed yet/gm,
}

/** What a person is told. */
export function renderVerified({ problem, lines, from, to, seals, unsealed, fingerprint, notes }: Verified): string {
  const log = fingerprint === undefined ? '' : `, known by ${fingerprint}`
  const range = lines === 0 ? 'no line' : `${lines} lines, ${from} to ${to}`
  const open = unsealed === 0 ? 'all sealed' : `the last ${unsealed} not sealed yet`
  return [
    ...notes.map((note) => `note: ${note}`),
    ...(problem ? [`${problem.file}:${problem.line}: ${problem.what}`, `before that: ${range}, ${seals} seals`] : []),
    ...(problem ? [] : [`${range}, ${seals} seals, ${open}${log}`]),
    '',
  ].join('\n')
}
