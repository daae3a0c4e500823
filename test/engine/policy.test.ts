// The shipped policy on a real Engine, tried from inside the healer's container as a hostile healer would.
import t from 'tap'
import { CATALOGUE } from '../../proxy/request/catalogue.ts'
import { healerPolicy } from '../proxy/support/policies.ts'
import { bringUp, docker, imageOf, inspect } from './support/composition.ts'

type Answer = { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string }

/** A program for `node -e`: sends each request over the proxy's socket and prints the answers. */
const CLIENT = `
const http = require('http')
const ask = ([method, path]) => new Promise((resolve, reject) => {
  http.request({ socketPath: '/run/postern/healer.sock', method, path, agent: false }, (response) => {
    let body = ''
    response.on('data', (chunk) => { body += chunk })
    response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body }))
  }).on('error', reject).end()
})
Promise.all(JSON.parse(process.argv[1]).map(ask)).then((answers) => console.log(JSON.stringify(answers)))
`

await t.test('the shipped policy', { timeout: 580_000 }, async (t) => {
  const stack = await bringUp(t, ['proxy', 'healer', 'sample-app'])
  await stack.said('sample-app — healthy')
  const healer = (await stack.compose('ps', '-q', 'healer')).trim()
  const proxy = (await stack.compose('ps', '-q', 'proxy')).trim()
  const ask = async (...requests: readonly (readonly [string, string])[]) =>
    JSON.parse(await docker('exec', healer, 'node', '-e', CLIENT, JSON.stringify(requests))) as Answer[]

  const image = ['--env', 'PASSWORD=hunter2', imageOf('sample-app')]
  t.teardown(() => docker('rm', '--force', 'hidden', 'seen'))
  await docker('run', '--detach', '--name', 'hidden', ...image)
  await docker('run', '--detach', '--name', 'seen', '--label', 'autoheal=true', '--label', 'secret.label=x', ...image)

  await t.test('a list shows the containers in scope, and of them the fields named', async (t) => {
    const [list] = await ask(['GET', '/v1.41/containers/json?all=1'])
    const containers = JSON.parse(list?.body ?? '') as Record<string, unknown>[]
    t.same(containers.map(({ Names }) => Names).sort(), [['/sample-app'], ['/seen']])
    for (const container of containers) {
      t.same(
        Object.keys(container).filter(
          (key) =>
            !['Id', 'Names', 'ImageID', 'State', 'Status', 'Ports', 'Labels', 'HostConfig', 'NetworkSettings'].includes(key),
        ),
        [],
      )
    }
    t.notMatch(list?.body, /hunter2|hidden|secret\.label|compose\.project\.working_dir|Mounts/)
  })

  await t.test('an inspect shows the fields named: no environment, no command, no mounts', async (t) => {
    const [answer] = await ask(['GET', '/containers/seen/json'])
    t.equal(answer?.status, 200)
    t.same(Object.keys(JSON.parse(answer?.body ?? '')).sort(), ['Config', 'HostConfig', 'Id', 'Name', 'RestartCount', 'State'])
    t.notMatch(answer?.body, /hunter2|Env|Cmd|Mounts|LogPath/)
  })

  await t.test('hidden and missing are the same 404, in the Engine’s error shape', async (t) => {
    const { Id } = await inspect('hidden')
    const [hidden, byId, missing, restart] = await ask(
      ['GET', '/containers/hidden/json'],
      ['GET', `/containers/${Id}/json`],
      ['GET', '/containers/nobody/json'],
      ['POST', '/containers/hidden/restart'],
    )
    t.match([hidden, byId, missing, restart], Array(4).fill({ status: 404 }))
    t.same(JSON.parse(hidden?.body ?? ''), { message: 'No such container: hidden' })
    t.same(JSON.parse(missing?.body ?? ''), { message: 'No such container: nobody' })
  })

  await t.test('all else of the Engine’s API is refused', async (t) => {
    const allowed = healerPolicy().allow
    const requests = CATALOGUE.filter(({ id }) => !allowed.has(id)).map(
      ({ method, path }) =>
        [
          method,
          `/${path
            .join('/')
            .replace('{container}', 'seen')
            .replace(/\{[a-z]+\}/g, 'thing')}`,
        ] as const,
    )
    t.ok(requests.length > 100)
    const answers = await ask(...requests)
    t.same(
      answers.map(({ status }, i) => `${requests[i]?.join(' ')} ${status}`),
      requests.map((request) => `${request.join(' ')} 403`),
    )
    for (const [i, { body }] of answers.entries()) if (requests[i]?.[0] !== 'HEAD') t.type(JSON.parse(body).message, 'string')
  })

  await t.test('a restart of the proxy, of the healer, or with a signal is not to be had', async (t) => {
    const before = [(await inspect(proxy)).State.StartedAt, (await inspect(healer)).State.StartedAt]
    const answers = await ask(
      ['POST', `/containers/${proxy}/restart`],
      ['POST', `/containers/${healer}/restart`],
      ['POST', '/containers/seen/restart?signal=SIGKILL'],
      ['POST', '/containers/seen/restart?t=61'],
    )
    t.same(
      answers.map(({ status }) => status),
      [404, 404, 403, 403],
    )
    t.same([(await inspect(proxy)).State.StartedAt, (await inspect(healer)).State.StartedAt], before)
  })

  await t.test('what mounts the sockets’ volume is never restarted, by whatever name, though it opted in', async (t) => {
    const volume = ['--label', 'autoheal=true', '--volume', 'postern_sockets:/elsewhere:ro']
    t.teardown(() => docker('rm', '--force', 'insider'))
    const id = (await docker('run', '--detach', '--name', 'insider', ...volume, ...image)).trim()
    const { State } = await inspect('insider')
    const answers = await ask(...['insider', id, id.slice(0, 12)].map((ref) => ['POST', `/containers/${ref}/restart`] as const))
    t.match(answers, Array(3).fill({ status: 403, body: /insider is a part of Postern; no policy can allow a change to it/ }))
    t.equal((await inspect('insider')).State.StartedAt, State.StartedAt)
  })

  await t.test('five restarts in ten minutes, and then 429 with Retry-After', async (t) => {
    const statuses: number[] = []
    let last: Answer | undefined
    for (let i = 0; i < 6; i++) {
      ;[last] = await ask(['POST', '/containers/seen/restart?t=0'])
      statuses.push(last?.status ?? 0)
    }
    t.same(statuses, [204, 204, 204, 204, 204, 429])
    t.ok(Number(last?.headers['retry-after']) > 0)
    t.match(JSON.parse(last?.body ?? ''), { message: /the budget for seen is spent/ })
  })

  await t.test('a budget is not refilled by a restart of the proxy', async (t) => {
    await stack.compose('kill', 'proxy')
    await stack.compose('up', '--detach', '--wait', 'proxy')
    t.match(await ask(['POST', '/containers/seen/restart?t=0']), [{ status: 429 }])
  })

  await t.test('a container that was stopped by hand stays stopped', async (t) => {
    await docker('stop', '--time', '0', 'sample-app')
    const [answer] = await ask(['POST', '/containers/sample-app/restart'])
    t.equal(answer?.status, 409)
    t.match(JSON.parse(answer?.body ?? ''), { message: /sample-app is exited/ })
    t.equal((await inspect('sample-app')).State.Status, 'exited')
  })
})
