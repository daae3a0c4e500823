// What keeps the program from serving: a policy that is wrong ends it with 2, what is wrong around it with 1, each with a sentence.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { HEALER_POLICY_FILE } from './support/policies.ts'
import { preparePlace, runProgram } from './support/proxy-process.ts'

t.test('a policy with a mistake ends with 2 and tells file, line and column', async (t) => {
  const place = await preparePlace(t)
  const policies: readonly (readonly [name: string, text: string, says: string])[] = [
    ['unknown.yaml', 'version: 1\nclient: healer\nscop: []\n', ':3:1: scop: unknown; did you mean scope?'],
    [
      'failing.yaml',
      'version: 1\nclient: a\nscope: [{ names: [a] }]\nallow: {}\ntests:\n  - allow: GET /_ping\n',
      ':6:5: test failed: ',
    ],
    ['alias.yaml', 'version: 1\nclient: a\nscope: *nowhere\nallow: {}\n', ':3:8: '],
  ]
  for (const [name, text, says] of policies) {
    const file = join(place.directory, name)
    writeFileSync(file, text)
    const { code, stderr } = await runProgram(
      t,
      place.args.map((argument) => argument.replace(HEALER_POLICY_FILE, file)),
    )
    t.equal(code, 2, name)
    t.ok(stderr.includes(`${file}${says}`), stderr)
  }
  const missing = join(place.directory, 'missing.yaml')
  const run = await runProgram(t, ['serve', `${missing}@unix://${place.client}`, '--audit', place.audit])
  t.equal(run.code, 2)
  t.match(run.stderr, `${missing}: `)
})

t.test('what cannot be served ends with 1 and a sentence', async (t) => {
  const place = await preparePlace(t)
  const [, serving = ''] = place.args
  const again = await runProgram(t, [...place.args, serving.replace('client.sock', 'other.sock')])
  t.match(again, { code: 1, stderr: 'healer is the client of two policies; give each a name of its own' })
  const shared = await runProgram(t, [...place.args.slice(0, -1), `unix://${place.client}`])
  t.match(shared, { code: 1, stderr: `${place.client} is named twice; each client has an address of its own` })
  const noLog = await runProgram(t, ['serve', serving, '--audit', join(place.directory, 'missing', 'audit.jsonl')])
  t.match(noLog, { code: 1, stderr: /missing\/audit\.jsonl/ })
})

t.test('a place for a socket, or for keys, that is none is told with what to do', async (t) => {
  const place = await preparePlace(t)
  const [, serving = ''] = place.args
  const at = (directory: string) => runProgram(t, ['serve', serving.replace(place.directory, directory), ...place.args.slice(2)])
  const missing = join(place.directory, 'missing')
  t.match(await at(missing), {
    code: 1,
    stderr: `${missing}/client.sock: there is no directory ${missing}; make it, for the user`,
  })
  const locked = join(place.directory, 'locked')
  mkdirSync(locked, { mode: 0o555 })
  const mayNot = `the user that the proxy runs as may not make a socket in ${locked}; give that user the directory, or name another`
  t.match(await at(locked), { code: 1, stderr: `${locked}/client.sock: ${mayNot}` })

  const state = join(place.directory, 'state')
  mkdirSync(join(state, 'audit-keys.json'), { recursive: true })
  t.match(await runProgram(t, [...place.args, '--state', state]), {
    code: 1,
    stderr: `postern-proxy: ${state}/audit-keys.json is a directory, as Docker makes one where a file is mounted that is not there; remove it, and`,
  })
})
