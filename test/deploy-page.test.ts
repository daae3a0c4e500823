// docs/deploy.md is held to the code: what it shows is what comes out. Its commands for Docker are run in test/engine and test/engines.
import t from 'tap'
import { parseComposeFile } from '../healer/export/compose-file.ts'
import { exportServices } from '../healer/export/kubernetes.ts'
import { renderManifests, summarise } from '../healer/export/render.ts'
import { readEnvironment } from '../healer/settings/environment.ts'
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
