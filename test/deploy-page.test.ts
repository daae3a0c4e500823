// docs/deploy.md is held to the code: what it shows is what comes out. Its commands for Docker are run in test/engine and test/engines.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { parse } from 'yaml'
import { parseComposeFile } from '../healer/export/compose-file.ts'
import { exportServices } from '../healer/export/kubernetes.ts'
import { renderManifests, summarise } from '../healer/export/render.ts'
import { readEnvironment, VARIABLES } from '../healer/settings/environment.ts'
import { blocks, readPage } from './support/pages.ts'

const page = readPage('deploy.md')
const section = (heading: string) => {
  const [found] = page.split(/^## /m).filter((part) => part.startsWith(`${heading}\n`))
  if (found === undefined) throw new Error(`there is no section “${heading}”`)
  return found
}

await t.test('the compose file that it shows is exported as it shows', async (t) => {
  const kubernetes = section('Kubernetes')
  const [compose = '', manifests] = blocks(kubernetes, 'yaml')
  const exported = exportServices(parseComposeFile(compose, 'compose.yaml'), readEnvironment({}))
  t.equal(manifests, renderManifests(exported))
  t.ok(kubernetes.includes(`\`${summarise(exported)}\``), summarise(exported))
})

await t.test(
  'the stack hands on every variable of the healer that is neither the image’s own nor a secret or a file',
  async (t) => {
    const { services } = parse(readFileSync('compose/stack.yaml', 'utf8'), { merge: true })
    const own = ['DOCKER_HOST', 'PROXY_METRICS', 'HEALER_PORT', 'HEALER_HOST', 'STATE_DIR', 'ALERTS_FILE']
    const isHandedOn = ([name, variable]: [string, object]) => !('secret' in variable) && !own.includes(name)
    t.same(
      Object.keys(services.healer.environment).sort(),
      Object.entries(VARIABLES)
        .filter(isHandedOn)
        .map(([name]) => name)
        .sort(),
    )
  },
)

await t.test('the stack confines both as compose.yaml does, as far as a swarm can', async (t) => {
  const [stack, compose] = ['stack', 'compose'].map((name) =>
    parse(readFileSync(`compose/${name}.yaml`, 'utf8'), { merge: true }),
  )
  for (const name of ['proxy', 'healer']) {
    const [there, here] = [stack.services[name], compose.services[name]]
    for (const key of ['read_only', 'cap_drop', 'cap_add', 'logging']) t.same(there[key], here[key], `${key} of ${name}`)
    const { memory, pids } = there.deploy.resources.limits
    t.same([memory.toLowerCase(), pids], [here.mem_limit, here.pids_limit])
  }
  t.equal(stack.networks.nowhere.internal, true)
  const users = Object.entries(stack.services).filter(([, service]) =>
    (service as { networks: string[] }).networks.includes('nowhere'),
  )
  t.same(
    users.map(([name]) => name),
    ['proxy'],
  )
  t.match(stack.services.healer.user, `:${compose.services.healer.group_add[0]}`)
})
