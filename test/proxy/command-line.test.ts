// The program's command line: a wrong one ends with exit code 2 and a sentence that says what to mend.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { HEALER_POLICY_FILE } from './support/policies.ts'
import { preparePlace, runProgram, runsAsRoot } from './support/proxy-process.ts'

const AUDIT = ['--audit', '/nowhere/audit.jsonl']
const SERVING = `${HEALER_POLICY_FILE}@unix:///nowhere/x.sock`

const wrong: readonly (readonly [what: string, args: readonly string[], says: RegExp])[] = [
  ['no command', [], /Usage: postern-proxy/],
  ['an unknown command', ['sreve'], /unknown command 'sreve'/],
  [
    'no audit log',
    ['serve', SERVING],
    /required option '--audit <file>' not specified; its variable POSTERN_AUDIT is not set either/,
  ],
  ['nothing to serve', ['serve', ...AUDIT], /name at least one POLICY@LISTEN, as an argument or in POSTERN_SERVE/],
  ['a policy without a socket', ['serve', 'healer.yaml', ...AUDIT], /“healer.yaml” is not POLICY@LISTEN/],
  [
    'an Engine over TCP',
    ['serve', SERVING, ...AUDIT, '--engine', 'tcp://docker:2375'],
    /“tcp:\/\/docker:2375” is not an address/,
  ],
  ['a user by name', ['serve', SERVING, ...AUDIT, '--user', 'nobody'], /“nobody” is not UID:GID/],
  ['an option that does not exist', ['serve', SERVING, ...AUDIT, '--allow-all'], /unknown option '--allow-all'/],
  [
    'a flag misspelt, and so not given',
    ['serve', SERVING, '--audti', 'x'],
    /unknown option '--audti'\n\(Did you mean --audit\?\)/,
  ],
  ['a health check of nothing', ['healthcheck'], /required option '--metrics <address>'/],
]

t.test('a wrong command line ends with 2 and says what is wrong', async (t) => {
  const runs = await Promise.all(wrong.map(([, args]) => runProgram(t, args)))
  for (const [i, [what, , says]] of wrong.entries()) {
    t.match(runs[i], { code: 2, stderr: says }, what)
    t.notMatch(runs[i]?.stderr, /\n\s+at /, `${what}: no trace of the program's insides`)
  }
})

t.test('a wrong setting of the environment is told as one of the command line is', async (t) => {
  const run = await runProgram(t, ['serve', ...AUDIT], { env: { POSTERN_SERVE: SERVING, POSTERN_ENGINE: 'docker.sock' } })
  t.match(run, { code: 2, stderr: /“docker\.sock” is not an address/ })
})

t.test('help and version are no mistakes', async (t) => {
  const [help, version] = await Promise.all([runProgram(t, ['--help']), runProgram(t, ['--version'])])
  t.match(help, { code: 0, stdout: /serve.*healthcheck/s })
  t.match(version, { code: 0, stdout: `${JSON.parse(readFileSync('package.json', 'utf8')).version}\n` })
})

if (runsAsRoot) {
  t.test('as root without --user it does not serve, and says what to give', async (t) => {
    const place = await preparePlace(t)
    for (const args of [place.args, ['healthcheck', '--metrics', `unix://${place.metrics}`]]) {
      const run = await runProgram(t, args, { asRoot: true })
      t.match(run, { code: 1, stderr: 'started as root: name the user to run as with --user UID:GID, or start as that user' })
    }
  })
}
