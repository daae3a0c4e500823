// What is shown of an Engine's answer: the fields that `show` names, and nothing else.
import t from 'tap'
import type { Show } from '../../proxy/policy/policy.ts'
import { project } from '../../proxy/show/project.ts'
import { fuzzBriefly } from '../fuzz/target.ts'
import { projection } from '../fuzz/targets/projection.ts'
import { fakeContainer, inspectBody, SECRET } from './support/containers.ts'
import { healerPolicy, policyOf, policyText } from './support/policies.ts'
import { WEB } from './support/start-proxy.ts'

fuzzBriefly(t, 'projection', projection)

t.test('a value that is no object shows nothing where fields are named of it', async (t) => {
  const show: Show = [
    { name: 'Id', fields: 'all' },
    { name: 'State', fields: [{ name: 'Status', fields: 'all' }] },
  ]
  const cases: readonly (readonly [value: unknown, shown: string])[] = [
    ['secret', 'null'],
    [5, 'null'],
    [null, 'null'],
    [['secret', 5, null], '[]'],
    [[['secret', { Id: 1, Env: 'secret' }]], '[[{"Id":1}]]'],
    [{ Id: 1, State: 'secret' }, '{"Id":1,"State":null}'],
    [{ State: [{ Status: 'up', Error: 'secret' }, 'secret'] }, '{"State":[{"Status":"up"}]}'],
    [{ Env: ['secret'] }, '{}'],
  ]
  for (const [value, shown] of cases) t.equal(JSON.stringify(project(value, show)), shown)
})

t.test('`all` passes the answer whole; several entries for one field are taken together', async (t) => {
  const value = { State: { Status: 'up', Pid: 5, Error: 'x' }, Env: [1] }
  t.same(project(value, 'all'), value)
  const policy = policyOf(policyText(['ContainerInspect: { show: [State: [Status], Sta*: [Pid]] }']))
  const show = policy.allow.get('ContainerInspect')?.show ?? []
  t.equal(JSON.stringify(project(value, show)), '{"State":{"Status":"up","Pid":5}}')
})

t.test('the healer’s policy shows nothing of environment, commands, mounts or the host', async (t) => {
  const show = healerPolicy().allow.get('ContainerInspect')?.show ?? []
  const shown = JSON.stringify(project(inspectBody(fakeContainer({ id: WEB, name: 'web' })), show))
  t.notMatch(shown, SECRET)
  t.match(JSON.parse(shown), {
    Id: WEB,
    Name: '/web',
    RestartCount: 2,
    State: { Status: 'running' },
    Config: { Healthcheck: { Retries: 3 } },
  })
})
