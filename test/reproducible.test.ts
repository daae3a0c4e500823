// The same source makes the same programs, byte for byte, wherever it lies: what is in an image can be made again by anybody.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import t from 'tap'

const PROGRAMS = ['proxy', 'healer', 'sample-app']

await t.test('the programs are the same, built in another directory', async (t) => {
  const elsewhere = realpathSync(mkdtempSync(join(tmpdir(), 'postern-build-')))
  t.teardown(() => rmSync(elsewhere, { recursive: true }))
  for (const path of [...PROGRAMS, 'compose', 'package.json', 'tsconfig.json'])
    cpSync(path, join(elsewhere, path), { recursive: true })
  symlinkSync(resolve('node_modules'), join(elsewhere, 'node_modules'))
  execFileSync(process.execPath, [`--import=${import.meta.resolve('tsx')}`, 'compose/build.ts'], {
    cwd: elsewhere,
    stdio: 'pipe',
  })
  for (const program of PROGRAMS) {
    const [here, there] = ['.', elsewhere].map((directory) => readFileSync(join(directory, `dist/${program}.mjs`), 'utf8'))
    t.ok(here === there, program)
    t.notOk(here?.includes(resolve('.')), `${program} names no directory of the machine that built it`)
  }
})

t.test('none has all made that node:http exports, as an import of it would', async (t) => {
  for (const program of PROGRAMS) {
    const lines = readFileSync(`dist/${program}.mjs`, 'utf8').split('\n')
    t.same(
      lines.filter((line) => /^import .*["'](?:node:)?http["']/.test(line)),
      [],
      program,
    )
    t.ok(
      lines.some((line) => line.includes('__require("http")')),
      `${program} uses it`,
    )
  }
})
