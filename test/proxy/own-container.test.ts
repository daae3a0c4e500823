// Which container the proxy is and which containers share its sockets: these are never the target of a change.
import t from 'tap'
import type { Engine } from '../../proxy/engine/engine.ts'
import { findProtection, ownContainerId } from '../../proxy/engine/own-container.ts'
import { containerId, fakeContainer, inspectBody, listed } from './support/containers.ts'

const OWN = containerId('0e11')
const SOCKETS = ['/run/postern/healer.sock', '/run/postern-metrics/metrics.sock']

const mount = (root: string, point: string) => `1234 1200 254:1 ${root} ${point} rw,relatime - ext4 /dev/vda1 rw,discard`
const inContainers = '/var/lib/docker/containers'

const mountinfos: readonly (readonly [what: string, text: string, id: string | undefined])[] = [
  [
    'in a container',
    [
      '1190 1100 0:50 / / rw,relatime master:300 - overlay overlay rw,lowerdir=/x',
      mount(`${inContainers}/${OWN}/resolv.conf`, '/etc/resolv.conf'),
      mount(`${inContainers}/${OWN}/hostname`, '/etc/hostname'),
      mount(`${inContainers}/${OWN}/hosts`, '/etc/hosts'),
    ].join('\n'),
    OWN,
  ],
  ['with the data root on a disk of its own', mount(`/containers/${OWN}/hostname`, '/etc/hostname'), OWN],
  ['in rootless Docker', mount(`/home/u/.local/share/docker/containers/${OWN}/hostname`, '/etc/hostname'), OWN],
  ['in Podman', mount(`/containers/storage/overlay-containers/${OWN}/userdata/hostname`, '/etc/hostname'), OWN],
  ['with another file beside it', mount(`/overlay-containers/${OWN}/userdata/other/hostname`, '/etc/hostname'), undefined],
  ['outside', '25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw', undefined],
  ['with another file as host name', mount('/etc/hostname', '/etc/hostname'), undefined],
  ['with an id that is too short', mount(`${inContainers}/${OWN.slice(1)}/hostname`, '/etc/hostname'), undefined],
  ['with an id elsewhere only', mount(`${inContainers}/${OWN}/hosts`, '/etc/hosts'), undefined],
  ['with a mount that only ends so', mount(`${inContainers}/${OWN}/hostname`, '/mnt/etc/hostname'), undefined],
  ['with nothing', '', undefined],
]

t.test('the own id is the one in the mount of the host name', async (t) => {
  for (const [what, text, id] of mountinfos) t.equal(ownContainerId(text), id, what)
})

const VOLUME = '/var/lib/docker/volumes/postern_sockets/_data'
const METRICS = '/var/lib/docker/volumes/postern_metrics/_data'

/** An Engine that knows the proxy's own container, or not. */
function engineWith(known: boolean): Pick<Engine, 'ask'> & { readonly asked: string[] } {
  const asked: string[] = []
  const mounts = [
    { Source: VOLUME, Destination: '/run/postern' },
    { Source: METRICS, Destination: '/run/postern-metrics' },
    { Source: '/var/run/docker.sock', Destination: '/var/run/docker.sock' },
    { Source: '/var/lib/docker/volumes/postern_audit/_data', Destination: '/var/lib/postern' },
  ]
  const body = JSON.stringify(inspectBody(fakeContainer({ id: OWN, name: 'proxy', mounts })))
  return {
    asked,
    ask: async ({ method, path }) => {
      asked.push(`${method} ${path}`)
      return known ? { status: 200, headers: {}, body } : { status: 404, headers: {}, body: '{"message":"no"}' }
    },
  }
}

const other = (source: string, destination = '/anywhere') => ({
  ...listed({ id: containerId('ff') }),
  state: 'running',
  startedAt: '2024-01-01T00:00:00Z',
  mounts: [
    { source: '/srv/data', destination: '/data' },
    { source, destination },
  ],
})

t.test('inside a container: itself, and what mounts the volume of one of its sockets, is protected', async (t) => {
  const engine = engineWith(true)
  const isProtected = await findProtection(engine, OWN, SOCKETS)
  t.same(engine.asked, [`GET /containers/${OWN}/json`], 'it asks only about itself')
  t.ok(isProtected({ ...other('/srv'), id: OWN }), 'itself')
  t.ok(isProtected(other(VOLUME)), 'the volume, wherever it is mounted')
  t.ok(isProtected(other(METRICS)), 'the volume of the metrics socket')
  t.ok(isProtected(other(`${VOLUME}/healer.sock`)), 'one file of the volume')
  t.notOk(isProtected(other('/srv/x')), 'another mount')
  t.notOk(isProtected(other(`${VOLUME}-2`)), 'a volume with a longer name')
  t.notOk(isProtected(other('/srv/x', '/run/postern')), 'another volume at the same place')
  t.notOk(isProtected(other('/var/run/docker.sock')), 'the Engine’s socket is no socket of the proxy’s')
  t.notOk(isProtected({ ...other('/x'), mounts: [] }), 'no mount')
})

t.test('in the network of another container, whose host name it has: the other is not taken for this one', async (t) => {
  const engine = {
    ...engineWith(true),
    ask: async () => ({ status: 200, headers: {}, body: JSON.stringify(inspectBody(fakeContainer({ id: OWN, name: 'other' }))) }),
  }
  const mounts = [mount('/docker/volumes/postern_sockets/_data', '/run/postern'), mount('/', '/')].join('\n')
  const isProtected = await findProtection(engine, OWN, SOCKETS, mounts)
  t.ok(isProtected(other(VOLUME)), 'what mounts the volume, and so this one itself')
  t.notOk(isProtected(other('/srv/x')))
})

t.test(
  'outside a container, or where the Engine does not know it: what mounts the sockets’ directories is protected',
  async (t) => {
    for (const [engine, ownId] of [
      [engineWith(true), undefined],
      [engineWith(false), OWN],
    ] as const) {
      const isProtected = await findProtection(engine, ownId, SOCKETS)
      t.ok(isProtected(other('/run/postern')), 'the directory of a socket')
      t.ok(isProtected(other('/run/postern/healer.sock')), 'the socket itself')
      t.ok(isProtected(other('/run/postern-metrics')), 'the other directory')
      t.notOk(isProtected(other('/run/postern2')), 'another directory')
    }
  },
)

t.test('where all clients are served over TCP: itself, and nothing by its mounts', async (t) => {
  const isProtected = await findProtection(engineWith(true), OWN, [], mount('/srv', '/srv'))
  t.ok(isProtected({ ...other('/srv'), id: OWN }), 'itself')
  t.notOk(isProtected(other('/srv')), 'what is mounted here too')
  t.notOk(isProtected(other(VOLUME)), 'a volume with the name of another proxy’s')
})
