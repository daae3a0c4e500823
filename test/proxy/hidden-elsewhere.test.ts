// Containers outside the scope do not appear in the answers to operations that are about something else.
import t from 'tap'
import { containerId, listElement } from './support/containers.ts'
import { policyText } from './support/policies.ts'
import { HIDDEN, startProxy, usualContainers, WEB } from './support/start-proxy.ts'

const policy = policyText([
  'ContainerList: { show: [Id, Names] }',
  'SystemDataUsage: { show: all }',
  'NetworkInspect: { show: all }',
  'NetworkList: { show: all }',
])
const everyone = usualContainers().map(listElement)
const members = { [HIDDEN]: { Name: 'hidden', IPv4Address: '172.18.0.9/16' } }

t.test('a list tells of each container its own name, not what others call it', async (t) => {
  const proxy = await startProxy(t, { policyText: policy })
  proxy.engine.answer = () => ({
    status: 200,
    body: [{ ...everyone[0], Names: ['/hidden/alias', '/web', '/hidden/other/x', 5] }],
  })
  t.same(JSON.parse((await proxy.ask('GET /containers/json')).body), [{ Id: WEB, Names: ['/web'] }])
})

t.test('the disk usage tells of the containers in scope alone, in the old shape and in the new', async (t) => {
  const proxy = await startProxy(t, { policyText: policy })
  proxy.engine.answer = () => ({
    status: 200,
    body: { LayersSize: 5, Containers: everyone, ContainersUsage: { TotalCount: 3, Items: everyone } },
  })
  const { body } = await proxy.ask('GET /system/df')
  const names = (list: readonly { readonly Names: unknown }[]) => list.map(({ Names }) => Names)
  const usage = JSON.parse(body)
  t.equal(usage.LayersSize, 5)
  t.equal(usage.ContainersUsage.TotalCount, 3)
  t.same(names(usage.Containers), [['/web']])
  t.same(names(usage.ContainersUsage.Items), [['/web']])
  t.notMatch(body, 'hidden')
})

t.test('a network does not tell who is on it', async (t) => {
  const proxy = await startProxy(t, { policyText: policy })
  const network = { Name: 'front', Id: containerId('99'), Containers: members }
  proxy.engine.answer = ({ line }) => ({ status: 200, body: line.startsWith('GET /networks/') ? network : [network, null, 5] })
  t.same(JSON.parse((await proxy.ask('GET /networks/front')).body), { Name: 'front', Id: network.Id })
  t.same(JSON.parse((await proxy.ask('GET /networks')).body), [{ Name: 'front', Id: network.Id }, null, 5])
})

t.test('an answer of another shape shows nothing that was to be cut', async (t) => {
  const proxy = await startProxy(t, { policyText: policy })
  for (const body of [
    { Containers: { hidden: 1 } },
    { ContainersUsage: { Items: 'hidden' } },
    { ContainersUsage: ['hidden'] },
    'hidden',
  ]) {
    proxy.engine.answer = () => ({ status: 200, body })
    t.notMatch(
      (await proxy.ask('GET /system/df')).body,
      typeof body === 'string' ? '"Containers"' : 'hidden',
      JSON.stringify(body),
    )
  }
})
