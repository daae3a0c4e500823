// The command `audit verify`: what it tells a person and a machine, and how it ends.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { renderVerified, verifyFiles } from '../../proxy/audit/verify-files.ts'
import { makeLog, parse } from './support/forged-log.ts'
import { runProgram } from './support/proxy-process.ts'

t.test('the command tells a person, and ends with 0 or 1', async (t) => {
  const { directory, paths, lines, known } = await makeLog(t, 3)
  const verify = (...args: string[]) => runProgram(t, ['audit', 'verify', ...args], { asRoot: true })
  const count = lines.length
  const seals = lines.filter((line) => parse(line).event === 'seal').length
  const words = `${count} lines, 1 to ${count}, ${seals} seals, all sealed, known by ${known}\n`
  t.match(await verify('--key', known, '--at-least', `${count}`, ...paths), { code: 0, stdout: words, stderr: '' })
  const json = await verify('--json', ...paths)
  t.match(JSON.parse(json.stdout), { lines: count, from: 1, to: count, seals, unsealed: 0, fingerprint: known, notes: [] })

  const [first = ''] = paths
  const empty = join(directory, 'empty')
  writeFileSync(empty, '')
  t.match(await verify(empty), { code: 1, stdout: `${empty}:1: there is no line of an audit log\n` })
  writeFileSync(first, readFileSync(first, 'utf8').replace('change 0', 'change 9'))
  t.match(await verify(...paths), {
    code: 1,
    stdout: `${first}:2: this is not what the next line was written after: it was changed since\n`,
  })
  t.match(renderVerified(await verifyFiles(paths, {})), 'before that: ')
  t.match(await verify(join(directory, 'none')), { code: 1, stderr: /ENOENT/ })
  t.match(await verify('--at-least', 'x', first), { code: 2, stderr: /“x” is not the number of a line/ })
})
