// What is cut out of events and answers for the containers that are not in scope, piece by piece.
import t from 'tap'
import type { Selector } from '../../proxy/policy/policy.ts'
import { EVERYTHING } from '../../proxy/policy/target.ts'
import { eventInScope, withoutCommands } from '../../proxy/show/cut-event.ts'
import { cutToScope, isCutToScope, tellsOfContainers } from '../../proxy/show/cut-to-scope.ts'
import { containerId } from './support/containers.ts'

const MONITORED: readonly Selector[] = [{ labels: { monitored: 'true' } }]
const noneAsked = () => Promise.reject(new Error('nobody needs to be asked'))
const ofContainer = (attributes: unknown, more: object = {}) => ({
  ...{ Type: 'container', Action: 'start', Actor: { ID: containerId('aa'), Attributes: attributes } },
  ...more,
})

t.test('an event of a container happens where its own words put it in scope', async (t) => {
  const cases: readonly (readonly [event: unknown, scope: readonly Selector[], happens: boolean, why: string])[] = [
    [ofContainer({ monitored: 'true' }), MONITORED, true, 'its label'],
    [ofContainer({ monitored: 'True' }), MONITORED, false, 'another label'],
    [ofContainer({}), MONITORED, false, 'none'],
    [ofContainer(undefined), MONITORED, false, 'no attributes'],
    [{ Type: 'container' }, MONITORED, false, 'nobody who did it'],
    [ofContainer({ monitored: 'true' }, { Actor: { Attributes: { monitored: 'true' } } }), MONITORED, true, 'without an id'],
    [ofContainer({ name: 'web' }), [{ names: ['web'] }], true, 'its name'],
    [ofContainer({ name: 'db' }), [{ names: ['web'] }], false, 'another name'],
    [ofContainer({ name: ['web'] }), [{ names: ['web'] }], false, 'a name that is none'],
    [ofContainer({ 'com.docker.compose.project': 'shop' }), [{ project: 'shop' }], true, 'its project'],
    [{ Type: 'network', Actor: { Attributes: {} } }, MONITORED, true, 'of no container at all'],
    [{ Type: 5, Actor: { Attributes: {} } }, MONITORED, false, 'of a type that is none'],
    ['start', MONITORED, false, 'a text'],
    [null, MONITORED, false, 'nothing'],
    [null, EVERYTHING, true, 'whatever it is, where all is in scope'],
    [ofContainer({}), EVERYTHING, true, 'all of them'],
  ]
  for (const [event, scope, happens, why] of cases) {
    const found = await eventInScope(event, scope, noneAsked)
    t.equal(found, happens ? event : undefined, why)
  }
})

t.test('what the Engine says of a container by itself is none of its labels', async (t) => {
  const words = [
    ...['image', 'name', 'oldName', 'comment', 'imageID', 'imageRef', 'container', 'exitCode', 'signal', 'execID'],
    ...['execDuration', 'height', 'width', 'path', 'reason'],
  ]
  for (const word of words) {
    const scope = [{ labels: { [word]: 'true' } }]
    t.equal(await eventInScope(ofContainer({ [word]: 'true' }), scope, noneAsked), undefined, word)
  }
})

t.test('an event of another object happens where the container that it names is in scope', async (t) => {
  const event = { Type: 'network', Actor: { Attributes: { container: 'ab' } } }
  const asked: string[] = []
  const knows = (is: boolean) => (id: string) => {
    asked.push(id)
    return Promise.resolve(is)
  }
  t.equal(await eventInScope(event, MONITORED, knows(true)), event)
  t.equal(await eventInScope(event, MONITORED, knows(false)), undefined)
  t.same(asked, ['ab', 'ab'])
})

t.test('the command line of an exec is no part of what happened', async (t) => {
  const cut = (text: unknown) => withoutCommands({ Action: text, status: text, id: 'x' }, [])
  for (const [text, kept] of [
    ['exec_create: sh -c "secret"', 'exec_create'],
    ['exec_start: a\nb', 'exec_start'],
    ['exec_die', 'exec_die'],
    ['health_status: healthy', 'health_status: healthy'],
    ['not exec_create: this', 'not exec_create: this'],
    [7, 7],
  ])
    t.same(cut(text), { Action: kept, status: kept, id: 'x' })
  const event = { Action: 'exec_create: sh' }
  t.equal(withoutCommands(event, 'all'), event, '`show: all` has it')
})

const [web, hidden] = ['aa', 'bb'].map((id) => ({
  Id: containerId(id),
  Names: [`/${id}`, '/other/alias', `${id}`, 5],
  Labels: { monitored: id === 'aa' ? 'true' : 'false' },
}))
const shown = { ...web, Names: ['/aa', 'aa'] }

t.test('what is used by containers tells of those in scope, in the old shape and in the new', async (t) => {
  const usage = (answer: unknown) => cutToScope('SystemDataUsage', answer, MONITORED)
  t.same(usage({ LayersSize: 5, Containers: [web, hidden] }), { LayersSize: 5, Containers: [shown] })
  const items = (Items: unknown) => ({ ContainersUsage: { ActiveCount: 2, Items } })
  t.same(usage(items([web, hidden])), { ContainersUsage: { ActiveCount: 2, Items: [shown] } })
  for (const odd of [undefined, null, 'x', {}]) t.same(usage(items(odd)), { ContainersUsage: { ActiveCount: 2, Items: [] } })
  t.same(usage({ Images: [], Containers: null, ContainersUsage: null }), { Images: [] }, 'what is no list is left out')
  for (const answer of [null, 'x', [web]]) t.equal(usage(answer), answer)
})

t.test('who is on a network is not told', async (t) => {
  const network = { Name: 'front', Containers: { ab: { Name: 'hidden' } } }
  t.same(cutToScope('NetworkInspect', network, MONITORED), { Name: 'front' })
  t.same(cutToScope('NetworkList', [network, 'x'], MONITORED), [{ Name: 'front' }, 'x'])
  t.equal(cutToScope('NetworkList', 'x', MONITORED), 'x')
})

t.test('of other answers nothing is cut to the scope, and which those are is known', async (t) => {
  const answer = { Containers: [hidden] }
  t.equal(cutToScope('SystemVersion', answer, MONITORED), answer)
  t.same(cutToScope('ContainerList', [web, hidden], MONITORED), [shown])
  t.throws(() => cutToScope('ContainerList', {}, MONITORED), { message: "the Engine's list of containers is no list" })
  const cut = ['ContainerList', 'SystemDataUsage', 'NetworkInspect', 'NetworkList'] as const
  for (const id of cut) t.same([isCutToScope(id), tellsOfContainers(id)], [true, true], id)
  t.same([isCutToScope('SystemEvents'), tellsOfContainers('SystemEvents')], [false, true])
  t.same([isCutToScope('SystemVersion'), tellsOfContainers('SystemVersion')], [false, false])
})
