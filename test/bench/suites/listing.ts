// A list of 50 containers in scope of 500, on the real Engine, through the proxy, to one of all 500 at the Engine itself.
import { Pool } from 'undici'
import { startPostern } from '../proxies.ts'
import type { Row } from '../row.ts'
import type { Settings } from '../settings.ts'
import { onStage } from '../started.ts'
import { ratios, spreadOf } from '../statistics.ts'

const SOCKET = '/var/run/docker.sock'
const [ALL, IN_SCOPE] = [500, 50]
const LABEL = 'postern.bench'
const LIST = '/v1.41/containers/json?all=1'
const PAIRS = 5

const POLICY = `version: 1
client: lister
scope: [{ labels: { ${LABEL}: "in-scope" } }]
allow:
  SystemPing: {}
  ContainerList: { query: { all: [true] }, show: all }
`

/** Makes 500 containers, none of which is started, and removes them. */
export function measureListing({ rounds, say }: Settings): Promise<readonly Row[]> {
  return onStage(async (stage) => {
    const engine = new Pool('http://engine', { socketPath: SOCKET, connections: 4 })
    stage.atEnd(() => engine.close())
    const Image = await anyImage(engine)
    stage.atEnd(() => removeAll(engine))
    for (let i = 0; i < ALL; i++) {
      const Labels = { [LABEL]: i < IN_SCOPE ? 'in-scope' : 'hidden', monitored: 'true', 'com.docker.compose.project': 'bench' }
      await ask(engine, 'POST', '/v1.41/containers/create', { Image, Labels })
    }
    const { clients } = await startPostern(stage, SOCKET, { lister: POLICY })
    const proxy = new Pool(clients.lister.url, { connections: 1 })
    stage.atEnd(() => proxy.close())
    const timed = async (by: Pool, expected: number): Promise<number> => {
      const startedMs = performance.now()
      const list = (await ask(by, 'GET', LIST)) as readonly unknown[]
      const tookMs = performance.now() - startedMs
      // Others may have containers there, too.
      if (list.length < expected) throw new Error(`${list.length} containers were listed, where ${expected} were to be`)
      return tookMs
    }
    await timed(proxy, IN_SCOPE)
    const [ours, theirs]: [number[], number[]] = [[], []]
    for (let i = 0; i < rounds * PAIRS; i++) {
      theirs.push(await timed(engine, ALL))
      ours.push(await timed(proxy, IN_SCOPE))
    }
    say(`${ours.length} pairs of lists`)
    const peer = { name: `the Engine, all ${ALL}`, theirs: spreadOf(theirs), ratio: ratios(ours, theirs) }
    return [{ work: `list of ${IN_SCOPE} in scope of ${ALL}`, unit: 'ms', ours: spreadOf(ours), peer, target: { atMost: 1 } }]
  })
}

async function ask(by: Pool, method: 'GET' | 'POST' | 'DELETE', path: string, sent?: object): Promise<unknown> {
  const content = sent === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(sent) }
  const { statusCode, body } = await by.request({ method, path, ...content })
  const text = await body.text()
  if (statusCode >= 300) throw new Error(`${method} ${path} was answered ${statusCode}: ${text}`)
  return text === '' ? undefined : JSON.parse(text)
}

async function anyImage(engine: Pool): Promise<string> {
  const [image] = (await ask(engine, 'GET', '/v1.41/images/json')) as readonly { readonly Id: string }[]
  if (!image) throw new Error('the Engine has no image to make containers of')
  return image.Id
}

async function removeAll(engine: Pool): Promise<void> {
  const filters = encodeURIComponent(JSON.stringify({ label: [LABEL] }))
  const made = (await ask(engine, 'GET', `${LIST}&filters=${filters}`)) as readonly { readonly Id: string }[]
  for (const { Id } of made) await ask(engine, 'DELETE', `/v1.41/containers/${Id}?force=1&v=1`)
}
