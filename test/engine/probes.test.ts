// Each kind of probe against containers on real Docker networks. The healer's code runs here, on the host, as a healer would that is
// on the networks whose bridges it is given.
import { randomBytes } from 'node:crypto'
import t, { type Test } from 'tap'
import { type CheckedContainer, check } from '../../healer/check/check.ts'
import { explainEnvironment } from '../../healer/check/explain-settings.ts'
import { connectDocker } from '../../healer/docker/dockerode.ts'
import { runProbe } from '../../healer/probe/probes.ts'
import { readEnvironment } from '../../healer/settings/environment.ts'
import { docker, waitFor } from './support/composition.ts'

const IMAGE = 'node:24-bookworm-slim'
/** Of this run alone: others may be at work on the same Engine. */
const RUN = `prb-${randomBytes(4).toString('hex')}`

const HTTP = `
require('http').createServer((request, response) => {
  if (request.url === '/ill') response.writeHead(503)
  response.end(request.url === '/token' ? String(request.headers['x-token']) : 'ready')
}).listen(8080)`

const TCP = `
require('net').createServer((socket) => {
  socket.on('data', (chunk) => socket.write(chunk.toString() === 'PING\\r\\n' ? '+PONG\\r\\n' : '-ERR\\r\\n'))
}).listen(6379)`

const GRPC = `
require('http2').createServer().on('stream', (stream) => {
  let request = ''
  stream.on('data', (chunk) => { request += chunk })
  stream.on('end', () => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.end(Buffer.from([0, 0, 0, 0, 2, 8, request.includes('shop.Cart') ? 2 : 1]))
  })
}).listen(50051)`

const ENV = { DOCKER_HOST: process.env.DOCKER_HOST ?? 'unix:///var/run/docker.sock', REQUEST_TIMEOUT: '2' }

type NetworkDetail = { readonly IPAM: { readonly Config: readonly { readonly Subnet: string; readonly Gateway: string }[] } }

/** The host's own addresses on a network, on its bridge: which Node does not list before a container is on it too. */
async function bridgeOf(network: string): Promise<readonly string[]> {
  const [detail] = JSON.parse(await docker('network', 'inspect', network)) as NetworkDetail[]
  return (detail?.IPAM.Config ?? []).map(({ Subnet, Gateway }) => `${Gateway}/${Subnet.split('/')[1]}`)
}

async function createNetwork(t: Test, name: string): Promise<string> {
  const network = `${RUN}-${name}`
  await docker('network', 'create', network)
  t.teardown(() => docker('network', 'rm', network))
  return network
}

type Started = {
  readonly network: string
  readonly script: string
  readonly labels?: Readonly<Record<string, string>>
  readonly options?: readonly string[]
}

async function start(t: Test, name: string, { network, script, labels = {}, options = [] }: Started): Promise<string> {
  const container = `${RUN}-${name}`
  const labelled = Object.entries({ monitored: 'true', ...labels }).flatMap(([label, value]) => ['--label', `${label}=${value}`])
  t.teardown(() => docker('rm', '--force', container))
  await docker(
    ...['run', '--detach', '--init', '--name', container, '--network', network],
    ...[...labelled, ...options, IMAGE, 'node', '-e', script],
  )
  return container
}

await t.test('probes on real networks', { timeout: 580_000 }, async (t) => {
  // Registered first, so that they go last: nobody may be on a network that is removed.
  const shared = await createNetwork(t, 'shared')
  const other = await createNetwork(t, 'other')
  const own = await bridgeOf(shared)
  t.equal(own.length, 1, 'the host is on the network')

  const look = async (name: string): Promise<CheckedContainer | undefined> => {
    const environment = readEnvironment(ENV)
    const { containers } = await check({
      docker: connectDocker(environment.dockerHost, () => undefined),
      environment,
      settings: explainEnvironment(ENV),
      receivers: [],
      own,
      monotonicMs: () => performance.now(),
      runProbe,
    })
    return containers.find((container) => container.name === name)
  }
  /** Waits until the probe of `name` says `reason`: a container takes a while to listen. */
  const finds = async (t: Test, name: string, result: string, reason: string) => {
    let last: CheckedContainer['found']
    await waitFor(`${name}: ${reason}`, async () => {
      last = (await look(name))?.found
      return last?.reason === reason
    }).catch(() => undefined)
    t.match(last, { result, reason })
  }

  await t.test('http: its only exposed port; a status; a header and a body', async (t) => {
    const exposed = await start(t, 'http', { network: shared, script: HTTP, options: ['--expose', '8080'] })
    await finds(t, exposed, 'success', 'answered 200')
    t.match(await look(exposed), { probe: 'http :8080/health', problems: [] })
    const ill = await start(t, 'ill', {
      network: shared,
      script: HTTP,
      labels: { 'healer.port': '8080', 'healer.path': '/ill' },
    })
    await finds(t, ill, 'failure', 'answered 503')
    const token = { 'healer.port': '8080', 'healer.path': '/token', 'healer.headers.X-Token': 'abc', 'healer.matches': '^abc$' }
    await finds(t, await start(t, 'token', { network: shared, script: HTTP, labels: token }), 'success', 'answered 200')
    const nobody = await start(t, 'nobody', { network: shared, script: HTTP, labels: { 'healer.port': '9' } })
    await finds(t, nobody, 'failure', 'connection refused')
  })

  await t.test('tcp: what comes back for what is sent', async (t) => {
    const labels = { 'healer.port': '6379', 'healer.send': 'PING\\r\\n', 'healer.expect': '+PONG' }
    await finds(t, await start(t, 'tcp', { network: shared, script: TCP, labels }), 'success', 'answered “+PONG\\r\\n”')
    const wrong = await start(t, 'tcp-wrong', { network: shared, script: TCP, labels: { ...labels, 'healer.send': 'HELLO' } })
    await finds(t, wrong, 'failure', 'answered “-ERR\\r\\n”, not “+PONG”, within 2 s')
  })

  await t.test('grpc: the server, and one of its services', async (t) => {
    const server = { network: shared, script: GRPC, options: ['--expose', '50051'] }
    const whole = await start(t, 'grpc', { ...server, labels: { 'healer.probe': 'grpc' } })
    await finds(t, whole, 'success', 'serving status SERVING')
    const cart = await start(t, 'grpc-cart', { ...server, labels: { 'healer.service': 'shop.Cart' } })
    await finds(t, cart, 'failure', 'serving status NOT_SERVING')
  })

  await t.test('docker: the container’s own health check', async (t) => {
    const options = ['--health-cmd', 'true', '--health-interval', '1s']
    const healthy = await start(t, 'docker', { network: other, script: HTTP, options })
    await finds(t, healthy, 'success', "the container's own health check passes")
  })

  await t.test('a container on another bridge only is unknown, and the network to join is named', async (t) => {
    const apart = await start(t, 'apart', { network: other, script: HTTP, options: ['--expose', '8080'] })
    t.match(await look(apart), {
      probe: 'none',
      found: undefined,
      problems: [`no network shared with the healer; join the healer to \`${other}\``],
    })
    await docker('network', 'connect', shared, apart)
    await finds(t, apart, 'success', 'answered 200')
  })

  await t.test('one that uses another’s network is probed at that one’s address', async (t) => {
    const provider = await start(t, 'provider', {
      network: shared,
      script: TCP,
      labels: { 'healer.probe': 'tcp', 'healer.port': '6379' },
    })
    const sharer = await start(t, 'sharer', {
      network: `container:${provider}`,
      script: HTTP,
      labels: { 'healer.port': '8080' },
    })
    await finds(t, sharer, 'success', 'answered 200')
    const address = (await look(provider))?.address
    t.type(address, 'string')
    t.equal((await look(sharer))?.address, address)
  })

  await t.test('one that has stopped is not probed', async (t) => {
    const stopped = await start(t, 'stopped', { network: shared, script: HTTP, labels: { 'healer.port': '8080' } })
    await docker('stop', '--time', '0', stopped)
    t.match(await look(stopped), { status: 'exited', probe: undefined, found: undefined, problems: [] })
  })
})
