// compose/compose.yaml as the embedded engine reads it.
import { resolve } from 'node:path'
import t from 'tap'
import { readProject } from '../../compose/embedded/compose-file.ts'

const TOKEN_FILE = '/run/secrets/healer-token'

function readHealer(env: Readonly<Record<string, string>>) {
  const healer = readProject('compose/compose.yaml', env).services.find(({ name }) => name === 'healer')
  return { env: healer?.env, tokenFile: healer?.mounts.find(({ target }) => target === TOKEN_FILE)?.source }
}

await t.test('the healer has its token from a file where one is named, and else from none', async (t) => {
  t.match(readHealer({ HEALER_TOKEN_FILE: '/etc/healer-token' }), {
    env: { HEALER_TOKEN_FILE: TOKEN_FILE },
    tokenFile: '/etc/healer-token',
  })
  for (const env of [{}, { HEALER_TOKEN_FILE: '' }])
    t.match(readHealer(env), { env: { HEALER_TOKEN_FILE: '' }, tokenFile: resolve('compose/alertmanager/no-token') })
})

await t.test('what is not built here is named, not run', async (t) => {
  const { services, notRun } = readProject('compose/compose.yaml', {})
  t.same(
    services.map(({ name }) => name),
    ['proxy', 'healer', 'sample-app'],
  )
  t.same(notRun, ['prometheus', 'alertmanager', 'grafana'])
})
