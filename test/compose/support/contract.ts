// What the healer and the proxy rely on in an Engine, as one suite over whatever serves its API on a unix socket: the real
// Engine and the embedded one must both pass.
import type { Test } from 'tap'
import { Client } from 'undici'

export type ContainerPlan = {
  readonly name: string
  readonly labels?: Readonly<Record<string, string>>
  /** JavaScript that its process runs. In `process.env.ILL` is the path of a file for its health check. */
  readonly script?: string
  /** JavaScript that its health check runs, every second; two failures make it unhealthy. */
  readonly health?: string
  /** Whether it is started again when its process dies. */
  readonly restart?: 'no' | 'unless-stopped'
}

/** An Engine, and the ways to make its containers what a test needs. */
export type World = {
  readonly socketPath: string
  /** Runs a container whose stop timeout is one second. */
  readonly run: (plan: ContainerPlan) => Promise<void>
  readonly signal: (name: string, signal: NodeJS.Signals) => Promise<void>
  /** Stops it, as an operator would. */
  readonly stop: (name: string) => Promise<void>
  readonly remove: (name: string) => Promise<void>
  /** From now on it cannot be started again. */
  readonly breakStart: (name: string) => Promise<void>
}

type Json = Readonly<Record<string, unknown>>
type Inspected = {
  readonly Id: string
  readonly RestartCount: number
  readonly State: {
    readonly Status: string
    readonly StartedAt: string
    readonly ExitCode: number
    readonly Health?: { readonly Status: string; readonly FailingStreak: number }
  }
}

const SLEEPER = 'setInterval(() => undefined, 1e9)'
const STUBBORN = `process.on('SIGTERM', () => undefined); ${SLEEPER}`
/** Well when it starts; ill from SIGUSR2 on. */
const SICKLY = `require('fs').rmSync(process.env.ILL, { force: true }); process.on('SIGUSR2', () => require('fs').writeFileSync(process.env.ILL, '')); ${SLEEPER}`
const HEALTH = "process.exit(require('fs').existsSync(process.env.ILL) ? 1 : 0)"
const OPTED_IN = { monitored: 'true', 'postern.contract': 'contract' }

export async function engineContract(t: Test, world: World): Promise<void> {
  const client = new Client('http://engine', { socketPath: world.socketPath })
  t.teardown(() => client.destroy())
  const ask = async (method: 'GET' | 'POST' | 'HEAD', path: string) => {
    const { statusCode, headers, body } = await client.request({ method, path })
    const text = await body.text()
    return {
      status: statusCode,
      headers,
      text,
      json: text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : undefined,
    }
  }
  const inspect = async (name: string) => (await ask('GET', `/containers/${name}/json`)).json as Inspected
  const list = async (filters: Json, all = true) => {
    const query = `${all ? 'all=1&' : ''}filters=${encodeURIComponent(JSON.stringify(filters))}`
    return ((await ask('GET', `/containers/json?${query}`)).json as { Names: string[] }[]).map(({ Names }) => Names[0]).sort()
  }
  const until = async (what: string, holds: () => Promise<boolean>) => {
    const deadline = Date.now() + 120_000
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error(`waited in vain for ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  const names = ['pc-web', 'pc-plain', 'pc-stubborn', 'pc-sick', 'pc-mounted', 'pc-crash', 'pc-gone']
  t.teardown(() => Promise.all(names.map((name) => world.remove(name).catch(() => undefined))))
  await world.run({ name: 'pc-web', labels: OPTED_IN, script: SLEEPER })
  await world.run({ name: 'pc-plain', script: SLEEPER })

  await t.test('ping', async (t) => {
    const ping = await ask('GET', '/_ping')
    t.match(ping, { status: 200, text: 'OK', headers: { 'api-version': /^1\.\d+$/ } })
    t.match(await ask('HEAD', '/_ping'), { status: 200, text: '' })
  })

  await t.test('version, with and without a version in the path', async (t) => {
    for (const path of ['/version', '/v1.41/version']) {
      t.match(await ask('GET', path), {
        status: 200,
        json: { Version: String, ApiVersion: /^1\.\d+$/, MinAPIVersion: /^1\.\d+$/, Os: String, Arch: String },
      })
    }
  })

  await t.test('list: filtered by label and state', async (t) => {
    t.same(await list({ label: ['monitored=true', 'postern.contract=contract'] }), ['/pc-web'])
    t.same(await list({ label: ['postern.contract'] }), ['/pc-web'])
    t.same(await list({ label: { 'postern.contract=contract': true } }), ['/pc-web'])
    t.same(await list({ label: ['postern.contract=other'] }), [])
    t.same(await list({ label: ['postern.contract'], status: ['exited'] }), [])
    t.same(await list({ label: ['postern.contract'], status: ['exited', 'running'] }), ['/pc-web'])
    t.match(await ask('GET', `/containers/json?filters=${encodeURIComponent('{"nonsense":["x"]}')}`), {
      status: 400,
      json: { message: /invalid filter/i },
    })
  })

  await t.test('list: what an element tells', async (t) => {
    const { json } = await ask('GET', `/containers/json?filters=${encodeURIComponent('{"label":["postern.contract"]}')}`)
    t.match(json, [
      {
        Id: /^[0-9a-f]{64}$/,
        Names: ['/pc-web'],
        ImageID: /^sha256:[0-9a-f]{64}$/,
        State: 'running',
        Status: /^Up /,
        Labels: OPTED_IN,
        Ports: Array,
        HostConfig: { NetworkMode: String },
        NetworkSettings: { Networks: Object },
      },
    ])
    const networks = Object.values(json[0].NetworkSettings.Networks) as Json[]
    t.match(networks, [{ IPAddress: /^\d+\.\d+\.\d+\.\d+$/, GlobalIPv6Address: '' }])
  })

  await t.test('inspect: by name, by id and by the beginning of one', async (t) => {
    const { Id } = await inspect('pc-web')
    for (const ref of ['pc-web', Id, Id.slice(0, 12)]) {
      t.match(await ask('GET', `/containers/${ref}/json`), {
        status: 200,
        json: {
          Id,
          Name: '/pc-web',
          RestartCount: 0,
          State: { Status: 'running', StartedAt: /^\d{4}-\d\d-\d\dT[\d:.]+Z$/, ExitCode: 0, OOMKilled: false },
          HostConfig: { AutoRemove: false, NetworkMode: String },
        },
      })
    }
    t.equal((await inspect('pc-web')).State.Health, undefined, 'no verdict without a HEALTHCHECK')
  })

  await t.test('what is not there is 404 in the one error shape', async (t) => {
    const missing = {
      status: 404,
      json: { message: 'No such container: pc-nobody' },
      headers: { 'content-type': /^application\/json/ },
    }
    t.match(await ask('GET', '/containers/pc-nobody/json'), missing)
    t.match(await ask('POST', '/containers/pc-nobody/restart'), missing)
    await world.run({ name: 'pc-gone', script: SLEEPER })
    const { Id } = await inspect('pc-gone')
    await world.remove('pc-gone')
    t.match(await ask('POST', `/containers/${Id}/restart`), { status: 404, json: { message: `No such container: ${Id}` } })
  })

  await t.test('restart of a running container: a new run, not counted', async (t) => {
    const before = await inspect('pc-web')
    t.match(await ask('POST', '/containers/pc-web/restart?t=1'), { status: 204, text: '' })
    const after = await inspect('pc-web')
    t.match(after, { Id: before.Id, RestartCount: 0, State: { Status: 'running' } })
    t.ok(after.State.StartedAt > before.State.StartedAt)
  })

  await t.test('restart of one that was stopped starts it', async (t) => {
    await world.stop('pc-plain')
    t.match(await inspect('pc-plain'), { State: { Status: 'exited' } })
    t.equal((await ask('POST', '/containers/pc-plain/restart')).status, 204)
    t.match(await inspect('pc-plain'), { State: { Status: 'running' } })
  })

  await t.test('restart of one that ignores SIGTERM: killed after its stop timeout', async (t) => {
    await world.run({ name: 'pc-stubborn', script: STUBBORN })
    const before = await inspect('pc-stubborn')
    t.equal((await ask('POST', '/containers/pc-stubborn/restart')).status, 204)
    const after = await inspect('pc-stubborn')
    t.ok(after.State.StartedAt > before.State.StartedAt)
    t.equal(after.State.Status, 'running')
  })

  await t.test('restart of one that cannot start again: 500, exited, and its start time stays', async (t) => {
    await world.run({ name: 'pc-mounted', script: SLEEPER })
    const before = await inspect('pc-mounted')
    await world.breakStart('pc-mounted')
    t.match(await ask('POST', '/containers/pc-mounted/restart?t=0'), {
      status: 500,
      json: { message: /^Cannot restart container pc-mounted: / },
    })
    t.match(await inspect('pc-mounted'), { State: { Status: 'exited', StartedAt: before.State.StartedAt } })
  })

  await t.test('one that dies is started again by its restart policy, and counted', async (t) => {
    await world.run({
      name: 'pc-crash',
      script: `process.on('SIGUSR2', () => process.exit(3)); ${SLEEPER}`,
      restart: 'unless-stopped',
    })
    const before = await inspect('pc-crash')
    await world.signal('pc-crash', 'SIGUSR2')
    await until('its restart', async () => (await inspect('pc-crash')).RestartCount === 1)
    await until('it to run', async () => (await inspect('pc-crash')).State.Status === 'running')
    t.ok((await inspect('pc-crash')).State.StartedAt > before.State.StartedAt)
    await ask('POST', '/containers/pc-crash/restart?t=0')
    t.equal((await inspect('pc-crash')).RestartCount, 0, 'a restart that was asked for sets the count to zero')
  })

  await t.test('HEALTHCHECK: starting, healthy, unhealthy, and starting again after a restart', async (t) => {
    await world.run({ name: 'pc-sick', labels: { 'postern.contract': 'sick' }, script: SICKLY, health: HEALTH })
    const status = async () => (await inspect('pc-sick')).State.Health?.Status
    t.equal(await status(), 'starting')
    await until('healthy', async () => (await status()) === 'healthy')
    t.same(await list({ health: ['healthy'], label: ['postern.contract=sick'] }), ['/pc-sick'])
    await world.signal('pc-sick', 'SIGUSR2')
    await until('unhealthy', async () => (await status()) === 'unhealthy')
    t.ok(((await inspect('pc-sick')).State.Health?.FailingStreak ?? 0) >= 2)
    t.same(await list({ health: ['unhealthy'], label: ['postern.contract=sick'] }), ['/pc-sick'])
    t.equal((await inspect('pc-sick')).State.Status, 'running', 'the Engine restarts nothing for it')
    await ask('POST', '/containers/pc-sick/restart?t=0')
    t.match((await inspect('pc-sick')).State.Health, { Status: 'starting', FailingStreak: 0 })
    await until('healthy again', async () => (await status()) === 'healthy')
  })
}
