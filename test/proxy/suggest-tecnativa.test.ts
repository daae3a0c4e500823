// The settings of another socket proxy become the nearest policy, which is stricter, says so, and grants nothing that amounts to root
// unless that is asked for.
import fc from 'fast-check'
import t from 'tap'
import { runPolicyTests } from '../../proxy/policy/run-tests.ts'
import { operationOf, whyNotServed } from '../../proxy/request/catalogue.ts'
import { suggestFromTecnativa } from '../../proxy/suggest/suggest-from-tecnativa.ts'
import { openedBy, parseTecnativa } from '../../proxy/suggest/tecnativa-variables.ts'
import { policyOf } from './support/policies.ts'
import { runProgram } from './support/proxy-process.ts'

const ALWAYS = ['SystemPing', 'SystemPingHead', 'SystemVersion', 'SystemEvents']
const allowed = (settings: string, rootEquivalent = false) => {
  const text = suggestFromTecnativa('client', parseTecnativa([settings]), { rootEquivalent })
  return text === undefined ? [] : [...policyOf(text).allow.keys()]
}
const READS = ['ContainerList', 'ContainerInspect', 'ContainerTop', 'ContainerChanges', 'ContainerStats']
const CHANGES = ['ContainerWait', 'ContainerStart', 'ContainerStop', 'ContainerRestart', 'ContainerPause', 'ContainerUnpause']

const meanings: readonly (readonly [settings: string, operations: readonly string[]])[] = [
  ['', ALWAYS],
  ['PING=0 VERSION=0', ['SystemEvents']],
  ['PING=0 VERSION=0 EVENTS=0', []],
  ['EVENTS=1 LOG_LEVEL=debug SOCKET_PATH=/x', ALWAYS],
  ['CONTAINERS=1', [...ALWAYS, ...READS]],
  ['CONTAINERS=true POST=no', [...ALWAYS, ...READS]],
  ['POST=1', ALWAYS],
  ['ALLOW_RESTARTS=1', [...ALWAYS, 'ContainerStop', 'ContainerRestart']],
  ['ALLOW_RESTARTS=1 ALLOW_KILL=1', [...ALWAYS, 'ContainerStop', 'ContainerRestart', 'ContainerKill']],
  ['ALLOW_KILL=1', ALWAYS],
  ['ALLOW_START=1 ALLOW_STOP=1', [...ALWAYS, 'ContainerStart', 'ContainerStop']],
  ['ALLOW_PAUSE=1 ALLOW_UNPAUSE=1 VERSION=0 EVENTS=0', ['SystemPing', 'SystemPingHead', 'ContainerPause', 'ContainerUnpause']],
  ['CONTAINERS=1 POST=1', [...ALWAYS, ...READS, ...CHANGES, 'ContainerRename', 'ContainerResize', 'ContainerUpdate']],
  ['CONTAINERS=1 DELETE=1', [...ALWAYS, ...READS]],
  ['CONTAINERS=1 DELETE=1 ALLOW_DELETE=1', [...ALWAYS, ...READS, 'ContainerDelete']],
  ['VOLUMES=1 POST=1', [...ALWAYS, 'VolumeList', 'VolumeInspect', 'VolumePrune']],
  ['VOLUMES=1 DELETE=1', [...ALWAYS, 'VolumeList', 'VolumeInspect', 'VolumeDelete']],
  ['INFO=1 SYSTEM=1 EVENTS=0', ['SystemPing', 'SystemPingHead', 'SystemVersion', 'SystemInfo', 'SystemDataUsage']],
  ['SWARM=1', ALWAYS],
  ['EXEC=1 BUILD=1 COMMIT=1 AUTH=1 SESSION=1 GRPC=1', [...ALWAYS, 'ExecInspect']],
]
for (const [settings, operations] of meanings)
  t.test(`“${settings}” opens ${operations.length} operations`, async (t) => t.same(allowed(settings), operations))

const wrong: readonly (readonly [settings: string, says: string])[] = [
  ['CONTAINER=1', 'CONTAINER: no variable of that proxy; did you mean CONTAINERS?'],
  ['containers=1', 'containers: no variable of that proxy; did you mean CONTAINERS?'],
  ['ALLOW_RESTART=1', 'ALLOW_RESTART: no variable of that proxy; did you mean ALLOW_RESTARTS?'],
  ['POST=maybe', 'POST: “maybe” is neither 1 nor 0'],
  ['POST=', 'POST: “” is neither 1 nor 0'],
  ['POST=constructor', 'POST: “constructor” is neither 1 nor 0'],
  ['POST', '“POST” is not VARIABLE=VALUE, such as CONTAINERS=1'],
  ['POST=1 POST=0', 'POST: given twice; keep one'],
]
for (const [settings, message] of wrong)
  t.test(`“${settings}” is told as the mistake that it is`, async (t) => t.throws(() => parseTecnativa([settings]), { message }))

t.test('a variable that resembles none is answered with those there are', async (t) => {
  t.throws(() => parseTecnativa(['QUARTERMASTER=1']), {
    message: /no variable of that proxy; expected ALLOW_ARCHIVE, .*VOLUMES$/,
  })
})

t.test('what amounts to root is named and not granted, unless it is asked for, and then said aloud', async (t) => {
  const settings = parseTecnativa(['SWARM=1', 'POST=1'])
  const without = suggestFromTecnativa('client', settings) ?? ''
  t.match(
    without,
    /# - SwarmInspect, SwarmUnlockkey, SwarmInit, SwarmJoin, SwarmLeave, SwarmUpdate, SwarmUnlock: AMOUNTS TO ROOT ON THE HOST; --root-equivalent takes it in\n/,
  )
  t.notMatch(without, /^ *(?:SwarmInspect|allow_root_equivalent)/m)
  const granting = suggestFromTecnativa('client', settings, { rootEquivalent: true }) ?? ''
  t.match(granting, /\n {2}# AMOUNTS TO ROOT ON THE HOST\n {2}SwarmInspect:/)
  t.match(
    granting,
    /\n# WHOEVER MAY ASK FOR THESE IS ROOT ON THE HOST\.\nallow_root_equivalent: \[SwarmInspect, SwarmUnlockkey, SwarmInit, SwarmJoin, SwarmLeave, SwarmUpdate, SwarmUnlock\]\n/,
  )
})

t.test('it says in words what became stricter, and what other versions opened besides', async (t) => {
  const text = suggestFromTecnativa('client', parseTecnativa(['CONTAINERS=1', 'POST=1', 'ALLOW_EXEC=0'])) ?? ''
  for (const words of [
    '# The nearest to docker-socket-proxy with\n#   CONTAINERS=1 POST=1 ALLOW_EXEC=0\n',
    '# - Containers are those with the label under `scope`, not all.\n',
    '# - Answers are cut to `show`',
    '# - Signals are those that are named.\n',
    '# As there, nothing bounds how often',
    'scope:\n  - { labels: { postern.visible: "true" } }\n',
    '# - ContainerPrune: removes containers whatever the scope\n',
    '# - ContainerCreate, CheckpointList, CheckpointCreate: AMOUNTS TO ROOT ON THE HOST',
    '# - ALLOW_KILL=1 for ContainerKill\n',
    '# - ALLOW_LOGS=1 for ContainerLogs\n',
    '# - ALLOW_DELETE=1 DELETE=1 for ContainerDelete\n',
  ])
    t.match(text, words)
  t.notMatch(text, 'ALLOW_EXEC=1', 'what was set to 0 was meant')
  t.notMatch(suggestFromTecnativa('client', parseTecnativa([])), 'Signals', 'only what applies')
})

const variables = [
  'POST',
  'DELETE',
  'PUT',
  'ALLOW_RESTARTS',
  'ALLOW_KILL',
  'ALLOW_STOP',
  'ALLOW_DELETE',
  'CONTAINERS',
  'IMAGES',
  'NETWORKS',
]
const others = [
  'VOLUMES',
  'PLUGINS',
  'SWARM',
  'NODES',
  'SERVICES',
  'TASKS',
  'SECRETS',
  'CONFIGS',
  'BUILD',
  'DISTRIBUTION',
  'PING',
  'SYSTEM',
]
t.test('whatever is set, the policy holds, and grants only what was open, can be served, and is not root', async () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.tuple(fc.constantFrom(...variables, ...others), fc.constantFrom('0', '1')), {
        selector: ([name]) => name,
      }),
      fc.boolean(),
      (given, rootEquivalent) => {
        const settings = parseTecnativa(given.map(([name, value]) => `${name}=${value}`))
        const text = suggestFromTecnativa('client', settings, { rootEquivalent })
        const open = openedBy(settings).operations.filter((operation) => whyNotServed(operation) === undefined)
        const meant = open.filter(({ kind }) => rootEquivalent || kind !== 'root').map(({ id }) => id)
        if (text === undefined) return meant.length === 0
        const policy = policyOf(text)
        const granted = [...policy.allow.keys()]
        return (
          runPolicyTests(policy).length === 0 &&
          granted.join() === meant.join() &&
          (rootEquivalent || granted.every((id) => operationOf(id).kind !== 'root'))
        )
      },
    ),
    { numRuns: 100 },
  )
})

t.test('the command writes the policy, or ends with 1 or 2', async (t) => {
  const run = (...args: string[]) => runProgram(t, ['suggest', ...args], { asRoot: true })
  const runs = await Promise.all([
    run('--client', 'traefik', '--tecnativa', 'CONTAINERS=1', 'NETWORKS=1'),
    run('--tecnativa', 'CONTAINERS=1 NETWORKS=1'),
    run('--tecnativa', 'PING=0', 'VERSION=0', 'EVENTS=0'),
    run('--tecnativa', 'CONTAINER=1'),
    run('--client', 'A B', '--tecnativa', 'CONTAINERS=1'),
    run('audit.jsonl', '--tecnativa', 'CONTAINERS=1'),
  ])
  t.equal(policyOf(runs[0]?.stdout ?? '').client, 'traefik')
  t.match(runs[1], { code: 0, stdout: /client: client\n.*NetworkList:/s, stderr: '' })
  t.match(runs[2], { code: 1, stdout: '', stderr: /nothing was open there that a policy can allow/ })
  t.match(runs[3], { code: 2, stdout: '', stderr: /CONTAINER: no variable of that proxy; did you mean CONTAINERS\?/ })
  t.match(runs[4], { code: 2, stderr: /“A B” is no name for a client/ })
  t.match(runs[5], { code: 2, stderr: /audit file, or --tecnativa/ })
})
