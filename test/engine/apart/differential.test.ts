// Every request that Docker's own client and dockerode make, answered by the Engine itself and through the proxy under a policy that allows
// everything: the same status, headers and bytes, but for what docs/proxy.md says; and what comes bit by bit comes so through the proxy, too.
import { spawn } from 'node:child_process'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import Dockerode from 'dockerode'
import t, { type Test } from 'tap'
import { everythingPolicy } from '../../proxy/support/everything.ts'
import { startProxy } from '../../proxy/support/start-proxy.ts'
import { firstColumn, readPage } from '../../support/pages.ts'
import { differencesOf } from '../support/compare-answers.ts'
import { docker, waitFor } from '../support/composition.ts'
import { type Pair, startTwinSocket } from '../support/twin-socket.ts'

const ENGINE = '/var/run/docker.sock'
const IMAGE = 'node:24-bookworm-slim'
const [OF, TWIN] = ['postern-twin-a', 'postern-twin-b']
const [NET, VOLUME, TAG] = [`${OF}-net`, `${OF}-volume`, `${OF}-image`]
const DOCUMENTED = firstColumn(readPage('proxy.md'), 'What differs from the Engine')

/** What docker is called with; `<` is what it is given to read. */
const COMMANDS = `
run --detach --init --label postern.twin=yes --name ${OF} ${IMAGE} sleep 600
ps --all --no-trunc --filter label=postern.twin
inspect ${OF}
inspect --size ${OF}
inspect --type container postern-nobody
version
info
images
image inspect ${IMAGE}
history ${IMAGE}
top ${OF}
diff ${OF}
port ${OF}
logs --timestamps ${OF}
stats --no-stream ${OF}
exec ${OF} sh -c exit\u00a07
exec ${OF} no-such-program
exec --interactive ${OF} sha256sum < what is to be read
cp ${OF}:/etc/os-release -
cp ${OF}:/no/such/file -
rename ${OF} ${OF}-2
rename ${OF}-2 ${OF}
pause ${OF}
exec ${OF} true
unpause ${OF}
update --memory 100m --memory-swap -1 ${OF}
restart --timeout 0 ${OF}
kill --signal NOSUCH ${OF}
kill ${OF}
kill ${OF}
start ${OF}
start ${OF}
network create --label postern.twin=yes ${NET}
network create ${NET}
network connect --alias other ${NET} ${OF}
network inspect ${NET}
network ls
network disconnect ${NET} ${OF}
network rm ${NET}
volume create ${VOLUME}
volume inspect ${VOLUME}
volume ls
volume rm ${VOLUME}
tag ${IMAGE} ${TAG}
rmi ${TAG}
rmi ${TAG}
system df
run --rm --interactive --name ${OF}-run ${IMAGE} cat < what is to be read
run --rm --name ${OF}-never ${IMAGE} no-such-program
wait postern-nobody
stop --timeout 0 ${OF}
rm ${OF}
rm ${OF}
`

/** The same by dockerode, and what docker has no command for. */
async function askByDockerode(api: Dockerode): Promise<void> {
  await api.ping()
  await api.version()
  await api.listContainers({ all: true, filters: { label: ['postern.twin'] } })
  await api.listImages()
  const made = { Image: IMAGE, Cmd: ['sleep', '600'], Labels: { 'postern.twin': 'yes' } }
  // By itself it puts what belongs into the body into the query as well.
  await api.createContainer({ name: `${OF}-2`, ...made })
  const container = await api.createContainer({ _query: { name: OF }, _body: made } as object)
  await container.start()
  await container.inspect()
  await container.logs({ stdout: true, stderr: true, timestamps: true })
  await container.changes()
  await container.putArchive(Buffer.alloc(10_240), { path: '/tmp' })
  await container.infoArchive({ path: '/etc' })
  await text(await container.getArchive({ path: '/etc/os-release' }))
  // These go along with a body, which the Engine passes over.
  await container.resize({ h: 24, w: 80 })
  const attached = await container.attach({ stream: true, stdout: true, hijack: true })
  attached.end()
  const exec = await container.exec({ Cmd: ['cat'], AttachStdin: true, AttachStdout: true })
  const stream = await exec.start({ hijack: true, stdin: true })
  stream.end('through the connection itself\n')
  await text(stream)
  await exec.inspect()
  const until = Math.floor(Date.now() / 1000)
  await text(await api.getEvents({ since: until - 60, until, filters: { container: [OF] } }))
  await api.getNetwork('bridge').inspect()
  for (const missing of [api.getVolume('postern-nobody'), api.getImage('postern-nobody')])
    await missing.inspect().catch(() => 'it is not there')
  await container.kill()
  await container.wait()
  await container.remove()
}

await t.test('the Engine, and the proxy that allows everything', { timeout: 580_000 }, async (t) => {
  const proxy = await startProxy(t, { engineSocket: ENGINE, policyText: everythingPolicy() })
  const twins = await startTwinSocket(t, ENGINE, proxy.socketPath, [OF, TWIN])
  const remove = async () => {
    const mine = [OF, TWIN, `${OF}-run`, `${TWIN}-run`, `${OF}-never`, `${TWIN}-never`, `${OF}-2`, `${TWIN}-2`]
    await docker('rm', '--force', '--volumes', ...mine)
    await docker('rmi', TAG, `${TWIN}-image`).catch(() => 'they are gone, as they should be')
    for (const [of, twin] of [
      ['network', '-net'],
      ['volume', '-volume'],
    ] as const)
      await docker(of, 'rm', '--force', OF + twin, TWIN + twin)
  }
  t.teardown(remove)
  await remove()
  let compared = 0
  const compare = async (t: Test, whose: string) => {
    const found = new Set<string>()
    for (const pair of twins.pairs().slice(compared)) {
      compared += 1
      for (const difference of await settled(pair)) found.add(difference)
    }
    for (const difference of found) t.ok(DOCUMENTED.includes(difference), `${whose}: ${difference}`)
    return found
  }

  const seen = new Set<string>()
  await t.test('docker: every request of its commands has the same answer', async (t) => {
    for (const command of COMMANDS.trim().split('\n')) await run(twins.socketPath, command)
    t.ok(twins.pairs().length > 100, `${twins.pairs().length} requests`)
    for (const difference of await compare(t, 'docker')) seen.add(difference)
  })

  await t.test('dockerode: every request of its calls has the same answer', async (t) => {
    const before = twins.pairs().length
    await askByDockerode(new Dockerode({ socketPath: twins.socketPath }))
    t.ok(twins.pairs().length > before + 20, `${twins.pairs().length - before} requests`)
    for (const difference of await compare(t, 'dockerode')) seen.add(difference)
  })

  await t.test('what the page says differs does', (t) => {
    t.same([...DOCUMENTED].sort(), [...seen].sort())
    t.end()
  })

  await t.test('what is said bit by bit comes bit by bit, before the next is said', async (t) => {
    await docker('run', '--detach', '--init', '--name', OF, IMAGE, 'sleep', '600')
    const paths = [`/containers/${OF}/logs?follow=1&stdout=1`, `/events?filters=${encodeURIComponent(`{"container":["${OF}"]}`)}`]
    const heard = paths.map((path) => [ENGINE, proxy.socketPath].map((socketPath) => follow(t, socketPath, path)))
    await Promise.all(heard.flat().map(({ begun }) => begun))
    for (const word of ['one', 'two', 'three']) {
      await docker('exec', OF, 'sh', '-c', `echo ${word} > /proc/1/fd/1`)
      for (const told of heard.flat()) await waitFor(word, async () => told.said().includes(word))
    }
    for (const [of, through] of heard) t.equal(through?.said(), of?.said())
    await docker('rm', '--force', OF)
    for (const told of heard[0] ?? []) await told.ended
  })
})

/** Runs docker with what stands in `command`, until it ends. How it ends is what the Engine said. */
function run(socketPath: string, command: string): Promise<void> {
  const [line = '', input = ''] = command.split(' < ')
  const args = line.split(' ').map((word) => word.replaceAll('\u00a0', ' '))
  return new Promise((resolve, reject) => {
    const child = spawn('docker', args, {
      env: { ...process.env, DOCKER_HOST: `unix://${socketPath}` },
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    child.on('error', reject).on('close', () => resolve())
    child.stdin.on('error', () => 'it has ended before').end(input)
  })
}

/** The differences that stay when both are asked again: while others use the Engine, what is there changes between two answers. */
async function settled(pair: Pair, tries = 5): Promise<readonly string[]> {
  const differences = differencesOf(pair)
  const isNew = differences.some((difference) => !DOCUMENTED.includes(difference))
  return isNew && pair.again && tries > 0 ? settled(await pair.again(), tries - 1) : differences
}

function follow(owner: { readonly teardown: (work: () => void) => void }, socketPath: string, path: string) {
  const asked = request({ socketPath, path, agent: false })
  owner.teardown(() => asked.destroy())
  let said = ''
  let end: () => void = () => undefined
  const ended = new Promise<void>((resolve) => {
    end = resolve
  })
  const begun = new Promise<void>((resolve, reject) => {
    asked.on('error', reject).on('response', (response) => {
      response.setEncoding('latin1').on('data', (chunk: string) => {
        said += chunk
      })
      response.on('end', end).on('error', () => 'it was ended here')
      resolve()
    })
  })
  asked.end()
  return { begun, ended, said: () => said }
}
