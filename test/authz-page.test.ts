// docs/authz.md is held to the code: its policy is one that a plugin can enforce and its tests hold, and what it says is refused is.
import t from 'tap'
import { beyondAPlugin } from '../proxy/authz/beyond-a-plugin.ts'
import { PLUGIN_LIMITS } from '../proxy/authz/plugin-server.ts'
import { CATALOGUE } from '../proxy/request/catalogue.ts'
import { cutToScope, tellsOfContainers } from '../proxy/show/cut-to-scope.ts'
import { fakeContainer, listElement } from './proxy/support/containers.ts'
import { policyOf } from './proxy/support/policies.ts'
import { checkExample } from './proxy/support/policy-examples.ts'
import { blocks, readPage, tableRows, words } from './support/pages.ts'

const page = readPage('authz.md')

await t.test('the policy is one that a plugin can enforce, and its tests hold, each refusal for the rule beside it', (t) => {
  const examples = blocks(page, 'yaml')
  t.equal(examples.length, 1)
  for (const example of examples) {
    checkExample(t, example)
    t.same(
      beyondAPlugin(policyOf(example), () => ({ offset: 0, length: 1 })),
      [],
    )
  }
  t.end()
})

await t.test('the operations whose answers tell of containers are all those that a scope cuts', (t) => {
  const told = tableRows(page, 'What is refused at the start').flatMap(([cell]) =>
    words(cell).filter((word) => /^[A-Z]/.test(word)),
  )
  const known = CATALOGUE.filter(({ id }) => tellsOfContainers(id)).map(({ id }) => id)
  t.same([...told].sort(), [...known].sort())
  const container = listElement(fakeContainer({ id: 'cc'.repeat(32), name: 'hidden', labels: {} }))
  const whole = { Containers: [container], Id: 'x' }
  const scope = [{ labels: { monitored: 'true' } }]
  for (const { id } of CATALOGUE) {
    for (const answer of [whole, [whole], [container]]) {
      let isCut = true
      try {
        isCut = JSON.stringify(cutToScope(id, answer, scope)) !== JSON.stringify(answer)
      } catch {
        // A list that is none is not shown at all.
      }
      t.notOk(isCut && !tellsOfContainers(id), id)
    }
  }
  t.end()
})

await t.test('the bounds on messages', (t) => {
  const { maxMessageBytes, maxHeldBytes, messageTimeoutMs, maxUnderWay, maxConnections } = PLUGIN_LIMITS
  const mib = (bytes: number) => `${bytes / 1024 ** 2} MiB`
  const words = `${mib(maxMessageBytes)} each, ${mib(maxHeldBytes)} of all together, ${messageTimeoutMs / 1000} seconds to come, ${maxUnderWay} that wait for a decision, ${maxConnections} connections`
  t.ok(page.replace(/\s+/g, ' ').includes(words), words)
  t.end()
})
