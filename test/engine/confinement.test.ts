// The promises of confinement, read off the running containers. Fails when one is broken.
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { readPage } from '../support/pages.ts'
import { bringUp, docker, imageOf, inspect, printFile, waitFor } from './support/composition.ts'
import { configurationOf, filesOf } from './support/image.ts'

/** The images, with what in each is not root's alone to write. */
const IMAGES = [
  {
    name: 'proxy',
    user: '',
    own: [
      'drwxr-s--- 10001/10000 /run/postern',
      ...readdirSync('policies').flatMap((file) =>
        file.endsWith('.yaml') ? [`drwxr-s--- 10001/10000 /run/postern/${file.replace('.yaml', '')}`] : [],
      ),
      'drwxr-x--- 10001/10001 /var/log/postern',
    ],
  },
  { name: 'healer', user: '10002:10002', own: ['drwxr-x--- 10002/10002 /var/lib/postern'] },
  { name: 'sample-app', user: '10003:10003', own: [] },
] as const

const REFUSED = 'ERR_ACCESS_DENIED'

/** What whoever runs code in a program would try; says what came of each. Its arguments are directories. */
const ATTEMPTS = `
  const code = (act) => { try { act(); return 'passed' } catch (error) { return error.code } }
  const write = (path) => code(() => { fs.writeFileSync(path, ''); fs.unlinkSync(path) })
  console.log(JSON.stringify({
    process: code(() => child_process.execFileSync('node', ['--version'])),
    thread: code(() => new worker_threads.Worker('', { eval: true })),
    execve: code(() => process.execve('/usr/local/bin/node', ['node'], {})),
    wasi: code(() => new (require('wasi').WASI)({ version: 'preview1' })),
    inspector: code(() => inspector.open(0)),
    addon: code(() => process.dlopen({ exports: {} }, '/app/x.node')),
    memory: code(() => fs.openSync('/proc/self/mem', 'r+')),
    elsewhere: write('/dev/shm/x'),
    link: code(() => fs.symlinkSync('/proc/self', process.argv[1] + '/x')),
    own: process.argv.slice(1).map((directory) => write(directory + '/x')),
  }))`

/** Says what came of calls that the proxy's seccomp profile does not name. */
const UNNAMED_CALLS = `
  const say = (what, error) => console.log(what, error?.code ?? 'passed')
  const attempt = (what, act) => { try { act() } catch (error) { return say(what, error) } say(what) }
  say('process', child_process.spawnSync('node', ['--version']).error)
  attempt('directory', () => fs.mkdirSync('/run/postern/x'))
  attempt('mode', () => fs.chmodSync('/run/postern/healer.sock', 0o777))
  attempt('addresses', () => os.networkInterfaces())
  net.connect(1, '127.0.0.1').on('error', (error) => say('internet', error))`

const CAPABILITY_SETS = ['CapInh', 'CapPrm', 'CapEff', 'CapAmb', 'CapBnd']

await t.test('the containers are confined as promised', { timeout: 240_000 }, async (t) => {
  const stack = await bringUp(t, ['proxy', 'healer', 'sample-app'])
  const id = async (service: string) => (await stack.compose('ps', '-q', service)).trim()
  const proxy = await id('proxy')
  const healer = await id('healer')
  const inProxy = (...args: string[]) => docker('exec', '--user', '10001:10001', proxy, ...args)
  const inHealer = (...args: string[]) => docker('exec', healer, ...args)

  for (const [name, container, uid] of [
    ['proxy', proxy, 10001],
    ['healer', healer, 10002],
    ['sample-app', 'sample-app', 10003],
  ] as const) {
    await t.test(`${name}: its own user on every thread, no capability in any set, no new privileges`, async (t) => {
      const script =
        "for (const id of fs.readdirSync('/proc/1/task')) console.log(fs.readFileSync('/proc/1/task/' + id + '/status', 'utf8'))"
      const text = await docker('exec', '--user', `${uid}:${uid}`, container, 'node', '-e', script)
      const threads = text.split(/^(?=Name:)/m).filter((thread) => thread.startsWith('Name:'))
      t.ok(threads.length > 1)
      for (const thread of threads) {
        const field = (key: string) => new RegExp(`^${key}:\\s*(.*)$`, 'm').exec(thread)?.[1]
        t.equal(field('Uid'), Array(4).fill(uid).join('\t'))
        t.equal(field('Gid'), Array(4).fill(uid).join('\t'))
        for (const set of CAPABILITY_SETS) {
          // The healer and the sample app start without any; what cap_drop leaves of the bounding set is nothing too.
          t.equal(field(set), '0000000000000000', `${set} of a thread`)
        }
        t.equal(field('NoNewPrivs'), '1')
        t.equal(field('Seccomp'), '2', 'the Engine’s seccomp filter is on')
      }
    })
    await t.test(`${name}: a read-only root, no host namespace, bounded memory and processes`, async (t) => {
      const { HostConfig } = await inspect(container)
      t.match(HostConfig, {
        ReadonlyRootfs: true,
        Privileged: false,
        PidMode: '',
        IpcMode: 'private',
        UTSMode: '',
        Memory: 192 * 1024 * 1024,
        PidsLimit: 64,
      })
      const write = docker('exec', '--user', `${uid}:${uid}`, container, 'node', '-e', "fs.writeFileSync('/app/x', '')")
      await t.rejects(write, /EROFS|EACCES/)
    })
  }

  await t.test('proxy: is alone in its container, as its PID 1', async (t) => {
    t.match(
      await inProxy(...printFile('/proc/1/cmdline')),
      /^(?:\/usr\/local\/bin\/)?node\0(?:--[^\0]+\0)*\/app\/proxy\.mjs\0serve/,
    )
    const script = `
      for (const id of fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)))
        try { console.log(id, JSON.stringify(fs.readFileSync('/proc/' + id + '/cmdline', 'utf8'))) } catch {}`
    const processes = (await inProxy('node', '-e', script)).trim().split('\n')
    // Beside the one that counts there may be a health check.
    const others = processes.filter((process) => !/^1 |readdirSync|healthcheck/.test(process))
    t.ok(processes.some((process) => process.startsWith('1 ')))
    t.same(others, [])
  })

  for (const [service, container, own] of [
    ['proxy', proxy, ['/run/postern', '/var/log/postern']],
    ['healer', healer, ['/var/lib/postern']],
  ] as const) {
    await t.test(
      `${service}: its Node starts nothing, loads no compiled code, and writes in its own directories alone`,
      async (t) => {
        const user = service === 'proxy' ? '10001:10001' : '10002:10002'
        const inside = (...args: string[]) => docker('exec', '--user', user, container, ...args)
        const words = (await inside(...printFile('/proc/1/cmdline'))).split('\0')
        const flags = words.filter((word) => /^--(?:permission|allow-)/.test(word))
        t.same(
          flags.filter((flag) => !flag.startsWith('--allow-fs-write=')),
          ['--permission', '--allow-fs-read=*'],
        )
        const said = await inside('node', ...flags, '-e', ATTEMPTS, ...own)
        t.same(JSON.parse(said), {
          ...{ process: REFUSED, thread: REFUSED, execve: REFUSED, wasi: REFUSED, inspector: REFUSED },
          ...{ addon: 'ERR_DLOPEN_DISABLED', memory: REFUSED, elsewhere: REFUSED, link: REFUSED },
          own: own.map(() => 'passed'),
        })
      },
    )
  }

  await t.test('healer: says what to do where its state is elsewhere, and what docs/healer.md has for that works', async (t) => {
    const name = 'postern-test-state-elsewhere'
    t.teardown(() => docker('rm', '--force', name))
    const state = ['--env', 'STATE_DIR=/data', '--tmpfs', '/data:uid=10002']
    await t.rejects(docker('run', '--rm', ...state, imageOf('healer')), /ERR_ACCESS_DENIED.*mount that at \/var\/lib\/postern/)
    const [options = ''] = /NODE_OPTIONS=[^`]+/.exec(readPage('healer.md')) ?? []
    await docker('run', '--detach', '--name', name, ...state, '--env', options, imageOf('healer'))
    const kept = ['exec', name, 'node', '-p', "fs.readdirSync('/data').includes('healer.json')"]
    t.ok(await waitFor('its state', async () => (await docker(...kept)) === 'true\n'))
  })

  await t.test('proxy and healer: under their seccomp profiles, where a call that is not named does not exist', async (t) => {
    for (const container of [proxy, healer]) {
      const [, profile = ''] = (await inspect(container)).HostConfig.SecurityOpt as readonly string[]
      t.match(JSON.parse(profile.replace(/^seccomp=/, '')), { defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 38 })
    }
    const said = await inProxy('node', '-e', UNNAMED_CALLS)
    t.same(said.trim().split('\n'), [
      'process ENOSYS',
      'directory ENOSYS',
      'mode ENOSYS',
      'addresses ERR_SYSTEM_ERROR',
      'internet ENOSYS',
    ])
  })

  await t.test('proxy: no network at all', async (t) => {
    const { NetworkSettings, HostConfig } = await inspect(proxy)
    t.same(Object.keys(NetworkSettings.Networks), ['none'])
    t.equal(HostConfig.NetworkMode, 'none')
    const interfaces = (await inProxy(...printFile('/proc/1/net/dev')))
      .split('\n')
      .flatMap((line) => /^\s*(\S+):/.exec(line)?.[1] ?? [])
    t.same(interfaces, ['lo'])
  })

  await t.test(
    'proxy: mounts the Engine’s socket, its policy read-only, its sockets and its log, and nothing else',
    async (t) => {
      const { Mounts } = await inspect(proxy)
      t.same(Mounts.map(({ Destination, RW }) => `${Destination} ${RW ? 'rw' : 'ro'}`).sort(), [
        // A placeholder, where no policy of one's own is named.
        '/policies/own ro',
        '/run/postern rw',
        '/var/log/postern rw',
        '/var/run/docker.sock rw',
      ])
    },
  )

  await t.test('healer: has the proxy’s socket and its own state, never the Engine’s socket', async (t) => {
    const { Mounts } = await inspect(healer)
    t.same(Mounts.map(({ Destination, RW }) => `${Destination} ${RW ? 'rw' : 'ro'}`).sort(), [
      '/run/postern ro',
      // Placeholders, where no secret is named.
      '/run/secrets/alerts.yaml ro',
      '/run/secrets/healer-token ro',
      '/run/secrets/pagerduty-routing-key ro',
      '/run/secrets/slack-webhook-url ro',
      '/run/secrets/webhook-secret ro',
      '/run/secrets/webhook-url ro',
      '/var/lib/postern rw',
    ])
    t.notMatch(await inHealer(...printFile('/proc/1/mountinfo')), /docker\.sock/)
  })

  await t.test('the socket between them is for the healer’s group, not for the world', async (t) => {
    const script =
      "for (const path of ['/run/postern', '/run/postern/healer.sock']) { const { mode, uid, gid } = fs.statSync(path); console.log(path, mode.toString(8), uid, gid) }"
    t.equal(await inHealer('node', '-e', script), '/run/postern 42750 10001 10000\n/run/postern/healer.sock 140660 10001 10000\n')
    const connect =
      "require('net').connect('/run/postern/healer.sock').on('error', (error) => console.log(error.code)).on('connect', function () { console.log('connected'); this.end() })"
    t.equal(await inHealer('node', '-e', connect), 'connected\n')
    const stranger = [
      'run',
      '--rm',
      '--volumes-from',
      healer,
      '--user',
      '12345:12345',
      '--entrypoint',
      'node',
      imageOf('healer'),
      '-e',
      connect,
    ]
    t.equal(await docker(...stranger), 'EACCES\n')
    const volumes = (await inspect(healer)).Mounts.filter(({ Destination }) => Destination === '/run/postern').map(
      ({ Name }) => Name,
    )
    const mounting = (await docker('ps', '-q', '--no-trunc', '--filter', `volume=${volumes[0]}`)).trim().split('\n')
    t.same(mounting.sort(), [proxy, healer].sort(), 'only these two mount it')
  })

  for (const { name, user, own } of IMAGES) {
    const image = imageOf(name)
    await t.test(`${image}: Node, what it is linked with and the one program; no shell, no package manager`, async (t) => {
      const files = await filesOf(image)
      const programs = files.filter(({ path, mode }) => /^-.*x/.test(mode) && !/\.so[.\d]*$/.test(path))
      t.same(
        programs.map(({ path }) => path).sort(),
        name === 'proxy' ? ['/usr/bin/setpriv', '/usr/local/bin/node'] : ['/usr/local/bin/node'],
      )
      t.same(
        files.filter(({ path }) => path.startsWith('/app/')).map(({ path }) => path),
        [`/app/${name}.mjs`],
      )
      const forScanners = [
        '/etc/os-release',
        '/var/lib/dpkg/status.d/libc6',
        '/usr/share/doc/node_modules/prom-client/package.json',
      ]
      for (const file of forScanners)
        t.ok(
          files.some(({ path }) => path === file),
          file,
        )
      const odd = files.filter(({ mode }) => !/^(?:d|-..-..-..-|-rwxr-xr-x)/.test(mode))
      t.same(odd, [], 'directories and plain files, none with the rights of another user')
      const notRoots = files.filter(({ owner, mode }) => owner !== '0/0' || /^.{5}w|^.{8}w/.test(mode))
      t.same(notRoots.map(({ path, owner, mode }) => `${mode} ${owner} ${path}`).sort(), own)
    })

    await t.test(`${image}: says what it is, starts as its user, and is checked without a shell`, async (t) => {
      const { Labels, User, Healthcheck } = await configurationOf(image)
      const { version, license } = JSON.parse(readFileSync('package.json', 'utf8'))
      const label = (key: string) => Labels[`org.opencontainers.image.${key}`]
      t.same([label('title'), label('version'), label('licenses')], [`postern-${name}`, version, license])
      for (const key of ['description', 'source', 'revision', 'documentation']) t.type(label(key), 'string', key)
      t.equal(User, user)
      t.same(Healthcheck.Test, ['CMD', 'node', `/app/${name}.mjs`, 'healthcheck'])
      const container = name === 'sample-app' ? name : `postern-${name}-1`
      await waitFor(`${name} to be healthy`, async () => (await inspect(container)).State.Health?.Status === 'healthy')
    })
  }

  await t.test('what Node has no need of a system for: names, time zones and authorities', async (t) => {
    const script = `
      console.log(new Date(0).toLocaleString('en-GB', { timeZone: 'Asia/Tokyo' }))
      console.log(require('tls').rootCertificates.length > 100)
      require('dns').lookup('sample-app', (error, address) => console.log(error ?? address))`
    t.match(await inHealer('node', '-e', script), /^01\/01\/1970, 09:00:00\ntrue\n\d+\.\d+\.\d+\.\d+\n$/)
  })
})
